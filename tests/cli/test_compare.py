# SPDX-License-Identifier: Apache-2.0
"""Whether two results files differ, in what, and whether by more than chance; and what antithetic
pairs are worth. Means and intervals are made again here from the files, by SciPy."""
import csv
import io
import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import OutsideTest  # noqa: E402

CLOSED = HERE.parent / "parallel/closed.yaml"
SWEEP = HERE.parent / "parallel/sweep.yaml"
PAIRS = "replications={max: 16, antithetic: true}"
RETRIES = ("users.call.timeout=100ms",
           "users.call.retry={kind: fixed, delay: 10ms, max_attempts: 3}")


class Comparing(OutsideTest):
    def make(self, name, *settings, study=CLOSED):
        """A study that is done in a blink."""
        more = [word for setting in ("duration=5s", *settings) for word in ("--set", setting)]
        self.squall("run", study, "-q", "-o", f"{name}.h5", *more)

    def compare(self, a, b, *options, status=1):
        told, complaints = self.squall("compare", f"{a}.h5", f"{b}.h5", *options, status=status)
        self.assertEqual(complaints, "")
        return told

    def rows(self, *arguments, **options):
        """(group, statistic, measure): row, of CSV; its numbers are numbers."""
        def number(text):
            try:
                return float(text)
            except ValueError:
                return text

        table = csv.DictReader(io.StringIO(self.compare(*arguments, "--csv", **options)))
        return {(row["group"], row["statistic"], row["measure"]):
                {key: number(text) for key, text in row.items()} for row in table}

    def values(self, name, statistic, kind="server"):
        """[replication], a counter of the first entity of its type."""
        import h5py

        with h5py.File(self.folder / f"{name}.h5") as file:
            return file[f"stats/{kind}/{statistic}"][0, :, 0].astype(float)


class Answers(Comparing):
    def test_the_same_study_is_identical(self):
        self.make("a")
        self.make("b")
        told = self.compare("a", "b", status=0)
        self.assertRegex(told, r"\Aa\.h5 and b\.h5 are identical: all results have the digest "
                               r"[0-9a-f]{16}\n\Z")
        self.assertEqual({row["verdict"] for row in self.rows("a", "b", status=0).values()},
                         {"equal"})
        self.assertIn("\n  equal ", self.compare("a", "b", "--all", status=0))

    def test_two_points_of_one_file(self):
        self.make("a", "sweep={users.arrivals.users: [20, 30, 20]}")
        told = self.compare("a", "a", "--point", "0:1")
        self.assertNotIn("identical", told)
        self.assertIn("\npoint 0 of A: users.arrivals.users=20\n"
                      "point 1 of B: users.arrivals.users=30\n", told)
        self.assertRegex(told, r" [1-9]\d* beyond\.\n")
        self.assertEqual({row["point_b"] for row in self.rows("a", "a", "-p", "0:1").values()}, {1})
        equal = self.compare("a", "a", "-p", "0:2", status=0)
        self.assertIn("\npoint 0 of A, 2 of B: users.arrivals.users=20\n", equal)
        self.assertIn("\nSeries, traces and minima are not compared, nor is what was not "
                      "selected.\n", equal)
        for point in "1", "1:1":
            self.assertRegex(self.compare("a", "a", "-p", point, status=0),
                             r"\Aa\.h5 and a\.h5 are identical: .*\n\Z")

    def test_what_identical_files_do_not_have_is_refused(self):
        self.make("a")
        for options, complaint in (
                (("-p", "999"), "a.h5 has no point 999; its points are 0 to 0"),
                (("-p", "0:7"), "a.h5 has no point 7; its points are 0 to 0"),
                (("-e", "wob"), "a.h5 has no entity 'wob' (did you mean 'web'?)"),
                (("--group", "wob"), "a.h5 has no entity 'wob' (did you mean 'web'?)"),
                (("-t", "clent"), "a.h5 has no type of entity 'clent' (did you mean 'client'?)")):
            with self.subTest(options):
                told, complaints = self.squall("compare", "a.h5", "a.h5", *options, status=2)
                self.assertEqual((told, complaints.splitlines()[0]), ("", f"squall: {complaint}"))

    def test_equal_points_are_matched_in_their_order(self):
        for name, seed in ("a", 1), ("b", 2):
            self.make(name, f"seed={seed}", "sweep={users.arrivals.users: [20, 20, 20, 30, 20]}")
        table = csv.DictReader(io.StringIO(self.compare("a", "b", "--csv")))
        matched = {(row["point_a"], row["point_b"]) for row in table}
        self.assertEqual(matched, {(str(point), str(point)) for point in range(5)})

    def test_a_change_under_common_numbers(self):
        self.make("a")
        self.make("b", *RETRIES)
        told = self.compare("a", "b")
        self.assertIn("  configuration entities.users.call.timeout: 300ms -> 100ms\n", told)
        self.assertIn("  replications  5 of each\n  compared      replication by replication, "
                      "since both draw the same random numbers\n", told)
        self.assertRegex(told, r"\n\d+ of \d+ statistics (is|are) equal to the bit, \d+ differs? "
                               r"within chance, [1-9]\d* beyond\.\n\n  beyond chance ")
        self.assertLess(told.index("  users.request_latency.p99 "), told.index("  within chance "))
        for line in told.splitlines():
            self.assertLessEqual(len(line), 120)

    def test_pairing_narrows_intervals(self):
        import numpy
        from scipy import stats

        self.make("a", "replications=12")
        self.make("b", "replications=12", "web.service_time={exponential: 12.5ms}")
        row = self.rows("a", "b")["web", "total_service_time", "mean"]
        a, b = (self.values(name, "total_service_time") for name in "ab")
        difference = b - a
        half = stats.t.ppf(0.975, 11) * difference.std(ddof=1) / numpy.sqrt(12)
        self.assertAlmostEqual(row["difference"] / difference.mean(), 1.0, 12)
        self.assertAlmostEqual(row["half_width"] / half, 1.0, 9)
        self.assertAlmostEqual(row["relative"] / (difference.mean() / a.mean()), 1.0, 12)
        self.assertAlmostEqual(row["chance"] / stats.ttest_rel(b, a).pvalue, 1.0, 6)
        self.assertEqual((row["method"], row["observations"]), ("paired", 12))
        self.make("c", "replications=12", "web.service_time={exponential: 12.5ms}", "seed=77")
        other = self.rows("a", "c")["web", "total_service_time", "mean"]
        self.assertEqual((other["method"], other["observations"]), ("welch", 24))
        c = self.values("c", "total_service_time")
        self.assertAlmostEqual(
            other["chance"] / stats.ttest_ind(c, a, equal_var=False).pvalue, 1.0, 6)
        self.assertLess(row["half_width"], 0.5 * other["half_width"])

    def test_another_seed_is_compared_by_welch(self):
        self.make("a")
        self.make("b", "seed=6", "replications=7")
        told = self.compare("a", "b")
        self.assertIn("  replications  5 of A, 7 of B\n  compared      as independent samples, "
                      "since their seeds differ (5 and 6)\n", told)
        self.assertNotIn("beyond chance  ", told)
        self.compare("a", "b", "--within-chance", status=0)
        self.make("c", "seed=6", *RETRIES)
        self.compare("a", "c", "--within-chance")

    def test_what_only_one_has_of_replications(self):
        self.make("a")
        self.make("b", "replications=8")
        told = self.compare("a", "b")
        self.assertIn("the 5 that both have, of 5 of A and 8 of B", told)
        self.assertIn("The files differ in something else", told)
        rows = self.rows("a", "b")
        self.assertEqual({row["verdict"] for row in rows.values()}, {"equal"})
        self.compare("a", "b", "--within-chance", status=0)

    def test_a_single_replication(self):
        self.make("a", "replications=1")
        self.make("b", "replications=1", *RETRIES)
        told = self.compare("a", "b", "-e", "users")
        self.assertIn("\n  chance not known ", told)
        self.assertIn("±? is unknown: it takes two observations in both to tell.\n", told)
        self.compare("a", "b", "--within-chance")

    def test_entities_that_only_one_has(self):
        text = CLOSED.read_text()
        (self.folder / "more.yaml").write_text(text.replace(
            "network:", "  spare: {type: server, service_time: 1ms}\nnetwork:"))
        self.make("a")
        self.make("b", "web.count=2", study=self.folder / "more.yaml")
        told = self.compare("b", "a")
        self.assertIn("  entities      web: 2 instances in A, 1 in B\n"
                      "                only in A: spare (server)\n", told)
        self.assertNotIn("  spare.", told)

    def test_breakdowns(self):
        self.make("a", "output.breakdowns=[users]")
        self.make("b", "output.breakdowns=[users]", "users.call.timeout=80ms")
        told = self.compare("a", "b")
        self.assertRegex(told, r"\n  users\.outcome_latency\[web error_timeout\]\.count  +0  ")
        self.make("c")  # without them
        for row in self.rows("a", "c").values():
            self.assertEqual(row["verdict"], "only_a" if row["peer"] else "equal")

    def test_json_says_the_same(self):
        self.make("a")
        self.make("b", *RETRIES)
        rows = self.rows("a", "b", "-q", "0.5", "-c", "0.9", "-t", "client")
        told = json.loads(self.compare("a", "b", "--json", "-q", "0.5", "-c", "0.9", "-t",
                                       "client"))
        self.assertEqual(len(told), len(rows))
        for row in told:
            other = rows[row["group"], row["statistic"], row["measure"]]
            for key, value in row.items():
                value = {None: "", "1": 1.0}.get(value, value)  # what CSV makes of them
                self.assertEqual(other[key], value, key)
        self.assertEqual({row["confidence"] for row in told}, {0.9})
        self.assertIn(("users", "request_latency", "p50"), rows)
        self.assertNotIn(("users", "request_latency", "p99"), rows)


class Points(Comparing):
    def make(self, name, *settings):
        super().make(name, "duration=3s", *settings, study=SWEEP)

    def test_points_are_matched_by_their_values(self):
        self.make("a")
        self.make("b", "users.call.timeout=60ms",
                  "sweep={users.arrivals.poisson: [300/s, 750/s, 900/s], "
                  "users.call.policy: [naive], web.count: [2, 1]}")
        told = self.compare("a", "b")
        self.assertIn("  points        12 of A, 6 of B, of which 4 are compared, by their values "
                      "on the axes\n", told)
        self.assertIn("\npoint 0 of A, 1 of B: users.arrivals.poisson=300/s, "
                      "users.call.policy=naive, web.count=1\n", told)
        self.assertNotIn("patient, web", told)
        one = self.compare("a", "b", "--point", "5")
        self.assertIn("\npoint 5 of A, 2 of B: users.arrivals.poisson=750/s", one)
        self.assertNotIn("\npoint 0", one)
        self.make("c", "replications=2")  # as in A, but for the third replications
        self.compare("a", "c", "--within-chance", status=0)
        self.make("d", "sweep={users.arrivals.poisson: [300/s], users.call.policy: [naive], "
                       "web.count: [1, 2]}")
        self.compare("a", "d", "--within-chance")  # which lacks points
        self.compare("a", "d", "--within-chance", "--point=0", status=0)
        self.assertIn("\npoint 7 of A: users.arrivals.poisson=750/s, users.call.policy=patient, "
                      "web.count=2\npoint 2 of B: users.arrivals.poisson=750/s, "
                      "users.call.policy=naive, web.count=2\n",
                      self.compare("a", "b", "--point=7:2"))

    def test_independent_seeds_go_with_the_number_of_a_point(self):
        self.make("a", "seeds=independent")
        self.make("b", "seeds=independent",
                  "sweep={users.arrivals.poisson: [300/s], users.call.policy: [naive], "
                  "web.count: [2, 1]}")
        self.assertIn("since each point has a seed of its own\n",
                      self.compare("a", "b", "--point=0"))
        self.assertIn("since both draw the same", self.compare("a", "b", "--point=0:0"))

    def test_mistakes(self):
        self.make("a")
        super().make("one")
        for options, words in (
                (("--point=12",), "a.h5 has no point 12; its points are 0 to 11"),
                (("--point=0:1",), "one.h5 has no point 1; its points are 0 to 0"),
                (("--point=x",), "--point takes the number of a point, or two as in 3:5, not 'x'"),
                ((), "--point N:M compares point N of the first with point M of the second")):
            told, complaints = self.squall("compare", "a.h5", "one.h5", *options, status=2)
            self.assertEqual(told, "")
            self.assertTrue(complaints.startswith("squall: ") and complaints.endswith(f"{words}\n"),
                            complaints)
            self.assertEqual(complaints.count("\n"), 1)


class Mistakes(Comparing):
    def test_files(self):
        self.make("a")
        (self.folder / "text.h5").write_text("no results\n")
        for other, words in (("text.h5", "text.h5 is not a results file of squall"),
                             ("none.h5", "cannot read none.h5: No such file or directory")):
            for files in (("a.h5", other), (other, "a.h5")):
                self.assertEqual(self.squall("compare", *files, status=2),
                                 ("", f"squall: {words}\n"))
        self.assertIn("it takes two results files, not 1",
                      self.squall("compare", "a.h5", status=2)[1])
        self.assertIn("files are missing", self.squall("compare", status=2)[1])

    def test_selection(self):
        self.make("a")
        self.make("b", "seed=6")
        complaints = self.squall("compare", "a.h5", "b.h5", "-e", "user", status=2)[1]
        self.assertEqual(complaints, "".join(
            f"squall: {name}.h5 has no entity 'user' (did you mean 'users'?)\n" for name in "ab"))

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "there is no full device here")
    def test_a_full_disk_is_no_answer(self):
        self.make("a")
        self.make("b")
        import subprocess

        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(self.command("compare", "a.h5", "b.h5"), cwd=self.folder,
                                  env=self.environment, stdout=full, stderr=subprocess.PIPE,
                                  check=False)
        self.assertEqual(done.returncode, 2)


class Antithetic(Comparing):
    """Replications 2k and 2k + 1 are one observation."""

    def expected(self, values):
        """(mean, half width) of [replication] values."""
        import numpy
        from scipy import stats

        pairs = values.reshape(-1, 2).mean(axis=1)
        return (pairs.mean(), stats.t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) /
                numpy.sqrt(len(pairs)))

    def test_inspect_takes_pairs(self):
        self.make("a", PAIRS)
        self.assertIn("  replications  16 ok\n"
                      "  antithetic    8 pairs of replications count, each as one\n",
                      self.squall("inspect", "a.h5")[0])
        table = csv.DictReader(io.StringIO(self.squall("inspect", "a.h5", "--csv")[0]))
        rows = {(row["statistic"], row["measure"]): row for row in table if row["group"] == "web"}
        row = rows["total_service_time", "mean"]
        mean, half = self.expected(self.values("a", "total_service_time"))
        self.assertAlmostEqual(float(row["value"]) / mean, 1.0, 12)
        self.assertAlmostEqual(float(row["half_width"]) / half, 1.0, 9)
        self.assertEqual({row["replications"] for row in rows.values() if row["value"]
                          and row["statistic"] in ("total_service_time", "sojourn_time")}, {"16"})

    def test_sectioning_takes_pairs(self):
        """Quantiles of pairs deviate from that of all, which is shown."""
        import numpy
        from scipy import stats

        self.make("a", PAIRS)
        quantiles = []
        rows = {(row["statistic"], row["measure"]): row for row in csv.DictReader(
            io.StringIO(self.squall("inspect", "a.h5", "--csv", "-e", "web", "-q", "0.5")[0]))}
        import h5py

        with h5py.File(self.folder / "a.h5") as file:
            edges = file["histograms/edges"][()]
            group = file["histograms/server/sojourn_time"]
            offsets, counts = group["offsets"][()], group["count"][()]
            for r in range(16):  # one server: a row for each replication
                part = slice(offsets[r], offsets[r + 1])
                bins, many = group["bin"][part], counts[part]
                at = numpy.searchsorted(numpy.cumsum(many), 0.5 * many.sum())
                quantiles.append(edges[bins[at]:bins[at] + 2].mean())  # within half a bucket
        shown = float(rows["sojourn_time", "p50"]["value"])
        pairs = numpy.reshape(quantiles, (8, 2)).mean(axis=1)
        half = stats.t.ppf(0.975, 7) * numpy.sqrt(((pairs - shown) ** 2).sum() / 7 / 8)
        self.assertAlmostEqual(float(rows["sojourn_time", "p50"]["half_width"]) / half, 1.0, 1)

    def test_pairs_are_compared(self):
        self.make("a", PAIRS)
        self.make("b", PAIRS, "web.service_time={exponential: 12.5ms}")
        row = self.rows("a", "b")["web", "total_service_time", "mean"]
        mean, half = self.expected(self.values("b", "total_service_time") -
                                   self.values("a", "total_service_time"))
        self.assertAlmostEqual(row["difference"] / mean, 1.0, 12)
        self.assertAlmostEqual(row["half_width"] / half, 1.0, 9)
        self.assertEqual((row["method"], row["observations"]), ("paired", 8))
        self.assertIn("  compared      antithetic pair by pair, since", self.compare("a", "b"))

    def test_pairs_and_single_replications_are_independent(self):
        self.make("a", PAIRS)
        self.make("b")
        told = self.compare("a", "b")
        self.assertIn("as independent samples (of antithetic pairs), since only one has antithetic "
                      "replications\n", told)
        row = self.rows("a", "b")["web", "total_service_time", "mean"]
        self.assertEqual((row["method"], row["observations"]), ("welch", 8 + 5))


class Coverage(Comparing):
    def test_chance_alone_is_seldom_beyond_chance(self):
        """One study under 12 seeds, compared two by two (66 comparisons of dependent files).

        If Holm's correction did what it says for the six disjoint pairs, more than three of them
        with anything beyond chance would have a probability of 8e-5; seeds are fixed, so this is
        found out once. Of single statistics some 5 % have intervals without 0: at most 10 %, as
        those of a file go together."""
        for seed in range(12):
            self.make(seed, f"seed={100 + seed}", "replications=8")
        wrong, outside, tested = 0, 0, 0
        for first in range(0, 12, 2):
            rows = self.rows(first, first + 1).values()
            judged = [row for row in rows if row["verdict"] in ("within", "beyond")]
            wrong += any(row["verdict"] == "beyond" for row in judged)
            outside += sum(row["chance"] < 0.05 for row in judged)
            tested += len(judged)
        self.assertGreater(tested, 150)
        self.assertLessEqual(wrong, 3)
        self.assertLessEqual(outside, 0.1 * tested)


if __name__ == "__main__":
    unittest.main()
