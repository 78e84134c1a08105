# SPDX-License-Identifier: Apache-2.0
"""Intervals against published numbers, and how often they hold what they are made for: 10^4 trials
of which the truth is known. What is measured stands in the module's own words."""

import math
import pathlib
import re
import sys
import unittest

import numpy as np
from scipy import stats

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from squall import intervals

NAN = math.nan
INFINITE = math.inf
TRIALS = 10_000
P99 = -math.log(0.01)  # of exponential values with mean 1


def held(interval, truth):
    """Share of trials, along the first axis, whose interval holds the truth."""
    return ((interval.low <= truth) & (truth <= interval.high)).mean(axis=0)


def stated(what):
    """The figure [%] beside these words in the table of the module's docstring."""
    return float(re.search(rf"^    {re.escape(what)} +([0-9.]+)$", intervals.__doc__, re.M)[1])


class IntervalTest(unittest.TestCase):
    def assert_near(self, found, expected, digits=9):
        np.testing.assert_allclose(found, expected, rtol=10.0**-digits, atol=10.0**-digits)

    def assert_interval(self, interval, estimate, low, high):
        self.assert_near((interval.estimate, interval.low, interval.high), (estimate, low, high))


class Means(IntervalTest):
    def test_half_widths_are_those_of_students_t(self):
        for n, t in ((10, 2.262157163), (20, 2.093024054), (30, 2.045229642)):
            values = np.arange(n, dtype=float)
            error = values.std(ddof=1) / math.sqrt(n)
            self.assert_near(intervals.mean(values).half_width / error, t)

    def test_every_digit_of_students_t_is_right(self):
        t = intervals.mean([-1.0, 1.0]).half_width  # of one degree of freedom, with error 1
        self.assert_near(t, math.tan(0.475 * math.pi), digits=14)

    def test_less_confidence_is_narrower(self):
        values = [1.0, 2.0, 4.0]
        wide = intervals.mean(values)
        narrow = intervals.mean(values, 0.5)
        self.assertEqual((wide.confidence, narrow.confidence), (0.95, 0.5))
        self.assert_near(narrow.half_width / wide.half_width, 0.816496581 / 4.302652730)

    def test_too_few_values_say_nothing(self):
        self.assert_interval(intervals.mean([3.0]), 3.0, -INFINITE, INFINITE)
        self.assert_interval(intervals.mean([3.0, NAN]), 3.0, -INFINITE, INFINITE)
        none = intervals.mean([NAN, NAN])
        self.assertTrue(math.isnan(none.estimate))
        self.assertTrue(math.isnan(intervals.mean([]).estimate))

    def test_nan_is_left_out_of_its_row_only(self):
        table = intervals.mean([[1.0, NAN, 2.0], [1.0, 5.0, 2.0], [NAN, NAN, 2.0]])
        rows = [intervals.mean(row) for row in ([1.0, 2.0], [1.0, 5.0, 2.0], [2.0])]
        for end in ("estimate", "low", "high"):
            expected = [getattr(row, end) for row in rows]
            self.assertEqual(getattr(table, end).tolist(), expected)

    def test_many_rows_are_as_few(self):
        values = np.random.default_rng(1).lognormal(size=(7, 60))
        table = intervals.mean(values, axis=0)
        for row in range(60):
            one = intervals.mean(values[:, row])
            found = (table.estimate[row], table.low[row], table.high[row])
            self.assertEqual(found, (one.estimate, one.low, one.high))

    def test_any_axis_and_integers_will_do(self):
        values = np.arange(24, dtype=np.uint64).reshape(2, 3, 4)
        middle = intervals.mean(values, axis=1)
        self.assertEqual(middle.estimate.shape, (2, 4))
        self.assert_near(middle.estimate, values.mean(axis=1))

    def test_a_confidence_is_a_share(self):
        for confidence in (95, 1.0, 0.0, NAN):
            for call in (
                lambda: intervals.mean([1, 2], confidence),
                lambda: intervals.welch([1, 2], [1, 2], confidence),
                lambda: intervals.quantile([1, 2], 0.5, confidence),
                lambda: intervals.proportion(1, 2, confidence),
                lambda: intervals.bootstrap([1, 2], np.mean, confidence),
            ):
                with self.assertRaisesRegex(ValueError, "0 < confidence < 1"):
                    call()


class Pairs(IntervalTest):
    def test_differences_are_what_counts(self):
        first, second = [5.0, 7.0, 9.0, NAN, 4.0], [1.0, 4.0, 4.0, 2.0, NAN]
        self.assertEqual(intervals.paired(first, second), intervals.mean([4.0, 3.0, 5.0]))

    def test_one_row_is_compared_with_every_row(self):
        base = np.array([1.0, 2.0, 4.0])
        table = np.array([base + 1.0, base - 2.0])
        self.assertEqual(intervals.paired(table, base).estimate.tolist(), [1.0, -2.0])
        turned = intervals.paired(table.T, base, axis=0)
        self.assertEqual(turned.estimate.tolist(), [1.0, -2.0])

    def test_numbers_that_differ_are_no_pairs(self):
        for others in ([1.0], [1.0, 2.0, 3.0]):
            with self.assertRaisesRegex(ValueError, "compare independent ones by `welch`"):
                intervals.paired([1.0, 2.0], others)

    def test_independent_ones_are_compared_by_welch(self):
        draws = np.random.default_rng(1)
        first, second = draws.normal(size=(3, 12)), draws.normal(1.0, 4.0, size=(3, 7))
        found = intervals.welch(first, second, 0.9)
        test = stats.ttest_ind(first, second, axis=-1, equal_var=False)
        self.assert_near(found.estimate / (found.half_width / self.students(test, 0.9)),
                         test.statistic)

    @staticmethod
    def students(test, confidence):
        """t with the degrees of freedom that the p-value of a test belongs to."""
        from scipy.optimize import brentq

        def off(freedom, one):
            return 2.0 * stats.t.sf(abs(test.statistic[one]), freedom) - test.pvalue[one]

        freedom = [brentq(off, 1.0, 100.0, args=(one,), xtol=1e-13) for one in range(3)]
        return stats.t.ppf(0.5 + 0.5 * confidence, freedom)

    def test_welch_of_too_few_or_equal_values(self):
        self.assert_interval(intervals.welch([1.0], [3.0, 4.0]), -2.5, -INFINITE, INFINITE)
        self.assert_interval(intervals.welch([5.0, 5.0], [3.0, 3.0, 3.0]), 2.0, 2.0, 2.0)

    def test_antithetic_neighbours_are_one_observation(self):
        values = np.array([[1.0, 3.0, 5.0, NAN], [2.0, 2.0, 4.0, 8.0]])
        expected = np.array([[2.0, NAN], [2.0, 6.0]])
        np.testing.assert_array_equal(intervals.antithetic(values), expected)
        np.testing.assert_array_equal(intervals.antithetic(values.T, axis=0), expected.T)
        with self.assertRaisesRegex(ValueError, "come in pairs, and 3 is odd"):
            intervals.antithetic([1.0, 2.0, 3.0])

    def test_antithetic_pairs_take_most_of_the_variance(self):
        half = np.random.default_rng(1).random(1_000_000)
        values = np.exp(np.stack([half, 1.0 - half], axis=1).ravel())
        self.assert_near(values.var() / 0.242035607, 1.0, digits=2)
        self.assert_near(intervals.antithetic(values).var() / 0.003912497, 1.0, digits=2)


class Quantiles(IntervalTest):
    def test_ranks_enclose_the_quantile(self):
        for n, p, low, high in (
            (100, 0.95, 90, 100),
            (1000, 0.95, 936, 964),
            (1000, 0.99, 983, 997),
            (10_000, 0.999, 9983, 9997),
        ):
            self.assertEqual(intervals.quantile_ranks(n, p), (low, high))
            values = np.random.default_rng(1).permutation(n) + 1.0
            found = intervals.quantile(values, p)
            self.assert_interval(found, np.quantile(values, p), low, high)

    def test_a_chance_that_is_just_enough_is_enough(self):
        self.assertEqual(intervals.quantile_ranks(2, 0.5, 0.5), (1, 2))

    def test_where_there_are_too_few_values_an_end_is_infinite(self):
        values = np.arange(1.0, 51.0)
        self.assert_interval(intervals.quantile(values, 0.99), 49.51, 48.0, INFINITE)
        self.assert_interval(intervals.quantile(values, 0.01), 1.49, -INFINITE, 3.0)
        self.assert_interval(intervals.quantile([7.0], 0.5), 7.0, -INFINITE, INFINITE)
        self.assert_interval(intervals.quantile([NAN], 0.5), NAN, -INFINITE, INFINITE)
        self.assert_interval(intervals.quantile([], 0.5), NAN, -INFINITE, INFINITE)

    def test_rows_have_numbers_of_their_own(self):
        values = np.random.default_rng(1).normal(size=(4, 60, 2))
        values[1, 20:] = NAN
        table = intervals.quantile(values, [0.25, 0.5], axis=1)
        self.assertEqual(table.low.shape, (2, 4, 2))
        for place in np.ndindex(2, 4, 2):
            one = intervals.quantile(values[place[1], :, place[2]], (0.25, 0.5)[place[0]])
            found = (table.estimate[place], table.low[place], table.high[place])
            self.assertEqual(found, (one.estimate, one.low, one.high))

    def test_a_probability_lies_between(self):
        for p in (0.0, 1.0, 99, [0.5, NAN]):
            with self.assertRaisesRegex(ValueError, "0 < p < 1"):
                intervals.quantile([1.0, 2.0], p)

    def test_sections_deviate_from_the_estimate(self):
        values = np.array([[10.0, 12.0, 14.0, NAN], [1.0, 1.0, 1.0, 1.0]])
        found = intervals.sectioning(values, [13.0, 1.0])
        half = 4.302652730 * math.sqrt((9.0 + 1.0 + 1.0) / 2.0 / 3.0)
        self.assert_interval(found, [13.0, 1.0], [13.0 - half, 1.0], [13.0 + half, 1.0])
        self.assertEqual(intervals.sectioning(values, 13.0).estimate.tolist(), [13.0, 13.0])


class Proportions(IntervalTest):
    def test_published_intervals(self):
        for method, hits, n, low, high in (
            ("wilson", 0, 100, 0.0, 0.036993498),
            ("wilson", 3, 100, 0.010254524, 0.084519364),
            ("wilson", 0, 1000, 0.0, 0.003826758),
            ("clopper-pearson", 0, 100, 0.0, 0.036216693),
            ("clopper-pearson", 3, 100, 0.006229972, 0.085176053),
        ):
            found = intervals.proportion(hits, n, method=method)
            self.assert_interval(found, hits / n, low, high)
            mirrored = intervals.proportion(n - hits, n, method=method)
            self.assert_interval(mirrored, 1.0 - hits / n, 1.0 - high, 1.0 - low)

    def test_no_trials_leave_all_open(self):
        for method in ("wilson", "clopper-pearson"):
            found = intervals.proportion([0, 1], [0, 1], method=method)
            self.assertEqual((found.low[0], found.high[0], found.high[1]), (0.0, 1.0, 1.0))
            self.assertTrue(math.isnan(found.estimate[0]))

    def test_mistakes_are_told(self):
        with self.assertRaisesRegex(ValueError, "0 <= hits <= n"):
            intervals.proportion(3, 2)
        with self.assertRaisesRegex(ValueError, "there are: wilson, clopper-pearson"):
            intervals.proportion(1, 2, method="wald")


class Bootstraps(IntervalTest):
    def test_the_same_seed_gives_the_same_whatever_the_company(self):
        values = np.random.default_rng(1).lognormal(size=(3, 25))
        table = intervals.bootstrap(values, np.median, seed=7)
        for row in range(3):
            one = intervals.bootstrap(values[row], np.median, seed=7)
            found = (table.estimate[row], table.low[row], table.high[row])
            self.assertEqual(found, (one.estimate, one.low, one.high))
        other = intervals.bootstrap(values, np.mean, seed=8)
        self.assertNotEqual(intervals.bootstrap(values, np.mean, seed=7).low[0], other.low[0])

    def test_how_much_is_held_at_a_time_changes_nothing(self):
        values = np.random.default_rng(1).lognormal(size=(2, 25))
        whole = intervals.bootstrap(values, np.mean)
        before, intervals.BATCH = intervals.BATCH, 1000
        self.addCleanup(setattr, intervals, "BATCH", before)
        parts = intervals.bootstrap(values, np.mean)
        self.assertEqual(whole.low.tolist(), parts.low.tolist())
        self.assertEqual(whole.high.tolist(), parts.high.tolist())

    def test_nan_is_left_out(self):
        values = np.random.default_rng(1).lognormal(size=(2, 25))
        values[1, 20:] = NAN
        table = intervals.bootstrap(values.T, np.mean, axis=0)
        for row, some in enumerate((values[0], values[1, :20])):
            one = intervals.bootstrap(some, np.mean)
            self.assertEqual((table.low[row], table.high[row]), (one.low, one.high))

    def test_a_statistic_may_know_no_axis(self):
        values = np.random.default_rng(1).normal(size=(2, 12))
        slow = intervals.bootstrap(values, lambda row: float(np.mean(row)), resamples=200)
        fast = intervals.bootstrap(values, np.mean, resamples=200)
        self.assert_near((slow.estimate, slow.low), (fast.estimate, fast.low), digits=12)

    def test_it_is_the_one_of_scipy(self):
        values = np.random.default_rng(1).lognormal(size=(3, 25))
        for statistic, confidence in ((np.mean, 0.95), (np.median, 0.9), (np.var, 0.8)):
            draws = np.random.default_rng(5)
            other = stats.bootstrap((values,), statistic, n_resamples=999, axis=-1,
                                    confidence_level=confidence, random_state=draws)
            ours = intervals.bootstrap(values, statistic, confidence, resamples=999, seed=5)
            self.assert_near((ours.low, ours.high), other.confidence_interval, digits=12)

    def test_resamples_that_tell_nothing_are_left_out(self):
        draws = np.random.default_rng(1)
        again, without = draws.normal(size=50), draws.normal(size=9) ** 2
        known = intervals.accelerated(0.1, again, without)
        more = [np.insert(again, 7, NAN), np.insert(without, 3, NAN)]
        self.assert_near(intervals.accelerated(0.1, *more), known, digits=12)
        self.assertTrue(np.isnan(intervals.accelerated(NAN, [NAN], without)).all())

    def test_ties_do_not_leave_it_undefined(self):
        self.assert_interval(intervals.bootstrap([2.0] * 9, np.mean), 2.0, 2.0, 2.0)
        ties = intervals.bootstrap([1.0] * 8 + [2.0] * 3 + [3.0] * 8, np.median)
        self.assertEqual((ties.low, ties.estimate, ties.high), (1.0, 2.0, 3.0))

    def test_too_few_values_say_nothing(self):
        self.assert_interval(intervals.bootstrap([3.0], np.mean), 3.0, -INFINITE, INFINITE)
        self.assertTrue(math.isnan(intervals.bootstrap([NAN], np.mean).estimate))


class Families(IntervalTest):
    def test_holm_steps_down(self):
        p_values = [[0.04, NAN, 0.005], [0.011, 0.02, 0.9]]
        expected = [[0.08, NAN, 0.025], [0.044, 0.06, 0.9]]
        self.assert_near(intervals.holm(p_values), expected)
        self.assertEqual(intervals.holm([0.6, 0.7]).tolist(), [1.0, 1.0])
        self.assertEqual(intervals.holm([]).tolist(), [])


class Coverage(unittest.TestCase):
    """Seeds are fixed; a newer numpy may draw other numbers, which the tolerance allows for."""

    def state(self, what, share, least=93.0, most=97.0):
        self.assertAlmostEqual(100.0 * share, stated(what), delta=0.5, msg=what)
        self.assertGreaterEqual(100.0 * share, least, what)
        self.assertLessEqual(100.0 * share, most, what)

    def setUp(self):
        self.draws = np.random.default_rng(20)

    def test_means(self):
        normal = self.draws.normal(5.0, 2.0, (TRIALS, 10))
        self.state("mean of 10 normal values", held(intervals.mean(normal), 5.0))
        skewed = self.draws.gamma(20.0, 1 / 20.0, (TRIALS, 10))
        self.state("mean of 10 means of 20 exponential values", held(intervals.mean(skewed), 1.0))
        few = self.draws.lognormal(-0.5, 1.0, (TRIALS, 10))
        share = held(intervals.mean(few), 1.0)
        self.state("mean of 10 lognormal values (sigma 1)", share, 80.0, 90.0)

    def test_pairs(self):
        common = self.draws.normal(0.0, 3.0, (TRIALS, 10))
        first = common + self.draws.normal(1.0, 1.0, common.shape)
        second = common + self.draws.normal(0.0, 1.0, common.shape)
        paired = intervals.paired(first, second)
        self.state("paired: 10 pairs, correlation 0.9", held(paired, 1.0))
        alone = intervals.welch(first, second)
        ratio = paired.half_width.mean() / alone.half_width.mean()
        # sqrt(1 - 0.9), but for the t of fewer degrees of freedom
        self.assertAlmostEqual(ratio, math.sqrt(0.1) * 2.2622 / 2.1009, delta=0.01)

    def test_welch(self):
        first = self.draws.normal(1.0, 1.0, (TRIALS, 10))
        second = self.draws.normal(0.0, 3.0, (TRIALS, 20))
        share = held(intervals.welch(first, second), 1.0)
        self.state("welch: 10 values, and 20 that vary more", share)

    def test_antithetic(self):
        half = self.draws.random((TRIALS, 10))
        values = np.exp(np.stack([half, 1.0 - half], axis=-1).reshape(TRIALS, 20))
        found = intervals.mean(intervals.antithetic(values))
        self.state("mean of 10 antithetic pairs", held(found, math.e - 1.0), 90.0)

    def test_sectioning(self):
        """10 replications of 500 values, all of which are known to 1 % as in a histogram."""
        own, pooled, size = [], [], 500
        for _ in range(10):
            values = self.draws.exponential(size=(TRIALS // 10, 10, size))
            own.append(np.partition(values, 99 * size // 100, axis=-1)[..., 99 * size // 100])
            together = values.reshape(TRIALS // 10, -1)
            place = 99 * together.shape[-1] // 100
            pooled.append(np.partition(together, place, axis=-1)[:, place])
        own, pooled = (np.concatenate(part) for part in (own, pooled))
        own, pooled = (1.01 ** (np.floor(np.log(v) / np.log(1.01)) + 0.5) for v in (own, pooled))
        found = intervals.sectioning(own, pooled)
        self.state("sectioning: p99 of 10 times 500 values", held(found, P99))

    def test_quantiles(self):
        values = self.draws.exponential(size=(TRIALS, 30))
        share = held(intervals.quantile(values, 0.5), math.log(2.0))
        self.state("quantile: p50 of 30 values", share)
        values = self.draws.lognormal(size=(TRIALS, 100))
        truth = math.exp(stats.norm.ppf(0.9))
        self.state("quantile: p90 of 100 values", held(intervals.quantile(values, 0.9), truth))
        values = self.draws.exponential(size=(TRIALS, 1000))
        share = held(intervals.quantile(values, 0.99), P99)
        self.state("quantile: p99 of 1000 values", share, 95.0, 98.0)

    def test_proportions(self):
        """Exact, being sums over all that may come out."""
        p = np.linspace(0.01, 0.99, 99)
        for n in (20, 100):
            hits = np.arange(n + 1)
            chance = stats.binom.pmf(hits[:, None], n, p)
            for method, mean, least in (("wilson", 93.0, 83.0), ("clopper-pearson", 95.0, 95.0)):
                found = intervals.proportion(hits, n, method=method)
                holds = (found.low[:, None] <= p) & (p <= found.high[:, None])
                share = (chance * holds).sum(axis=0)
                self.state(f"{method}: of {n} trials, mean", share.mean(), mean, 99.0)
                self.state(f"{method}: of {n} trials, least", share.min(), least, 99.0)

    def test_bootstraps(self):
        """Resamples are drawn of the places of values, the same for all rows, and statistics of the
        values at these places taken of all rows at once: the same intervals at a tenth of the cost.
        """
        normal, exponential = self.draws.normal, self.draws.exponential
        for what, draw, n, p, truth in (
            ("mean of 50 normal values", normal, 50, None, 0.0),
            ("mean of 50 exponential values", exponential, 50, None, 1.0),
            ("median of 51 exponential values", exponential, 51, 0.5, math.log(2.0)),
            ("p90 of 100 exponential values", exponential, 100, 0.9, math.log(10.0)),
        ):
            shares = []
            for seed in range(20):
                rows = np.sort(draw(size=(TRIALS // 20, n)), axis=-1)
                found = intervals.bootstrap(np.arange(n), of_places(rows, p), seed=seed)
                shares.append(held(found, truth))
            plain = intervals.bootstrap(rows[:2], of_values(p), seed=seed)
            for end in ("estimate", "low", "high"):
                self.assertTrue(np.allclose(getattr(found, end)[:2], getattr(plain, end)))
            self.state(f"bootstrap: {what}", np.mean(shares))


def of_values(p):
    """The p-quantile; without p the mean."""
    if p is None:
        return np.mean
    return lambda values, axis: np.quantile(values, p, axis=axis)


def of_places(rows, p):
    """The same of the values of all rows, which are in order, that stand at some places."""

    def mean(places, axis):
        times = np.zeros((*places.shape[:-1], rows.shape[1]))
        for place in range(rows.shape[1]):
            times[..., place] = (places == place).sum(axis=-1)
        return rows @ times.T / places.shape[-1]

    def quantile(places, axis):
        places = np.sort(places, axis=-1).astype(int)
        position = p * (places.shape[-1] - 1)
        rank = int(position)
        low, high = (rows[:, places[..., one]] for one in (rank, rank + 1))
        return low + (position - rank) * (high - low)

    return mean if p is None else quantile


if __name__ == "__main__":
    unittest.main()
