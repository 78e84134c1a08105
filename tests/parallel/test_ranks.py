# SPDX-License-Identifier: Apache-2.0
"""A study gives the same results on any number of ranks."""
import sys
import pathlib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SLOW, SOURCE, OutsideTest, differences  # noqa: E402

# How much of a scenario is run here, by its name; a new one needs its row.
SHORTER = {
    "adaptive_throttling": ["--set", "duration=20s",
                            "--set", "warmup=0s",
                            "--set", "clients.call.throttle.window=2s"],
    "autoscaling": ["--set", "duration=120s"],
    "backoff": ["--set", "duration=100s", "--set", "interval=1s"],
    "bulkhead": ["--set", "duration=75s"],
    "cache_stampede": ["--set", "duration=35s"],
    "circuit_breaker": ["--set", "duration=75s"],
    "clients": ["--set", "duration=75s"],
    "cold_cache": ["--set", "duration=10s"],
    "concurrency_limits": ["--set", "duration=30s"],
    "deadlines": ["--set", "duration=70s"],
    "gateway_overload": ["--set", "duration=35s"],
    "gc_pause": [],
    "grpc_throttle": ["--set", "duration=15s"],
    "hedging": ["--set", "duration=10s"],
    "idempotency": ["--set", "duration=20s"],
    "link_outage": ["--set", "duration=40s"],
    "load_balancing": ["--set", "duration=75s"],
    "mesh": ["--set", "duration=100ms", "--set", "warmup=0s", "--set", "timeline=[]"],
    "optimistic_writes": ["--set", "duration=5s"],
    "phold": ["--set", "duration=20s"],
    "queue_policies": ["--set", "duration=30s"],
    "redundancy": ["--set", "duration=40s"],
    "retry_amplification": [],
    "retry_budget": [],
    "retry_growth": ["--set", "duration=5s"],
    "retry_storm": ["--set", "duration=75s"],
    "saga": ["--set", "duration=100s"],
    "saga_partition": ["--set", "duration=170s"],
    "zombies": [],
}


# Ranks, partition and exchange: the first few are as different as can be.
WAYS = [(2, "metis", "auto"), (3, "block", "reduced"), (2, "shuffle:1", "direct"),
        (4, "shuffle:2", "auto"), (3, "shuffle:3", "direct"), (4, "metis", "reduced"),
        (7, "shuffle:4", "auto"), (7, "metis", "direct"), (2, "shuffle:5", "reduced")]
FEW = WAYS[:4]
TWO_TO_FOUR = ([WAYS[0], WAYS[1], WAYS[3]], [WAYS[2], WAYS[4], WAYS[5]])  # ranks, in turn


class Divided(OutsideTest):
    def check_divided(self, study, *more, status=0, ways=FEW if SLOW else WAYS):
        """One model on several ranks, cut in every way, against the same on one. MPI looks at every
        call, and at what is left at the end."""
        self.environment |= {"OMPI_MCA_mpi_param_check": "1",
                             "OMPI_MCA_mpi_show_handle_leaks": "1"}
        self.squall("run", study, "--quiet", "--force", "--output", "1.h5", *more, status=status)
        for ranks, partition, exchange in ways:
            with self.subTest(ranks=ranks, partition=partition, exchange=exchange):
                _, told = self.squall("run", study, "--output", "n.h5", "--force", "--partition",
                                      partition, "--exchange", exchange,
                                      "--ranks-per-replication", ranks, *more, ranks=ranks,
                                      status=status)
                self.assertIn(f"of {ranks} ranks", told)
                self.assertNotIn("handle", told)
                self.assert_same_results("1.h5", "n.h5")


class Scenarios(Divided):
    def test_divided(self):
        """Each for as long as it takes for its trigger to be over, or a fitting part of it; in all
        ways those that are about dividing, the others in two on few ranks, each in others."""
        scenarios = sorted((SOURCE / "configs" / "scenarios").glob("*.yaml"))
        for i, scenario in enumerate(scenarios):
            more = SHORTER[scenario.stem]
            ways = WAYS if scenario.stem in ("mesh", "phold") else TWO_TO_FOUR[i % 2]
            with self.subTest(scenario.stem):
                self.check_divided(scenario, "--set", "replications=1", *more,
                                   ways=ways[:1] if SLOW else ways)


class Ranks(Divided):
    def check(self, name, *more, status=0):
        study = HERE / f"{name}.yaml"
        self.squall("run", study, "--output", "1.h5", *more, status=status)
        for ranks in (2, 3, 4):
            self.squall("run", study, "--output", f"{ranks}.h5", *more, ranks=ranks, status=status)
            self.assert_same_results("1.h5", f"{ranks}.h5")

    def test_storm(self):
        self.check("storm")

    def test_caller(self):
        self.check("caller")

    def test_closed_loop(self):
        self.check("closed")

    def test_many_short_replications(self):
        self.check("many", *(["--set", "replications=300"] if SLOW else []))

    def test_fewer_replications_than_ranks(self):
        self.check("closed", "--set", "replications=2", "--set", "duration=3s")

    def test_divided_storm(self):
        self.check_divided(HERE / "storm.yaml", "--set", "replications=2")

    def test_divided_trip(self):
        """Whatever follows when a failure budget is spent; ranks that went further go back."""
        for action in ("end_run", "stop_sources", "abort"):
            self.check_divided(HERE / "trip.yaml", "--set", f"failure_budget.action={action}",
                               "--set", "replications=2", status=4,
                               ways=WAYS if action == "end_run" and not SLOW else FEW)

    def test_divided_guard(self):
        self.check_divided(HERE / "guard.yaml", "--set", "replications=2")
        told, _ = self.squall("inspect", "1.h5")
        for happened in ("rejected_requests", "failed_requests", "times_opened", "times_closed",
                         "late_responses", "requests_lost", "requests_missed", "cancels_received"):
            self.assertRegex(told, rf"\n +{happened} ")

    def test_divided_limit(self):
        self.check_divided(HERE / "limit.yaml", "--set", "replications=1")
        told, _ = self.squall("inspect", "1.h5")
        for happened in ("queued", "dropped", "timed_out", "withdrawn", "queue_lost",
                         "rate_increases", "rate_decreases", "late_responses", "requests_missed"):
            self.assertRegex(told, rf"\n +{happened} ")

    def test_divided_faults(self):
        """Who is cut off from whom, and when, whoever sends."""
        self.check_divided(HERE / "faults.yaml", "--set", "replications=1", ways=FEW)
        told, _ = self.squall("inspect", "1.h5")
        for happened in ("messages_cut", "messages_dropped", "messages_held", "errors_injected",
                         "requests_lost", "requests_missed", "replies_lost"):
            self.assertRegex(told, rf"\n +{happened} ")

    def test_divided_service(self):
        self.check_divided(HERE / "service.yaml", "--set", "replications=1")
        told, _ = self.squall("inspect", "1.h5")
        for happened in ("requests_cancelled", "requests_lost", "requests_missed",
                         "event_loop_queue", "requests_rejected"):
            self.assertRegex(told, rf"\n +{happened} ")

    def test_trips_side_by_side(self):
        self.check("trip", status=4)

    def test_divided_caller(self):
        study = HERE / "caller.yaml"
        self.check_divided(study, "--set", "replications=1")
        told, _ = self.squall("inspect", "1.h5")
        for happened in ("retries_denied", "hedge_wins", "cancelled", "wasted_time", "refused",
                         "late_successes", "circuit_broken", "throttled", "low_timeouts", "dropped",
                         "rate_limited",
                         "reconnects", "breaker_times_opened", "breaker_times_closed", "abandoned",
                         "requests_cancelled", "rejected_low_timeout", "deadline_exceeded",
                         "requests_refused", "requests_rejected", "replies_dropped"):
            self.assertRegex(told, rf"\n +(downstream_)?{happened} ")

    def test_divided_lockstep(self):
        self.check_divided(HERE / "lockstep.yaml")

    @unittest.skipIf(SLOW, "twelve million events")
    def test_more_than_an_outbox_holds(self):
        """A rank stops short of its horizon to send, and goes on."""
        for ranks in (1, 2):
            self.squall("run", HERE / "lockstep.yaml", "--quiet", "--output", f"{ranks}.h5",
                        "--ranks-per-replication", ranks, "--set", "duration=250ms",
                        "--set", "cells.population=3000", ranks=ranks)
        self.assert_same_results("1.h5", "2.h5")

    @unittest.skipIf(SLOW, "twelve million events")
    def test_many_events_at_the_ends_of_intervals_are_no_loop(self):
        self.squall("run", HERE / "lockstep.yaml", "--quiet", "--set", "duration=12s",
                    "--set", "cells.population=100")

    def test_teams_side_by_side(self):
        self.squall("run", HERE / "storm.yaml", "--quiet", "--output", "1.h5")
        for ranks, team in ((4, 2), (5, 2), (3, 3)):  # of five, one has nothing to do
            self.squall("run", HERE / "storm.yaml", "--quiet", "--force", "--output", "n.h5",
                        "--ranks-per-replication", team, ranks=ranks)
            self.assert_same_results("1.h5", "n.h5")

    @unittest.skipIf(SLOW, "fifty thousand windows")
    def test_a_crowd_that_waits(self):
        """It is sorted once, not in every window, which would take minutes."""
        for ranks in (1, 2):
            self.squall("run", HERE / "crowd.yaml", "--quiet", "--output", f"{ranks}.h5",
                        "--ranks-per-replication", ranks, ranks=ranks)
        self.assert_same_results("1.h5", "2.h5")

    @unittest.skipIf(SLOW, "ten million events at one instant")
    def test_stuck(self):
        """A replication is given up at the same moment, and leaves the same record."""
        for ranks in (1, 2):
            team = ["--ranks-per-replication", ranks, "--partition", "block"]
            _, told = self.squall("run", HERE / "stuck.yaml", "--quiet", "--output", f"{ranks}.h5",
                                  *team, ranks=ranks, status=4)
            self.assertIn("replication 0 is stuck at 0 s", told)
        self.assert_same_results("1.h5", "2.h5")

    def test_too_few_ranks_for_a_team(self):
        for ranks in (1, 2):
            _, told = self.squall("run", HERE / "storm.yaml", "--ranks-per-replication", "3",
                                  ranks=ranks, status=2)
            self.assertIn("--ranks-per-replication 3, but there", told)
            self.assertEqual(self.files(), [])

    def test_the_comparison_can_fail(self):
        for seed in (1, 2):
            self.squall("run", HERE / "closed.yaml", "--output", f"{seed}.h5",
                        "--set", f"seed={seed}", "--set", "duration=3s")
        found = differences(self.folder / "1.h5", self.folder / "2.h5")
        for place in ("@results_digest", "runs/digest", "stats/client/requests_sent",
                      "histograms/server/sojourn_time/bin"):
            self.assertIn(place, found)
        self.assertNotIn("replication", found)


if __name__ == "__main__":
    unittest.main()
