# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import squall
from squall import measures

import tiny


class TinyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "tiny.h5"
        tiny.write(self.path)

    def open(self):
        results = squall.open(self.path)
        self.addCleanup(results.close)
        return results

    def change(self, change):
        tiny.change(self.path, change)


class Opening(TinyTest):
    def refuse(self, *words):
        with self.assertRaises(squall.ResultsError) as caught:
            squall.open(self.path)
        for word in (str(self.path), *words):
            self.assertIn(word, str(caught.exception))

    def test_no_file(self):
        self.path.unlink()
        self.refuse("no such file")

    def test_no_hdf5(self):
        self.path.write_text("squall: 1\n")
        self.refuse("not an HDF5 file, or not whole")

    def test_a_journal(self):
        self.path = self.path.with_suffix(".journal")
        self.path.mkdir()  # as the program makes it, with a file for each rank
        self.refuse("a journal; `squall resume` or")

    def test_a_folder(self):
        self.path.unlink()
        self.path.mkdir()
        self.refuse("is a folder; name a file in it")

    def test_foreign(self):
        self.change(lambda file: file.attrs.pop("filetype"))
        self.refuse("no results of squall")

    def test_other_major(self):
        self.change(lambda file: file.attrs.update(schema=np.array([2, 7]), software="squall 9"))
        self.refuse("version 2.7", "squall 9", "reads version 1")

    def test_other_minor(self):
        self.change(lambda file: file.attrs.update(schema=np.array([1, 99])))
        self.assertEqual(self.open().title, "tiny")

    def test_what_is_not_there_is_told_with_what_is(self):
        with self.assertRaisesRegex(squall.ResultsError, "stats/client/nope.*requests_sent"):
            self.open().counter("client", "nope")
        with self.assertRaisesRegex(squall.ResultsError, "stats/clint/nope.*client"):
            self.open().counter("clint", "nope")


class Numbers(TinyTest):
    def test_names(self):
        results = self.open()
        self.assertEqual(results.types, ("client", "server"))
        self.assertEqual(results.entities("client"), ["users", "bots[0]"])
        self.assertEqual(list(results.groups("client", series=True)), ["users", "bots"])
        self.assertEqual(results.complete.tolist(), [[True, True, False]])

    def test_counter(self):
        field = self.open().counter("client", "requests_sent")
        self.assertEqual(field.dims, ("point", "replication", "entity"))
        self.assertEqual(field.values.tolist(), [[[80, 160], [80, 160], [0, 0]]])

    def test_gauges(self):
        results = self.open()
        mean = results.gauge_mean("server", "queue_depth")
        self.assertEqual((mean.unit, mean.long_name), ("1", "Mean level: waiting."))
        np.testing.assert_allclose(mean.values, [[[2.0], [4.0], [0.0]]])  # over 3.5 s
        most = results.gauge_max("server", "queue_depth").values
        self.assertEqual(most.tolist(), [[[7], [14], [0]]])

    def test_series(self):
        results = self.open()
        self.assertEqual(results.time_s.tolist(), [0, 1, 2, 3])
        depth = results.series("server", "queue_depth")
        self.assertEqual(depth.dims, ("point", "replication", "entity", "interval"))
        self.assertEqual(depth.values[0, :, 0].tolist(), [[0, 7, 0, 0], [0, 7, 0, 0], [0, 0, 0, 0]])

    def test_a_run_without_interval(self):
        self.change(lambda file: file.pop("series"))
        results = self.open()
        for read in (
            lambda: results.time_s,
            lambda: results.interval_s,
            lambda: results.series("client", "successes"),
            lambda: results.entities("client", series=True),
            lambda: measures.goodput(results),
            lambda: measures.goodput_ratio(results, 0, 4),
            lambda: measures.still_degraded(results),
        ):
            with self.assertRaisesRegex(squall.ResultsError, "run it with an interval"):
                read()

    def test_quantiles_are_within_their_bound(self):
        p = [0.0, 0.1, 0.25, 0.5, 0.77, 0.99, 1.0]
        value, bound = self.open().quantiles("client", "request_latency", p)
        self.assertEqual(value.dims, ("point", "replication", "entity", "quantile"))
        exact = np.quantile(np.arange(100), p)
        error = np.abs(value.values[0, 0, 0] - exact)
        self.assertTrue(np.all(error <= bound.values[0, 0, 0]), error)
        self.assertEqual(bound.values[0, 0, 0, [0, -1]].tolist(), [0, 0])
        self.assertEqual(value.values[0, 0, 0, [0, -1]].tolist(), [0, 99])
        self.assertEqual(value.values[0, 1, 0].tolist(), [42] * len(p))
        self.assertTrue(np.isnan(value.values[0, 2]).all())

    def test_histograms_merge(self):
        results = self.open()
        both = results.histogram("client", "request_latency")
        self.assertEqual(both.total, 101)
        self.assertEqual(both.counts.tolist(), [10, 10, 10, 10, 11, 10, 10, 10, 10, 10])
        self.assertEqual((both.least, both.largest), (0, 99))
        one = results.histogram("client", "request_latency", replications=[1], entities=[0])
        self.assertEqual(one.total, 1)

    def test_buckets_that_nobody_kept(self):
        def empty(file):
            del file["histograms/client/request_latency/offsets"]
            file["histograms/client/request_latency/offsets"] = np.zeros(7, np.uint64)

        self.change(empty)
        with self.assertRaisesRegex(squall.ResultsError, "without histograms"):
            self.open().quantiles("client", "request_latency", [0.5])


class Lines(TinyTest):
    def test_breakdown(self):
        columns = self.open().breakdown("client", "latency")
        self.assertEqual({len(values) for values in columns.values()}, {3})
        self.assertEqual(list(columns["entity"]), ["users", "users", "bots[0]"])
        self.assertEqual(list(columns["group"]), ["users", "users", "bots"])
        self.assertEqual(list(columns["peer"]), ["web", "web", "web"])
        self.assertEqual(columns["status"].tolist(), [200, 418, 1])
        self.assertEqual(list(columns["word"]), ["ok", "", "error_timeout"])
        self.assertEqual(columns["mean"].tolist(), [7, 29, 40.5])

    def test_histograms_of_lines(self):
        results = self.open()
        every = results.breakdown_histogram("client", "latency")
        self.assertEqual((every.total, every.least, every.largest), (13, 7, 41))
        columns = results.breakdown("client", "latency")
        answered = results.breakdown_histogram("client", "latency", columns["status"] >= 200)
        self.assertEqual((answered.total, answered.largest), (11, 29))
        last = results.breakdown_histogram("client", "latency", [2])
        self.assertEqual(last.counts.tolist(), [2])
        none = results.breakdown_histogram("client", "latency", [])
        self.assertEqual(none.total, 0)

    def test_breakdown_without_buckets(self):
        def empty(file):
            file["breakdowns/client/latency/offsets"][...] = 0

        self.change(empty)
        results = self.open()
        self.assertEqual(results.breakdown("client", "latency")["total"].tolist(), [10, 1, 2])
        with self.assertRaisesRegex(squall.ResultsError, "without histograms"):
            results.breakdown_histogram("client", "latency")

    def test_trace(self):
        columns = self.open().trace()
        self.assertEqual({len(values) for values in columns.values()}, {3})
        self.assertEqual(list(columns["entity"]), ["users", "users", "bots[0]"])
        self.assertEqual(list(columns["group"]), ["users", "users", "bots"])
        self.assertEqual(list(columns["kind"]), ["request", "retry", "failure"])
        self.assertEqual(list(columns["error"]), ["none", "timeout", "reset"])
        self.assertEqual(columns["wait"].tolist(), [0, 3, 0])
        self.assertEqual(columns["status"].tolist(), [0, 503, 0])

    def test_a_run_that_kept_neither(self):
        self.change(lambda file: (file.pop("breakdowns"), file.pop("trace")))
        results = self.open()
        with self.assertRaisesRegex(squall.ResultsError, "run it with output.breakdowns"):
            results.breakdown("client", "latency")
        with self.assertRaisesRegex(squall.ResultsError, "run it with output.trace.entities"):
            results.trace()

    def test_lines_that_are_not_there(self):
        with self.assertRaisesRegex(squall.ResultsError, "has no breakdowns/server"):
            self.open().breakdown("server", "latency")


class Measures(TinyTest):
    def test_rates_leave_missing_replications_out(self):
        results = self.open()
        self.assertEqual(measures.offered_load(results).tolist(), [[30] * 4] * 2)
        self.assertEqual(measures.attempt_load(results, group="users").tolist(), [[20] * 4] * 2)
        self.assertEqual(
            measures.goodput(results, group="users").tolist(), [[10] * 4, [10, 10, 0, 0]]
        )

    def test_nobody_ran(self):
        def stop(file):
            file["runs/status"][...] = 5

        self.change(stop)
        with self.assertRaisesRegex(squall.ResultsError, "no replication"):
            measures.goodput(self.open())

    def test_unknown_group(self):
        with self.assertRaisesRegex(squall.ResultsError, "no client 'nobody'"):
            measures.goodput(self.open(), group="nobody")

    def test_who_recovers(self):
        results = self.open()
        self.assertEqual(measures.trigger_end_s(results), 2.0)
        self.assertEqual(
            measures.still_degraded(results, group="users").tolist(), [False, True]
        )
        self.assertEqual(measures.still_degraded(results, group="bots").tolist(), [False, False])
        with self.assertRaises(squall.ResultsError):
            measures.still_degraded(results, 3.0)

    def test_who_has_fallen_silent_has_not_recovered(self):
        self.change(tiny.fall_silent)
        results = self.open()
        self.assertTrue(np.isnan(measures.goodput_ratio(results, 3, 4)).all())
        self.assertEqual(measures.still_degraded(results).tolist(), [True, True])

    def test_who_never_did_anything_has_lost_nothing(self):
        def idle(file):
            for name in ("logical_requests", "requests_sent", "successes"):
                file[f"series/client/{name}"][...] = 0

        self.change(idle)
        self.assertEqual(measures.still_degraded(self.open()).tolist(), [False, False])

    def test_closed_clients_are_compared_with_before(self):
        def half(file):  # all that is begun ends well, but it is half as much
            file["plan"].attrs["warmup_ns"] = 0
            for name in ("logical_requests", "successes"):
                file[f"series/client/{name}"][0, 1, 0, 2:] = 5

        closed = tiny.CONFIG.replace(
            "    call:", "    arrivals: {kind: closed, users: 9}\n    call:"
        )
        for config, bad in ((tiny.CONFIG, [False, False]), (closed, [False, True])):
            tiny.write(self.path, config)
            self.change(half)
            with squall.open(self.path) as results:
                self.assertEqual(
                    measures.still_degraded(results, group="users").tolist(), bad
                )
                kept = measures.goodput_kept(results, 3, 4, group="users")
                self.assertEqual(kept.tolist(), [1, 0.5])

    def test_goodput_kept(self):
        results = self.open()
        # The warm-up and the first action leave no whole interval before.
        self.assertTrue(np.isnan(measures.goodput_kept(results, 2, 4)).all())

    def test_a_window_shorter_than_an_interval(self):
        with self.assertRaisesRegex(squall.ResultsError, "no whole interval"):
            measures.still_degraded(self.open(), 0.5)

    def test_goodput_ratio(self):
        results = self.open()
        ratio = measures.goodput_ratio(results, 0.5, 4.0, group="users")  # intervals 1, 2, 3
        np.testing.assert_allclose(ratio, [1, 1 / 3])
        self.assertTrue(np.isnan(measures.goodput_ratio(results, 3.5, 4.0)).all())

    def test_latency_of_each_interval(self):
        value, bound = measures.latency_quantile(self.open(), 0.5)
        np.testing.assert_allclose(value, [4.5, 14.5, 24.5, 34.5])  # middle of five in a bucket
        self.assertEqual(bound.tolist(), [9] * 4)


if __name__ == "__main__":
    unittest.main()
