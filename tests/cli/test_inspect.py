# SPDX-License-Identifier: Apache-2.0
"""What `squall inspect` shows of sweeps, searches and time, beside what h5py finds in the same
files: those of tests/data."""
import csv
import fcntl
import gzip
import io
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, OutsideTest  # noqa: E402

BLOCKS = "▁▂▃▄▅▆▇█"
RATIO = "users.successes/users.logical_requests"
TRIPS = """squall: 1
name: trips
duration: 10s
replications: 8
entities:
  users: {type: client, target: web, arrivals: {poisson: 20/s}, call: {timeout: 50ms}}
  web: {type: server, concurrency: 1, service_time: {exponential: 20ms}}
failure_budget: {threshold: 80%, window: 1s, min_samples: 10}
sweep: {web.count: [1, 2]}
"""


class Inspecting(OutsideTest):
    def unpack(self, name):
        packed = (HERE.parent / f"data/{name}.h5.gz").read_bytes()
        (self.folder / f"{name}.h5").write_bytes(gzip.decompress(packed))
        return f"{name}.h5"

    def open(self, name):
        import h5py

        file = h5py.File(self.folder / name, "r")
        self.addCleanup(file.close)
        return file

    def inspect(self, *arguments):
        out, err = self.squall("inspect", *arguments)
        self.assertEqual(err, "")
        return out

    def rows(self, text):
        """The rows of points, as lists of cells."""
        lines = text.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("  point  "))
        table = lines[first + 1:lines.index("", first)]
        return [re.split(" {3,}", line.strip()) for line in table]

    def refused(self, *arguments):
        out, err = self.squall("inspect", *arguments, status=2)
        self.assertEqual(out, "")
        return err


class Selections(Inspecting):
    def test_a_group_may_be_called_a_group(self):
        file = self.unpack("1.2-sweep")
        told = self.inspect(file, "--point", 0, "--group", "users")
        self.assertEqual(told, self.inspect(file, "--point", 0, "--entity", "users"))
        self.assertNotEqual(told, self.inspect(file, "--point", 0))

    def test_numbers_have_no_more_digits_than_they_take(self):
        file = self.unpack("1.2-sweep")
        rows = list(csv.DictReader(io.StringIO(self.inspect(file, "--csv"))))
        self.assertEqual({row["confidence"] for row in rows}, {"0.95"})
        texts = [row[key] for row in rows for key in ("value", "half_width") if row[key]]
        self.assertTrue(any(len(text) > 15 for text in texts))
        for text in texts:
            fewest = next(n for n in (15, 16, 17) if float(f"{float(text):.{n}g}") == float(text))
            self.assertEqual(text, f"{float(text):.{fewest}g}")
        read = json.loads(self.inspect(file, "--json"), parse_float=str)
        self.assertEqual([row["value"] for row in read if isinstance(row["value"], str)],
                         [row["value"] for row in rows if re.search(r"[.e]", row["value"])])


class Damaged(Inspecting):
    def test_a_plan_of_other_points_than_there_are(self):
        import h5py

        for name, value in ("n_points", 0), ("n_points", 2**60), ("n_replications", 2**60):
            with self.subTest(name, value=value):
                file = self.unpack("1.2-sweep")
                with h5py.File(self.folder / file, "r+") as results:
                    results["plan"].attrs[name] = value
                _, err = self.squall("inspect", file, "--point", 0, status=2)
                self.assertRegex(err, rf"\Asquall: cannot read {file}: runs/status is of \d+ "
                                      r"points and \d+ replications, the plan of \d+ and \d+\n\Z")


class Points(Inspecting):
    def test_a_sweep_has_one_row_for_each_point(self):
        out = self.inspect(self.unpack("1.2-sweep"))
        self.assertIn("  axes          users.arrivals.poisson: 20/s, 40/s\n"
                      "                web.queue.discipline: fifo, lifo\n"
                      "                web.count: 1, 2\n", out)
        rows = self.rows(out)
        self.assertEqual([row[:5] for row in rows],
                         [[str(4 * r + 2 * d + c), rate, discipline, count, "2"]
                          for r, rate in enumerate(("20/s", "40/s"))
                          for d, discipline in enumerate(("fifo", "lifo"))
                          for c, count in enumerate("12")])
        file = self.open("1.2-sweep.h5")["stats/client"]
        done, asked = (file[name][()].sum(axis=2) for name in ("successes", "logical_requests"))
        for point, row in enumerate(rows):
            shown = float(row[5].split()[0])
            self.assertAlmostEqual(shown, (done[point] / asked[point]).mean(), delta=0.06)
        self.assertEqual(len(rows[0]), 8)  # and latencies

    def test_asked_figures_are_those_of_the_whole_tables(self):
        file = self.unpack("1.2-sweep")
        asked = {"users.request_latency.p99": ("request_latency", "p99"),
                 "users.request_latency.max": ("request_latency", "max"),
                 "users.successes.rate": ("successes", "rate"),
                 "users.successes": ("successes", "mean"),
                 "web[0].queue_depth.mean": ("queue_depth", "mean")}
        options = [word for stat in asked for word in ("--stat", stat)]
        some = json.loads(self.inspect("--json", *options, file))
        self.assertEqual(len(some), 8 * len(asked))
        whole = json.loads(self.inspect("--json", file))
        whole += json.loads(self.inspect("--json", "-e", "web[0]", file))
        for row in some:
            self.assertIn(row, whole)

    def test_quotients_are_made_in_each_replication(self):
        import numpy

        file = self.unpack("1.2-sweep")
        rows = json.loads(self.inspect("--json", "--stat", RATIO, "--stat",
                                       "users.request_latency.max/users.request_latency.min", file))
        stats = self.open(file)["stats/client"]
        done, asked = (stats[name][()].sum(axis=2) for name in ("successes", "logical_requests"))
        means = [row["value"] for row in rows if row["measure"] == "quotient"][::2]
        numpy.testing.assert_allclose(means, (done / asked).mean(axis=1))
        latency = self.open(file)["histograms/client/request_latency"]
        ratio = latency["max"][()].max(axis=2) / latency["min"][()].min(axis=2)
        numpy.testing.assert_allclose([row["value"] for row in rows][1::2], ratio.mean(axis=1))

    def test_shares_have_intervals_of_proportions(self):
        file = self.unpack("1.2-search")
        rows = json.loads(self.inspect("--json", "--stat", "users.successes<150", file))
        done = self.open(file)["stats/client/successes"][:, :, 0]
        ok = self.open(file)["runs/status"][()] == 0
        for point, row in enumerate(rows):
            n, hits = ok[point].sum(), (done[point][ok[point]] < 150).sum()
            self.assertEqual((row["value"], row["replications"]), (hits / n, n))
        # Wilson's interval of 0 of 8 goes to z^2 / (8 + z^2).
        table = self.rows(self.inspect("--stat", "users.successes<50000", file))
        self.assertEqual(table[0][-1], "100 % (67.6 to 100)")
        self.assertAlmostEqual(next(r["half_width"] for r in rows if r["value"] == 0.0),
                               1.959964 ** 2 / (8 + 1.959964 ** 2), places=6)

    def test_points_are_chosen_by_value_or_number(self):
        file = self.unpack("1.2-sweep")
        out = self.inspect("--where", "users.arrivals.poisson=0.04/ms", "--where", "count=1", file)
        self.assertEqual([row[0] for row in self.rows(out)], ["4", "6"])
        one = self.inspect("--where", "poisson=40/s", "--where", "discipline=lifo",
                           "--where", "web.count=2", file)
        self.assertIn("\npoint 7: users.arrivals.poisson=40/s, web.queue.discipline=lifo, "
                      "web.count=2\n  replications  2 ok\n\nusers (client", one)
        self.assertEqual(self.inspect("--point", "7", file), one)
        self.assertNotIn("point 6", one)
        every = self.inspect("--all-points", file)
        self.assertEqual(re.findall(r"\npoint (\d+):", every), list("01234567"))

    def test_numbers_are_those_of_the_plan(self):
        """Points that a search did not visit are not in the file."""
        file = self.unpack("1.2-search")
        numbers = [str(n) for n in self.open(file)["point"][()]]
        self.assertEqual([row[0] for row in self.rows(self.inspect(file))], numbers)
        self.assertIn("point 13: web.service_time.exponential=20ms, users.arrivals.poisson=50/s\n",
                      self.inspect("-p", "13", file))
        rows = json.loads(self.inspect("--json", "-p", "13", file))
        self.assertEqual({row["point"] for row in rows}, {13})
        self.assertEqual(self.refused("-p", "7", file),
                         "squall: 1.2-search.h5 has no point 7; its points are 0 to 17, of which "
                         "some were not run\n")

    def test_axes_are_columns_and_keys(self):
        file, other = self.unpack("1.2-sweep"), self.unpack("1.2-search")
        rows = json.loads(self.inspect("--json", "-p", "5", file))
        self.assertEqual(rows[0]["axes"], {"users.arrivals.poisson": 40.0,
                                           "web.queue.discipline": "fifo", "web.count": 2.0})
        table = list(csv.DictReader(io.StringIO(self.inspect("--csv", file, other))))
        mine = next(row for row in table if (row["file"], row["point"]) == (file, "6"))
        self.assertEqual((mine["users.arrivals.poisson"], mine["web.queue.discipline"],
                          mine["web.count"], mine["web.service_time.exponential"]),
                         ("40", "lifo", "1", ""))
        theirs = next(row for row in table if (row["file"], row["point"]) == (other, "17"))
        self.assertEqual((theirs["users.arrivals.poisson"], theirs["web.queue.discipline"],
                          theirs["web.service_time.exponential"]), ("90", "", "0.02"))
        self.assertNotIn("axes", json.loads(self.inspect("--json", self.unpack("1.0")))[0])

    def test_replications_that_did_not_end_well_are_a_share(self):
        (self.folder / "trips.yaml").write_text(TRIPS)
        self.squall("run", "trips.yaml", "-q", status=4)
        out = self.inspect("trips.h5")
        self.assertRegex(out, "\n  point +count +ok +budget_tripped +/ logical_requests")
        status = self.open("trips.h5")["runs/status"][()]
        tripped = [100.0 * (row == 3).sum() / 8 for row in status]
        self.assertGreater(max(tripped), 0.0)
        shown = [row[3] for row in self.rows(out)]
        self.assertEqual([float(text.split()[0]) for text in shown], tripped)

    def test_mistakes(self):
        file = self.unpack("1.2-sweep")
        told = "squall: 1.2-sweep.h5 "
        for words, message in (
                (("--where", "users.arrivals.poison=1/s"), "has no axis 'users.arrivals.poison' "
                 "(did you mean 'users.arrivals.poisson'?)"),
                (("--where", "count=3"), "has no point where web.count=3 (there are 1, 2)"),
                (("--where", "poisson=fast"), "is asked for poisson=fast: 'fast' is not a rate "
                 "(expected for instance 800/s, 50/ms, 3/m)"),
                (("-p", "1", "--where", "count=1"), "has no point of which all of that holds"),
                (("--stat", "user.successes"), "is asked for user.successes: nobody is called "
                 "'user' (did you mean 'users'?)"),
                (("--stat", "users.succeses"), "is asked for users.succeses: users has no "
                 "statistic 'succeses' (did you mean 'successes'?)"),
                (("--stat", "users.p99"), "is asked for users.p99: users has no statistic 'p99' "
                 "(it has for instance 'request_latency'; 'squall describe client' tells of all)"),
                (("--stat", "users.in_flight.p99"), "is asked for users.in_flight.p99: 'p99' is "
                 "nothing that a gauge tells (expected .mean or .max)"),
                (("--stat", f"{RATIO}<often"), f"is asked for {RATIO}<often: 'often' is not a "
                 "number (expected for instance 0.05, 5%, 2.5e3)"),
                (("--search",), "tells of no search: its study has none")):
            self.assertEqual(self.refused(*words, file), f"{told}{message}\n")
        self.assertIn("nothing was swept", self.refused("--where", "a=1", self.unpack("1.0")))
        self.assertIn("PATH=VALUE", self.refused("--where", "count", file))


class Searches(Inspecting):
    def test_a_search_is_a_table(self):
        out = self.inspect(self.unpack("1.2-search"))
        self.assertIn("""
search on users.arrivals.poisson
  where                               threshold         between   outcome   replications
  web.service_time.exponential=10ms     61.82/s   50/s and 70/s     found             48
  web.service_time.exponential=20ms     31.47/s   20/s and 40/s     found             56
""", out)

    def test_a_damaged_search_is_refused(self):
        import h5py

        file = self.unpack("1.2-search")
        with h5py.File(self.folder / file, "r+") as results:
            results["search/outcome"][1] = 77
        _, err = self.squall("inspect", "--search", file, status=1)
        self.assertEqual(err, f"squall: cannot read {file}: a search has an unknown outcome\n")

    def test_a_search_is_exported(self):
        file = self.unpack("1.2-search")
        search = self.open(file)["search"]
        rows = json.loads(self.inspect("--search", "--json", file))
        self.assertEqual([row["estimate"] for row in rows], list(search["estimate"][()]))
        self.assertEqual([(row["low"], row["high"]) for row in rows], [(50, 70), (20, 40)])
        self.assertEqual({(row["axis"], row["unit"], row["outcome"]) for row in rows},
                         {("users.arrivals.poisson", "1/s", "found")})
        table = list(csv.DictReader(io.StringIO(self.inspect("--search", "--csv", file))))
        self.assertEqual([(row["where"], row["replications"]) for row in table],
                         [("web.service_time.exponential=10ms", "48"),
                          ("web.service_time.exponential=20ms", "56")])
        self.assertIn("61.82/s", self.inspect("--search", file))


class Series(Inspecting):
    def lines(self, text):
        """Of each series the line, and what stands beside it."""
        found = {}
        for line in text.splitlines():
            cells = re.split(" {3,}", line.strip())
            if len(cells) == 4 and set(cells[1]) <= set(BLOCKS + " "):
                found[cells[0]] = cells[1:]
        return found

    def test_lines_of_blocks_show_the_series(self):
        lines = self.lines(self.inspect("--sparklines=always", "-e", "users", self.unpack("1.0")))
        series = self.open("1.0.h5")["series/client"]
        sent = series["requests_sent"][0].sum(axis=(0, 1)) / 2
        line, least, most = lines["requests_sent per second"]
        self.assertEqual((float(least), float(most)), (sent.min(), sent.max()))
        height = [round(7 * (n - sent.min()) / (sent.max() - sent.min())) for n in sent]
        self.assertEqual(line, "".join(BLOCKS[h] for h in height))
        level = series["in_flight/time_integral"][0].sum(axis=(0, 1)) / 2 / 1e9
        _, least, most = lines["in_flight"]
        self.assertAlmostEqual(float(least), level.min(), places=3)
        self.assertAlmostEqual(float(most), level.max(), places=3)

    def test_percentiles_are_of_all_values_in_a_block(self):
        import numpy

        lines = self.lines(self.inspect("--sparklines=always", "-p", "3", self.unpack("1.2-first")))
        file = self.open("1.2-first.h5")
        rows, edges = file["series/client/request_latency"], file["histograms/edges"][()]
        offsets, values = rows["offsets"][()], [[] for _ in range(4)]
        for k in range(3 * 8, 4 * 8):  # two clients, four intervals
            for i in range(offsets[k], offsets[k + 1]):
                bucket, count = int(rows["bin"][i]), int(rows["count"][i])
                middle = (int(edges[bucket]) + int(edges[bucket + 1])) / 2
                values[k % 4] += [middle] * count
        p99 = [numpy.quantile(v, 0.99) / 1e6 for v in values]
        _, least, most = lines["request_latency p99"]
        for text, value in ((least, min(p99)), (most, max(p99))):
            self.assertEqual(text.split()[1], "ms")
            self.assertAlmostEqual(float(text.split()[0]) / value, 1.0, delta=0.02)

    def test_no_lines_where_nobody_sees_them(self):
        file = self.unpack("1.0")
        for options in ((), ("--sparklines=auto",), ("--sparklines=never",)):
            self.assertFalse(set(BLOCKS) & set(self.inspect(*options, file)))
        self.assertIn("none of auto, always and never",
                      self.refused("--sparklines=sometimes", file))

    def on_terminal(self, columns, language, *arguments):
        """What is shown on a terminal, of this width and in this language."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {k: v for k, v in self.environment.items()
                       if k != "LANG" and not k.startswith("LC_")}
        program = subprocess.Popen(self.command("inspect", *arguments), cwd=self.folder,
                                   env={**environment, **language}, stdin=subprocess.DEVNULL,
                                   stdout=theirs)
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # its other end is closed
                part = b""
            if not part:
                break
            text += part
        os.close(ours)
        self.assertEqual(program.wait(PATIENCE), 0)
        return text.decode().replace("\r\n", "\n")

    def test_a_terminal_has_as_long_lines_as_fit(self):
        (self.folder / "long.yaml").write_text(
            "squall: 1\nduration: 200s\ninterval: 1s\nentities:\n"
            "  users: {type: client, target: web, arrivals: {poisson: 1/s}}\n"
            "  web: {type: server}\n")
        self.squall("run", "long.yaml", "-q")
        utf8 = {"LANG": "de_DE.UTF-8"}
        for columns, wide in ((80, False), (300, True)):
            lines = self.lines(self.on_terminal(columns, utf8, "-e", "users", "long.h5"))
            length = len(lines["successes per second"][0])
            self.assertEqual(length, 200 if wide else length)
            self.assertGreater(length, 15)
            self.assertLess(length, columns - 40)
        self.assertFalse(self.lines(self.on_terminal(80, {"LANG": "C"}, "long.h5")))
        both = {"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}
        self.assertFalse(self.lines(self.on_terminal(80, both, "long.h5")))


if __name__ == "__main__":
    unittest.main()
