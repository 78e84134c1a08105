# SPDX-License-Identifier: Apache-2.0
"""Histograms of durations, as results files keep them: the buckets in use and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from squall.rows import Rows


@dataclass(frozen=True)
class Histogram:
    """Counts of integer values by bucket, and the least and largest value.

    Bucket b holds the values edges[b] <= v < edges[b + 1]; all of the same unit, ns in results
    files.

    >>> ten_wide = np.arange(0, 101, 10)
    >>> Histogram(np.array([0, 4]), np.array([3, 1]), ten_wide, 2, 42).quantiles([0, 0.5, 1])
    (array([ 2.,  6., 42.]), array([0., 9., 0.]))
    """

    bins: np.ndarray  # buckets in use, ascending: [bucket]
    counts: np.ndarray  # values in each, none of them 0: [bucket]
    edges: np.ndarray  # of all buckets there are
    least: int  # meaningless without values
    largest: int

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def quantiles(self, p: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles at the probabilities `p`, and a bound of each one's error: [quantile] both;
        see `Rows.quantiles`. NaN without values."""
        ends = np.array([0, len(self.bins)])
        extremes = np.array([self.least]), np.array([self.largest])
        value, bound = Rows(ends, self.bins, self.counts, self.edges, *extremes).quantiles(p)
        return value[0], bound[0]
