# SPDX-License-Identifier: Apache-2.0
"""Stopping rules, searches and warm-ups that are found out: the same whoever does the work, in one
go or in several, and as closed forms have it."""
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SOURCE, OutsideTest  # noqa: E402

MODEL = """squall: 1
name: goals
duration: {duration}
interval: 500ms
{rest}
entities:
  users:
    type: client
    target: web
    arrivals: {{poisson: 50/s}}
    call: {{timeout: 1s}}
  web:
    type: server
    concurrency: 2
    service_time: {{exponential: 10ms}}
network:
  - {{latency: 1ms}}
"""
RULE = """warmup: 1s
replications:
  min: 4
  max: 60
  until:
    - {stat: users.request_latency.mean, half_width: 4%}
    - {stat: users.request_latency.p90, above: 24ms, half_width: 0.3, confidence: 90%}
sweep:
  users.arrivals.poisson: {from: 40/s, to: 160/s, steps: 4}
"""
# Of two workers so many are busy on average as there is work: 0.01 s times the rate.
SEARCH = """replications: {min: 8, max: 32}
sweep:
  web.service_time.exponential: [10ms, 20ms]
search:
  axis: {users.arrivals.poisson: {from: 10/s, to: 90/s, steps: 17}}
  measure: {stat: web.busy_workers.mean}
  target: 0.62
"""
SHARE = """replications: {min: 8, max: 32}
search:
  axis: {users.arrivals.poisson: {from: 10/s, to: 90/s, steps: 9}}
  measure: {stat: web.busy_workers.mean, above: 0.5}
  target: 50%
"""


class Goals(OutsideTest):
    def write(self, rest, duration="5s"):
        (self.folder / "goals.yaml").write_text(MODEL.format(rest=rest, duration=duration))

    def open(self, name="goals.h5"):
        import h5py

        file = h5py.File(self.folder / name, "r")
        self.addCleanup(file.close)
        return file

    def used(self, name="goals.h5"):
        status = self.open(name)["runs/status"]
        names = status.attrs["flag_meanings"].split()
        ok = status.attrs["flag_values"][names.index("ok")]
        return (status[()] == ok).sum(axis=1).tolist()

    def same_everywhere(self):
        out, _ = self.squall("run", "goals.yaml")
        for ranks, team in ((2, 1), (4, 1), (4, 2)):
            told, _ = self.squall("run", "goals.yaml", "-o", "other.h5", "-f", "-r", team,
                                  ranks=ranks)
            self.assert_same_results("goals.h5", "other.h5")
            self.assertEqual(told.replace("other.h5", "goals.h5"), out)
        return out

    def test_rules(self):
        self.write(RULE)
        self.same_everywhere()
        used = self.used()
        self.assertEqual(len(used), 4)
        self.assertTrue(all(4 <= n <= 60 for n in used), used)
        self.assertLess(min(used), max(used))  # they end when they know enough, each by itself

    def test_rules_in_several_goes(self):
        self.write(RULE, duration="20s")
        self.squall("run", "goals.yaml", "-q", "-o", "whole.h5")
        for number in (signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen(self.command("run", "goals.yaml", "-q"), cwd=self.folder,
                                       env=self.environment, stderr=subprocess.DEVNULL)
            journal = self.folder / "goals.journal/rank-000000.sqj"
            while process.poll() is None and not (journal.exists()
                                                  and journal.stat().st_size > 30000):
                time.sleep(0.002)
            process.send_signal(number)
            self.assertNotEqual(process.wait(), 0)
            self.squall("run", "goals.yaml", "-q", "--resume", "-f", ranks=2)
            self.assert_same_results("goals.h5", "whole.h5")
            (self.folder / "goals.h5").unlink()

    def test_rules_in_shards(self):
        self.write(RULE)
        self.squall("run", "goals.yaml", "-q", "-o", "whole.h5")
        for shard in (1, 2, 3):
            self.squall("run", "goals.yaml", "-q", "--shard", f"{shard}/3", ranks=shard)
        self.squall("merge", *sorted(p.name for p in self.folder.glob("*.journal")))
        self.assert_same_results("goals.h5", "whole.h5")

    def test_too_few_replications_are_told(self):
        self.write("replications: {min: 4, max: 6, until: {stat: users.request_latency.mean, "
                   "half_width: 0.01%}}")
        out, _ = self.squall("run", "goals.yaml")
        self.assertIn("1 of 1 point: 6 replications are not enough for what `until` asks", out)

    def test_a_mean_is_searched(self):
        self.write(SEARCH, duration="20s")
        out = self.same_everywhere()
        self.assertIn("web.busy_workers.mean passes 0.62 at", out)
        search = self.open()["search"]
        self.assertEqual([t.decode() for t in search["where"][()]],
                         ["web.service_time.exponential=10ms", "web.service_time.exponential=20ms"])
        for i, rate in enumerate((62.0, 31.0)):
            low, high = search["low"][i], search["high"][i]
            self.assertLessEqual(low, rate)
            self.assertLessEqual(rate, high)
            self.assertLessEqual(high - low, 20)
            self.assertLess(abs(search["estimate"][i] - rate), 5)
        self.assertEqual(search["estimate"].attrs["units"], "1/s")
        self.assertLess(len(self.open()["point"]), 2 * 17)  # few levels are visited

    def test_a_share_is_searched(self):
        self.write(SHARE, duration="20s")
        out, _ = self.squall("run", "goals.yaml")
        found = re.search(r"users.arrivals.poisson: ([\d.]+)/s, between ([\d.]+)/s and "
                          r"([\d.]+)/s with 95 % confidence", out)
        self.assertIsNotNone(found, out)
        self.assertLess(abs(float(found[1]) - 50), 10)

    def test_the_load_that_breaks_a_policy(self):
        """Four attempts of everybody fit up to a quarter of what the service can do."""
        study = SOURCE / "configs/sweeps/breaking_load.yaml"
        self.squall("run", study, "-q", "--set",
                    "search.axis={users.arrivals.poisson: {from: 100/s, to: 1060/s, steps: 9}}",
                    "--set", "sweep={users.call.policy: [fast, budget]}",
                    "--set", "replications.max=16", ranks=2)
        search = self.open("breaking_load.h5")["search"]
        self.assertLessEqual(search["low"][0], 250)
        self.assertLessEqual(search["high"][0], 340)
        self.assertGreaterEqual(search["low"][1], 820)

    def test_the_other_studies(self):
        for name, change in (("storm_map", "sweep={users.arrivals.poisson: [200/s, 900/s]}"),
                             ("tuning", "sweep.sobol.points=4"),
                             ("sensitivity", "sweep.morris.trajectories=1")):
            out, err = self.squall("check", SOURCE / f"configs/sweeps/{name}.yaml")
            self.assertIn("no mistakes", out)
            self.assertEqual(err, "")
            self.squall("run", SOURCE / f"configs/sweeps/{name}.yaml", "-q", "--set", change)
        ok = self.used("storm_map.h5")
        self.assertEqual(ok, [6, 6])
        self.assertEqual(self.open("tuning.h5")["axes/users.call.timeout"].shape, (4,))
        self.assertEqual(self.open("sensitivity.h5")["designs/0/unit"].shape, (6, 5))

    def test_nothing_to_be_found(self):
        self.write(SHARE.replace("0.5}", "5}"))
        out, _ = self.squall("run", "goals.yaml")
        self.assertIn("nowhere; it is below the target from end to end", out)

    def test_warm_ups_are_found(self):
        # A hundred users begin to think at once, and it takes them seconds to have come.
        text = MODEL.format(rest="warmup: auto\nreplications: 4\nsweep: {web.concurrency: [1, 9]}",
                            duration="60s")
        text = text.replace("{poisson: 50/s}",
                            "{closed: {users: 100, think_time: {exponential: 5s}}}")
        text = text.replace("exponential: 10ms", "exponential: 80ms").replace("timeout: 1s",
                                                                             "timeout: none")
        (self.folder / "goals.yaml").write_text(text)
        self.same_everywhere()
        warmup = self.open()["runs/warmup"][()]
        for point in warmup:
            self.assertEqual(len(set(point)), 1)
            self.assertEqual(point[0] % 2_500_000_000, 0)  # batches of five intervals
        self.assertGreater(warmup[0][0], 0)
        self.assertLess(warmup.max(), 30e9)
        out, _ = self.squall("inspect", "goals.h5")
        self.assertIn("a warm-up was found out", out)

    def test_common_and_independent_numbers(self):
        for word, same in (("common", True), ("independent", False)):
            self.write(f"seeds: {word}\nreplications: 3\nsweep: {{web.concurrency: [2, 50]}}")
            self.squall("run", "goals.yaml", "-q", "-f")
            sent = self.open()["stats/client/logical_requests"][()][:, :, 0]
            self.assertEqual((sent[0] == sent[1]).all(), same)

    def test_antithetic_pairs(self):
        import numpy

        self.write("replications: {max: 300, antithetic: true}", duration="2s")
        self.squall("run", "goals.yaml", "-q")
        sent = self.open()["stats/client/logical_requests"][0, :, 0].astype(float)
        first, second = sent[0::2], sent[1::2]
        self.assertLess(numpy.corrcoef(first, second)[0, 1], -0.5)  # -0.64 between exponential laws
        _, err = self.squall("run", "goals.yaml", "--set", "replications.max=3", status=2)
        self.assertIn("antithetic replications come in pairs, and 3 is odd", err)

    def test_mistakes(self):
        for rest, message in (
                ("replications: {max: 9, until: {stat: users.request_latencies.p99, "
                 "half_width: 5%}}", "did you mean 'request_latency'?"),
                ("replications: {max: 9, until: {stat: users.request_latency.p99, "
                 "half_width: 5/s}}", "is not a duration"),
                ("replications: {max: 9, until: {stat: users.request_latency.p99, "
                 "half_width: 0}}", "a half-width is above 0"),
                ("replications: {min: 10, max: 9, until: {stat: users.successes, "
                 "half_width: 5%}}", "min no more than that"),
                ("replications: {max: 9, until: {stat: users.successes, above: 3, below: 5, "
                 "half_width: 5%}}", "needs 'above' or 'below', not both"),
                (SEARCH.replace("steps: 17", "steps: 16"), "halves cannot be taken of 16 values"),
                (SEARCH.replace("target: 0.62", "target: 3ms"), "is not a number"),
                (SHARE.replace("target: 50%", "target: 150%"), "lies between 0 and 1"),
                (SHARE.replace("max: 32", "max: 1"), "needs replications"),
                (SEARCH + "warmup: 2s\nsweep: {}\n", "duplicate")):
            self.write(rest)
            _, err = self.squall("run", "goals.yaml", status=2)
            self.assertIn(message, err)
        self.write("warmup: auto")
        (self.folder / "goals.yaml").write_text(
            (self.folder / "goals.yaml").read_text().replace("interval: 500ms\n", ""))
        _, err = self.squall("run", "goals.yaml", status=2)
        self.assertIn("interval", err)


if __name__ == "__main__":
    unittest.main()
