# SPDX-License-Identifier: Apache-2.0
"""A million histograms are read as a table of quantiles, in little memory.

They are read in a process of their own, whose largest size the system keeps.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np
import pandas

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ANALYSIS))

import squall
import tiny
from squall.histogram import Histogram

POINTS, REPLICATIONS, ENTITIES = 10, 100, 1000
SHAPE = (POINTS, REPLICATIONS, ENTITIES)
ROWS = POINTS * REPLICATIONS * ENTITIES
BUCKETS = 12  # in use in each row
EDGES = np.unique(np.round(1e3 * 2.0 ** (np.arange(400) / 16))).astype(np.uint64)  # [ns]
P = (0.0, 0.5, 0.99, 0.999, 1.0)
MOST = 1 << 30  # [B]
# The largest size is that of the process's own memory; getrusage would count its parent's, too.
READER = """\
import sys, time
import numpy as np
import squall

begun = time.perf_counter()
with squall.open(sys.argv[1]) as results:
    {what}
(size,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(1024 * int(size), time.perf_counter() - begun)
"""
TABLE = """np.save(sys.argv[2], [
        field.values for field in results.quantiles("client", "latency", {p})
    ])"""
SUMMARY = "results.summary(quantiles={p}).to_pickle(sys.argv[2])"


def replace(file: h5py.File, path: str, values) -> None:
    """Other numbers in place of those of a dataset, which keeps its attributes."""
    attributes = dict(file[path].attrs)
    del file[path]
    file[path] = values
    file[path].attrs.update(attributes)


def write(path: pathlib.Path) -> None:
    """Twelve buckets in use in every row, and up to 49 values in each."""
    random = np.random.default_rng(1)
    first = random.integers(0, 200, (ROWS, 1))
    bins = first + np.cumsum(random.integers(1, 9, (ROWS, BUCKETS)), axis=1)
    counts = random.integers(1, 50, (ROWS, BUCKETS))
    parts = {
        "total": counts.sum(axis=1),
        "sum": (counts * EDGES[bins].astype(np.int64)).sum(axis=1),
        "min": EDGES[bins[:, 0]],
        "max": EDGES[bins[:, -1] + 1] - 1,
    }
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    group = "histograms/client/latency"
    with h5py.File(path, "w") as file:
        tiny.write_heads(file, tiny.CONFIG)
        ran = np.zeros((POINTS, REPLICATIONS), np.uint64)
        replace(file, "runs/status", ran)
        replace(file, "runs/sim_end", ran + 4 * tiny.SECOND)
        replace(file, "entities/client/entity", [f"users[{entity}]" for entity in range(ENTITIES)])
        replace(file, "entities/client/group", ["users"] * ENTITIES)
        file["histograms/edges"] = EDGES
        for leaf, values in parts.items():
            tiny.described(file, f"{group}/{leaf}", values.astype(np.uint64).reshape(SHAPE), "ns")
        file[f"{group}/offsets"] = np.arange(ROWS + 1, dtype=np.uint64) * BUCKETS
        file.create_dataset(f"{group}/bin", data=bins.astype(np.uint16).ravel(), **packed)
        file.create_dataset(f"{group}/count", data=counts.astype(np.uint64).ravel(), **packed)


class Million(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        write(cls.folder / "million.h5")

    def read(self, what: str) -> pathlib.Path:
        """Reads in a process of its own, and returns the file that it leaves."""
        made = self.folder / "made.npy"
        done = subprocess.run(
            [
                sys.executable,
                "-B",
                "-c",
                READER.format(what=what.format(p=P)),
                self.folder / "million.h5",
                made,
            ],
            env={**os.environ, "PYTHONPATH": str(ANALYSIS)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        size, seconds = map(float, done.stdout.split())
        print(f"\n{ROWS} rows: {size / (1 << 20):.0f} MiB, {seconds:.1f} s", file=sys.stderr)
        self.assertLess(size, MOST)
        return made

    def test_quantiles_of_each(self):
        value, bound = np.load(self.read(TABLE))
        self.assertEqual(value.shape, (*SHAPE, len(P)))
        with squall.open(self.folder / "million.h5") as results:
            for place in np.random.default_rng(2).integers(0, SHAPE, (50, 3)):
                point, replication, entity = map(int, place)
                one = results.histogram(
                    "client", "latency", point=point, replications=[replication], entities=[entity]
                )
                expected, expected_bound = one.quantiles(P)
                self.assertEqual(value[tuple(place)].tolist(), expected.tolist())
                self.assertEqual(bound[tuple(place)].tolist(), expected_bound.tolist())

    def test_summary_of_all(self):
        table = pandas.read_pickle(self.read(SUMMARY))
        of_quantiles = table[~table.measure.isin(["count", "mean", "min", "max"])]
        for point in (0, POINTS - 1):
            whole = self.together(point)
            rows = of_quantiles[of_quantiles.point == point]
            expected, bound = whole.quantiles(P)
            self.assertEqual(rows.value.tolist(), expected.tolist())
            self.assertEqual(rows.bound.tolist(), bound.tolist())
            (mean,) = table[(table.point == point) & (table.measure == "count")].value
            self.assertAlmostEqual(mean * REPLICATIONS / whole.total, 1, 12)

    def together(self, point: int) -> Histogram:
        """All values of a point, from its buckets as they are in the file."""
        group = "histograms/client/latency"
        some = slice(point * ROWS // POINTS * BUCKETS, (point + 1) * ROWS // POINTS * BUCKETS)
        with h5py.File(self.folder / "million.h5") as file:
            bins, weights = (file[f"{group}/{leaf}"][some] for leaf in ("bin", "count"))
            least, largest = file[f"{group}/min"][point].min(), file[f"{group}/max"][point].max()
        counts = np.bincount(bins, weights).astype(np.uint64)
        used = np.flatnonzero(counts)
        return Histogram(used, counts[used], EDGES, int(least), int(largest))


if __name__ == "__main__":
    unittest.main()
