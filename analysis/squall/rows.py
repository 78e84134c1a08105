# SPDX-License-Identifier: Apache-2.0
"""Compressed rows: many histograms side by side, as results files keep them, and their quantiles.

All is done for many rows at once: a file may have millions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


QUANTILES = (0.5, 0.9, 0.99, 0.999)  # asked for where nothing else is said


@dataclass(frozen=True)
class Rows:
    """Row k has the buckets bins[i], with counts[i] values each, of begins[k] <= i < begins[k + 1],
    ascending.

    Bucket b holds the integers edges[b] <= v < edges[b + 1].
    """

    begins: np.ndarray  # [row + 1]
    bins: np.ndarray
    counts: np.ndarray
    edges: np.ndarray  # of all buckets there are
    least: np.ndarray  # the least value of each row; without meaning in an empty one: [row]
    largest: np.ndarray

    def __len__(self) -> int:
        return len(self.begins) - 1

    @property
    def _upto(self) -> np.ndarray:
        """Values before each bucket, all rows in one."""
        return np.concatenate(([0], np.cumsum(self.counts, dtype=np.int64)))

    def merged(self, into: np.ndarray, n: int) -> Rows:
        """`n` rows, each with the values of all rows k with its number in `into[k]`; those with a
        negative one are left out."""
        lengths = np.diff(self.begins)
        kept = (into >= 0) & (lengths > 0)
        row = np.repeat(into, lengths)
        some = row >= 0
        keys = row[some] * len(self.edges) + self.bins[some].astype(np.int64)
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], self.counts[some][order].astype(np.int64)
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        keys = keys[first]
        least = np.full(n, np.iinfo(np.int64).max)
        largest = np.zeros(n, np.int64)
        np.minimum.at(least, into[kept], self.least[kept].astype(np.int64))
        np.maximum.at(largest, into[kept], self.largest[kept].astype(np.int64))
        return Rows(
            np.searchsorted(keys, np.arange(n + 1) * len(self.edges)),
            keys % len(self.edges),
            np.add.reduceat(counts, first) if len(first) else counts,
            self.edges,
            least,
            largest,
        )

    def quantiles(self, p: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles of each row, and a bound of the error of each: [row, quantile] both.

        A quantile lies at position p * (total - 1) among the ordered values, with linear
        interpolation between two of them (type 7 of Hyndman and Fan, the default of numpy). Values
        are taken to lie evenly inside their bucket, so an answer may be wrong by less than the
        bucket's width, which is the bound. NaN without values.
        """
        p = np.asarray(p, float)
        value = np.full((len(self), len(p)), np.nan)
        bound = np.full_like(value, np.nan)
        upto = self._upto
        before = upto[self.begins[:-1]]
        total = upto[self.begins[1:]] - before
        full = np.flatnonzero(total)
        if len(full) == 0:
            return value, bound
        rows = _FullRows(
            self,
            upto,
            before[full],
            total[full],
            self.least[full].astype(float),
            self.largest[full].astype(float),
        )
        for place, share in enumerate(p):
            value[full, place], bound[full, place] = rows.quantile(share)
        return value, bound


@dataclass(frozen=True)
class _FullRows:
    """Those rows that have values."""

    rows: Rows
    upto: np.ndarray  # values before each bucket, all rows in one
    before: np.ndarray  # values in the rows before: [row]
    total: np.ndarray
    least: np.ndarray
    largest: np.ndarray

    def quantile(self, p: float) -> tuple[np.ndarray, np.ndarray]:
        """A quantile of each row, and the bound of its error."""
        position = p * (self.total - 1)
        rank = np.minimum(position.astype(np.int64), self.total - 1)
        share = position - rank
        bucket = np.searchsorted(self.upto[1:], self.before + rank, side="right")
        inside = self._inside(bucket)
        low, low_bound = self._at(inside, rank)
        between = share > 0
        if not between.any():
            return low, low_bound
        above = np.minimum(rank + 1, self.total - 1)
        moved = np.flatnonzero(self.before + above >= self.upto[bucket + 1])
        for here, there in zip(inside, self._inside(bucket[moved] + 1, moved)):
            here[moved] = there
        high, high_bound = self._at(inside, above)
        value = np.where(between, low + share * (high - low), low)
        return value, np.where(between, low_bound + share * (high_bound - low_bound), low_bound)

    def _inside(self, bucket: np.ndarray, row: np.ndarray | slice = slice(None)) -> _Buckets:
        """One bucket of each row, or of some."""
        edges, bins = self.rows.edges, self.rows.bins[bucket]
        # The largest and the least value of a bucket differ by one less than its width.
        last = (edges[1:] - edges[:-1] - 1).astype(float)
        before = self.upto[bucket] - self.before[row]
        return _Buckets(edges.astype(float)[bins], last[bins], before, self.rows.counts[bucket])

    def _at(self, inside: _Buckets, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value of a rank, 0 .. total - 1, in each row, and the bound of its error."""
        value = inside.edge + inside.last * ((rank - inside.before + 0.5) / inside.count)
        value = np.minimum(np.maximum(value, self.least), self.largest)
        bound = inside.last.copy()
        for known, exactly in ((rank == self.total - 1, self.largest), (rank == 0, self.least)):
            value[known] = exactly[known]
            bound[known] = 0.0
        return value, bound


class _Buckets(NamedTuple):
    """A bucket of each row: [row] all."""

    edge: np.ndarray
    last: np.ndarray  # its largest value, from the edge
    before: np.ndarray  # values of the row before it
    count: np.ndarray
