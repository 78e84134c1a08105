# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from squall.rows import Rows

EXACT = np.arange(1001)  # edges: one integer in each bucket


def rows_of(samples, edges=EXACT):
    """Compressed rows of lists of integers."""
    counts = [np.histogram(sample, edges)[0] for sample in samples]
    used = [np.flatnonzero(one) for one in counts]
    return Rows(
        np.cumsum([0, *map(len, used)]),
        np.concatenate(used),
        np.concatenate([one[bins] for one, bins in zip(counts, used)]),
        edges,
        np.array([min(sample, default=0) for sample in samples]),
        np.array([max(sample, default=0) for sample in samples]),
    )


class RowsTest(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(7)
        self.samples = [random.geometric(0.02, n).clip(max=999) for n in (1, 2, 5, 400, 3, 50)]
        self.samples.insert(3, np.zeros(0, int))
        self.p = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]

    def test_quantiles_are_those_of_numpy(self):
        value, bound = rows_of(self.samples).quantiles(self.p)
        for row, sample in zip(value, self.samples):
            if len(sample) > 0:
                np.testing.assert_allclose(row, np.quantile(sample, self.p), rtol=1e-14)
        self.assertTrue((bound[[0, 1, 2, 4, 5, 6]] == 0).all())

    def test_an_empty_row_has_none(self):
        value, bound = rows_of(self.samples).quantiles(self.p)
        self.assertTrue(np.isnan(value[3]).all() and np.isnan(bound[3]).all())

    def test_bounds_hold_in_wide_buckets(self):
        edges = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1001])
        value, bound = rows_of(self.samples, edges).quantiles(self.p)
        for row, far, sample in zip(value, bound, self.samples):
            if len(sample) > 0:
                off = np.abs(row - np.quantile(sample, self.p))
                self.assertTrue((off <= far + 1e-9).all())

    def test_merged_rows_have_the_values_of_all(self):
        into = np.array([2, 0, 2, 0, -1, 2, 0])
        merged = rows_of(self.samples).merged(into, 4)
        value, _ = merged.quantiles(self.p)
        for k in (0, 2):
            together = np.concatenate([one for one, to in zip(self.samples, into) if to == k])
            np.testing.assert_allclose(value[k], np.quantile(together, self.p), rtol=1e-14)
        self.assertTrue(np.isnan(value[[1, 3]]).all())


if __name__ == "__main__":
    unittest.main()
