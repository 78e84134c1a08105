# SPDX-License-Identifier: Apache-2.0
"""Verdicts, vulnerability, hysteresis and the worth of remedies."""

import unittest

import h5py
import numpy as np
from made import SECOND, timeline
from measured import CONFIGS, MadeTest, RealTest, real
from squall import measures
from squall.file import ResultsError
from squall.hysteresis import Loop

SLOW = timeline((2, 2, "slow", "web", 5))
WELL, STORM = [100] * 10, [100, 100] + [0] * 8
OVER = [100, 100, 0, 0, 0, 100, 100, 100, 100, 100]
STORM_FILE = CONFIGS / "scenarios/retry_storm.yaml"


class Verdict(MadeTest):
    def run_of(self, *well, rows=SLOW, **options):
        return self.clients(well=np.array([well]), rows=rows, **options)

    def test_still_bad_when_the_trigger_is_long_over(self):
        results = self.run_of(STORM, OVER, WELL)
        self.assertEqual(measures.metastable(results).tolist(), [True, False, False])
        self.assertEqual(measures.still_degraded(results).tolist(), [True, False, False])

    def test_the_time_of_the_verdict(self):
        results = self.run_of(STORM, OVER, WELL)
        for options, verdicts in (
            ({"hold_s": 1, "window_s": 1}, [True, True, False]),
            ({"hold_s": 2, "window_s": 1}, [True, False, False]),
            ({"window_s": 1, "trigger": (2, 6)}, [True, False, False]),
        ):
            self.assertEqual(measures.metastable(results, **options).tolist(), verdicts)
        for options in ({"hold_s": 7}, {"window_s": 7}, {"hold_s": 1, "window_s": 2}):
            with self.assertRaisesRegex(ResultsError, "s are left after the trigger"):
                measures.metastable(results, **options)

    def test_what_was_bad_before_is_no_storm(self):
        results = self.run_of(STORM, [0] * 10)
        self.assertEqual(measures.metastable(results).tolist(), [True, False])
        self.assertEqual(measures.still_degraded(results).tolist(), [True, True])
        with self.assertRaisesRegex(ResultsError, r"name the results of a run without it \(twin\)"):
            measures.metastable(self.run_of(STORM), trigger=(0, 4))

    def test_the_warmup_of_another_point_has_no_say(self):
        well = np.array([[STORM], [STORM]])
        results = self.clients(well=well, rows=SLOW)
        path = results.path
        results.close()
        with h5py.File(path, "r+") as file:
            del file["plan"].attrs["warmup_ns"]
            file["runs/warmup"] = np.array([[1], [5]], np.uint64) * np.uint64(SECOND)
        results = self.opened(path)
        self.assertEqual(results.warmup_s, 5)
        self.assertEqual(results.warmup_at_s.tolist(), [1, 5])
        self.assertEqual(measures.metastable(results).tolist(), [True])
        self.assertEqual(measures.usual_goodput(results, 10).tolist(), [100])
        with self.assertRaisesRegex(ResultsError, "nothing is known of the time before"):
            measures.metastable(results, point=1)

    def test_a_twin_tells_what_would_have_come_anyway(self):
        results = self.run_of(STORM, STORM, OVER)
        twin = self.run_of(WELL, STORM, WELL, rows=())
        self.assertEqual(measures.metastable(results, twin=twin).tolist(), [True, False, False])

    def test_twins_that_are_none(self):
        results = self.run_of(STORM, WELL)
        for twin, words in (
            (self.run_of(WELL, WELL, seed=2), "have different seeds"),
            (self.run_of(WELL), "not the same replications"),
            (self.run_of(WELL, WELL, complete=[[True, False]]), "not the same replications"),
        ):
            with self.assertRaisesRegex(ResultsError, words):
                measures.metastable(results, twin=twin)

    def test_probability(self):
        found = measures.metastable_probability(self.run_of(*[STORM] * 3, *[WELL] * 97))
        self.assertAlmostEqual(found.estimate, 0.03)
        self.assertAlmostEqual(found.low, 0.010254524)  # Wilson's, 3 of 100
        self.assertAlmostEqual(found.high, 0.084519364)
        found = measures.metastable_probability(self.run_of(WELL), method="clopper-pearson")
        self.assertEqual(found.low, 0)


class Sweeps(MadeTest):
    def test_vulnerability(self):
        well = np.array([[WELL, WELL], [WELL, STORM], [WELL, WELL], [STORM, STORM]])
        axes = {
            "load": ([100.0, 100.0, 200.0, 200.0], "1/s"),
            "timeline[0].for": ([1.0, 2.0, 1.0, 2.0], "s"),
        }
        found = measures.vulnerability(self.clients(well=well, rows=SLOW, axes=axes))
        self.assertEqual(found.hits.tolist(), [0, 1, 0, 2])
        self.assertEqual(found.probability.estimate.tolist(), [0, 0.5, 0, 1])
        self.assertEqual(found.boundary("timeline[0].for"), (1, 2))
        self.assertEqual(found.boundary("load", 0.6), (100, 200))
        below, above = found.boundary("load", 0.4)
        self.assertTrue(np.isnan(below))
        self.assertEqual(above, 100)
        with self.assertRaisesRegex(ResultsError, r"'x' \(there are: load, timeline"):
            found.boundary("x")

    def test_what_falls_by_itself(self):
        well = np.array([[WELL], [[50] * 10]])
        results = self.clients(well=well, axes={"load": ([1.0, 2.0], "1/s")})
        found = measures.vulnerability(results, verdict=measures.still_degraded)
        self.assertEqual(found.boundary("load"), (1, 2))

    def test_twins_of_one_point(self):
        well = np.array([[WELL], [STORM]])
        results, twin = self.clients(well=well, rows=SLOW), self.clients(well=np.array([WELL]))
        self.assertEqual(measures.vulnerability(results, twin=twin).hits.tolist(), [0, 1])
        results = self.clients(well=well, rows=SLOW, seeds="independent")
        with self.assertRaisesRegex(ResultsError, "each point has chance of its own"):
            measures.vulnerability(results, twin=twin)

    def test_points_at_which_nothing_ran_are_passed_over(self):
        results = self.clients(
            well=np.array([[WELL], [STORM]]),
            rows=SLOW,
            axes={"load": ([1.0, 2.0], "1/s")},
            complete=[[True], [False]],
        )
        found = measures.vulnerability(results)
        self.assertEqual(found.n.tolist(), [1, 0])
        below, above = found.boundary("load")
        self.assertEqual(below, 1)
        self.assertTrue(np.isnan(above))

    def test_hysteresis_of_sweeps(self):
        def sweep(*well):
            values = np.array(well)[:, None, None] * np.ones((1, 2, 4))
            return self.clients(well=values, axes={"load": ([30.0, 10.0, 20.0], "1/s")})

        empty, full = sweep(0, 100, 100), sweep(0, 100, 0)
        loop = measures.hysteresis_of_sweeps(empty, full, "load", (2, 4))
        self.assertEqual(loop.load.tolist(), [10, 20, 30])
        self.assertEqual(loop.up.tolist(), [[1, 1, 0]] * 2)
        self.assertEqual(loop.down.tolist(), [[1, 0, 0]] * 2)
        self.assertEqual(loop.area.tolist(), [10, 10])
        with self.assertRaisesRegex(ResultsError, "its axes are load, and not rate alone"):
            measures.hysteresis_of_sweeps(empty, full, "rate", (2, 4))


class Hysteresis(MadeTest):
    def test_ramp(self):
        begun = np.array([10, 20, 30, 40, 40, 30, 20, 10])
        well = np.array([[10, 20, 30, 0, 0, 0, 0, 10]])
        loop = measures.hysteresis_of_ramp(self.clients(begun=begun, well=well), steps=3)
        # The highest load is reached on the way up, so that the way down goes from 40 as well.
        self.assertEqual(loop.load.tolist(), [15, 25, 35])
        self.assertEqual(loop.up.tolist(), [[1, 1, 30 / 70]])
        self.assertEqual(loop.down.tolist(), [[1, 0, 0]])
        np.testing.assert_allclose(loop.area, [0.5 * 10 + 0.5 * 10 * (1 + 30 / 70)])

    def test_a_load_that_does_not_turn(self):
        with self.assertRaisesRegex(ResultsError, "does not rise and fall again"):
            measures.hysteresis_of_ramp(self.clients(begun=np.arange(8), well=0))

    def test_steps_that_nobody_saw(self):
        loop = Loop(np.array([1.0, 2, 3]), np.ones((1, 3)), np.array([[0, np.nan, 0]]))
        self.assertEqual(loop.area.tolist(), [2])


class Remedies(MadeTest):
    def runs(self, *well, **options):
        return self.clients(well=np.array([well]), rows=SLOW, **options)

    def test_paired_differences(self):
        without = self.runs(STORM, STORM, STORM, WELL)
        remedied = self.runs(OVER, OVER, STORM, STORM)
        found = measures.remedy_value(without, remedied, recovery_hold_s=2)
        self.assertEqual((found.prevented, found.caused), (2, 1))
        self.assertAlmostEqual(found.probability.estimate, -0.25)
        self.assertEqual(found.horizon_s, 4)  # 2 s from 8 s on are the last that are known
        self.assertEqual(found.recovery_s.estimate, ((1 - 4) + (1 - 4) + 0 + (4 - 0)) / 4)

    def test_when_all_recover_times_are_known_as_they_are(self):
        late = [100, 100, 0, 0, 0, 0, 0, 100, 100, 100]
        without, remedied = self.runs(late, late), self.runs(OVER, WELL)
        found = measures.remedy_value(without, remedied, recovery_hold_s=2)
        self.assertEqual(found.recovery_s.estimate, ((1 - 3) + (0 - 3)) / 2)

    def test_antithetic_replications_are_pairs(self):
        both = [
            self.runs(*well, antithetic=True)
            for well in ((STORM, WELL, STORM, WELL), (WELL, WELL, WELL, WELL))
        ]
        found = measures.remedy_value(*both, recovery_hold_s=2)
        self.assertEqual(found.probability.estimate, -0.5)
        self.assertEqual(found.probability.low, found.probability.high)  # both pairs are alike

    def test_broken_antithetic_pairs_are_left_out(self):
        complete = [[False, True, True, True, True, False]]
        one, other = (STORM, STORM, STORM, WELL, STORM, STORM), [WELL] * 6
        both = [self.runs(*well, antithetic=True, complete=complete) for well in (one, other)]
        found = measures.remedy_value(*both, recovery_hold_s=2)
        self.assertEqual(found.probability.estimate, -0.5)  # of replications 2 and 3
        self.assertEqual(found.prevented, 3)

    def test_other_chance_is_no_comparison(self):
        with self.assertRaisesRegex(ResultsError, "different seeds"):
            measures.remedy_value(self.runs(STORM), self.runs(WELL, seed=3))


@real
class RealStorms(RealTest):
    """The answers are those that the scenarios tell of themselves."""

    def storm(self, *changes):
        return self.run_program(STORM_FILE, "replications=2", "duration=120s", *changes)

    def test_a_retry_storm(self):
        storm, twin = self.storm(), self.storm("timeline=[]")
        remedied = self.storm("users.call.retry.max_attempts=1")
        self.assertEqual(measures.metastable(storm, twin=twin).tolist(), [True, True])
        self.assertEqual(measures.metastable(remedied, twin=twin).tolist(), [False, False])
        self.assertEqual(measures.capacity_loss_s(storm), 8)  # four fifths of ten seconds
        late = (80, 120)
        np.testing.assert_allclose(measures.amplification(storm, span=late), [4, 4], rtol=0.01)
        np.testing.assert_allclose(measures.wasted_work(storm, span=late), [1, 1])
        np.testing.assert_allclose(measures.zombie_share(storm, span=late), [1, 1], rtol=0.01)
        self.assertTrue((measures.zombie_share(storm, span=(0, 60)) < 0.001).all())
        self.assertEqual(measures.time_to_recover(storm).share_censored, 1)
        self.assertTrue((measures.time_to_recover(remedied).s <= 10).all())  # "ten seconds after"
        found = measures.remedy_value(storm, remedied, twin=twin)
        self.assertEqual((found.prevented, found.caused), (2, 0))
        self.assertLess(found.recovery_s.high, -25)

    def test_retries_make_a_loop_of_a_ramp(self):
        """From 100/s to somewhat more than the service can do, and back. On the way down it is well
        again as soon as the load fits, if nobody tries again; else when four times it does."""
        points = "[[0s, 100/s], [100s, 1050/s], [200s, 100/s]]"
        ramp = (
            f"users.arrivals.rate={{linear: {{points: {points}}}}}",
            "timeline=[]",
            "duration=200s",
            "service.queue.capacity=400",
        )
        storm = measures.hysteresis_of_ramp(self.storm(*ramp), 19)
        single = self.storm(*ramp, "users.call.retry.max_attempts=1")
        none = measures.hysteresis_of_ramp(single, 19)
        low, high = storm.load < 240, (storm.load > 260) & (storm.load < 860)
        for loop in (storm, none):
            np.testing.assert_allclose(loop.up[:, low | high], 1, atol=0.05)
            self.assertTrue((loop.down[:, low] > 0.95).all())
        np.testing.assert_allclose(storm.down[:, high], 0, atol=0.05)
        np.testing.assert_allclose(none.down[:, high], 1, atol=0.05)
        self.assertTrue(((storm.area > 700) & (storm.area < 800)).all(), storm.area)
        self.assertTrue(((none.area > -10) & (none.area < 100)).all(), none.area)

    def test_the_boundary_of_a_sweep(self):
        results = self.storm(
            "sweep={users.arrivals.rate: [200/s, 900/s], 'timeline[0].for': [100ms, 10s]}"
        )
        found = measures.vulnerability(results)
        self.assertEqual(found.probability.estimate.tolist(), [0, 0, 0, 1])
        self.assertEqual(found.boundary("users.arrivals.rate"), (200, 900))
        self.assertEqual(found.boundary("timeline[0].for", 0.5), (0.1, 10))

    def test_a_storm_by_chance(self):
        """Half a second of 30 requests/s does it in two cases of five, and nothing in very few."""
        path = CONFIGS / "scenarios/zombies.yaml"
        runs = [
            self.run_program(path, "replications=300", change)
            for change in ("seed=1", "users.arrivals.rate.spike.for=0s")
        ]
        self.assertEqual(measures.trigger(runs[0]), (5, 5.5))
        self.assertEqual(measures.excess_load_s(runs[0]), 2.5)
        found = measures.metastable_probability(runs[0], 10, twin=runs[1])
        self.assertLess(found.low, 0.45)
        self.assertGreater(found.high, 0.35)


if __name__ == "__main__":
    unittest.main()
