# SPDX-License-Identifier: Apache-2.0
"""Effects and indices against functions of which they are known exactly, with noise and without,
and by the designs of a file."""
import itertools
import pathlib
import sys
import tempfile
import unittest

import numpy as np
from scipy.stats import qmc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import squall
from squall import sensitivity

import tiny


def polynomial(x):
    return 2 * x[..., 0] + 3 * x[..., 1] ** 2 + x[..., 0] * x[..., 2]


def ishigami(x):
    """With a = 7, b = 0.1 (Ishigami and Homma, 1990), its range as the unit cube."""
    angle = np.pi * (2 * x - 1)
    first, second, third = np.moveaxis(angle, -1, 0)
    return np.sin(first) + 7 * np.sin(second) ** 2 + 0.1 * third**4 * np.sin(first)


ISHIGAMI = ([0.313905191, 0.442411145, 0.0], [0.557588855, 0.442411145, 0.243683664], 13.8445879)


def product(x):
    """Sobol's g."""
    weight = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    return np.prod((np.abs(4 * x - 2) + weight) / (1 + weight), axis=-1)


def trajectories(n, axes, seed, levels=4):
    """As squall draws them: [trajectory, step, axis]."""
    draws = np.random.default_rng(seed)
    level = np.repeat(draws.integers(0, levels, (n, 1, axes)), axes + 1, axis=1)
    place = draws.permuted(np.tile(np.arange(axes), (n, 1)), axis=1)
    after = np.arange(axes + 1)[:, None] > place[:, None, :]
    level = np.where(after, (level + levels // 2) % levels, level)
    return level / (levels - 1)


def all_trajectories(axes, levels=4):
    """Every beginning with every order."""
    found = []
    for start in itertools.product(range(levels), repeat=axes):
        for order in itertools.permutations(range(axes)):
            steps = [np.array(start)]
            for axis in order:
                steps.append(steps[-1].copy())
                steps[-1][axis] = (steps[-1][axis] + levels // 2) % levels
            found.append(steps)
    return np.array(found) / (levels - 1)


def pairs(n, axes, seed=None):
    """Points of a, b and the mixed ones: of Sobol's sequence, shifted digit by digit; with a seed,
    independent ones."""
    if seed is None:
        digits = (qmc.Sobol(2 * axes, scramble=False).random(n) * 2**32).astype(np.uint64)
        by = np.random.default_rng(1).integers(0, 2**32, 2 * axes, dtype=np.uint64)
        unit = (digits ^ by) / 2**32
    else:
        unit = np.random.default_rng(seed).uniform(size=(n, 2 * axes))
    a, b = unit[:, :axes], unit[:, axes:]
    mixed = np.where(np.eye(axes, dtype=bool), b[:, None], a[:, None])
    return a, b, mixed


def indices_of(function, n, axes, seed=None, **options):
    return sensitivity.sobol(*map(function, pairs(n, axes, seed)), **options)


class EffectsOfFunctions(unittest.TestCase):
    def test_all_trajectories_have_the_exact_effects(self):
        unit = all_trajectories(3)
        found = sensitivity.morris(unit, polynomial(unit))
        np.testing.assert_allclose(found.mu.estimate, [2.5, 3.0, 0.5])
        np.testing.assert_allclose(found.mu_star.estimate, [2.5, 3.0, 0.5])
        n = len(unit)
        self.assertEqual(found.trajectories, n)
        exact = np.array([0.372677996, 1.0, 0.372677996])
        np.testing.assert_allclose(found.sigma.estimate * np.sqrt((n - 1) / n), exact, rtol=1e-8)
        self.assertEqual(found.axes, ("0", "1", "2"))

    def test_effects_that_go_both_ways_have_a_size(self):
        unit = all_trajectories(2, levels=2)
        found = sensitivity.morris(unit, np.abs(unit[..., 0] - unit[..., 1]))
        np.testing.assert_allclose(found.mu.estimate, 0.0, atol=1e-12)
        np.testing.assert_allclose(found.mu_star.estimate, 1.0)

    def test_intervals_hold_what_they_should(self):
        """Of 400 designs of 20 trajectories; that of `sigma` is rather too wide here."""
        held = np.zeros((3, 3))
        exact = np.array([[2.5, 3.0, 0.5], [2.5, 3.0, 0.5], [0.372677996, 1.0, 0.372677996]])
        for seed in range(400):
            unit = trajectories(20, 3, seed)
            found = sensitivity.morris(unit, polynomial(unit))
            for row, interval in enumerate((found.mu, found.mu_star, found.sigma)):
                held[row] += (interval.low <= exact[row]) & (exact[row] <= interval.high)
        self.assertTrue((held / 400 > 0.92).all(), held)
        self.assertTrue((held[:2] / 400 < 0.985).all(), held)

    def test_an_addition_in_proportion_has_no_deviation(self):
        unit = trajectories(10, 2, 1, levels=2)
        found = sensitivity.morris(unit, 3 * unit[..., 0])
        for ends in (found.sigma.estimate, found.sigma.low, found.sigma.high):
            np.testing.assert_array_equal(ends, 0.0)
        self.assertEqual(found.mu.low.tolist(), [3.0, 0.0])
        self.assertEqual(found.mu_star.high.tolist(), [3.0, 0.0])

    def test_few_trajectories_say_little(self):
        unit = trajectories(4, 2, 1)
        found = sensitivity.morris(unit, unit[..., 0] ** 2)
        self.assertEqual((found.sigma.low[0], found.sigma.high[0]), (0.0, np.inf))
        found = sensitivity.morris(unit[:1], unit[:1, :, 0])
        self.assertTrue(np.isnan(found.sigma.estimate).all())
        self.assertEqual(found.mu.high[0], np.inf)
        self.assertEqual(found.mu_star.low[0], 0.0)

    def test_trajectories_that_lack_a_value_are_left_out(self):
        unit = trajectories(20, 3, 1)
        values = polynomial(unit)
        expected = sensitivity.morris(unit[1:], values[1:])
        values[0, 2] = np.nan
        found = sensitivity.morris(unit, values)
        self.assertEqual(found.trajectories, 19)
        np.testing.assert_array_equal(found.sigma.high, expected.sigma.high)

    def test_noise_is_told(self):
        """Of independent replications: what `mu_star` and `sigma` have too much, and `mu` not."""
        unit = trajectories(4000, 3, 2)
        draws = np.random.default_rng(3)
        values = polynomial(unit)[..., None] + draws.normal(size=(*unit.shape[:2], 2))
        found = sensitivity.morris(unit, values)
        # The mean of two, a difference of two, over 2/3.
        np.testing.assert_allclose(found.noise, 1.5, rtol=0.04)
        np.testing.assert_allclose(found.mu.estimate, [2.5, 3.0, 0.5], atol=0.1)
        exact = np.array([0.372677996, 1.0, 0.372677996])
        without = found.sigma.estimate**2 - found.noise**2
        np.testing.assert_allclose(without, exact**2, atol=0.25)
        self.assertGreater(found.mu_star.estimate[2], 1.0)  # though the effect is 0.5
        # What all points share is no noise of an effect.
        shared = polynomial(unit)[..., None] + np.array([0.0, 7.0, -7.0])
        found = sensitivity.morris(unit, shared)
        np.testing.assert_allclose(found.noise, 0.0, atol=1e-12)
        single = sensitivity.morris(unit, shared[:, :, :1])
        self.assertTrue(np.isnan(single.noise).all())

    def test_replications_that_are_missing(self):
        unit = trajectories(20, 3, 1)
        values = np.stack([polynomial(unit)] * 3, axis=2)
        values[0, 0, 1:] = np.nan
        values[1, 1] = np.nan
        found = sensitivity.morris(unit, values)
        self.assertEqual(found.trajectories, 19)
        np.testing.assert_allclose(found.noise, 0.0, atol=1e-12)

    def test_other_points_are_refused(self):
        unit = trajectories(3, 3, 1)
        for wrong in (unit[:, :3], unit[0], unit[:, ::2]):
            with self.assertRaisesRegex(ValueError, "expected .trajectory, step, axis."):
                sensitivity.morris(wrong, wrong[..., 0])
        unit[1, 2:] = unit[1, 1]
        with self.assertRaisesRegex(ValueError, "trajectory 1 does not change one axis"):
            sensitivity.morris(unit, unit[..., 0])
        unit = trajectories(3, 3, 1)
        with self.assertRaisesRegex(ValueError, "values of shape"):
            sensitivity.morris(unit, unit[0, :, 0])
        with self.assertRaisesRegex(ValueError, "2 names for 3 axes"):
            sensitivity.morris(unit, unit[..., 0], axes=("a", "b"))


class IndicesOfFunctions(unittest.TestCase):
    def test_ishigami(self):
        found = indices_of(ishigami, 4096, 3)
        first, total, variance = ISHIGAMI
        np.testing.assert_allclose(found.first.estimate, first, atol=0.003)
        np.testing.assert_allclose(found.total.estimate, total, atol=0.003)
        self.assertAlmostEqual(found.variance, variance, delta=0.01)
        self.assertEqual(found.rows, 4096)

    def test_product(self):
        found = indices_of(product, 4096, 8)
        np.testing.assert_allclose(found.first.estimate[:2], [0.716192169, 0.179048042], atol=0.004)
        np.testing.assert_allclose(found.total.estimate[:2], [0.787144127, 0.242198193], atol=0.004)
        self.assertTrue((found.total.estimate[4:] < 2e-4).all())

    def test_a_constant_beside_the_figure_changes_nothing(self):
        values = [ishigami(points) for points in pairs(256, 3)]
        found = sensitivity.sobol(*values)
        moved = sensitivity.sobol(*(1e6 + 3 * part for part in values))
        np.testing.assert_allclose(moved.first.low, found.first.low, atol=1e-6)
        np.testing.assert_allclose(moved.total.high, found.total.high, atol=1e-6)

    def test_intervals_hold_what_they_should(self):
        """Of 200 designs of independent points; those of a sequence are rather too wide."""
        held = np.zeros((2, 3))
        for seed in range(200):
            found = indices_of(ishigami, 256, 3, seed, resamples=400)
            for row, interval in enumerate((found.first, found.total)):
                exact = np.array(ISHIGAMI[row])
                held[row] += (interval.low <= exact) & (exact <= interval.high)
        self.assertTrue((held / 200 > 0.88).all() and (held / 200 < 0.995).all(), held)
        self.assertAlmostEqual(held.mean() / 200, 0.95, delta=0.03)

    def test_the_same_seed_gives_the_same_interval(self):
        values = [ishigami(points) for points in pairs(64, 3)]
        one, same, other = (sensitivity.sobol(*values, seed=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.total.high, same.total.high)
        self.assertTrue((one.total.high != other.total.high).all())
        np.testing.assert_array_equal(one.total.estimate, other.total.estimate)

    def test_rows_that_lack_a_value_are_left_out(self):
        a, b, mixed = map(ishigami, pairs(128, 3))
        expected = sensitivity.sobol(a[3:], b[3:], mixed[3:])
        a[0] = b[1] = mixed[2, 1] = np.nan
        found = sensitivity.sobol(a, b, mixed)
        self.assertEqual(found.rows, 125)
        np.testing.assert_array_equal(found.first.low, expected.first.low)

    def test_what_does_not_vary_has_no_indices(self):
        for constant in (0.0, 0.1, 1e9):
            a, mixed = np.full(8, constant), np.full((8, 2), constant)
            found = sensitivity.sobol(a, a, mixed)
            self.assertTrue(np.isnan(found.first.estimate).all(), constant)
            self.assertTrue(np.isnan(found.total.high).all())
            self.assertEqual(found.variance, 0.0)
        nothing = sensitivity.sobol(a[:0], a[:0], mixed[:0])
        self.assertTrue(np.isnan(nothing.total.estimate).all())
        self.assertEqual(nothing.rows, 0)
        single = sensitivity.sobol([1.0], [2.0], [[1.0, 2.0]])
        self.assertEqual(single.total.high.tolist(), [np.inf, np.inf])

    def test_noise_is_told(self):
        """Of independent replications: what `total` has too much, also where there is no effect."""
        points = pairs(4096, 3)
        draws = np.random.default_rng(1)
        values = [
            ishigami(part)[..., None] + draws.normal(0, 3, (*part.shape[:-1], 2)) for part in points
        ]
        found = sensitivity.sobol(*values)
        first, total, variance = ISHIGAMI
        all_of_it = variance + 9 / 2
        self.assertAlmostEqual(found.variance, all_of_it, delta=0.4)
        np.testing.assert_allclose(found.noise, 4.5 / all_of_it, rtol=0.05)
        share = variance / all_of_it  # of what the settings do
        without = found.total.estimate - found.noise
        np.testing.assert_allclose(without, np.array(total) * share, atol=0.03)
        np.testing.assert_allclose(found.first.estimate, np.array(first) * share, atol=0.03)
        shared = [ishigami(part)[..., None] + np.array([-1.0, 1.0]) for part in points]
        np.testing.assert_allclose(sensitivity.sobol(*shared).noise, 0.0, atol=1e-12)

    def test_other_shapes_are_refused(self):
        a, b, mixed = map(ishigami, pairs(8, 3))
        for wrong in ((a, b, mixed.T), (a, b[:5], mixed), (a, b, a), (a[:, None], b, mixed)):
            with self.assertRaisesRegex(ValueError, "values of shapes"):
                sensitivity.sobol(*wrong)


class DesignsOfFiles(unittest.TestCase):
    def write(self, *designs):
        """Each is (kind, size, row, unit)."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "swept.h5"
        tiny.write(path)

        def add(file):
            for number, (kind, size, row, unit) in enumerate(designs):
                group = file.create_group(f"designs/{number}")
                group.attrs.update(kind=kind, size=np.uint64(size))
                group["axis"] = [f"web.key{axis}" for axis in range(unit.shape[1])]
                group["row"], group["unit"] = np.asarray(row, np.uint64), unit

        tiny.change(path, add)
        results = squall.open(path)
        self.addCleanup(results.close)
        return results

    def test_effects_by_the_design(self):
        unit = trajectories(10, 3, 1)
        flat = unit.reshape(-1, 3)
        results = self.write(("morris", 10, np.arange(40), flat))
        found = sensitivity.effects(results, polynomial(flat))
        expected = sensitivity.morris(unit, polynomial(unit))
        np.testing.assert_array_equal(found.sigma.high, expected.sigma.high)
        self.assertEqual(found.axes, ("web.key0", "web.key1", "web.key2"))
        repeated = np.stack([polynomial(flat)] * 2, axis=1)
        np.testing.assert_array_equal(sensitivity.effects(results, repeated).noise, 0.0)
        table = found.to_pandas()
        self.assertEqual(list(table.index), list(found.axes))
        self.assertEqual(
            list(table.columns),
            [f"{name}{end}" for name in ("mu", "mu_star", "sigma") for end in ("", "_low", "_high")]
            + ["noise"],
        )
        self.assertEqual(table.loc["web.key1", "mu_low"], found.mu.low[1])

    def test_points_may_be_missing_and_in_any_order(self):
        unit = trajectories(10, 3, 1).reshape(-1, 3)
        row = np.random.default_rng(1).permutation(40)[:-1]
        missing = (set(range(40)) - set(row.tolist())).pop() // 4
        results = self.write(("morris", 10, row, unit[row]))
        found = sensitivity.effects(results, polynomial(unit[row]))
        others = np.delete(unit.reshape(10, 4, 3), missing, axis=0)
        expected = sensitivity.morris(others, polynomial(others))
        np.testing.assert_array_equal(found.mu.low, expected.mu.low)

    def test_indices_by_the_design(self):
        a, b, mixed = pairs(64, 3)
        flat = np.concatenate([a[:, None], b[:, None], mixed], axis=1).reshape(-1, 3)
        results = self.write(("saltelli", 64, np.arange(320), flat))
        found = sensitivity.indices(results, ishigami(flat), confidence=0.9)
        expected = sensitivity.sobol(*map(ishigami, (a, b, mixed)), confidence=0.9)
        np.testing.assert_array_equal(found.total.high, expected.total.high)
        self.assertEqual(found.total.confidence, 0.9)
        self.assertEqual(list(found.to_pandas().columns)[:3], ["first", "first_low", "first_high"])

    def test_a_design_beside_another_axis(self):
        unit = trajectories(5, 2, 1).reshape(-1, 2)
        row = np.tile(np.arange(15), 2)
        results = self.write(("morris", 5, row, unit[row]), ("morris", 1, np.zeros(30), unit[:0]))
        factor = np.repeat([1.0, 10.0], 15)
        values = factor * unit[row, 0]
        with self.assertRaisesRegex(squall.ResultsError, "varies more than the design morris"):
            sensitivity.effects(results, values)
        for points in (factor == 10.0, np.arange(15, 30)):
            found = sensitivity.effects(results, values, points=points)
            np.testing.assert_allclose(found.mu.estimate, [10.0, 0.0])

    def test_replications_are_taken_as_the_file_says(self):
        """Those that are not whole are left out, and antithetic ones come in pairs."""
        unit = trajectories(5, 2, 1).reshape(-1, 2)
        results = self.write(("morris", 5, np.arange(15), unit))
        draws = np.random.default_rng(1)
        values = unit[:, :1] + draws.normal(size=(15, 4))
        values[3, 1] = 1e9
        known = np.where(values == 1e9, np.nan, values)
        pairs = 0.5 * (known[:, ::2] + known[:, 1::2])
        for config, expected in (("x: 1", known), ("replications: {antithetic: true}", pairs)):
            status = np.where(values == 1e9, 2, 0).astype(np.uint64)

            def change(file):
                del file["runs/status"], file["config_resolved"]
                file["config_resolved"] = config
                whole = file.create_dataset("runs/status", data=status)
                whole.attrs["flag_values"] = np.arange(3, dtype=np.uint64)
                whole.attrs["flag_meanings"] = "ok event_limit watchdog"

            results.close()
            tiny.change(results.path, change)
            results = squall.open(results.path)
            found = sensitivity.effects(results, values)
            by_hand = sensitivity.morris(unit.reshape(5, 3, 2), expected.reshape(5, 3, -1))
            np.testing.assert_array_equal(found.mu.estimate, by_hand.mu.estimate)
            np.testing.assert_array_equal(found.noise, by_hand.noise)
        results.close()

    def test_other_files_are_refused(self):
        unit = trajectories(5, 2, 1).reshape(-1, 2)
        results = self.write(("morris", 5, np.arange(15), unit))
        with self.assertRaisesRegex(squall.ResultsError, "no design 'saltelli' .*designs: morris"):
            sensitivity.indices(results, unit[:, 0])
        with self.assertRaisesRegex(squall.ResultsError, "no design 'morris' of number 1"):
            sensitivity.effects(results, unit[:, 0], number=1)
        with self.assertRaisesRegex(ValueError, "the 15 points of the file"):
            sensitivity.effects(results, unit[:, 0][:5])
        with self.assertRaisesRegex(squall.ResultsError, "designs: none"):
            sensitivity.effects(self.write(), [1.0])


if __name__ == "__main__":
    unittest.main()
