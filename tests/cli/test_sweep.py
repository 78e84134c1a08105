# SPDX-License-Identifier: Apache-2.0
"""A sweep is its points: each gives what it would give alone, on any number of ranks."""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent.parent / "analysis"))
from outside import SOURCE, OutsideTest  # noqa: E402

STUDY = HERE.parent / "parallel/sweep.yaml"
RATES, POLICIES, COUNTS = [300, 750, 1200], ["naive", "patient"], [1, 2]
DESIGNS = """
squall: 1
duration: 1s
replications: 1
entities:
  users:
    type: client
    target: web
    arrivals: {poisson: 200/s}
    call: {timeout: 300ms}
  web: {type: server, concurrency: 3, service_time: 10ms}
sweep:
  web.queue.capacity: [1, 10]
  morris:
    trajectories: 2
    levels: 6
    seed: 3
    axes:
      users.call.timeout: {from: 100ms, to: 1s}
      users.arrivals.poisson: {from: 200/s, to: 300}
  saltelli: {points: 2, axes: {web.concurrency: {from: 1, to: 9, round: true}}}
"""
ISHIGAMI = """
squall: 1
duration: 1ms
replications: 1
entities:
  users:
    type: client
    target: web
    arrivals: {poisson: 1/s}
    call: {timeout: 1s}
  web: {type: server, concurrency: 3, service_time: 10ms}
sweep:
  saltelli:
    points: 512
    axes:
      users.arrivals.poisson: {from: 1/s, to: 2/s}
      users.call.timeout: {from: 1s, to: 2s}
      web.service_time: {from: 1s, to: 2s}
"""


def buckets(group, row):
    first, last = (int(n) for n in group["offsets"][row:row + 2])
    return group["bin"][first:last].tolist(), group["count"][first:last].tolist()


class Sweeps(OutsideTest):
    def open(self, name):
        import h5py

        file = h5py.File(self.folder / name, "r")
        self.addCleanup(file.close)
        return file

    def test_axes_are_in_the_file(self):
        self.squall("run", STUDY, "-q")
        file = self.open("sweep.h5")
        points = [(r, p, c) for r in RATES for p in POLICIES for c in COUNTS]
        axes = file["axes"]
        self.assertEqual(list(axes["users.arrivals.poisson"][()]), [p[0] for p in points])
        self.assertEqual([t.decode() for t in axes["users.call.policy"][()]],
                         [p[1] for p in points])
        self.assertEqual(list(axes["web.count"][()]), [p[2] for p in points])
        self.assertEqual(axes["users.arrivals.poisson"].attrs["units"], "1/s")
        self.assertEqual(list(file["point"][()]), list(range(12)))
        self.assertEqual(file["runs/events"].chunks, (12, 3))  # not one for each point
        present = file["entities/server/present"][()]
        self.assertEqual(present.tolist(), [[1, int(p[2] == 2)] for p in points])

    def test_designs_are_in_the_file(self):
        """Which row of which design each point is, also beside other axes and where only some
        points are there; merged shards say the same."""
        import numpy

        (self.folder / "s.yaml").write_text(DESIGNS)
        self.squall("run", "s.yaml", "-q", ranks=2)
        designs = self.open("s.h5")["designs"]
        self.assertEqual(sorted(designs), ["0", "1"])
        morris, saltelli = designs["0"], designs["1"]
        self.assertEqual({name: morris.attrs[name] for name in morris.attrs},
                         {"kind": "morris", "size": 2, "levels": 6, "seed": 3})
        self.assertEqual({name: saltelli.attrs[name] for name in saltelli.attrs},
                         {"kind": "saltelli", "size": 2, "seed": 1})
        paths = ["users.call.timeout", "users.arrivals.poisson"]
        self.assertEqual(list(morris["axis"].asstr()), paths)
        self.assertEqual(list(saltelli["axis"].asstr()), ["web.concurrency"])
        point = numpy.arange(2 * 6 * 6)
        numpy.testing.assert_array_equal(morris["row"], point // 6 % 6)
        numpy.testing.assert_array_equal(saltelli["row"], point % 6)
        self.assertEqual([scale[0].name.rpartition("/")[2] for scale in morris["unit"].dims],
                         ["point", "axis"])
        axes = self.open("s.h5")["axes"]
        unit = morris["unit"][()]
        for place, path in enumerate(paths):
            low, high = {"users.call.timeout": (0.1, 1.0),
                         "users.arrivals.poisson": (200, 300)}[path]
            numpy.testing.assert_allclose(axes[path][()], low + unit[:, place] * (high - low))
        numpy.testing.assert_array_equal(numpy.count_nonzero(
            numpy.diff(unit[::6][:6].reshape(2, 3, 2), axis=1), axis=2), 1)
        for shard in ("1/2", "2/2"):
            self.squall("run", "s.yaml", "-q", "--shard", shard)
        names = [f"s.shard-{i}-of-2.journal" for i in (1, 2)]
        self.squall("merge", "-o", "merged.h5", *names)
        self.assert_same_results("s.h5", "merged.h5")

    def test_indices_by_a_design_are_those_of_the_function(self):
        """From the values that the axes have at the points, by which Ishigami's function (a = 7,
        b = 0.1) is known; what the simulation makes of them has no part in it."""
        import numpy
        import squall
        from squall import sensitivity

        (self.folder / "s.yaml").write_text(ISHIGAMI)
        self.squall("run", "s.yaml", "-q", ranks=2)
        with squall.open(self.folder / "s.h5") as results:
            first, second, third = (
                numpy.pi * (2 * results.axes[path].values - 3) for path in
                ("users.arrivals.poisson", "users.call.timeout", "web.service_time"))
            values = (numpy.sin(first) + 7 * numpy.sin(second) ** 2
                      + 0.1 * third ** 4 * numpy.sin(first))
            found = sensitivity.indices(results, values)
        self.assertEqual(found.rows, 512)
        numpy.testing.assert_allclose(found.first.estimate, [.313905, .442411, 0], atol=0.06)
        numpy.testing.assert_allclose(found.total.estimate, [.557589, .442411, .243684], atol=0.01)
        self.assertAlmostEqual(found.variance, 13.8446, delta=0.3)

    def test_what_decides_over_a_storm(self):
        """Timeout and queue; the delay between attempts does not."""
        import squall
        from squall import sensitivity

        self.squall("run", SOURCE / "configs/sweeps/sensitivity.yaml", "-q", "--set",
                    "sweep.morris.trajectories=8", "--set", "replications=1", ranks=2)
        with squall.open(self.folder / "sensitivity.h5") as results:
            late = results.time_s >= 25
            good, begun = (results.series("client", name).values[..., late].sum(axis=(2, 3))
                           for name in ("successes", "logical_requests"))
            found = sensitivity.effects(results, good / begun)
        size = dict(zip(found.axes, found.mu_star.estimate))
        way = dict(zip(found.axes, found.mu.estimate))
        decisive = ["users.call.timeout", "web.queue.capacity"]
        self.assertEqual(sorted(sorted(size, key=size.get)[-2:]), decisive, size)
        self.assertGreater(way[decisive[0]], 0.2)
        self.assertLess(way[decisive[1]], -0.2)
        self.assertLess(size["users.call.retry.delay"], 0.2)

    def test_a_point_is_the_study_alone(self):
        import numpy

        self.squall("run", STUDY, "-q")
        sweep = self.open("sweep.h5")
        for point, values in ((0, (300, "naive", 1)), (7, (750, "patient", 2)),
                              (10, (1200, "patient", 1))):
            rate, policy, count = values
            self.squall("run", STUDY, "-q", "-o", f"{point}.h5", "--set", "sweep={}",
                        "--set", f"users.arrivals.poisson={rate}/s",
                        "--set", f"users.call.policy={policy}", "--set", f"web.count={count}")
            alone = self.open(f"{point}.h5")
            for path in ("runs/events", "runs/digest", "stats/client/successes",
                         "gauges/client/in_flight/time_integral",
                         "series/client/requests_sent"):
                numpy.testing.assert_array_equal(sweep[path][point], alone[path][0], path)
            served = "stats/server/requests_completed"
            numpy.testing.assert_array_equal(sweep[served][point, :, :count], alone[served][0])
            self.assertFalse(sweep[served][point, :, count:].any())
            for replication in range(3):
                for entity in range(2):  # who is not there has an empty histogram
                    row = "histograms/server/sojourn_time"
                    mine = buckets(sweep[row], 6 * point + 2 * replication + entity)
                    self.assertEqual(mine, ([], []) if entity >= count else
                                     buckets(alone[row], count * replication + entity))
            mine = sweep["trace/point"][()] == point
            for column in ("time", "entity", "kind", "wait"):
                numpy.testing.assert_array_equal(sweep[f"trace/{column}"][mine],
                                                 alone[f"trace/{column}"][()])

    def test_any_number_of_ranks(self):
        self.squall("run", STUDY, "-q")
        for ranks, team in ((2, 1), (3, 1), (4, 2)):
            self.squall("run", STUDY, "-q", "-o", f"{ranks}.h5", "-r", team, ranks=ranks)
            self.assert_same_results("sweep.h5", f"{ranks}.h5")

    def test_the_file_need_not_be_there_any_more(self):
        text = STUDY.read_text()
        (self.folder / "s.yaml").write_text(text.replace("replications: 3", "replications: 1"))
        self.squall("run", "s.yaml", "-q", "--shard", "1/2")
        self.squall("run", "s.yaml", "-q", "-o", "whole.h5")
        (self.folder / "s.shard-1-of-2.journal").rename(self.folder / "s.journal")
        (self.folder / "s.yaml").unlink()
        # Half of the study is there; a shard stays a shard.
        out, _ = self.squall("resume", "s.journal", "-q")
        self.assertEqual(out, "")

    def test_shards_make_the_whole(self):
        """Whoever runs them, and in whatever order they are given."""
        self.squall("run", STUDY, "-q", "-o", "whole.h5")
        journals = [f"sweep.shard-{i}-of-3.journal" for i in (1, 2, 3)]
        self.squall("run", STUDY, "-q", "--shard", "3/3", ranks=2)
        self.squall("run", STUDY, "-q", "--shard", "1/3")
        out, err = self.squall("merge", journals[2], journals[0], status=3)
        self.assertEqual((out, err), (
            "", "squall: shard 2 of 3 is missing: 'squall run CONFIG --shard 2/3' makes it\n"
                "Nothing was written; --partial writes what there is.\n"))
        self.squall("merge", "--partial", "-o", "part.h5", journals[2], journals[0])
        status = self.open("part.h5")["runs/status"][()].flatten()
        self.assertEqual([t % 3 for t, s in enumerate(status) if s == 5], [1] * (len(status) // 3))
        self.assertEqual(self.squall("merge", "--partial", journals[0])[0], "sweep.partial.h5\n")
        self.squall("run", STUDY, "-q", "--shard", "2/3", ranks=3)
        out, err = self.squall("merge", "--remove", journals[2], *journals[:2])
        self.assertEqual((out, err), ("sweep.h5\n", ""))
        self.assert_same_results("sweep.h5", "whole.h5")
        self.assertEqual(self.files(), ["part.h5", "sweep.h5", "sweep.partial.h5", "whole.h5"])
        places = self.open("sweep.h5")["provenance"]
        shards = places["sessions/shard"][()][places["session"][()].flatten()]
        self.assertEqual([int(s) for s in shards], [t % 3 + 1 for t in range(len(shards))])

    def test_the_same_command_again(self):
        """What has come to its end is not run again, and not refused either."""
        first = ("run", STUDY, "-q", "--resume")
        self.squall(*first)
        before = (self.folder / "sweep.h5").read_bytes()
        self.squall(*first)
        out, err = self.squall("run", STUDY, "--resume", ranks=2)
        self.assertEqual(err, "squall: sweep.h5 has the results of this study already\n")
        self.assertEqual((self.folder / "sweep.h5").read_bytes(), before)
        _, err = self.squall(*first, "--set", "seed=5", status=2)
        self.assertIn("sweep.h5 exists", err)
        self.squall("run", STUDY, "-q", "--resume", "--force", "--set", "seed=5")

    def test_rank_0_tells_of_the_points(self):
        """Its file alone has them, so that a large sweep does not fill the disk."""
        self.squall("run", STUDY, "-q", "--shard", "1/2", ranks=2)
        journal = self.folder / "sweep.shard-1-of-2.journal"
        first, second = journal / "rank-000000.sqj", journal / "rank-000001.sqj"
        self.assertIn(b"sweep: {", first.read_bytes())
        if second.exists():
            # Values of the sweep stand in what rank 0 has of other points.
            self.assertNotIn(b"sweep: {", second.read_bytes())
            first.unlink()
            _, err = self.squall("resume", journal, status=2)
            self.assertIn("has lost its first file", err)
            self.squall("run", STUDY, "-q", "--shard", "1/2", "--resume")

    def test_shards_of_other_sweeps_are_refused(self):
        self.squall("run", STUDY, "-q", "--shard", "1/2")
        self.squall("run", STUDY, "-q", "--shard", "2/2", "--set", "sweep={web.count: [1, 2]}")
        names = [f"sweep.shard-{i}-of-2.journal" for i in (1, 2)]
        _, err = self.squall("merge", *names, status=2)
        self.assertIn(f"squall: {names[1]} belongs to another plan than {names[0]}; what differs:\n",
                      err)
        self.assertIn("-> sweep: {web.count: [1, 2]}", err)

    def test_mistakes_are_told_where_they_are_written(self):
        (self.folder / "s.yaml").write_text(STUDY.read_text().replace("[1, 2]", "[1, 0, -1]"))
        _, err = self.squall("run", "s.yaml", status=2)
        lines = err.splitlines()
        self.assertEqual(len(lines), 2, err)
        self.assertRegex(lines[0], r"^s.yaml:31:18: entities.web.count: 0 is below 1")
        self.assertRegex(lines[1], r"^s.yaml:31:21: entities.web.count: -1 is below 1")

    def test_another_sweep_is_another_plan(self):
        self.squall("run", STUDY, "-q", "--shard", "1/2")
        _, err = self.squall("run", STUDY, "-q", "--shard", "1/2", "--resume", status=2,
                             *["--set", "sweep={web.count: [1, 2]}"])
        self.assertIn("belongs to another plan", err)
        self.assertIn("  sweep: {users.arrivals.poisson: {from: 300/s", err)

    def test_shards(self):
        for wrong in ("0/2", "3/2", "1", "1/0", "a/2", "1/2/3", "-1/2"):
            _, err = self.squall("run", STUDY, f"--shard={wrong}", status=2)
            self.assertIn("--shard takes a share such as 3/8", err)


if __name__ == "__main__":
    unittest.main()
