# SPDX-License-Identifier: Apache-2.0
"""How far a study is: by its journals, at any time, and by the file that a run keeps."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, OutsideTest  # noqa: E402

SWEEP = HERE.parent / "parallel/sweep.yaml"  # 12 points of 3 replications
TRIP = HERE.parent / "parallel/trip.yaml"    # all 6 replications spend their failure budget
LONG = """\
squall: 1
name: long
duration: 20s
replications: 20000
entities:
  users: {type: client, target: web, arrivals: {poisson: 900/s}, call: {timeout: 100ms}}
  web: {type: server, concurrency: 8, service_time: {exponential: 8ms}}
network: [{latency: 500us}]
"""

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? "
                    r"([-+]?(?:[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?|Inf)|NaN)")
SUFFIXES = {"gauge": [""], "counter": ["_total"], "info": ["_info"], "stateset": [""]}


def openmetrics(text):
    """Samples from names and labels to values, of a text that must obey the OpenMetrics grammar:
    metadata of a family in one piece before its samples, no family twice, units as endings of
    names, no sample twice, and # EOF as the last line."""
    assert text.endswith("# EOF\n"), repr(text[-80:])
    samples, seen, family, kind, began = {}, set(), None, None, False
    for line in text.splitlines()[:-1]:
        meta = re.fullmatch(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)", line)
        if meta:
            key, name, value = meta.groups()
            if name != family:
                assert key == "TYPE" and name not in seen, line
                seen.add(name)
                family, kind, began = name, value, False
                assert kind in SUFFIXES, line
            assert not began, f"behind its samples: {line}"
            assert key != "UNIT" or name.endswith("_" + value), line
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no line of OpenMetrics: {line!r}"
        name, labels, value = match.groups()
        began = True
        assert name in [family + s for s in SUFFIXES[kind]], f"{line} in {family}"
        assert kind != "info" or value == "1", line
        assert kind != "stateset" or value in "01" and f'{family}="' in labels, line
        assert kind != "counter" or float(value) >= 0, line
        place = f"{name}{{{labels}}}" if labels else name
        assert place not in samples, f"twice: {line}"
        samples[place] = float(value)
    return samples


def state(samples):
    found = [k for k, v in samples.items() if k.startswith("squall_run_state{") and v == 1]
    assert len(found) == 1, found
    return re.search(r'"(\w+)"', found[0])[1]


class Status(OutsideTest):
    def status(self, *journals, **options):
        out, err = self.squall("status", *journals, "--by-point", "--json", **options)
        self.assertEqual(err, "")
        return json.loads(out)

    def begin(self, *arguments, ranks=1):
        return self.started(self.command(*arguments, "--quiet", ranks=ranks))

    def await_done(self, journal, n):
        """Until so many replications are done, by what status says."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            if (self.folder / journal / "rank-000000.sqj").exists():
                found = subprocess.run(self.command("status", journal, "--json", "--by-point"),
                                       cwd=self.folder, env=self.environment, text=True,
                                       capture_output=True, timeout=PATIENCE)
                if found.returncode == 0 and json.loads(found.stdout)["done"] >= n:
                    return json.loads(found.stdout)
            time.sleep(0.05)
        self.fail(f"{journal} never had {n} replications")

    def fail_in_part(self, verb, *arguments):
        """Runs what some replications of end early. Returns stderr."""
        done = subprocess.run(self.command(verb, *arguments), cwd=self.folder, text=True,
                              env=self.environment, capture_output=True, timeout=PATIENCE)
        self.assertIn(done.returncode, (0, 4), done.stderr)
        return done.stderr

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        self.assertEqual(process.returncode, 3, process.stderr.read())

    def long_run(self):
        (self.folder / "long.yaml").write_text(LONG)

    # --- journals

    def test_shards_of_which_one_is_missing(self):
        for shard in (1, 3):
            self.squall("run", SWEEP, "-q", "--shard", f"{shard}/3")
        journals = [f"sweep.shard-{k}-of-3.journal" for k in (3, 1)]
        found = self.status(*journals)
        self.assertEqual((found["name"], found["points"], found["replications"]), ("sweep", 12, 3))
        self.assertEqual((found["done"], found["tasks"], found["at_most"]), (24, 36, False))
        self.assertEqual(found["missing_shards"], [2])
        self.assertEqual([(j["shard"], j["done"], j["tasks"], j["running"])
                          for j in found["journals"]], [(3, 12, 12, False), (1, 12, 12, False)])
        self.assertEqual([p["done"] for p in found["by_point"]], [2] * 12)
        self.assertEqual(found["by_point"][7]["values"],
                         {"users.arrivals.poisson": "750/s", "users.call.policy": "patient",
                          "web.count": "2"})
        self.assertEqual(found["status"]["ok"], 24)
        self.assertIsNone(found["eta_seconds"])
        self.assertEqual([s["done"] for s in found["sessions"]], [12, 12])
        out, _ = self.squall("status", *journals)
        self.assertIn("24 of 36 replications (66.7 %), 0 of 12 points", out)
        self.assertIn("Shard 2 of 3 is not among these; 'squall run CONFIG --shard 2/3' makes it.",
                      out)
        self.assertRegex(out, r"sweep.shard-1-of-3.journal +1 of 3 +12 +12 +complete")
        self.squall("run", SWEEP, "-q", "--shard", "2/3")
        found = self.status(*journals, "sweep.shard-2-of-3.journal/")
        self.assertEqual((found["done"], found["missing_shards"]), (36, []))

    def test_a_run_that_was_stopped_and_goes_on(self):
        self.long_run()
        process = self.begin("run", "long.yaml")
        running = self.await_done("long.journal", 3)
        journal, = running["journals"]
        self.assertTrue(journal["running"])
        self.assertEqual(journal["writers"], 1)
        self.assertGreater(running["rate"], 0)
        self.assertGreater(running["eta_seconds"], 0)
        session, = running["sessions"]
        self.assertEqual((session["pid"], session["ranks"], session["running"]),
                         (process.pid, 1, True))
        out, _ = self.squall("status", "long.journal")
        self.assertRegex(out, r"left +\d+; about .*, at .*/s, 1 at a time\n")
        self.stop(process)
        stopped = self.status("long.journal")
        self.assertGreaterEqual(stopped["done"], running["done"])
        self.assertFalse(stopped["journals"][0]["running"])
        self.assertIsNone(stopped["eta_seconds"])
        out, _ = self.squall("status", "long.journal")
        self.assertIn("nobody is running them; 'squall resume long.journal' goes on", out)
        self.assertRegex(out, r"long.journal +- +[\d,]+ +20,000 +stopped")
        process = self.begin("resume", "long.journal", ranks=2)
        later = self.await_done("long.journal", stopped["done"] + 5)
        self.assertEqual([(s["ranks"], s["running"]) for s in later["sessions"]],
                         [(1, False), (2, True)])
        self.assertEqual(later["sessions"][0]["done"], stopped["done"])
        self.assertEqual(sum(s["done"] for s in later["sessions"]), later["done"])

    def test_looking_disturbs_nobody(self):
        self.long_run()
        arguments = ("--set", "replications=200", "--set", "duration=2s")
        self.squall("run", "long.yaml", "-q", "-o", "alone.h5", *arguments)
        process = self.begin("run", "long.yaml", *arguments, ranks=2)
        looks = 0
        while process.poll() is None:
            looks += subprocess.run(self.command("status", "long.journal"), cwd=self.folder,
                                    env=self.environment, capture_output=True,
                                    timeout=PATIENCE).returncode == 0
        self.assertEqual(process.returncode, 0, process.stderr.read())
        self.assertGreater(looks, 0)
        self.assert_same_results("alone.h5", "long.h5")

    def test_failures_are_named(self):
        self.fail_in_part("run", TRIP, "-q", "--shard", "1/1")
        found = self.status("trip.shard-1-of-1.journal")
        self.assertEqual(found["status"]["budget_tripped"], 6)
        self.assertEqual([f["replication"] for f in found["failures"]], list(range(5)))
        self.assertEqual(found["by_point"][0]["failed"], 6)
        out, _ = self.squall("status", "trip.shard-1-of-1.journal")
        self.assertIn("6 budget_tripped: replication 0, replication 1, ", out)
        self.assertIn("replication 4, ...\n", out)

    def test_points_have_a_table(self):
        self.squall("run", SWEEP, "-q", "--shard", "1/2")
        out, _ = self.squall("status", "sweep.shard-1-of-2.journal", "--by-point")
        self.assertRegex(out, r"point +users.arrivals.poisson +users.call.policy +web.count +done "
                              r"+of +failed +time each\n")
        self.assertRegex(out, r"\n +10 +1200/s +patient +1 +2 +3 +0 +[\d.]+ [mu]?s\n")

    def test_a_rule_says_at_most(self):
        self.long_run()
        rule = "{min: 4, max: 1000, until: {stat: users.request_latency.mean, half_width: 1%}}"
        process = self.begin("run", "long.yaml", "--set", f"replications={rule}")
        found = self.await_done("long.journal", 1)
        self.assertTrue(found["at_most"])
        self.assertEqual(found["tasks"], 1000)
        process.kill()
        process.wait(PATIENCE)
        out, _ = self.squall("status", "long.journal")
        self.assertRegex(out, r"done +\d+ replications?, of at most 1000\n")
        self.assertIn("not running", out)

    def test_what_does_not_belong_together_is_refused(self):
        self.squall("run", SWEEP, "-q", "--shard", "1/2")
        self.squall("run", SWEEP, "-q", "--shard", "1/3")
        self.fail_in_part("run", TRIP, "-q", "--shard", "1/2")
        one = "sweep.shard-1-of-2.journal"
        for others, text in (
                (["trip.shard-1-of-2.journal"],
                 "trip.shard-1-of-2.journal belongs to another plan than sweep.shard-1-of-2"),
                (["sweep.shard-1-of-3.journal"], "is shard 1 of 3; take shards of one number"),
                ([one + "/"], "are the same journal; name it once")):
            out, err = self.squall("status", one, *others, status=2)
            self.assertEqual(out, "")
            self.assertIn(text, err)

    def test_what_is_no_journal_is_refused(self):
        (self.folder / "empty").mkdir()
        (self.folder / "file").write_text("text")
        (self.folder / "strange").mkdir()
        (self.folder / "strange/rank-000000.sqj").write_text("something else altogether")
        for name, text in (("nowhere", "cannot open the journal nowhere"),
                           ("empty", "holds nothing"), ("file", "file is no journal"),
                           ("strange", "is not a journal of squall")):
            out, err = self.squall("status", name, status=2)
            self.assertEqual(out, "")
            self.assertIn(text, err)
        _, err = self.squall("status", status=2)
        self.assertIn("the journal is missing", err)

    # --- the file of a run

    def metrics(self, name="run.om"):
        return openmetrics((self.folder / name).read_text())

    def test_the_file_of_a_whole_run(self):
        self.squall("run", SWEEP, "-q", "--status-file", "run.om", ranks=2)
        found = self.metrics()
        self.assertEqual(state(found), "done")
        for name, value in (("replications_done_total", 36), ("replications_planned", 36),
                            ("points_done", 12), ("points_planned", 12), ("ranks", 2),
                            ('replications_failed_total{status="watchdog"}', 0)):
            self.assertEqual(found[f"squall_{name}"], value, name)
        self.assertGreater(found["squall_events_total"], 0)
        self.assertGreater(found["squall_status_timestamp_seconds"], 1e9)
        self.assertNotIn("squall_eta_seconds", found)
        info, = [k for k in found if k.startswith("squall_run_info{")]
        self.assertRegex(info, r'name="sweep",plan="[0-9a-f]{16}",version="squall [^"]+",'
                               r'slurm_job_id=""')
        self.assertEqual(self.files(), ["run.om", "sweep.h5"])

    def test_counters_go_on_after_a_stop(self):
        import h5py

        self.long_run()
        process = self.begin("run", "long.yaml", "-o", "long.h5", "--set", "replications=200",
                             "--status-file", "run.om")
        self.await_done("long.journal", 2)
        self.assertEqual(state(self.metrics()), "running")
        self.stop(process)
        stopped, journal = self.metrics(), self.status("long.journal")
        self.assertEqual(state(stopped), "stopped")
        self.assertEqual(stopped["squall_replications_done_total"], journal["done"])
        self.assertEqual(stopped["squall_events_total"], journal["events"])
        self.squall("resume", "long.journal", "-q", "--status-file", "run.om")
        found = self.metrics()
        self.assertEqual(state(found), "done")
        self.assertEqual(found["squall_replications_done_total"], 200)
        with h5py.File(self.folder / "long.h5", "r") as file:
            self.assertEqual(found["squall_events_total"], file["runs/events"][()].sum())

    def test_failures_of_earlier_runs_are_in_the_file(self):
        self.fail_in_part("run", TRIP, "-q", "--shard", "1/2", "--status-file", "run.om")
        tripped = 'squall_replications_failed_total{status="budget_tripped"}'
        self.assertEqual(self.metrics()[tripped], 3)
        self.fail_in_part("resume", "trip.shard-1-of-2.journal", "-q", "--status-file", "again.om")
        self.assertEqual(self.metrics("again.om")[tripped], 3)

    def test_a_file_that_cannot_be_written_is_a_warning(self):
        _, err = self.squall("run", SWEEP, "-q", "--status-file", "no/where.om")
        self.assertEqual(err, "squall: cannot write the status file no/where.om: No such file or "
                              "directory; the run goes on without it\n")
        (self.folder / "taken").mkdir()
        _, err = self.squall("run", SWEEP, "-q", "--force", "--status-file", "taken")
        self.assertIn("cannot write the status file taken: ", err)
        self.assertEqual(self.files(), ["sweep.h5", "taken"])

    def test_names_are_escaped(self):
        self.long_run()
        self.squall("run", "long.yaml", "-q", "--set", "replications=2", "--set", "duration=1s",
                    "--status-file", "run.om", env={**self.environment, "SLURM_JOB_ID": 'a"b\\c'})
        self.assertTrue(any(r'slurm_job_id="a\"b\\c"' in k for k in self.metrics()))

    # --- the line

    def test_the_line_tells_of_points_and_failures(self):
        _, err = self.squall("run", SWEEP, "--shard", "1/1")
        self.assertRegex(err, r"^36/36 replications, 12/12 points, [\d.e+]+/s, [\d.e+]+ events/s\n")
        err = self.fail_in_part("run", TRIP, "--shard", "1/1")
        self.assertRegex(err, r"(?m)^6/6 replications, 6 ended early, ")


if __name__ == "__main__":
    unittest.main()
