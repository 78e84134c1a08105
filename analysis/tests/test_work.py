# SPDX-License-Identifier: Apache-2.0
"""Loads, and what requests cost: numbers known by hand."""

import unittest

import numpy as np
from measured import MadeTest
from squall import (
    hysteresis,
    load,
    measures,
    metastability,
    recovery,
    remedy,
    survival,
    timelines,
    trigger,
    work,
)
from squall.file import ResultsError


def storm():
    """Ten requests a second to `web`; from second 2 on none of them ends well, and there are 3
    attempts for each. Replication 1 has twice of everything."""
    bad = np.array([0, 0, 1, 1])
    users = {
        "logical_requests": 10,
        "requests_sent": 10 + 20 * bad,
        "successes": 10 - 10 * bad,
        "failures": 8 * bad,
        "abandoned": 1 * bad,
        "responses_received": 10 - 5 * bad,
        "errors": 5 * bad,
        "timeouts": 15 * bad,
        "late_responses": 15 * bad,
        "circuit_broken": 5 * bad,
        "breakers_open": 2 * bad,
        "breakers_half_open": 1 * bad,
    }
    web = {
        "requests_received": 10 + 15 * bad,
        "requests_missed": 5 * bad,
        "requests_completed": 10 + 5 * bad,
        "total_service_time": (10 + 5 * bad) * 20_000_000,
        "queue_depth": 7 * bad,
        "busy_workers": 1,
    }
    twice = np.array([[[1], [2]]])
    return {
        "client": {"users": {name: value * twice for name, value in users.items()}},
        "server": {"web": {name: value * twice for name, value in web.items()}},
    }


class Loads(MadeTest):
    def test_rates_and_levels(self):
        results = self.made(storm())
        for measure, values in (
            (measures.offered_load, [10, 10, 10, 10]),
            (measures.attempt_load, [10, 10, 30, 30]),
            (measures.goodput, [10, 10, 0, 0]),
            (measures.arrival_load, [10, 10, 30, 30]),
            (measures.throughput, [10, 10, 15, 15]),
            (measures.queue_depth, [0, 0, 7, 7]),
            (measures.busy_workers, [1, 1, 1, 1]),
            (measures.breakers_open, [0, 0, 2, 2]),
            (measures.breakers_half_open, [0, 0, 1, 1]),
        ):
            with self.subTest(measure.__name__):
                found = measure(results)
                self.assertEqual(found.tolist(), [values, [2 * value for value in values]])

    def test_calls_of_a_server(self):
        web = {"downstream_logical_requests": [4, 6], "downstream_successes": [4, 3]}
        users = {"logical_requests": [9, 9]}
        results = self.made({"client": {"users": users}, "server": {"web": web}})
        self.assertEqual(measures.offered_load(results, group="web").tolist(), [[4, 6]])
        self.assertEqual(measures.offered_load(results).tolist(), [[9, 9]])
        self.assertEqual(measures.goodput_ratio(results, 0, 2, group="web").tolist(), [0.7])

    def test_windows_are_whole_intervals(self):
        results = self.made(storm())
        self.assertEqual(load.intervals_in(results, 2), 2)
        for window in (0.2, 9):
            with self.assertRaisesRegex(ResultsError, "is not one to 4 intervals of 1 s"):
                load.intervals_in(results, window)


class Work(MadeTest):
    def test_amplification(self):
        results = self.made(storm())
        self.assertEqual(measures.amplification(results).tolist(), [2, 2])
        self.assertEqual(measures.amplification(results, span=(2, 4)).tolist(), [3, 3])
        by_window = measures.amplification_over_time(results, 2)
        self.assertEqual(by_window.tolist(), [[1, 2, 3]] * 2)
        self.assertEqual(measures.max_amplification(results, 4).tolist(), [2, 2])
        self.assertEqual(measures.max_amplification(results).tolist(), [3, 3])

    def test_amplification_of_nothing(self):
        results = self.made({"client": {"users": {"logical_requests": [0, 0]}}})
        self.assertTrue(np.isnan(measures.amplification(results)).all())
        self.assertTrue(np.isnan(measures.max_amplification(results)).all())
        users = {"logical_requests": [0, 5], "requests_sent": [0, 10]}
        results = self.made({"client": {"users": users}})
        self.assertEqual(measures.max_amplification(results).tolist(), [2])

    def test_tiers_multiply(self):
        users = {"logical_requests": 10}
        called = {
            "a": {"requests_received": 30},
            "b": {"requests_received": 150, "requests_missed": 30},
        }
        results = self.made({"client": {"users": users}, "server": called})
        tiers = measures.tier_amplification(results, ["a", "b"], calls={"b": 2})
        self.assertEqual(tiers.tolist(), [[3, 9]])
        with self.assertRaisesRegex(ResultsError, "nobody called 'c' receives requests"):
            measures.tier_amplification(results, ["c"])

    def test_wasted_work_and_zombies(self):
        results = self.made(storm())
        np.testing.assert_allclose(measures.wasted_work(results), [1 - 20 / 50] * 2)
        np.testing.assert_allclose(measures.wasted_work(results, span=(0, 2)), [0, 0])
        np.testing.assert_allclose(measures.wasted_work(results, calls=2, span=(0, 4)), [0.2] * 2)
        np.testing.assert_allclose(measures.zombie_share(results), [30 / 50] * 2)
        np.testing.assert_allclose(measures.zombie_share(results, span=(2, 4)), [1, 1])

    def test_outcomes_sum_to_one(self):
        results = self.made(storm())
        requests = measures.request_outcomes(results, span=(1, 3))
        expected = {"success": 10, "late_success": 0, "failure": 8, "abandoned": 1}
        self.assertEqual(
            {name: shares.tolist() for name, shares in requests.items()},
            {name: [number / 19] * 2 for name, number in expected.items()},
        )
        attempts = measures.attempt_outcomes(results)
        ended = {"answered_well": 20, "errors": 10, "timeouts": 30, "circuit_broken": 10}
        for name, shares in attempts.items():
            np.testing.assert_allclose(shares, [ended.get(name, 0) / 70] * 2)
        for outcomes in (requests, attempts):
            np.testing.assert_allclose(sum(outcomes.values()), [1, 1])

    def test_late_successes_are_apart(self):
        users = {"logical_requests": 10, "successes": 8, "late_successes": 3, "failures": 2}
        shares = measures.request_outcomes(self.made({"client": {"users": users}}))
        self.assertEqual([float(share[0]) for share in shares.values()], [0.5, 0.3, 0.2, 0])

    def test_cost(self):
        results = self.made(storm())
        self.assertEqual(measures.attempts_per_success(results).tolist(), [4, 4])
        self.assertEqual(measures.attempts_per_success(results, span=(2, 4)).tolist(), [np.inf] * 2)
        np.testing.assert_allclose(measures.service_per_success(results), [50 * 0.02 / 20] * 2)

    def test_fairness(self):
        ratios = {"a[0]": 10, "a[1]": 10, "b": 0, "idle": 0}
        clients = {
            name: {"logical_requests": 10 * (name != "idle"), "successes": well}
            for name, well in ratios.items()
        }
        results = self.made({"client": clients})
        np.testing.assert_array_equal(measures.client_ratios(results), [[1, 1, 0, np.nan]])
        np.testing.assert_allclose(measures.fairness(results), [4 / (3 * 2)])
        self.assertEqual(measures.fairness(results, group="a").tolist(), [1])
        self.assertEqual(measures.worst_clients(results).tolist(), [0])
        self.assertEqual(measures.worst_clients(results, 0.5).tolist(), [1])

    def test_only_replications_that_ended_count(self):
        results = self.made(storm(), complete=[[False, True]])
        self.assertEqual(measures.offered_load(results).tolist(), [[20] * 4])
        self.assertEqual(measures.amplification(results).tolist(), [2])
        with self.assertRaisesRegex(ResultsError, "no replication ran to its end"):
            measures.amplification(self.made(storm(), complete=[[False, False]]))
        swept = self.clients(well=np.full((2, 1, 4), 100), complete=[[True], [False]])
        with self.assertRaisesRegex(ResultsError, "no replication of point 1 ran to its end"):
            measures.offered_load(swept, point=1)

    def test_who_is_not_there(self):
        with self.assertRaisesRegex(ResultsError, "there is no client 'nobody'"):
            measures.amplification(self.made(storm()), group="nobody")


class Names(unittest.TestCase):
    def test_every_end_of_an_attempt_has_a_look(self):
        self.assertEqual(set(timelines.ENDS), {work.ANSWERED_WELL, *work.ENDS})

    def test_every_measure_is_found_by_its_name(self):
        parts = {"intervals_in", "point_of"}  # of which measures are made
        for module in (load, work, survival, trigger, recovery, metastability, hysteresis, remedy):
            for name, thing in vars(module).items():
                if getattr(thing, "__module__", "") == module.__name__ and name[0] != "_":
                    self.assertIn(name, {*measures.__all__, *parts})
        for name in measures.__all__:
            self.assertTrue(hasattr(measures, name), name)


if __name__ == "__main__":
    unittest.main()
