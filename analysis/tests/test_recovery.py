# SPDX-License-Identifier: Apache-2.0
"""Triggers, degraded windows and recovery: numbers known by hand."""

import unittest

import h5py
import numpy as np
from made import timeline
from measured import CONFIGS, MadeTest, RealTest, real
from squall import measures
from squall.file import ResultsError

SLOW = timeline((2, 2, "slow", "web", 5))


def spike(at="5s", lasts="10s", baseline="10/s", peak="40/s"):
    rate = {"kind": "spike", "baseline": baseline, "peak": peak, "at": at, "for": lasts}
    return {"users": {"arrivals": {"kind": "poisson", "rate": rate}}}


class Trigger(MadeTest):
    def with_servers(self, rows, **options):
        who = {
            "client": {"users": {"logical_requests": np.zeros(20)}},
            "server": {"web[0]": {}, "web[1]": {}, "db": {}},
        }
        return self.made(who, rows=rows, **options)

    def test_from_the_first_beginning_to_the_last_end(self):
        rows = timeline((6, 3, "slow", "web", 2), (4, 1, "crash", "db", 1), (15, 1, "x", "", 1))
        rows[2] = {"at": "15s", "for": "none", "rate": "users", "factor": "0.5"}
        results = self.with_servers(rows)
        self.assertEqual(measures.trigger(results), (4, 9))
        self.assertEqual(measures.trigger_end_s(results), 9)

    def test_repeated_actions(self):
        rows = timeline((2, 1, "crash", "db", 1))
        rows[0].update(every="3s", times="4")
        results = self.with_servers(rows)
        self.assertEqual(measures.trigger(results), (2, 12))
        self.assertAlmostEqual(measures.capacity_loss_s(results, group="db"), 4)

    def test_without_one(self):
        results = self.with_servers([])
        self.assertEqual(measures.trigger_end_s(results), 0)
        with self.assertRaisesRegex(ResultsError, "nothing in its timeline ends"):
            measures.trigger(results)

    def test_spikes_of_arrivals_are_triggers(self):
        results = self.with_servers([], entities=spike())
        self.assertEqual(measures.trigger(results), (5, 15))
        self.assertEqual(measures.excess_load_s(results), 30)  # thrice as many more for 10 s
        for other in (spike(lasts="0s"), spike(peak="5/s")):
            self.assertEqual(measures.trigger_end_s(self.with_servers([], entities=other)), 0)

    def test_points_have_triggers_of_their_own(self):
        users = {"logical_requests": np.zeros((2, 1, 20))}
        who = {"client": {"users": users}, "server": {"web": {}}}
        axes = {"timeline[0].for": ([0.5, 4.0], "s")}
        results = self.made(who, rows=timeline((1, 1, "slow", "web", 2)), axes=axes)
        self.assertEqual([measures.trigger(results, point=p) for p in (0, 1)], [(1, 1.5), (1, 5)])
        self.assertEqual(measures.capacity_loss_s(results, point=1), 2)
        axes = {
            "users.arrivals.rate.spike.for": ([1.0, 3.0], "s"),
            "users.arrivals.rate.spike.peak": ([40.0, 90.0], "1/s"),
        }
        results = self.made(who, entities=spike(), axes=axes)
        self.assertEqual([measures.trigger(results, point=p) for p in (0, 1)], [(5, 6), (5, 8)])
        self.assertEqual(measures.excess_load_s(results, point=1), 24)

    def test_servers_that_a_point_has_not_lose_nothing(self):
        users = {"logical_requests": np.zeros((2, 1, 20))}
        who = {"client": {"users": users}, "server": {"web[0]": {}, "web[1]": {}}}
        results = self.made(who, rows=timeline((2, 4, "slow", "web[0]", 2)))
        path = results.path
        results.close()
        with h5py.File(path, "r+") as file:
            file["entities/server/present"] = np.array([[1, 0], [1, 1]], np.uint64)
        results = self.opened(path)
        lost = [measures.capacity_loss_s(results, point=point) for point in (0, 1)]
        self.assertEqual(lost, [2, 1])

    def test_points_that_are_not_there(self):
        for point in (-1, 1):
            with self.assertRaisesRegex(ResultsError, f"has no point {point}, but 1 from 0 on"):
                measures.goodput(self.with_servers([]), point=point)

    def test_capacity_lost(self):
        for row, lost in (
            ((2, 4, "slow", "web", 2), 2),  # half of 4 s
            ((2, 4, "capacity", "web", 0.25), 3),
            ((2, 4, "pause", "web", 1), 4),
            ((2, 4, "crash", "web[1]", 1), 2),  # one of two
            ((2, 4, "slow", "web", 0.5), 0),  # faster
            ((18, 4, "crash", "web", 1), 2),  # the run ends
            ((2, 4, "rate", "users", 3), 0),
        ):
            with self.subTest(row):
                results = self.with_servers(timeline(row))
                self.assertAlmostEqual(measures.capacity_loss_s(results, group="web"), lost)
                self.assertEqual(measures.capacity_loss_s(results, group="db"), 0)
        both = timeline((2, 4, "slow", "web", 2), (4, 4, "capacity", "web", 0.5))
        found = measures.capacity_loss_s(self.with_servers(both), group="web")
        self.assertAlmostEqual(found, 0.5 * 2 + 0.75 * 2 + 0.5 * 2)

    def test_load_in_excess(self):
        results = self.with_servers(timeline((2, 4, "rate", "users", 3)))
        self.assertEqual(measures.excess_load_s(results), 8)
        with self.assertRaisesRegex(ResultsError, "there is no 'web' of that sort"):
            measures.excess_load_s(results, group="web")

    def test_what_comes_by_chance_has_no_size(self):
        rows = timeline((2, 4, "crash", "web", 1))
        rows[0].update(mtbf="1s", mttr="1s")
        with self.assertRaisesRegex(ResultsError, "comes by chance"):
            measures.capacity_loss_s(self.with_servers(rows))


class Degraded(MadeTest):
    def test_windows(self):
        results = self.clients(well=[100, 100, 70, 100, 100])
        self.assertEqual(measures.degraded(results).tolist(), [[False, False, True, False, False]])
        self.assertEqual(measures.degraded(results, 2).tolist(), [[False, True, True, False]])
        self.assertFalse(measures.degraded(results, 4).any())  # 370 of 400
        self.assertTrue(measures.degraded(results, 4, threshold=0.93).all())

    def test_who_has_fallen_silent(self):
        begun = np.array([0, 100, 0, 100])
        results = self.clients(begun=begun, well=begun)
        self.assertEqual(measures.degraded(results).tolist(), [[False, False, True, False]])

    def test_within_is_one_window(self):
        results = self.clients(well=[100, 0, 70, 100, 100])
        self.assertEqual(measures.degraded_within(results, 2, 5).tolist(), [False])
        self.assertEqual(measures.degraded_within(results, 2, 4.5).tolist(), [True])
        with self.assertRaisesRegex(ResultsError, "no whole interval lies within 2.1 s to 3.1 s"):
            measures.degraded_within(results, 2.1, 3.1)

    def test_closed_clients_who_wait(self):
        well = np.array([100, 100, 50, 50])
        entities = {"users": {"arrivals": {"kind": "closed"}}}
        results = self.clients(begun=well, well=well, rows=SLOW, entities=entities)
        self.assertEqual(measures.degraded(results).tolist(), [[False, False, True, True]])
        results = self.clients(begun=well, well=well, rows=SLOW)
        self.assertFalse(measures.degraded(results).any())


class Times(MadeTest):
    """A trigger from second 2 to 4."""

    def run_of(self, *well, **options):
        return self.clients(well=np.array([well]), rows=SLOW, **options)

    def test_detection(self):
        results = self.run_of([100, 0, 100, 100, 0, 0], [100] * 6)
        times = measures.time_to_detect(results, 1)
        self.assertEqual(times.s.tolist(), [3, 4])  # what was bad before is not the trigger's
        self.assertEqual(times.censored.tolist(), [False, True])
        self.assertEqual(measures.time_to_detect(results, 2).s.tolist(), [3, 4])
        self.assertEqual(measures.time_to_detect(results, 1, trigger=(1, 2)).s.tolist(), [1, 5])

    def test_recovery(self):
        results = self.run_of(
            [100, 100, 0, 0, 0, 90, 100, 100, 100, 100],
            [100] * 10,
            [100, 100, 0, 0, 100, 100, 0, 100, 100, 100],
            [100, 100, 0, 0, 0, 0, 0, 0, 0, 0],
        )
        times = measures.time_to_recover(results, 3, 1)
        self.assertEqual(times.s.tolist(), [2, 0, 3, 3])
        self.assertEqual(times.censored.tolist(), [False, False, False, True])
        times = measures.time_to_recover(results, 2, 1)
        self.assertEqual(times.s.tolist(), [2, 0, 0, 4])
        self.assertEqual(measures.time_to_recover(results, 3, 1, threshold=0.9).s[0], 1)

    def test_windows_smooth_what_chance_does(self):
        results = self.run_of([100, 100, 0, 0, 0, 90, 100, 100, 100, 100])
        self.assertEqual(measures.time_to_recover(results, 3, 3).s.tolist(), [1])  # 290 of 300
        self.assertEqual(measures.time_to_recover(results, 3).s.tolist(), [1])  # by default

    def test_triggers_within_an_interval(self):
        results = self.run_of([100, 100, 0, 0, 0, 100, 100, 100])
        times = measures.time_to_recover(results, 2, 1, trigger=(2, 4.25))
        self.assertEqual(times.s.tolist(), [0.75])

    def test_too_little_time(self):
        results = self.run_of([100] * 8)
        for hold in (5, 9):
            with self.assertRaisesRegex(ResultsError, "5 s are left after|is not one to 8"):
                measures.time_to_recover(results, hold)


class Closed(MadeTest):
    def test_what_a_named_trigger_did_is_not_usual(self):
        well = [100, 100, 10, 10, 10, 10, 60, 60, 60, 60]
        closed = {"users": {"arrivals": {"kind": "closed"}}}
        results = self.clients(begun=np.array([[well]]), well=np.array([[well]]), entities=closed)
        options = {"trigger": (2, 6)}
        times = measures.time_to_recover(results, hold_s=2, **options)
        self.assertEqual(times.censored.tolist(), [True])
        self.assertEqual(measures.still_degraded(results, **options).tolist(), [True])
        self.assertEqual(measures.metastable(results, **options).tolist(), [True])


class BlastRadius(MadeTest):
    def test_groups_in_order_of_entry(self):
        def calls(*well, prefix=""):
            return {f"{prefix}logical_requests": 100, f"{prefix}successes": np.array([well])}

        who = {
            "client": {
                "users": calls([100, 100, 100, 0, 0], [100] * 5),
                "bots": calls([100] * 5, [100] * 5),
            },
            "server": {
                "web": calls([100, 100, 0, 0, 0], [100] * 4 + [0], prefix="downstream_"),
                "db": {},
            },
        }
        blast = measures.blast_radius(self.made(who, rows=SLOW), 1)
        self.assertEqual(blast.groups, ["users", "bots", "web"])
        np.testing.assert_array_equal(blast.entry_s, [[2, np.nan, 1], [np.nan, np.nan, 3]])
        self.assertEqual(blast.radius.tolist(), [2, 1])
        self.assertEqual(blast.order(0), ["web", "users"])

    def test_nobody_who_calls(self):
        with self.assertRaisesRegex(ResultsError, "nobody who makes calls keeps time series"):
            measures.blast_radius(self.made({"server": {"db": {}}}, rows=SLOW))


@real
class RealTimes(RealTest):
    def test_retries_multiply_along_a_chain(self):
        """d is down from 20 to 40 s, and every layer makes three attempts."""
        results = self.run_program(CONFIGS / "scenarios/retry_amplification.yaml")
        self.assertEqual(measures.trigger(results), (20, 40))
        self.assertEqual(measures.capacity_loss_s(results, group="d"), 20)
        tiers = measures.tier_amplification(results, ["a", "b", "c", "d"], span=(31, 39))
        np.testing.assert_allclose(tiers, [[3, 9, 27, 81]], rtol=0.01)
        blast = measures.blast_radius(results, 1)
        self.assertEqual(blast.entry_s.tolist(), [[1, 1, 1, 1]])  # nothing ends well from then on
        self.assertEqual(blast.radius.tolist(), [4])
        self.assertEqual(measures.time_to_recover(results).share_censored, 1)
        outcomes = measures.request_outcomes(results)
        self.assertAlmostEqual(float(sum(outcomes.values())[0]), 1)

    def test_reasons_of_failures(self):
        results = self.run_program(
            CONFIGS / "first.yaml", "output.breakdowns=[users]", "replications=2"
        )
        outcomes = measures.outcomes_by_status(results)
        np.testing.assert_allclose(sum(outcomes.values()), [1, 1])
        requests = measures.request_outcomes(results)
        np.testing.assert_allclose(outcomes["ok"], requests["success"])
        self.assertTrue((outcomes["error_timeout"] > 0).all())
        with self.assertRaisesRegex(ResultsError, "no breakdown of web|has no breakdowns"):
            measures.outcomes_by_status(results, group="web")


if __name__ == "__main__":
    unittest.main()
