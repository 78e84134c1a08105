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


class TinyTables(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "tiny.h5"
        tiny.write(self.path)
        self.results = squall.open(self.path)
        self.addCleanup(self.results.close)


class Stats(TinyTables):
    def test_labels_and_units(self):
        clients = self.results.stats("client")
        sent = clients.requests_sent
        self.assertEqual(sent.dims, ("point", "replication", "entity"))
        self.assertEqual(sent.sel(entity="bots[0]", replication=1).item(), 160)
        self.assertEqual(clients["group"].values.tolist(), ["users", "bots"])
        self.assertEqual(clients.request_latency_max.attrs["units"], "ns")
        self.assertEqual(clients["complete"].values.tolist(), [[True, True, False]])

    def test_what_is_made_of_a_histogram_says_so(self):
        clients = self.results.stats("client")
        self.assertEqual(clients.request_latency_mean.attrs["long_name"], "Mean of values: it is.")
        value, _ = self.results.quantiles("client", "request_latency", [0.5])
        self.assertEqual(value.long_name, "Quantiles of values: it is.")

    def test_percentages_are_no_shares(self):
        for read in (self.results.quantiles, self.results.series_quantiles):
            with self.assertRaisesRegex(squall.ResultsError, "from 0 to 1, 0.99 for one: not 99"):
                read("client", "request_latency", [99])

    def test_levels(self):
        servers = self.results.stats("server")
        self.assertEqual(servers.queue_depth.values[0, :2, 0].tolist(), [2, 4])
        self.assertEqual(servers.queue_depth.attrs["units"], "1")
        self.assertEqual(servers.queue_depth_max.values[0, :2, 0].tolist(), [7, 14])

    def test_groups_are_taken_together(self):
        latency = self.results.moments("client", "request_latency", by="group")
        self.assertEqual(latency["count"].values[0].tolist(), [[100, 0], [1, 0], [0, 0]])
        self.assertEqual(latency["max"].values[0, :2, 0].tolist(), [99, 42])
        self.assertTrue(np.isnan(latency["min"].values[0, 0, 1]))

    def test_mistakes(self):
        with self.assertRaisesRegex(squall.ResultsError, r"no type 'clients' \(there are: client"):
            self.results.stats("clients")
        with self.assertRaisesRegex(squall.ResultsError, "by='host': statistics are by entity or"):
            self.results.stats("client", by="host")


class Frame(TinyTables):
    def test_a_row_for_each_complete_replication(self):
        table = self.results.frame("client")
        self.assertEqual(table.index.names, ["point", "replication", "entity"])
        self.assertEqual(len(table), 4)
        self.assertEqual(table.loc[(0, 1, "bots[0]"), "requests_sent"], 160)
        self.assertEqual(table.loc[(0, 1, "bots[0]"), "group"], "bots")
        self.assertEqual(table.attrs["units"]["request_latency_mean"], "ns")

    def test_it_agrees_with_xarray(self):
        table = self.results.frame("client", by="group")
        dataset = self.results.stats("client", by="group")
        for (point, replication, group), row in table.iterrows():
            for name, value in row.items():
                other = dataset[name].sel(point=point, replication=replication, group=group).item()
                np.testing.assert_equal(value, other)


class Summary(TinyTables):
    def line(self, *key, **options):
        table = self.results.summary(**options)
        found = table[(table[["group", "statistic", "measure"]] == key).all(axis=1)]
        self.assertEqual(len(found), 1, key)
        return found.iloc[0]

    def test_means_of_complete_replications(self):
        line = self.line("web", "queue_depth", "mean")
        self.assertEqual((line.value, line.replications, line.unit), (3, 2, "1"))
        self.assertAlmostEqual(line.half_width, 12.706204736, places=8)  # t of 1 degree, s = sqrt 2
        self.assertEqual(self.line("users", "requests_sent", "rate").value, 80 / 3.5)

    def test_exact_numbers_have_no_interval(self):
        line = self.line("web", "queue_depth", "max")
        self.assertEqual(line.value, 14)
        self.assertTrue(np.isnan(line.half_width))

    def test_quantiles_of_all_values_together(self):
        line = self.line("users", "request_latency", "p25", quantiles=[0.25])
        self.assertAlmostEqual(line.value, 25, delta=line.bound)
        self.assertEqual((line.bound, line.replications), (9, 2))
        nothing = self.line("bots", "request_latency", "p25", quantiles=[0.25])
        self.assertTrue(np.isnan(nothing.value))
        self.assertEqual(nothing.replications, 0)

    def test_percentiles_without_buckets_are_not_known(self):
        def drop(file):
            for leaf in ("offsets", "bin", "count"):
                path = f"histograms/client/request_latency/{leaf}"
                kept = file[path][()]
                del file[path]
                file[path] = np.zeros_like(kept) if leaf == "offsets" else kept[:0]

        self.results.close()
        tiny.change(self.path, drop)
        with squall.open(self.path) as results:
            table = results.summary(group="users").set_index(["statistic", "measure"])
        row = table.loc[("request_latency", "p99")]
        self.assertTrue(np.isnan(row.value))
        self.assertFalse(np.isfinite(row.half_width))
        self.assertEqual((row.replications, row.bound), (0, 0))
        self.assertEqual(table.loc[("request_latency", "max")].value, 99)

    def test_selections(self):
        table = self.results.summary(type="server", group="web")
        self.assertEqual(set(table.statistic), {"queue_depth"})
        with self.assertRaisesRegex(squall.ResultsError, "has nothing of a group 'users'"):
            self.results.summary(type="server", group="users")


class Several(TinyTables):
    def setUp(self):
        super().setUp()
        self.other = self.path.with_name("other.h5")
        tiny.write(self.other, tiny.CONFIG.replace("timeout: 300ms", "timeout: 1s"))
        self.both = squall.open(self.path, self.other)
        self.addCleanup(self.both.close)

    def test_what_tells_them_apart_is_an_axis(self):
        axes = self.both.axes
        self.assertEqual(list(axes), ["file", "users.call.timeout"])
        self.assertEqual(axes["file"].values.tolist(), ["tiny", "other"])
        self.assertEqual(axes["users.call.timeout"].values.tolist(), [0.3, 1.0])
        self.assertEqual(axes["users.call.timeout"].unit, "s")

    def test_what_is_not_a_number_everywhere_keeps_its_unit(self):
        def sweep(file):
            tiny.described(file, "axes/users.call.timeout", np.array([0.3]), "s")

        self.both.close()
        self.results.close()
        tiny.change(self.path, sweep)
        tiny.write(self.other, tiny.CONFIG.replace("timeout: 300ms", "timeout: often"))
        with squall.open(self.path, self.other) as both:
            self.assertEqual(both.axes["users.call.timeout"].values.tolist(), ["0.3s", "often"])

    def test_names_that_begin_like_other_keys(self):
        self.both.close()
        self.results.close()
        config = tiny.CONFIG.replace("users:", "sweepers:").replace("warmup", "sweep: {}\nwarmup")
        tiny.write(self.path, config)
        tiny.write(self.other, config.replace("300ms", "1s").replace("{}", "{a: 1}"))
        with squall.open(self.path, self.other) as both:
            self.assertEqual(list(both.axes), ["file", "sweepers.call.timeout"])

    def test_points_are_those_of_all(self):
        sent = self.both.counter("client", "requests_sent")
        self.assertEqual(sent.values.shape, (2, 3, 2))
        value, bound = self.both.quantiles("client", "request_latency", [0.5], by="group")
        self.assertEqual(value.values.shape, (2, 3, 2, 1))
        np.testing.assert_equal(value.values[0], value.values[1])
        self.assertEqual(len(self.both.frame("server")), 4)
        self.assertEqual(self.both.at(1), (self.both.files[1], 0))
        self.assertEqual(self.both.series("client", "successes").values.shape, (2, 3, 2, 4))
        one, other = (measures.latency_quantile(self.both, 0.5, point=p) for p in (0, 1))
        np.testing.assert_equal(one, other)
        self.assertEqual(self.both.trace()["point"].tolist(), [0, 0, 0, 1, 1, 1])

    def test_configurations_are_their_own(self):
        timeouts = [self.both.config_at(p).leaves()["users.call.timeout"] for p in (0, 1)]
        self.assertEqual(timeouts, ["300ms", "1s"])

    def test_fewer_replications_leave_gaps(self):
        def cut(file):
            path = "stats/client/requests_sent"
            less = file[path][:, :2]
            del file[path]
            tiny.described(file, path, less)
            for leaf in ("status", "sim_end"):
                runs = file[f"runs/{leaf}"]
                attributes, values = dict(runs.attrs), runs[:, :2]
                del file[f"runs/{leaf}"]
                file[f"runs/{leaf}"] = values
                file[f"runs/{leaf}"].attrs.update(attributes)

        self.both.close()
        tiny.change(self.other, cut)
        with squall.open(self.path, self.other) as both:
            self.assertEqual(both.complete.tolist(), [[True, True, False]] * 2)
            sent = both.counter("client", "requests_sent").values
            self.assertTrue(np.isnan(sent[1, 2]).all())

    def test_other_entities_are_refused(self):
        def rename(file):
            file["entities/client/entity"][1] = "bots[9]"

        self.both.close()
        tiny.change(self.other, rename)
        with squall.open(self.path, self.other) as both:
            with self.assertRaisesRegex(squall.ResultsError, "in the entities of type client"):
                both.counter("client", "requests_sent")


if __name__ == "__main__":
    unittest.main()
