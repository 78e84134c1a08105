# SPDX-License-Identifier: Apache-2.0
"""Results files of every version of the layout stay readable; tests/data/README.md says what they
are."""

import gzip
import json
import pathlib
import sys
import tempfile
import unittest

import h5py
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import squall  # noqa: E402

DATA = HERE.parent.parent / "tests/data"
KNOWN = json.loads((DATA / "known.json").read_text())


class Versions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def unpack(self, name):
        path = self.folder / f"{name}.h5"
        path.write_bytes(gzip.decompress((DATA / f"{name}.h5.gz").read_bytes()))
        return path

    def each(self):
        """Every file, opened, with what is known of it."""
        for name, known in KNOWN.items():
            with self.subTest(name), squall.open(self.unpack(name)) as results:
                yield results, known

    def test_who_took_part(self):
        for results, known in self.each():
            self.assertEqual(results.title, known["title"])
            self.assertEqual(results.types, ("client", "server"))
            self.assertEqual(results.complete.sum(axis=1).tolist(), known["replications"])

    def test_counters(self):
        for results, known in self.each():
            successes = results.counter("client", "successes").values
            self.assertEqual(successes.sum(axis=(1, 2)).tolist(), known["successes"])

    def test_series(self):
        for results, known in self.each():
            sent = results.series("client", "requests_sent").values
            self.assertEqual(sent[0].sum(axis=(0, 1)).tolist(), known["requests_sent"])
            level = results.series("client", "in_flight").values
            self.assertEqual(level.shape, sent.shape)
            self.assertGreater(level[0].max(), 0.0)

    def test_quantiles(self):
        for results, known in self.each():
            p99 = known["request_latency_p99"]
            if p99 is None:
                continue
            together = results.histogram("client", "request_latency")
            self.assertAlmostEqual(together.quantiles([0.99])[0][0] / p99, 1.0, places=12)
            apart, bound = results.quantiles("client", "request_latency", [0.5, 0.99])
            self.assertTrue((apart.values[0, 0, 0] > 0.0).all())
            self.assertEqual(apart.values.shape, bound.values.shape)

    def test_time_that_counted(self):
        for results, known in self.each():
            expected = results.duration_s - results.warmup_s
            self.assertTrue(np.allclose(results.observed_s[results.complete], expected))

    def test_a_newer_minor_version_is_read(self):
        for name, known in KNOWN.items():
            path = self.unpack(name)
            with h5py.File(path, "r+") as file:
                file.attrs.modify("schema", [known["schema"][0], 99])
            with squall.open(path) as results:
                self.assertEqual(results.title, known["title"])

    def test_a_newer_major_version_is_refused(self):
        path = self.unpack("1.0")
        with h5py.File(path, "r+") as file:
            file.attrs.modify("schema", [KNOWN["1.0"]["schema"][0] + 1, 0])
        with self.assertRaisesRegex(squall.ResultsError, "version 2.0.*reads version 1"):
            squall.open(path)


if __name__ == "__main__":
    unittest.main()
