# SPDX-License-Identifier: Apache-2.0
"""Histograms of durations, as results files keep them: the buckets in use and their counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Histogram:
    """Counts of integer values by bucket, and the least and largest value.

    Bucket b holds the values edges[b] <= v < edges[b + 1]; all of the same unit, ns in results
    files.
    """

    bins: np.ndarray  # buckets in use, ascending: [bucket]
    counts: np.ndarray  # values in each, none of them 0: [bucket]
    edges: np.ndarray  # of all buckets there are
    least: int  # meaningless without values
    largest: int

    @classmethod
    def from_bins(cls, bins: np.ndarray, counts: np.ndarray, edges: np.ndarray) -> Histogram:
        """Where nobody kept the least and largest value: they are those of the outermost
        buckets."""
        if len(bins) == 0:
            return cls(bins, counts, edges, 0, 0)
        return cls(bins, counts, edges, int(edges[bins[0]]), int(edges[bins[-1] + 1]) - 1)

    @classmethod
    def merged(cls, parts: Iterable[Histogram], edges: np.ndarray) -> Histogram:
        """All values of all parts."""
        full = [part for part in parts if len(part.bins) > 0]
        if not full:
            none = np.zeros(0, np.uint64)
            return cls(none, none, edges, 0, 0)
        bins, place = np.unique(np.concatenate([part.bins for part in full]), return_inverse=True)
        counts = np.zeros(len(bins), np.uint64)
        np.add.at(counts, place, np.concatenate([part.counts for part in full]))
        least, largest = min(part.least for part in full), max(part.largest for part in full)
        return cls(bins, counts, edges, least, largest)

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def quantiles(self, p: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles at the probabilities `p`, and a bound of each one's error: [quantile] both.

        A quantile lies at position p * (total - 1) among the ordered values, with linear
        interpolation between two of them (type 7 of Hyndman and Fan, the default of numpy). Values
        are taken to lie evenly inside their bucket, so an answer may be wrong by less than the
        bucket's width, which is the bound. NaN without values.
        """
        p = np.asarray(p, float)
        if self.total == 0:
            return np.full(p.shape, np.nan), np.full(p.shape, np.nan)
        position = p * (self.total - 1)
        rank = np.minimum(position.astype(np.int64), self.total - 1)
        share = position - rank
        low, low_bound = self._at(rank)
        high, high_bound = self._at(np.minimum(rank + 1, self.total - 1))
        return low + share * (high - low), low_bound + share * (high_bound - low_bound)

    def _at(self, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of some ranks, 0 .. total - 1, and the bounds of their errors."""
        upto = np.cumsum(self.counts).astype(np.int64)
        bucket = np.searchsorted(upto, rank, side="right")
        count = self.counts[bucket].astype(np.int64)
        edge = self.edges[self.bins[bucket]].astype(float)
        # The largest and the least value of a bucket differ by one less than its width.
        last = (self.edges[self.bins[bucket] + 1] - self.edges[self.bins[bucket]] - 1).astype(float)
        value = edge + last * (rank - (upto[bucket] - count) + 0.5) / count
        value = np.clip(value, self.least, self.largest)
        value = np.where(rank == 0, self.least, value)
        value = np.where(rank == self.total - 1, self.largest, value)
        known = (rank == 0) | (rank == self.total - 1)
        return value.astype(float), np.where(known, 0.0, last)
