# SPDX-License-Identifier: Apache-2.0
"""Figures by name, and the plots that are made of them, on a file with numbers known by hand."""

import pathlib
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import squall
from squall import figures, intervals
from squall.histogram import Histogram
from squall.latency import tail
from squall.plot import PLOTS

import tiny


def receive(file):
    """What reaches the server: three attempts for each request of `users` in replication 0 and
    four in replication 1; and the counters of clients that tiny.py does without."""
    begun = tiny.requests_begun()
    for name in ("logical_requests", "successes"):
        tiny.described(file, f"stats/client/{name}", begun.sum(axis=3))
    attempts = np.array([[[120], [160], [0]]], np.uint64)
    tiny.described(file, "stats/server/requests_received", attempts * 3 // 4)
    tiny.described(file, "stats/server/requests_missed", attempts // 4)
    for name in ("received", "missed"):
        series = np.zeros((1, 3, 1, tiny.INTERVALS), np.uint64)
        series[0, :2] = 15 if name == "received" else 5
        tiny.described(file, f"series/server/requests_{name}", series)


def end(file):
    """Of twenty attempts of `users` in an interval ten are answered well, four with an error, and
    six time out."""
    from squall.work import ENDS

    for counter in ENDS:
        values = np.zeros((1, 3, 2, tiny.INTERVALS), np.uint64)
        values[0, :2, 0] = {"errors": 4, "timeouts": 6}.get(counter, 0)
        tiny.described(file, f"series/client/{counter}", values)
    answered = np.zeros((1, 3, 2, tiny.INTERVALS), np.uint64)
    answered[0, :2, 0] = 14
    tiny.described(file, "series/client/responses_received", answered)


class TinyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "tiny.h5"
        tiny.write(path, tiny.CONFIG + "  web:\n    type: server\n")
        tiny.change(path, receive)
        tiny.change(path, end)
        self.results = squall.open(path)
        self.addCleanup(self.results.close)

    def value(self, text, **options):
        return figures.value(self.results, figures.parse(self.results, text), **options).tolist()

    def draw(self, plot, files=1, **options):
        return PLOTS[plot]([self.results] * files, **options)


class Figures(TinyTest):
    def test_counters_are_rates(self):
        self.assertEqual(self.value("users.requests_sent"), [80 / 3.5] * 2)
        self.assertEqual(self.value("users.requests_sent", span=(1, 3)), [20, 20])

    def test_levels_are_means(self):
        self.assertEqual(self.value("web.queue_depth"), [7 / 3.5, 14 / 3.5])
        self.assertEqual(self.value("web.queue_depth", span=(0, 2)), [3.5, 3.5])

    def test_quotients_of_sums(self):
        text = "web.requests_received + web.requests_missed / users.logical_requests"
        self.assertEqual(self.value(text), [3, 4])
        self.assertEqual(self.value(text, span=(2, 4)), [2, 2])

    def test_by_interval(self):
        figure = figures.parse(self.results, "users.successes / users.logical_requests")
        by_interval = figures.series(self.results, figure)
        self.assertEqual(by_interval.tolist(), [[1, 1, 1, 1], [1, 1, 0, 0]])

    def test_what_a_stopping_rule_asks_for(self):
        for text, values in (
            ("users.requests_sent.total", [80, 80]),
            ("users.requests_sent.rate", [80 / 3.5] * 2),
            ("bots[0].requests_sent.total", [160, 160]),  # an instance
            ("web.queue_depth.max", [7, 14]),
            ("users.request_latency.count", [100, 1]),
            ("users.request_latency.max", [99e-9, 42e-9]),
            ("users.request_latency.p0", [0, 42e-9]),
        ):
            self.assertEqual(self.value(text), values, text)
        [half, one] = self.value("users.request_latency.p50")
        self.assertAlmostEqual(half, 49.5e-9, delta=1e-9)  # of 0..99, in buckets ten wide
        self.assertEqual(one, 42e-9)

    def test_by_point_and_replication(self):
        figure = figures.parse(self.results, "users.requests_sent.total")
        [row] = figures.table(self.results, figure)
        self.assertEqual(row[:2].tolist(), [80, 80])
        self.assertTrue(np.isnan(row[2]))  # it did not run to its end

    def test_percentiles_by_interval(self):
        figure = figures.parse(self.results, "users.request_latency.p50")
        [row] = figures.series(self.results, figure)
        for interval, value in enumerate(row):
            self.assertAlmostEqual(value, (10 * interval + 4.5) * 1e-9, delta=1e-15)
        with self.assertRaisesRegex(squall.ResultsError, "do not tell request_latency by repl"):
            self.value("users.request_latency.p50", span=(1, 3))

    def test_percentiles_of_all_replications_go_with_nothing_of_each(self):
        for text in (
            "users.request_latency.p50 / users.requests_sent",
            "users.requests_sent / users.request_latency.p50",
        ):
            with self.assertRaisesRegex(squall.ResultsError, "on both sides or on none"):
                figures.series(self.results, figures.parse(self.results, text))

    def test_units(self):
        for text, unit in (
            ("users.requests_sent.total", "number [1]"),
            ("users.request_latency.p99", "p99 of request latency [s]"),
            ("users.requests_sent", "rate [1/s]"),
            ("web.queue_depth", "level [1]"),
            ("users.requests_sent / users.logical_requests", "ratio [1]"),
            ("users.request_latency / users.requests_sent", "ratio [s]"),
            ("users.requests_sent / users.request_latency", "ratio [1/s]"),
            ("users.request_latency.count / users.requests_sent", "ratio [1]"),
        ):
            self.assertEqual(figures.unit(figures.parse(self.results, text)), unit)

    def test_mistakes(self):
        for text, words in (
            ("nobody.successes", "no group 'nobody' (there are: users, bots, web)"),
            ("users.success", "client 'users' has no counter, gauge or histogram 'success'"),
            ("users.success", "did you mean 'successes'?"),
            ("user.successes", "did you mean 'users'?"),
            ("users", "client 'users' has no counter, gauge or histogram ''"),
            ("users.requests_sent.p99", "there is no 'p99' (rate, total)"),
            ("users.request_latency.p101", "there is no 'p101' (mean, min, max, count, p50)"),
            ("users.request_latency.p99 + bots.request_latency.p99", "adds what cannot be added"),
            ("web.queue_depth + users.requests_sent", "adds what cannot be added"),
        ):
            with self.assertRaises(squall.ResultsError) as caught:
                figures.parse(self.results, text)
            self.assertIn(words, str(caught.exception))
        words = "no whole interval lies within 3.2 s to 3.7 s"
        with self.assertRaisesRegex(squall.ResultsError, words):
            self.value("users.requests_sent", span=(3.2, 3.7))


class Plots(TinyTest):
    def test_lines(self):
        figure = self.draw(
            "lines", figure=["well = users.successes", "users.requests_sent", "web.queue_depth"]
        )
        rates, levels = figure.axes
        self.assertEqual(rates.get_ylabel(), "rate [1/s]")
        self.assertEqual(levels.get_ylabel(), "web.queue_depth\n[1]")
        self.assertEqual(levels.get_xlabel(), "simulated time [s]")
        lines = {line.get_label(): line.get_ydata().tolist() for line in rates.get_lines()}
        self.assertEqual(lines["well"], [10, 10, 5, 5])
        self.assertEqual(lines["users.requests_sent"], [20] * 4)

    def test_a_span_of_time(self):
        figure = self.draw("lines", figure=["users.successes", "web.queue_depth"], span=(0, 2))
        rates, _ = figure.axes
        self.assertEqual(rates.get_xlim(), (0, 2))
        self.assertGreater(rates.get_ylim()[0], 9)  # as high as what is seen
        figure = self.draw("outcomes", group=["users"], span=(1, 3))
        self.assertEqual(figure.axes[0].get_xlim(), (1, 3))
        figure = self.draw("storm", span=(2.5, 4))
        self.assertEqual(figure.axes[-1].get_xlim(), (2.5, 4))
        self.assertEqual(list(figure.axes[0].texts), [])  # the trigger is over by then
        for span in ((3, 2), (5, 6)):
            with self.assertRaisesRegex(squall.ResultsError, "nothing lies between"):
                self.draw("lines", figure=["users.successes"], span=span)

    def test_lines_of_nothing(self):
        for plot in ("lines", "compare"):
            with self.assertRaisesRegex(
                squall.ResultsError, "such as --figure users.logical_requests$"
            ):
                self.draw(plot)

    def test_outcomes_are_stacked(self):
        figure = self.draw("outcomes", group=["users"])
        (axes,) = figure.axes
        self.assertEqual(axes.get_ylabel(), "attempts of\nusers [1/s]")
        stairs = [patch.get_data() for patch in axes.patches if hasattr(patch, "get_data")]
        self.assertEqual([one.values[0] for one in stairs], [10, 14, 20])
        self.assertEqual([one.baseline[0] for one in stairs], [0, 10, 14])
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        self.assertEqual(names[:3], ["answered well", "answered with an error", "timed out"])

    def test_attempts_along_a_chain(self):
        (axes,) = self.draw("amplification", files=2, client="users", labels=["one", "two"]).axes
        self.assertEqual([bar.get_height() for bar in axes.patches], [3.5, 3.5])
        self.assertEqual([tick.get_text() for tick in axes.get_xticklabels()], ["web"])
        self.assertIn("per request of users [1]", axes.get_ylabel())
        self.assertEqual(axes.get_yscale(), "linear")  # of ten and more it is logarithmic
        (axes,) = self.draw("amplification", span=(2, 4)).axes
        self.assertEqual([bar.get_height() for bar in axes.patches], [2])
        self.assertEqual(axes.get_title(loc="left"), "from 2 s to 4 s")

    def test_panels_side_by_side(self):
        figure = self.draw(
            "compare",
            figure=[
                "attempts: users = users.requests_sent / users.logical_requests",
                "attempts: bots = bots.requests_sent / bots.logical_requests",
                "load: web = web.requests_received",
            ],
        )
        attempts, load = figure.axes
        self.assertEqual(attempts.get_ylabel(), "attempts [1]")
        self.assertEqual(load.get_ylabel(), "load [1/s]")
        self.assertEqual([bar.get_height() for bar in attempts.patches], [2, 2])
        self.assertEqual([text.get_text() for text in attempts.texts], ["2", "2"])

    def test_bars_of_one_unit_share_a_panel(self):
        figure = self.draw(
            "compare", figure=["users.successes", "users.request_latency.p50", "bots.successes"]
        )
        rates, times = figure.axes
        self.assertEqual(rates.get_ylabel(), "rate [1/s]")
        self.assertEqual(times.get_ylabel(), "p50 of request latency [s]")
        self.assertEqual(len(rates.patches), 2)
        self.assertEqual(
            figure._suptitle.get_text(),
            "means over replications, percentiles of all replications together, with their "
            "95 % intervals",
        )

    def test_bars_say_what_inspect_says(self):
        (axes,) = self.draw("compare", figure=["web.queue_depth"]).axes
        (bar,) = axes.patches
        values = [7 / 3.5, 14 / 3.5]
        self.assertAlmostEqual(bar.get_height(), np.mean(values))
        expected = intervals.mean(values)
        (whisker,) = axes.containers[0].lines[2][0].get_segments()
        np.testing.assert_allclose(whisker[:, 1], [expected.low, expected.high])

    def test_tails(self):
        (axes,) = self.draw("latency", group=["people = users"]).axes
        self.assertIn("[s]", axes.get_xlabel())
        (line,) = axes.get_lines()
        self.assertEqual(line.get_label(), "people (101)")
        for group, words in (
            ("users.nothing", r"which histogram of 'users'\? name it by --group users.request_"),
            ("bots", "no values of bots.request_latency"),
        ):
            with self.assertRaisesRegex(squall.ResultsError, words):
                self.draw("latency", group=[group])


class Tails(unittest.TestCase):
    def test_shares_are_exact_at_the_bounds_of_buckets(self):
        edges = np.arange(0, 101, 10, dtype=np.uint64)
        values = np.array([3, 4, 17, 42, 42, 42, 49, 95])
        bins, counts = np.unique(values // 10, return_counts=True)
        histogram = Histogram(bins, counts.astype(np.uint64), edges, 3, 95)
        times, shares = tail(histogram)
        self.assertEqual((times * 1e9).round().tolist(), [3, 10, 10, 20, 40, 50, 90, 96])
        for time, share in zip(times * 1e9, shares):
            self.assertAlmostEqual(share, np.mean(values >= round(time)))


if __name__ == "__main__":
    unittest.main()
