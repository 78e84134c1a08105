# SPDX-License-Identifier: Apache-2.0
"""What a run is given stops it, and what a replication is given ends that one and no other; each
says what was hit, and how to go on."""
import pathlib
import re
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SLOW, OutsideTest  # noqa: E402
import test_kill  # noqa: E402

STUDY = HERE / "study.yaml"
TRIP = HERE.parent / "parallel" / "trip.yaml"
SHORT = ["--set", "replications=4", "--quiet"]  # long enough to be looked at
ENDLESS = ["--set", "duration=1000d", "--set", "interval=none", "--set", "replications=3",
           "--quiet"]
SMALL = ["--memory-limit", "10kB"]  # less than any replication takes
# Ranks, and the options of a team of all of them.
WAYS = [(1, ()), (2, ("--exchange", "direct")), (3, ("--exchange", "reduced"))]


def runs(path, column):
    import h5py

    with h5py.File(path, "r") as file:
        return file[f"runs/{column}"][0].tolist()


class Limits(OutsideTest):
    journal = property(lambda self: self.folder / "study.journal")

    def recorded(self):
        return sorted(test_kill.frames(self.journal))

    def statuses(self, path):
        """The words for how the replications of a results file ended."""
        words = ("ok", "event_limit", "watchdog", "budget_tripped")
        return [words[status] for status in runs(self.folder / path, "status")]


class EventLimit(Limits):
    def check(self, study, limit, *arguments, words, status):
        """Runs the study on one rank and on several; they agree. Returns what the last one said."""
        for number, (ranks, way) in enumerate(WAYS):
            file = f"{number}.h5"
            _, told = self.squall("run", study, "--quiet", "--force", "--output", file, *way,
                                  "--set", f"event_limit={limit}",
                                  "--ranks-per-replication", ranks, *arguments, ranks=ranks,
                                  status=status)
            self.assertEqual(self.statuses(file), words, way)
            self.assert_same_results("0.h5", file)
        return told

    def test_one_event_is_one_too_many(self):
        """More than the limit, and not just as many."""
        study = [STUDY, "--set", "duration=4s", "--set", "replications=2"]
        self.squall("run", *study, "--quiet")
        events = runs(self.folder / "study.h5", "events")
        most = max(events)
        self.assertLess(min(events), most)
        self.check(*study[:1], most, *study[1:], words=["ok", "ok"], status=0)
        words = ["event_limit" if n == most else "ok" for n in events]
        told = self.check(*study[:1], most - 1, *study[1:], words=words, status=4)
        self.assertIn(f"event_limit: {most - 1}", told)
        self.assertIn("squall: 1 of 2 replications did not end well: 1 event_limit; "
                      f"point/replication: 0/{events.index(most)} (event_limit)", told)

    def test_far_below(self):
        """It ends long before its time is over, when ranks have gone further than others."""
        self.check(STUDY, 70000, "--set", "replications=1", "--set", "duration=1000d", "--set",
                   "interval=none", words=["event_limit"], status=4)

    def test_events_beyond_a_failure_budget_do_not_count(self):
        self.squall("run", TRIP, "--quiet", "--set", "replications=1", status=4)
        events = runs(self.folder / "trip.h5", "events")[0]
        for less, word in ((0, "budget_tripped"), (1, "event_limit")):
            self.check(TRIP, events - less, "--set", "replications=1", words=[word], status=4)

    @unittest.skipIf(SLOW, "ten million events at one instant")
    def test_events_before_a_loop_do_count(self):
        """Of a model that is stuck those before that moment do, wherever the others are by then."""
        loops = HERE / "loops.yaml"
        self.squall("run", loops, "--quiet", "--set", "duration=999999999ns")
        before = runs(self.folder / "loops.h5", "events")[0]
        partition = ["--partition", "block"]
        for ranks, way in WAYS[:2]:
            for limit, end in ((before, 10**9), (before - 1, 0)):
                _, told = self.squall("run", loops, "--quiet", "--output", "n.h5", "--force", *way,
                                      *partition, "--set", f"event_limit={limit}",
                                      "--ranks-per-replication", ranks, ranks=ranks, status=4)
                self.assertEqual(self.statuses("n.h5"), ["event_limit"])
                self.assertEqual(runs(self.folder / "n.h5", "sim_end"), [end], (ranks, limit))
                self.assertEqual("is stuck at 1 s" in told, limit == before)


class Watchdog(Limits):
    def assert_dump(self, told, limit, replication):
        self.assertRegex(told, rf"point 0, replication {replication} was given up: {limit}")
        self.assertRegex(told, r"\n  simulated time \S+ of \S+, next event at \S+, \d+ pending\n"
                               r"  \d+ events in \S+ s, \S+/s; memory \S+ MiB\n")
        self.assertRegex(told, r"\n    users \(client\): \d+ events, \S+ %\n"
                               r"      in_flight \d+, .*logical_requests \d+")

    def test_a_replication_that_takes_too_long(self):
        """The next one is begun all the same, in a team as on one rank."""
        for ranks in (1, 2, 3):
            with self.subTest(ranks):
                _, told = self.squall("run", STUDY, *ENDLESS, "--replication-limit", "200ms",
                                      "--force", "--ranks-per-replication", min(ranks, 2),
                                      ranks=ranks, status=4)
                self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 3)
                self.assertEqual("of the 2 that share it" in told, ranks > 1)
                for replication in range(3):
                    self.assertRegex(told, f"replication {replication} was given up: "
                                           "--replication-limit 200ms")
                self.assertIn("squall: 3 of 3 replications did not end well: 3 watchdog; "
                              "point/replication: 0/0 (watchdog), 0/1 (watchdog), 0/2", told)

    def test_a_replication_that_takes_too_much_memory(self):
        _, told = self.squall("run", STUDY, *SHORT, *SMALL, status=4)
        self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 4)
        self.assert_dump(told, "--memory-limit 10kB", 2)
        self.assertNotIn("replication 3 was given up", told, "the first few are enough")

    def test_enough_is_enough(self):
        """Limits that are not hit change nothing."""
        self.squall("run", STUDY, *SHORT)
        self.squall("run", STUDY, *SHORT, "--output", "other.h5", "--replication-limit", "1h",
                    "--memory-limit", "1GiB", "--time-limit", "1d", "--max-failures", "0")
        self.assert_same_results("study.h5", "other.h5")
        self.assertEqual(self.files(), ["other.h5", "study.h5"])

    def test_a_pilot_is_no_replication(self):
        """It is given up like one; but what others have run by stands, also when these are tried
        again."""
        auto = ("--set", "warmup=auto", "--set", "interval=100ms")
        _, told = self.squall("run", STUDY, *SHORT, *SMALL, *auto, status=4)
        self.assertIn("point 0, the pilot that finds the warm-up was given up: --memory-limit", told)
        self.assertIn("squall: 4 of 4 replications did not end well", told)
        self.squall("resume", "study.journal", "--retry-failed", "--quiet")
        self.assertEqual(set(runs(self.folder / "study.h5", "warmup")), {0})
        self.assertEqual(self.statuses("study.h5"), ["ok"] * 4)

    def test_a_shard_tells_of_what_it_gave_up(self):
        """The journal has all that it is to have, and the merged results end as they must."""
        _, told = self.squall("run", STUDY, *SHORT, *SMALL, "--shard", "1/1")
        self.assertIn("squall: 4 of 4 replications did not end well: 4 watchdog", told)
        self.squall("merge", "study.shard-1-of-1.journal", status=4)
        self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 4)

    def test_trying_again(self):
        """The journal is kept for it, and the results are those of a run without a limit."""
        self.squall("run", STUDY, *SHORT, "--output", "peace.h5")
        _, told = self.squall("run", STUDY, *SHORT, *SMALL, status=4)
        self.assertIn("squall: study.journal is kept: 'squall resume --retry-failed study.journal' "
                      "runs 4 of them again, with other limits\n", told)
        self.assertEqual(self.files(), ["peace.h5", "study.h5", "study.journal"])
        _, told = self.squall("resume", "study.journal", "--quiet", status=2)
        self.assertIn("study.h5 exists", told)
        self.squall("resume", "--retry-failed", "study.journal", "--quiet", *SMALL, status=4)
        self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 4)
        self.squall("resume", "--retry-failed", "study.journal", "--quiet", ranks=2)
        self.assert_same_results("peace.h5", "study.h5")
        self.assertEqual(self.files(), ["peace.h5", "study.h5"])

    def test_what_the_model_itself_does_is_not_tried_again(self):
        self.squall("run", STUDY, *SHORT, "--set", "event_limit=100", status=4)
        self.assertEqual(self.files(), ["study.h5"])


class TooManyFailures(Limits):
    def test_the_run_stops(self):
        for most, recorded in (("1", 2), ("0", 1), ("50%", 3), ("0%", 1)):
            with self.subTest(most):
                _, told = self.squall("run", STUDY, *SHORT, *SMALL, "--max-failures", most,
                                      "--force", status=4)
                self.assertEqual(self.recorded(), list(range(recorded)))
                self.assertIn(f"squall: {recorded} of {recorded} replications did not end well: "
                              f"{recorded} watchdog; point/replication: 0/0 (watchdog)", told)
                self.assertIn(f"squall: stopped by --max-failures {most}; finished replications "
                              "are in study.journal: 'squall resume study.journal' goes on", told)

    def test_as_many_as_allowed(self):
        self.squall("run", STUDY, *SHORT, *SMALL, "--max-failures", "4", status=4)
        self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 4)
        self.squall("run", STUDY, *SHORT, *SMALL, "--max-failures", "100%", "--force", status=4)
        self.assertEqual(self.statuses("study.h5"), ["watchdog"] * 4)

    def test_those_of_other_ranks_count(self):
        many = ["--set", "replications=300"]
        _, told = self.squall("run", STUDY, *SHORT, *many, *SMALL, "--max-failures", 150,
                              ranks=3, status=4)
        self.assertIn("squall: stopped by --max-failures 150", told)
        self.assertGreater(len(self.recorded()), 150)
        self.assertLess(len(self.recorded()), 300)

    def test_those_of_earlier_runs_count(self):
        """The same job, once more, does not go on; with other limits it may try again."""
        self.squall("run", STUDY, *SHORT, "--output", "peace.h5")
        budget = ["--max-failures", 1, "--quiet"]
        self.squall("run", STUDY, *SHORT, *SMALL, *budget, status=4)
        _, told = self.squall("resume", "study.journal", *SMALL, *budget, status=4)
        self.assertIn("squall: stopped by --max-failures 1", told)
        self.assertEqual(self.recorded(), [0, 1])
        self.squall("resume", "study.journal", "--retry-failed", *budget)
        self.assert_same_results("peace.h5", "study.h5")

    def test_a_spent_failure_budget_is_a_result(self):
        _, told = self.squall("run", TRIP, "--quiet", "--max-failures", "0", status=4)
        self.assertIn("squall: 6 of 6 replications did not end well: 6 budget_tripped", told)
        self.assertEqual(self.files(), ["trip.h5"])


class TimeLimit(Limits):
    def test_it_is_used_up(self):
        for ranks in (1, 3):
            with self.subTest(ranks):
                _, told = self.squall("run", STUDY, *ENDLESS, "--time-limit", "5s", "--force",
                                      ranks=ranks, status=3)
                self.assertIn("squall: stopped by --time-limit 5s; finished replications are in "
                              "study.journal: 'squall resume study.journal' goes on", told)
                self.assertEqual(self.files(), ["study.journal"])
        _, told = self.squall("resume", "study.journal", "--quiet", "--time-limit", "300ms",
                              status=3)
        self.assertIn("squall: stopped by --time-limit 300ms; ", told)

    def test_before_anything_was_begun(self):
        _, told = self.squall("run", STUDY, *ENDLESS, "--time-limit", "1ns", status=3)
        self.assertEqual(told, "squall: stopped by --time-limit 1ns; nothing was begun yet, and "
                               "the same command begins again\n")
        self.assertEqual(self.files(), [])

    def test_the_end_of_a_slurm_job(self):
        def told(seconds, *arguments, status):
            end = {"SLURM_JOB_END_TIME": str(int(time.time()) + seconds)}
            return self.squall("run", STUDY, *arguments, "--force", "--quiet",
                               env={**self.environment, **end}, status=status)[1]

        reason = "squall: stopped by the end of the Slurm job, 30 s before it; "
        self.assertIn(reason + "nothing was begun yet", told(20, *ENDLESS, status=3))
        self.assertIn(reason, told(33, *ENDLESS, status=3))
        self.assertIn("squall: stopped by --time-limit 1s; ",
                      told(3600, *ENDLESS, "--time-limit", "1s", status=3))
        # What a job leaves behind in the environment is no limit, nor is what nobody understands.
        self.assertEqual(told(-10, *SHORT, status=0), "")
        self.squall("run", STUDY, *SHORT, "--force",
                    env={**self.environment, "SLURM_JOB_END_TIME": "Unknown"})


class Mistakes(Limits):
    def test_what_is_no_limit(self):
        for option, value, why in (("time-limit", "0s", "longer than nothing"),
                                   ("time-limit", "soon", "'soon' is not a duration"),
                                   ("replication-limit", "-1s", "longer than nothing"),
                                   ("memory-limit", "2 parsecs", "'2 parsecs' is not a size"),
                                   ("memory-limit", "0", "from 1B"),
                                   ("max-failures", "101%", "from 0% to 100%"),
                                   ("max-failures", "-1", "from 0 on"),
                                   ("max-failures", "half", "'half' is not a")):
            with self.subTest(option=option, value=value):
                _, told = self.squall("run", STUDY, f"--{option}", value, status=2)
                self.assertRegex(told, rf"squall run: --{option}: .*{re.escape(why)}")
                self.assertEqual(self.files(), [])

    def test_only_a_journal_has_something_to_try_again(self):
        _, told = self.squall("run", STUDY, "--retry-failed", status=2)
        self.assertIn("--retry-failed", told)

    def test_the_help_tells_of_them(self):
        for verb in ("run", "resume"):
            told, _ = self.squall(verb, "--help")
            for option in ("time-limit", "replication-limit", "memory-limit", "max-failures"):
                self.assertIn(f"--{option}=", told)


if __name__ == "__main__":
    unittest.main()
