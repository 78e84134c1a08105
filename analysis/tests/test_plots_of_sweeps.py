# SPDX-License-Identifier: Apache-2.0
"""Pictures of sweeps, searches and distributions, by the numbers that they draw."""

import itertools
import pathlib
import sys
import tempfile
import unittest
import warnings

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import squall
from squall import figures, influence, intervals, sensitivity, sweeps
from squall.cdf import _shrunk, _stretched, shares
from squall.fields import Labels
from squall.heatmap import Panel, cell_texts, crossing
from squall.plot import PLOTS, suiting

import made
import swept
import tiny
from measured import MadeTest

LOAD, LENGTH, POLICY = "users.arrivals.poisson", "timeline[0].for", "users.call.policy"
SHARE = "share = users.successes / users.logical_requests"
SEARCH = """\
search:
  - axis: {users.arrivals.poisson: {from: 10/s, to: 40/s, steps: 4}}
    measure: {stat: users.successes, per: users.logical_requests, below: 90%}
"""


def value(k, r):
    """The share of point k in replication r."""
    return (100 - 10 * k - r) / 100


def combinations(*axes):
    return [list(values) for values in zip(*itertools.product(*axes))]


class SweptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def opened(self, axes, config=tiny.CONFIG, change=None):
        """A file that is called after how many there were before: `0.h5`, `1.h5`."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.h5"
        swept.write(path, axes, config)
        if change:
            tiny.change(path, change)
        results = squall.open(path)
        self.addCleanup(results.close)
        return results

    def one(self):
        return self.opened({LENGTH: ([0.1, 1.0, 10.0], "s")})

    def two(self):
        loads, lengths = combinations([100.0, 200.0, 300.0], [0.1, 1.0])
        return self.opened({LOAD: (loads, "1/s"), LENGTH: (lengths, "s")})

    def searched(self, none=(35.0, 30.0, 40.0)):
        """Each policy at two levels of the load that was searched; `none` is what was found of
        that policy."""
        policies, loads = combinations(["none", "fast"], [10.0, 40.0])
        where = [f"{POLICY}=none", f"{POLICY}=fast"]
        found = [none, (20.0, 10.0, 30.0)]

        def search(file):
            swept.write_search(file, LOAD, "1/s", where, found)

        return self.opened({POLICY: policies, LOAD: (loads, "1/s")}, tiny.CONFIG + SEARCH, search)


def missing(*places):
    """A change after which some replications, (point, replication), have not run."""

    def change(file):
        for place in places:
            file["runs/status"][place] = 5

    return change


class Points(SweptTest):
    def test_values_of_axes(self):
        results = self.two()
        load, length = sweeps.varied(results, np.ones(6, bool))
        self.assertEqual(load.values.tolist(), [100, 200, 300])
        self.assertEqual(load.place.tolist(), [0, 0, 1, 1, 2, 2])
        self.assertEqual(length.label, "timeline[0].for [s]")
        self.assertEqual((load.text(1), length.text(0)), (f"{LOAD} = 200/s", f"{LENGTH} = 0.1 s"))

    def test_which_values_are_geometric(self):
        for values, geometric in (
            ([0.1, 0.2, 0.5, 1, 2, 5, 10], True),
            ([1, 2, 4, 8], True),
            ([200, 300, 400, 500], False),
            ([0, 1, 10, 100], True),
            ([0, 1, 10], False),
            ([-1, 0, 10, 100], False),
            ([1, 10], False),
        ):
            axis = sweeps.Axis("a", np.array(values, float), "s", np.zeros(1, int))
            self.assertEqual(axis.geometric, geometric, values)

    def test_axes_of_files_have_the_values_of_all(self):
        for values, places in (
            ((["none", "fast"], ["slow", "none"]), ([0, 1], [2, 0])),
            (([1.0, 4.0], [2.0, 4.0]), ([0, 2], [1, 2])),
        ):
            kind = "" if isinstance(values[0][0], str) else "1/s"
            axes = [sweeps.Axis("a", np.array(it), kind, np.array([0, 1])) for it in values]
            found = sweeps.shared(axes)
            self.assertEqual([one.place.tolist() for one in found], list(places))
            self.assertEqual([len(one.values) for one in found], [3, 3])
        text = sweeps.Axis("a", np.array(["x"]), "", np.zeros(1, int))
        with self.assertRaisesRegex(squall.ResultsError, r"'a' is no common axis: .* \[1/s\], tex"):
            sweeps.shared([axes[0], text])

    def test_where(self):
        results = self.two()
        for where, places in (
            ([], range(6)),
            ([f"{LOAD}=200/s"], [2, 3]),
            ([f"{LOAD} = 200"], [2, 3]),
            ([f"{LENGTH}=100ms"], [0, 2, 4]),
            ([f"{LENGTH}=0.1s", f"{LOAD}=300/s"], [4]),
            ([f"{LENGTH}=1s", f"{LOAD}=300/s", f"{LOAD}=100/s"], [1, 5]),
            (["poisson=200/s", "for=1s"], [3]),
            (["arrivals.poisson=200"], [2, 3]),
        ):
            self.assertEqual(np.flatnonzero(sweeps.chosen(results, where)).tolist(), list(places))

    def test_the_end_of_several_paths_is_not_enough(self):
        a, b = combinations([1.0, 2.0], [1.0, 2.0])
        results = self.opened({"a.call.timeout": (a, "s"), "b.call.timeout": (b, "s")})
        with self.assertRaisesRegex(
            squall.ResultsError, "write more of a.call.timeout or b.call.timeout"
        ):
            sweeps.chosen(results, ["timeout=1s"])
        self.assertEqual(np.flatnonzero(sweeps.chosen(results, ["a.call.timeout=1s"])).size, 2)
        with self.assertRaisesRegex(squall.ResultsError, "PATH=VALUE"):
            sweeps.chosen(results, ["a.call.timeout"])

    def test_one_point(self):
        results = self.two()
        self.assertEqual(sweeps.one_point(results, [], None), 0)
        self.assertEqual(sweeps.one_point(results, [], 4), 4)
        self.assertEqual(sweeps.one_point(results, [f"{LENGTH}=1s", f"{LOAD}=200/s"], None), 3)

    def test_mistakes(self):
        results = self.two()
        for where, number, words in (
            (["users.arrivals.poison=1/s"], None, rf"no axis .*poison'.*did you mean '{LOAD}'\?"),
            ([f"{LOAD}=250/s"], None, r"no point has .* = '250/s' \(there are: 100/s, 200/s, 3"),
            ([f"{LOAD}=100ms"], None, "no point has"),
            ([f"{LOAD}=200/s"], None, r"2 points have .*; pick one by --where timeline\[0\].for="),
            ([], 6, r"no point 6 \(there are 6, up to 5\)"),
        ):
            with self.assertRaisesRegex(squall.ResultsError, words):
                sweeps.one_point(results, where, number)


class Curves(SweptTest):
    def test_means_with_their_intervals(self):
        curve = sweeps.curve(self.one(), SHARE, None)
        self.assertEqual((curve.name, curve.unit, curve.share), ("share", "[1]", True))
        for k in range(3):
            expected = intervals.mean([value(k, 0), value(k, 1)])
            self.assertAlmostEqual(curve.estimate[k], expected.estimate)
            self.assertAlmostEqual(curve.low[k], expected.low)

    def test_percentiles_are_of_all_values(self):
        curve = sweeps.curve(self.one(), "users.request_latency.p50", None)
        self.assertEqual(curve.unit, "[s]")
        for k in range(3):  # twenty values in a bucket of ten
            self.assertAlmostEqual(curve.estimate[k], (10 * k + 4.5) * 1e-9, delta=1e-9)

    def test_the_largest_is_that_of_all_replications(self):
        curve = sweeps.curve(self.one(), "web.queue_depth.max", None)
        self.assertEqual(curve.estimate.tolist(), [14, 14, 14])  # not the mean of 7 and 14
        self.assertTrue(np.isnan(curve.low).all())
        self.assertEqual(curve.of, "the largest of all replications")

    def test_what_the_estimates_are(self):
        results = self.one()
        for text, of in (
            (SHARE, "means over replications"),
            ("users.request_latency.p50", "percentiles of all replications together"),
        ):
            self.assertEqual(sweeps.curve(results, text, None).of, of)
        alone = self.opened({LENGTH: ([1.0, 2.0], "s")}, change=missing((0, 1), (1, 1)))
        self.assertEqual(sweeps.curve(alone, SHARE, None).of, "values of one replication")

    def test_what_a_study_is_about(self):
        self.assertEqual(
            sweeps.studied(self.searched()),
            sweeps.Studied("users.successes / users.logical_requests", None, 0.9),
        )
        text = "users.successes + bots.successes / users.logical_requests + bots.logical_requests"
        self.assertEqual(sweeps.studied(self.two()).figure, text)

    def test_thresholds_by_what_they_have(self):
        found = sweeps.thresholds(self.searched())
        self.assertEqual((found.path, found.unit), (LOAD, "1/s"))
        self.assertEqual(found.where, [{POLICY: "none"}, {POLICY: "fast"}])
        fast = {POLICY: Labels(np.array(["fast"]), ("point",))}
        self.assertEqual(found.of(fast).tolist(), [False, True])
        self.assertIsNone(sweeps.thresholds(self.two()))

    def test_values_with_commas_in_where(self):
        read = sweeps._read_where("a.b={x: 1, y: 2}, c=10ms", ["a.b", "c"])
        self.assertEqual(read, {"a.b": "{x: 1, y: 2}", "c": "10ms"})


class AntitheticPairs(MadeTest):
    def test_half_a_pair_is_not_known_to_be_degraded(self):
        well, bad = np.full(10, 100), np.array([100] * 3 + [0] * 7)
        results = self.clients(
            well=np.stack([well, bad, bad, well])[None],
            rows=made.timeline((2, 1, "slow", "users", 2)),
            antithetic=True,
            complete=[[True, True, True, False]],
        )
        curve = sweeps.curve(results, "degraded", None)
        self.assertEqual(curve.estimate.tolist(), [0.5])
        self.assertEqual(curve.of, "shares of replications")


class AlongAnAxis(SweptTest):
    def draw(self, *files, **options):
        return PLOTS["axis"](list(files), **options)

    def test_one_line(self):
        (axes,) = self.draw(self.one(), figure=[SHARE]).axes
        (line,) = axes.get_lines()
        self.assertEqual(line.get_xdata().tolist(), [0.1, 1, 10])
        expected = [(value(k, 0) + value(k, 1)) / 2 for k in range(3)]
        np.testing.assert_allclose(line.get_ydata(), expected)
        self.assertEqual(axes.get_xlabel(), f"{LENGTH} [s]")
        self.assertEqual(axes.get_ylabel(), "share\n[1]")
        self.assertEqual(axes.get_xscale(), "log")
        (band,) = axes.collections
        interval = intervals.mean([value(0, 0), value(0, 1)])
        low, high = band.get_paths()[0].get_extents().get_points()[:, 1]
        self.assertAlmostEqual(high, interval.high)

    def test_a_line_has_a_gap_where_nothing_is_known(self):
        lengths = {LENGTH: ([1.0, 2.0, 3.0], "s")}
        results = self.opened(lengths, change=missing((1, 0), (1, 1)))
        (axes,) = self.draw(results, figure=[SHARE]).axes
        y = axes.get_lines()[0].get_ydata()
        self.assertEqual(np.isnan(y).tolist(), [False, True, False])

    def test_an_interval_without_neighbours_is_a_bar(self):
        lengths = {LENGTH: ([1.0, 2.0, 3.0], "s")}
        results = self.opened(lengths, change=missing((1, 1)))
        (axes,) = self.draw(results, figure=[SHARE]).axes
        (bars,) = axes.containers
        self.assertEqual(bars.lines[0].get_xdata().tolist(), [1, 3])
        self.assertEqual(len(bars.lines[2][0].get_segments()), 2)

    def test_dots_of_a_text_stand_side_by_side(self):
        loads, policies = combinations([100.0, 200.0], ["none", "fast"])
        results = self.opened({LOAD: (loads, "1/s"), POLICY: policies})
        (axes,) = self.draw(results, axis=[POLICY], figure=[SHARE]).axes
        x = [dots.lines[0].get_xdata() for dots in axes.containers]
        np.testing.assert_allclose(x, [[-0.06, 0.94], [0.06, 1.06]])

    def test_files_are_told_apart_though_their_studies_are_not(self):
        figure = self.draw(self.one(), self.one(), figure=[SHARE])
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        self.assertEqual(names, ["tiny (0.h5)", "tiny (1.h5)"])

    def test_texts_of_files_are_not_taken_for_one_another(self):
        files = [self.opened({POLICY: values}) for values in (["none", "fast"], ["slow", "none"])]
        (axes,) = self.draw(*files, figure=[SHARE]).axes
        x = [dots.lines[0].get_xdata() for dots in axes.containers]
        self.assertEqual(np.round(x).tolist(), [[0, 1], [0, 2]])
        names = [tick.get_text() for tick in axes.get_xticklabels()]
        self.assertEqual(names, ["none", "fast", "slow"])

    def test_what_lines_are_is_above_them(self):
        def title(results, *figures):
            return self.draw(results, figure=figures).axes[0].get_title(loc="left")

        intervals_ = ", with their 95 % intervals"
        self.assertEqual(title(self.one(), SHARE), f"tiny: means over replications{intervals_}")
        found = title(self.one(), "users.request_latency.p50")
        self.assertEqual(found, f"tiny: percentiles of all replications together{intervals_}")
        alone = self.opened({LENGTH: ([1.0, 2.0], "s")}, change=missing((0, 1), (1, 1)))
        self.assertEqual(title(alone, SHARE), "tiny: values of one replication, without intervals")

    def test_a_zero_is_as_far_from_the_others_as_they_are(self):
        (axes,) = self.draw(self.opened({LENGTH: ([0, 1, 10, 100], "s")}), figure=[SHARE]).axes
        places = np.stack([[0, 1, 10, 100], np.zeros(4)], axis=1)
        drawn = axes.transAxes.inverted().transform(axes.transData.transform(places))[:, 0]
        np.testing.assert_allclose(drawn, np.linspace(0.05, 1.05, 4) / 1.1, atol=0.01)

    def test_other_axes_are_lines(self):
        figure = self.draw(self.two(), axis=[LOAD], figure=[SHARE])
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        self.assertEqual(names, [f"{LENGTH} = 0.1 s", f"{LENGTH} = 1 s"])
        self.assertEqual(figure.axes[0].get_xscale(), "linear")
        some = self.draw(self.two(), axis=[LOAD], where=[f"{LENGTH}=1s"], figure=[SHARE])
        (line,) = some.axes[0].get_lines()
        np.testing.assert_allclose(line.get_ydata()[0], np.mean([value(1, 0), value(1, 1)]))

    def test_figures_of_one_unit_share_a_panel(self):
        figure = self.draw(
            self.one(), figure=["users.request_latency.p50", "users.request_latency.p99", SHARE]
        )
        times, share = figure.axes
        self.assertEqual(len(times.get_lines()), 2)
        self.assertIn("[s]", times.get_ylabel())
        self.assertEqual(len(share.get_lines()), 1)

    def test_a_design_is_dots_against_every_axis(self):
        rng = np.random.default_rng(1)
        columns = {name: (rng.random(8).tolist(), "1") for name in ("a", "b", "c")}
        figure = self.draw(self.opened(columns), figure=[SHARE])
        self.assertEqual([axes.get_xlabel() for axes in figure.axes], ["a [1]", "b [1]", "c [1]"])
        for axes in figure.axes:
            (dots,) = axes.containers
            self.assertEqual(len(dots.lines[0].get_xdata()), 8)
            self.assertEqual(dots.lines[0].get_linestyle(), "None")

    def test_thresholds_lie_at_the_bottom(self):
        (axes,) = self.draw(self.searched()).axes
        marks = [it for it in axes.containers if it.get_label() == "_threshold"]
        found = sorted(float(mark.lines[0].get_xdata()[0]) for mark in marks)
        self.assertEqual(found, [20, 35])

    def test_a_search_that_found_nothing_is_told(self):
        nothing = (np.nan, np.nan, np.nan)
        (axes,) = self.draw(self.searched(none=nothing), axis=[POLICY]).axes
        self.assertIn("; searches that found none: 1", axes.get_title(loc="left"))
        with self.assertRaisesRegex(squall.ResultsError, f"no search along '{LOAD}' in it"):
            self.draw(self.searched(), self.opened({POLICY: ["none", "fast"]}), axis=[POLICY])

    def test_thresholds_along_another_axis(self):
        (axes,) = self.draw(self.searched(), axis=[POLICY]).axes
        (dots,) = axes.containers
        self.assertEqual(dots.lines[0].get_ydata().tolist(), [35, 20])
        self.assertEqual([tick.get_text() for tick in axes.get_xticklabels()], ["none", "fast"])
        ends = dots.lines[2][0].get_segments()
        self.assertEqual([part[:, 1].tolist() for part in ends], [[30, 40], [10, 30]])
        self.assertEqual(axes.get_ylabel(), f"threshold on\n{LOAD} [1/s]")

    def test_mistakes(self):
        with self.assertRaisesRegex(squall.ResultsError, r"no axis 'x' \(there are: "):
            self.draw(self.two(), axis=["x"])
        other = self.opened({"other": ([1.0], "1/s")})
        with self.assertRaisesRegex(squall.ResultsError, rf"no axis '{LOAD}' \(there are: other\)"):
            self.draw(self.opened({LOAD: ([1.0, 2.0], "1/s")}), other)
        many, lengths = combinations(np.arange(1.0, 11).tolist(), [1.0, 2.0])
        results = self.opened({LOAD: (many[:18], "1/s"), LENGTH: (lengths[:18], "s")})
        with self.assertRaisesRegex(squall.ResultsError, f"too many lines .* --where {LOAD}="):
            self.draw(results, axis=[LENGTH], figure=["users.successes"])


class OverTwoAxes(SweptTest):
    def draw(self, *files, **options):
        return PLOTS["heatmap"](list(files), **options)

    def test_cells(self):
        figure = self.draw(self.two(), figure=[SHARE])
        axes, bar = figure.axes
        (mesh,) = [it for it in axes.collections if hasattr(it, "get_coordinates")]
        means = [np.mean([value(k, r) for r in (0, 1)]) for k in range(6)]
        expected = np.array(means).reshape(3, 2).T
        np.testing.assert_allclose(mesh.get_array().reshape(2, 3), expected)
        self.assertEqual([text.get_text() for text in axes.texts[:2]], ["0.99", "0.80"])
        self.assertEqual((axes.get_xlabel(), axes.get_ylabel()), (f"{LOAD} [1/s]", f"{LENGTH} [s]"))
        self.assertEqual(bar.get_ylabel(), "share\n[1]")
        self.assertEqual(mesh.get_clim(), (0, 1))

    def test_the_title_tells_what_the_numbers_are(self):
        for figure, words in (
            (SHARE, "tiny: means over replications"),
            ("users.request_latency.p50", "tiny: percentiles of all replications together"),
            ("web.queue_depth.max", "tiny: the largest of all replications"),
        ):
            axes = self.draw(self.two(), figure=[figure]).axes[0]
            self.assertIn(words, axes.get_title(loc="left"))

    def test_numbers_in_cells_are_written_alike(self):
        for values, unit, texts in (
            ([1.04e-5, 0.2, 0.9999, 12.0], "[s]", ["10.4 µs", "200 ms", "1.00 s", "12.0 s"]),
            ([0.0, 0.25, 40.0, 12345.0], "[1/s]", ["0", "0.250", "40.0", "12.3k"]),
            ([1.04e-5, 0.2], "[1]", ["1.04e-05", "2.00e-01"]),
            ([np.nan, 999.9], "[1]", ["", "1.00k"]),
        ):
            self.assertEqual(cell_texts(np.array(values), unit).tolist(), texts)

    def test_a_level_that_nothing_passes_is_said(self):
        with self.assertWarnsRegex(UserWarning, r"nothing passes the level 7: values are 0.495 to"):
            self.draw(self.two(), figure=[SHARE], level=7.0)

    def test_the_line_where_it_passes_a_level(self):
        def axis(path, values):
            return sweeps.Axis(path, np.array(values, float), "1", np.zeros(1, int))

        values = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
        linear = Panel(None, "", axis("x", [1, 2, 3]), axis("y", [1, 2]), values, {})
        (line,) = crossing(linear, 0.25)
        np.testing.assert_allclose(line[:, 0], 1.25)
        geometric = Panel(None, "", axis("x", [1, 10, 100]), axis("y", [1, 2]), values, {})
        (line,) = crossing(geometric, 0.5)
        np.testing.assert_allclose(line[:, 0], np.sqrt(10))
        self.assertEqual(sorted(line[:, 1].tolist()), [1, 2])

    def test_a_zero_before_geometric_values(self):
        loads, lengths = combinations([100.0, 200.0], [0.0, 0.1, 1.0, 10.0])
        results = self.opened({LOAD: (loads, "1/s"), LENGTH: (lengths, "s")})
        axes = self.draw(results, figure=[SHARE]).axes[0]
        self.assertEqual(axes.get_yscale(), "symlog")
        names = [tick.get_text() for tick in axes.get_yticklabels()]
        self.assertEqual(names, ["0", "0.1", "1", "10"])
        (mesh,) = [it for it in axes.collections if hasattr(it, "get_coordinates")]
        edges = mesh.get_coordinates()[:, 0, 1]
        drawn = axes.transData.transform(np.stack([np.full(5, 150.0), edges], axis=1))[:, 1]
        np.testing.assert_allclose(np.diff(drawn), np.diff(drawn).mean())

    def test_level(self):
        for options, drawn in (({"level": 0.3}, 0), ({}, 1)):  # one point has less than half
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that nothing passes 0.3
                axes = self.draw(self.two(), figure=[SHARE], **options).axes[0]
            lines = [line for line in axes.get_lines() if line.get_label() == "_level"]
            self.assertEqual(len(lines), drawn)

    def test_a_third_axis_makes_panels(self):
        a, b, c = combinations([1.0, 2.0], [1.0, 2.0], ["x", "y"])
        results = self.opened({"a": (a, "1"), "b": (b, "1"), "c": c})
        figure = self.draw(results, figure=[SHARE])
        titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
        self.assertIn("c = x", titles[0])
        self.assertEqual(titles[1], "c = y")

    def test_more_axes_ask_for_where(self):
        columns = combinations([1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0])
        axes = {name: (column, "1") for name, column in zip("abcd", columns)}
        axes = {name: (column[:10], unit) for name, (column, unit) in axes.items()}
        with self.assertRaisesRegex(squall.ResultsError, "pick values of others by --where d=..."):
            self.draw(self.opened(axes), figure=["users.successes"])

    def test_levels_that_a_search_looked_at(self):
        axes = self.draw(self.searched()).axes[0]
        self.assertEqual((axes.get_xlabel(), axes.get_ylabel()), (POLICY, f"{LOAD} [1/s]"))
        self.assertEqual(len(axes.collections[0].get_offsets()), 4)
        marks = [it for it in axes.containers if it.get_label() == "_threshold"]
        self.assertEqual([float(it.lines[0].get_ydata()[0]) for it in marks], [35, 20])

    def test_panels_of_files_have_the_same_axes(self):
        columns = combinations([100.0, 200.0], [0.1, 1.0])
        given = [(LOAD, (columns[0], "1/s")), (LENGTH, (columns[1], "s"))]
        longer = (LENGTH, ([1.0, 10.0] * 2, "s"))
        files = [self.opened(dict(given)), self.opened(dict([longer, given[0]]))]
        figure = self.draw(*files, figure=[SHARE])
        known = []
        for axes in figure.axes[:2]:
            (mesh,) = [it for it in axes.collections if hasattr(it, "get_coordinates")]
            known.append((~np.ma.getmaskarray(mesh.get_array()).reshape(3, 2)).tolist())
        yes, no = [True] * 2, [False] * 2
        self.assertEqual(known, [[yes, yes, no], [no, yes, yes]])

    def test_an_axis_twice(self):
        with self.assertRaisesRegex(squall.ResultsError, f"'{LOAD}' twice"):
            self.draw(self.two(), axis=[LOAD, LOAD])

    def test_one_axis_is_not_enough(self):
        with self.assertRaisesRegex(squall.ResultsError, "takes two axes"):
            self.draw(self.one())


class Settings(SweptTest):
    UNIT = np.array([[[0, 0], [0.5, 0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0], [0, 0]]])

    def design(self, kind="morris", size=2, more=None):
        """`a` from 0 to 1, `b` from 0 to 10; two trajectories, or one row and two mixed ones."""
        unit = self.UNIT.reshape(-1, 2) if kind == "morris" else np.eye(4)[:, :2]

        def add(file):
            group = file.create_group("designs/0")
            group.attrs.update(kind=kind, size=np.uint64(size))
            group["axis"] = ["web.a", "web.b"]
            group["row"], group["unit"] = np.arange(len(unit), dtype=np.uint64), unit

        axes = {"web.a": (unit[:, 0].tolist(), "1"), "web.b": ((10 * unit[:, 1]).tolist(), "s")}
        return self.opened({**axes, **(more or {})}, change=add)

    def draw(self, *files, **options):
        return PLOTS["sensitivity"](list(files), **options)

    def test_effects(self):
        results = self.design()
        (axes,) = self.draw(results, figure=[SHARE]).axes
        table = figures.table(results, figures.parse(results, SHARE.partition("=")[2]))
        found = sensitivity.effects(results, table)
        order = np.argsort(found.mu_star.estimate)
        self.assertEqual(
            [tick.get_text() for tick in axes.get_yticklabels()],
            [found.axes[place] for place in order],
        )
        widths = [bar.get_width() for bar in axes.patches]
        expected = [*found.mu_star.estimate[order], *found.sigma.estimate[order]]
        np.testing.assert_allclose(widths, expected)
        self.assertEqual(axes.get_xlabel(), "share\n[1]")
        self.assertEqual(axes.get_title(loc="left"), "tiny: 2 trajectories (morris)")
        texts = [text.get_text() for text in axes.texts]
        self.assertIn(f"(mu {found.mu.estimate[order[0]]:+.2g})", texts[0])

    def test_indices(self):
        (axes,) = self.draw(self.design("saltelli", 1), figure=["users.request_latency.p50"]).axes
        self.assertEqual(
            axes.get_xlabel(), "users.request_latency.p50\nshare of its variance [1]"
        )

    def test_files_and_figures_have_panels(self):
        results = self.design()
        drawn = self.draw(results, results, figure=[SHARE, "users.successes"], labels=["x", "y"])
        titles = [axes.get_title(loc="left").partition(":")[0] for axes in drawn.axes]
        self.assertEqual(titles, ["x", "y", "", ""])

    def test_numbers_of_the_picture(self):
        table = influence.table(self.design(), [SHARE])
        self.assertEqual(table["axis"].tolist(), ["web.a", "web.b"])
        self.assertEqual(table["figure"].tolist(), ["share"] * 2)

    def test_mistakes(self):
        with self.assertRaisesRegex(squall.ResultsError, "no design; run a sweep by morris or"):
            self.draw(self.two())
        more = {"web.c": ([1.0, 2.0] * 3, "1")}
        with self.assertRaisesRegex(squall.ResultsError, "pick the points of one by --where web.c"):
            self.draw(self.design(more=more), figure=[SHARE])

    def test_it_is_what_suits_a_design(self):
        self.assertEqual(suiting([self.design()]), "sensitivity")


class Distributions(SweptTest):
    def test_shares_at_the_bounds_of_buckets(self):
        path = self.folder / "tiny.h5"
        tiny.write(path)
        with squall.open(path) as results:
            found = shares(results, "client", "request_latency", np.array([0]), 0)
        values, together, low, high = found
        # 0..99 in replication 0 and 42 in replication 1
        self.assertEqual((values * 1e9).round().tolist(), [*range(0, 100, 10), 100])
        expected = [(10 * k + (k > 4)) / 101 for k in range(11)]
        np.testing.assert_allclose(together, expected)
        own = np.array([[k / 10, float(k > 4)] for k in range(11)])
        np.testing.assert_allclose(low, np.quantile(own, 0.05, axis=1))
        np.testing.assert_allclose(high, np.quantile(own, 0.95, axis=1))

    def test_a_legend_has_room(self):
        for letters, columns in ((5, 3), (45, 2), (80, 1)):
            labels = [one * letters for one in "abc"]
            files = [self.one() for _ in labels]
            drawn = PLOTS["cdf"](files, group=["users"], labels=labels)
            (legend,) = drawn.legends
            drawn.canvas.draw()
            self.assertEqual(legend._ncols, columns)
            self.assertLess(legend.get_window_extent().width, drawn.bbox.width)

    def test_who_does_not_count_is_not_in_them(self):
        path = self.folder / "tiny.h5"
        tiny.write(path)
        with squall.open(path) as results:
            results.__dict__["counted"] = np.array([[False, True, False]])
            values, *_ = shares(results, "client", "request_latency", np.array([0]), 0)
            (axes,) = PLOTS["latency"]([results], group=["users"]).axes
        np.testing.assert_allclose(values, [42e-9, 43e-9])
        self.assertEqual(axes.get_lines()[0].get_label(), "users (1)")

    def test_picture(self):
        (axes,) = PLOTS["cdf"]([self.one()], group=["people = users"], point=1).axes
        (line,) = axes.get_lines()
        self.assertEqual(line.get_ydata().tolist(), [0, 1])
        np.testing.assert_allclose(line.get_xdata(), [10e-9, 20e-9])
        self.assertEqual((axes.get_xscale(), axes.get_xlabel()), ("log", "request latency [s]"))

    def test_the_axis_of_shares_is_stretched_and_says_so(self):
        (axes,) = PLOTS["cdf"]([self.one()], group=["users"]).axes
        self.assertEqual(
            [tick.get_text() for tick in axes.get_yticklabels()],
            ["0", "0.25", "0.5", "0.75", "0.9", "0.99", "0.999", "1"],
        )
        self.assertTrue(all(tick.get_visible() for tick in axes.get_yticklabels()))
        self.assertIn("(stretched above 0.9)", axes.get_ylabel())
        shares_ = np.array([0, 0.5, 0.9, 0.99, 0.999, 1])
        np.testing.assert_allclose(_shrunk(_stretched(shares_)), shares_, atol=1e-12)

    def test_no_values(self):
        with self.assertRaisesRegex(squall.ResultsError, "no values of request_latency"):
            PLOTS["cdf"]([self.one()], group=["bots"])


class Suiting(SweptTest):
    def test_what_suits_a_file(self):
        self.assertEqual(suiting([self.two()]), "heatmap")
        self.assertEqual(suiting([self.searched()]), "heatmap")
        self.assertEqual(suiting([self.one()]), "axis")
        self.assertEqual(suiting([self.two()], [f"{LOAD}=100/s"]), "axis")
        self.assertEqual(suiting([self.two()], point=True), "cdf")
        path = self.folder / "tiny.h5"
        tiny.write(path)
        with squall.open(path) as results:
            self.assertEqual(suiting([results]), "storm")
        rng = np.random.default_rng(1)
        design = {name: (rng.random(8).tolist(), "1") for name in ("a", "b")}
        self.assertEqual(suiting([self.opened(design)]), "axis")


if __name__ == "__main__":
    unittest.main()
