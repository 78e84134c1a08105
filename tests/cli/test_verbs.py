# SPDX-License-Identifier: Apache-2.0
"""What the verbs do with files that are there, that are not theirs, or that cannot be written."""
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import outside  # noqa: E402
from outside import SOURCE, SQUALL, OutsideTest, contents  # noqa: E402

STORM = HERE.parent / "parallel/storm.yaml"
CLOSED = HERE.parent / "parallel/closed.yaml"
VERBS = ["run", "resume", "merge", "check", "plan", "describe", "inspect", "compare",
         "bench"]
NOBODY = 65534


class Talking(OutsideTest):
    def test_help(self):
        told, complaints = self.squall("--help")
        self.assertEqual(complaints, "")
        for verb in VERBS:
            self.assertIn(f"  squall {verb} ", told)
            more, complaints = self.squall(verb, "--help")
            self.assertTrue(more.startswith(f"Usage: squall {verb} "), more)
            self.assertEqual(complaints, "")
        self.assertEqual(self.squall("help")[0], told)

    def test_version(self):
        told, _ = self.squall("--version")
        self.assertRegex(told, r"\Asquall \d+\.\d+\.\d+ \([^)]+\)\n\Z")

    def test_describe(self):
        everything, _ = self.squall("describe")
        for path in (SOURCE / "src/entities").glob("*.c"):
            self.assertIn(path.stem, everything)
            self.assertIn(path.stem, self.squall("describe", path.stem)[0])

    def test_describe_finds_statistics_and_keys(self):
        told, _ = self.squall("describe", "request_latency")
        self.assertRegex(told, r"\Astatistic of [a-z_, ]*\bclient\b[a-z_, ]*\n"
                               r"  request_latency: histogram \[ns\]\n      [A-Z].*\.\n")
        self.assertNotIn("key of", told)
        self.assertIn(told.split("\n", 1)[1].split("statistic of")[0],
                      self.squall("describe", "client")[0])
        told, _ = self.squall("describe", "concurrency")
        self.assertRegex(told, r"(?m)^key of server\n  concurrency: .*\n      [A-Z]")
        told, _ = self.squall("describe", "min_samples")
        self.assertRegex(told, r"(?m)^key of failure_budget\n  min_samples: .*; default ")
        _, complaints = self.squall("describe", "request_latencies", status=2)
        self.assertIn("(did you mean 'request_latency'?)", complaints)

    def test_check(self):
        told, complaints = self.squall("check", CLOSED)
        self.assertEqual((told, complaints), (f"{CLOSED}: 2 entities in 2 groups, 1 wires, 5 "
                                              "replications of 30 s: no mistakes\n", ""))


class Results(OutsideTest):
    def make(self, *more, **options):
        """A study that is done in a blink."""
        return self.squall("run", CLOSED, "--set", "duration=3s", *more, **options)

    def test_names(self):
        self.assertEqual(self.make()[0], "closed.h5\n")
        self.make("--output", "other.h5")
        self.make("--set", "name=third", "--quiet")
        self.assertEqual(self.files(), ["closed.h5", "other.h5", "third.h5"])

    def on_terminal(self, *more):
        """What a run prints, and what it says to a terminal."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        done = subprocess.run(
            self.command("run", CLOSED, "--set", "duration=3s", "--force", *more), cwd=self.folder,
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
            text=True, timeout=outside.PATIENCE, check=True)
        os.write(theirs, b"end")
        os.close(theirs)
        return done.stdout, os.read(ours, 65536).decode().replace("\r\n", "\n")

    def test_a_terminal_is_told_what_shows_the_results(self):
        printed, told = self.on_terminal()
        self.assertEqual(printed, "closed.h5\n")
        self.assertTrue(told.endswith(
            "\nsquall: 'squall inspect closed.h5' shows what came out\nend"), told)
        self.assertEqual(self.on_terminal("--quiet"), ("", "end"))
        self.assertNotIn("inspect", self.make("--output", "other.h5")[1])

    def test_nothing_is_overwritten(self):
        self.make()
        before = (self.folder / "closed.h5").read_bytes()
        self.assertEqual(self.make("--set", "seed=99", status=2), (
            "", "squall: closed.h5 exists; --force overwrites it, --output names another\n"))
        self.assertEqual((self.folder / "closed.h5").read_bytes(), before)
        self.assertEqual(self.files(), ["closed.h5"])
        self.make("--set", "seed=99", "--force")
        self.assertEqual(contents(self.folder / "closed.h5")["@seed"][1], "99")

    def test_a_directory_is_no_file(self):
        (self.folder / "there").mkdir()
        for force in ([], ["--force"]):
            self.assertEqual(self.make("--output", "there", *force, status=2), (
                "", "squall: there is a directory; --output names a file\n"))
        self.assertEqual(self.files(), ["there"])

    def test_a_run_under_way_is_left_alone(self):
        """--force of a second run must not take the journal from under the first."""
        first = subprocess.Popen(self.command("run", CLOSED, "--quiet", "--set", "duration=20000s"),
                                 cwd=self.folder, env=self.environment)
        try:
            journal = self.folder / "closed.journal/rank-000000.sqj"
            while not journal.exists():
                self.assertIsNone(first.poll())
            _, complaint = self.squall("run", CLOSED, "--force", status=1)
            self.assertEqual(complaint, "squall: closed.journal is in use: a run of this study is "
                                        "under way\n")
            self.assertTrue(journal.exists())
        finally:
            first.terminate()
            first.wait()

    def test_a_model_that_loops_is_ended(self):
        """Users who think for no time and are rejected at once never let time pass."""
        (self.folder / "loop.yaml").write_text(
            "squall: 1\nduration: 10s\nreplications: 2\nentities:\n"
            "  users: {type: client, target: web, arrivals: {closed: {users: 2, think_time: 0s}}}\n"
            "  web: {type: server, service_time: 5ms, queue: {capacity: 0}}\n")
        told, complaint = self.squall("run", "loop.yaml", "--quiet", status=4)
        self.assertIn("squall: point 0, replication 0 is stuck at 0 s: ", complaint)
        self.assertIn("replications  2 event_limit", self.squall("inspect", "loop.h5")[0])

    def test_a_spent_failure_budget_is_told(self):
        """With when; and of many only the first ones."""
        budget = ["--set", "failure_budget.min_samples=1", "--set", "failure_budget.threshold=0"]
        for n, action in ((2, "end_run"), (5, "stop_sources"), (1, "abort")):
            _, complaint = self.make("--quiet", "--force", "--set", f"replications={n}", "--set",
                                     f"failure_budget.action={action}", *budget, "--set",
                                     "web.service_time=1h", status=4)
            *lines, last = complaint.splitlines()
            self.assertEqual(len(lines), min(n, 3), complaint)
            self.assertIn(f"squall: {n} of {n} replications did not end well: {n} budget_tripped",
                          last)
            for i, line in enumerate(lines):
                self.assertRegex(line, rf"\Asquall: point 0, replication {i} spent its failure budget at "
                                       r"0\.[0-9]+ s" + ("; the next ones to do so are not told"
                                                         if i == 2 else "") + r"\Z")
            self.assertIn(f"replications  {n} budget_tripped",
                          self.squall("inspect", "closed.h5")[0])

    def test_all_at_the_start(self):
        """Thousands of events at time 0 are no special case."""
        (self.folder / "start.yaml").write_text(
            "squall: 1\nduration: 10s\nentities:\n"
            "  users: {type: client, target: web,\n"
            "          arrivals: {closed: {users: 5000, think_time: 0s}}}\n"
            "  web: {type: server, concurrency: 5, service_time: 5ms}\n")
        self.squall("run", "start.yaml", "--quiet")

    def test_what_was_set_is_told(self):
        """The file's text alone does not say what was run."""
        told = []
        for changes in ((), ("duration=3s", "seed=5"), ("duration=4s", "seed=5")):
            options = [word for change in changes for word in ("--set", change)]
            self.make(*options, "--force")
            told.append(contents(self.folder / "closed.h5"))
            said = str(told[-1]["overrides"])
            self.assertEqual([change for change in changes if change in said], list(changes))
        self.assertEqual(told[0]["config"], told[1]["config"])
        self.assertEqual(len({str(c["@config_hash"]) for c in told}), 3)

    def test_resolved_is_the_same_study(self):
        for study in (STORM, CLOSED):
            changes = ["--set", "duration=3s", "--set", "users.call.timeout=90ms"]
            resolved, _ = self.squall("check", "--resolved", study, *changes,
                                      *(["--set", "timeline=[]"] if study == STORM else []))
            (self.folder / "resolved.yaml").write_text(resolved)
            self.squall("run", study, *changes, "--output", "a.h5", "--force",
                        *(["--set", "timeline=[]"] if study == STORM else []))
            self.squall("run", "resolved.yaml", "--output", "b.h5", "--force")
            a, b = contents(self.folder / "a.h5"), contents(self.folder / "b.h5")
            differing = {place for place in a.keys() | b.keys() if a.get(place) != b.get(place)}
            # The texts differ: one of them no longer tells defaults from what was written.
            self.assertLessEqual(differing, {"config", "overrides", "config_resolved",
                                             "@config_hash"})
            again, _ = self.squall("check", "--resolved", "resolved.yaml")
            self.assertEqual(again, resolved.replace("  # default", ""))


class Provenance(OutsideTest):
    def test_sessions(self):
        """Who ran what: four replications were finished before the last was, in a job of Slurm."""
        (self.folder / "closed.h5.tmp").mkdir()
        self.squall("run", CLOSED, "--quiet", status=1)
        (self.folder / "closed.h5.tmp").rmdir()
        file = self.folder / "closed.journal/rank-000000.sqj"
        os.truncate(file, file.stat().st_size - 1)
        job = {**self.environment, "SLURM_JOB_ID": "81", "SLURM_ARRAY_JOB_ID": "80",
               "SLURM_ARRAY_TASK_ID": "3"}
        self.squall("resume", "closed.journal", "--quiet", env=job)
        told, complaint = self.squall("inspect", "--provenance", "closed.h5")
        self.assertEqual(complaint, "")
        row = (r"^  [^ ]+, rank 0 of 1 +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +(\d) +[\d.]+ \w+ +- +"
               r"(\S+)$")
        self.assertEqual(re.findall(row, told, re.M), [("4", "-"), ("1", "80[3]")])
        self.assertIn("(", told.partition("software\n")[2])
        _, complaint = self.squall("inspect", "--provenance", "--csv", "closed.h5", status=2)
        self.assertIn("--provenance is a table only; leave out --csv and --json", complaint)


class Journals(OutsideTest):
    def leave(self, *more):
        """A run that was stopped after a few replications, by a limit to the size of files. It is
        put upon the program alone, since Open MPI makes larger files."""
        limited = ["mpirun", "-n", "1", "sh", "-c", "ulimit -f 40; exec \"$@\"", "sh"]
        done = subprocess.run([*limited, SQUALL, "run", str(CLOSED), "--quiet", *more],
                              cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=outside.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(self.files(), ["closed.journal"])
        return done.stderr

    def assert_refused(self, said, *arguments):
        self.assertEqual(self.squall(*arguments, status=2), ("", said))

    def test_full_disk(self):
        complaint = self.leave()
        self.assertIn("squall: rank 0: cannot write closed.journal/rank-000000.sqj: File too "
                      "large; finished replications are safe: raise the limit on file sizes "
                      "(ulimit -f) and run 'squall resume closed.journal'\n", complaint)
        self.squall("resume", "closed.journal", ranks=2)
        self.squall("run", CLOSED, "--output", "peace.h5")
        self.assert_same_results("closed.h5", "peace.h5")

    def test_a_spent_budget_is_finished_work(self):
        """Resuming runs such a replication no second time, and ends with the same status."""
        trip = ["--set", "failure_budget={threshold: 0, min_samples: 1, from: 25s}",
                "--set", "users.call.timeout=50ms"]
        self.squall("run", CLOSED, *trip, "--quiet", "--output", "peace.h5", status=4)
        shutil.move(self.folder / "peace.h5", self.folder.parent)
        self.assertIn("replication 0 spent its failure budget", self.leave(*trip))
        _, complaint = self.squall("resume", "closed.journal", status=4)
        self.assertIn("replication 4 spent its failure budget", complaint)
        self.assertNotIn("replication 0 ", complaint)
        self.assert_same_results("closed.h5", "../peace.h5")

    def test_unfinished_run(self):
        self.leave()
        self.assert_refused(
            "squall: an unfinished run of this study is in closed.journal: 'squall resume "
            "closed.journal' goes on with it, --force starts anew\n", "run", CLOSED)
        self.squall("run", CLOSED, "--resume")
        self.assertEqual(self.files(), ["closed.h5"])

    def test_force_starts_anew(self):
        self.leave()
        self.squall("run", CLOSED, "--force", "--set", "seed=2")
        self.assertEqual(self.files(), ["closed.h5"])
        self.assertEqual(contents(self.folder / "closed.h5")["@seed"][1], "2")

    def test_changed_configuration(self):
        self.leave()
        said = ("squall: closed.journal belongs to another plan; what has changed since:\n"
                "  seed: 5 -> 6\n"
                "  entities.users.call.timeout: 300ms -> 250ms\n"
                "  entities.web.concurrency: 2 -> 3\n"
                "Give the new study another --output, or remove the journal.\n")
        changes = ["--set", "seed=6", "--set", "users.call.timeout=250ms",
                   "--set", "web.concurrency=3"]
        self.assert_refused(said, "run", CLOSED, "--resume", *changes)
        self.assert_refused(said, "run", CLOSED, *changes)
        self.assertEqual(self.files(), ["closed.journal"])

    def test_results_that_are_still_to_be(self):
        self.leave()
        ways = ("'squall status {0}' tells how far it is, 'squall resume {0}' goes on with it\n")
        for verb in ["inspect", "closed.h5"], ["compare", "closed.h5", "closed.h5"]:
            told = self.squall(*verb, status=2)[1].splitlines(keepends=True)
            self.assertEqual(set(told), {"squall: closed.h5 is not there yet: its study is not "
                                         "finished; " + ways.format("closed.journal")})
        for name in "closed.journal", "closed.journal/":
            self.assert_refused(f"squall: {name} is the journal of a study that is not finished, "
                                "and no results file; " + ways.format(name), "inspect", name)
        self.assert_refused("squall: cannot read other.h5: No such file or directory\n",
                            "inspect", "other.h5")
        self.assert_refused("squall: cannot read .: Is a directory\n", "inspect", ".")

    def test_other_name_other_place(self):
        """A journal can be moved; its results follow it."""
        self.leave()
        (self.folder / "closed.journal").rename(self.folder / "moved.journal")
        self.squall("resume", "moved.journal/")
        self.assertEqual(self.files(), ["moved.h5"])

    def test_foreign_folder(self):
        (self.folder / "photos").mkdir()
        (self.folder / "photos/cat.png").write_bytes(b"\x89PNG")
        self.assert_refused("squall: photos holds nothing: no replication was ever begun\n",
                            "resume", "photos")
        (self.folder / "photos/rank-000000.sqj").write_bytes(b"\x89PNG" * 100)
        self.assert_refused("squall: photos/rank-000000.sqj is not a journal of squall; "
                            "move it away\n",
                            "resume", "photos")
        (self.folder / "photos").rename(self.folder / "closed.journal")
        self.squall("run", CLOSED, status=2)
        self.squall("run", CLOSED, "--force", status=1)  # other files are not ours to remove
        self.assertEqual(os.listdir(self.folder / "closed.journal"), ["cat.png"])

    def test_results_are_there_already(self):
        self.leave()
        (self.folder / "closed.h5").write_text("mine")
        self.assert_refused("squall: closed.h5 exists; --force overwrites it, --output names "
                            "another\n", "resume", "closed.journal")
        self.squall("resume", "closed.journal", "--force")
        self.assertEqual(self.files(), ["closed.h5"])
        self.assertIn("@results_digest", contents(self.folder / "closed.h5"))


class Places(OutsideTest):
    def run_as_somebody(self, *arguments):
        """Root may write everywhere, so it becomes somebody else for this. Where it is, nobody may
        write."""
        program = shutil.copy(SQUALL, self.folder.parent)
        os.chmod(self.folder.parent, 0o755)
        os.chmod(self.folder / "here", 0o555)
        room = self.folder.parent / "scratch"
        room.mkdir()
        os.chmod(room, 0o777)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        environment = {**self.environment, "OMPI_MCA_orte_tmpdir_base": str(room),
                       "HOME": str(room)}
        # Whoever that is may not be able to read the suppressions of a sanitized build.
        environment["LSAN_OPTIONS"] = "detect_leaks=0"
        return subprocess.run([program, *arguments], cwd=self.folder / "here", env=environment,
                              capture_output=True, text=True, timeout=outside.PATIENCE, **user)

    def test_read_only_folder(self):
        (self.folder / "here").mkdir()
        done = self.run_as_somebody("run", shutil.copy(CLOSED, self.folder))
        self.assertEqual((done.returncode, done.stderr),
                         (2, "squall: cannot make closed.journal: Permission denied; --output "
                             "names another place\n"))
        self.assertEqual(os.listdir(self.folder / "here"), [])

    def test_journal_that_may_not_be_written(self):
        here = self.folder / "here"
        (here / "closed.h5.tmp").mkdir(parents=True)
        self.squall("run", CLOSED, "--quiet", status=1, cwd=here)
        (here / "closed.h5.tmp").rmdir()
        journal = here / "closed.journal/rank-000000.sqj"
        os.chmod(journal.parent, 0o555)
        os.chmod(journal, 0o444)
        done = self.run_as_somebody("resume", "closed.journal", "--quiet")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "squall: rank 0: cannot open closed.journal/rank-000000.sqj: "
                             "Permission denied; see that it is a file that you may write\n"))
        self.assertTrue(journal.exists())
        os.chmod(journal.parent, 0o755)

    def test_no_such_folder(self):
        self.assertEqual(
            self.squall("run", CLOSED, "--output", "no/where.h5", status=2),
            ("", "squall: cannot make no/where.journal: No such file or directory; --output names "
                 "another place\n"))

    @unittest.skipIf(os.geteuid() != 0, "only root may mount")
    def test_no_space_left(self):
        """As with a limit, but with a real disk, and told apart: for the journal, and for the
        results."""
        disk = self.folder / "disk"
        disk.mkdir()

        def mount(*options):
            done = subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(disk)],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                self.skipTest(f"no disk of its own: {done.stderr.strip()}")

        mount("-o", "size=24k")
        self.addCleanup(subprocess.run, ["umount", str(disk)])
        _, complaint = self.squall("run", CLOSED, "--quiet", status=1, cwd=disk)
        self.assertIn("squall: rank 0: cannot write closed.journal/rank-000000.sqj: No space left "
                      "on device; finished replications are safe: free space and run 'squall "
                      "resume closed.journal'\n", complaint)
        mount("-o", "remount,size=100k")
        _, complaint = self.squall("resume", "closed.journal", status=1, cwd=disk)
        self.assertIn("\nFinished replications are in closed.journal: 'squall resume "
                      "closed.journal' writes the results again.\n", complaint)
        self.assertEqual(os.listdir(disk), ["closed.journal"])
        mount("-o", "remount,size=100M")
        self.squall("resume", "closed.journal", ranks=3, cwd=disk)
        self.squall("run", CLOSED, "--output", "peace.h5", cwd=disk)
        self.assertEqual(sorted(os.listdir(disk)), ["closed.h5", "peace.h5"])
        self.assert_same_results("disk/closed.h5", "disk/peace.h5")


if __name__ == "__main__":
    unittest.main()
