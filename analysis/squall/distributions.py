# SPDX-License-Identifier: Apache-2.0
"""Distributions in a results file: its compressed rows, read in blocks, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import h5py
import numpy as np

from squall.fields import Field, Labels
from squall.histogram import Histogram
from squall.rows import Rows
from squall.store import ResultsError, Store, meaning

BLOCK = 1 << 19  # buckets read at once


class Distributions(Store):
    """An open file, of which histograms are read."""

    # Of whole replications, from the end of the warm-up.

    def histogram(
        self,
        type: str,
        name: str,
        *,
        point: int = 0,
        replications: Sequence[int] | None = None,
        entities: Sequence[int] | None = None,
    ) -> Histogram:
        """The values of some replications and entities (all of them by default) taken together.

        Good for the shape of a distribution. Intervals of confidence come from `quantiles`, whose
        replications are kept apart.
        """
        group = f"histograms/{type}/{name}"
        _, n_replications, n_entities = self._dataset(f"{group}/total").shape
        some = np.arange(n_replications) if replications is None else np.array(replications, int)
        who = np.arange(n_entities) if entities is None else np.array(entities, int)
        chosen = np.full((n_replications, n_entities), -1)
        chosen[np.ix_(some, who)] = 0
        return self._together(group, point * chosen.size, chosen.reshape(-1))

    def quantiles(
        self,
        type: str,
        name: str,
        p: Sequence[float],
        *,
        by: str = "entity",
        pooled: bool = False,
        counted: np.ndarray | None = None,
    ) -> tuple[Field, Field]:
        """Quantiles of a histogram, and how far each may be off.

        `p` are probabilities, 0 <= p <= 1. Both fields are [point, replication, entity, quantile];
        the second one bounds the error that comes from the width of the buckets. NaN where there
        are no values. `pooled` takes the values of all replications of a point that count
        together: [point, entity, quantile]; `counted` says which do, bool [point, replication], by
        default `Results.counted`.
        """
        _check_shares(p)
        group = f"histograms/{type}/{name}"
        n_points, n_replications, n_entities = self._dataset(f"{group}/total").shape
        labels, into = self._who(type, by)
        counted = self.counted if counted is None else counted
        # Where the row (replication, entity) of a point goes; a negative number: nowhere.
        places = np.arange(n_replications)[:, None] * len(labels.values) + into
        per_point = n_replications * len(labels.values)
        if pooled:
            places, per_point = np.broadcast_to(into, places.shape), len(labels.values)
        merging = pooled or by != "entity"
        unit = n_replications * n_entities
        parts = []
        for begin, rows in self._blocks(group, unit if merging else 1):
            if merging:
                many = np.arange(begin // unit, (begin + len(rows)) // unit)
                where = (np.arange(len(many)) * per_point)[:, None] + places.reshape(-1)
                if pooled:
                    kept = np.repeat(counted[many], n_entities, axis=1)
                    where = np.where(kept, where, -1)
                rows = rows.merged(where.reshape(-1), len(many) * per_point)
            parts.append(rows.quantiles(p))
        dims = ("point", *(() if pooled else ("replication",)), by, "quantile")
        size = (n_points, *(() if pooled else (n_replications,)), len(labels.values), len(p))
        value, bound = (np.concatenate(part).reshape(size) for part in zip(*parts))
        coords = self._coords(type, by)
        coords["quantile"] = Labels(np.array(p, float), ("quantile",), "1")
        coords = {key: it for key, it in coords.items() if set(it.dims) <= set(dims)}
        unit_, long_name = meaning(self._dataset(f"{group}/sum"))
        return (
            Field(value, dims, unit_, long_name, coords, name).told("Quantiles of values"),
            Field(bound, dims, unit_, "Error bound", coords, f"{name}_bound"),
        )

    def breakdown_histogram(
        self, type: str, name: str, lines: Sequence[int] | np.ndarray | None = None
    ) -> Histogram:
        """The values of some lines of a breakdown taken together: their numbers, or bool [line];
        all of them by default."""
        group = f"breakdowns/{type}/{name}"
        chosen = np.full(len(self._dataset(f"{group}/total")), -1)
        chosen[slice(None) if lines is None else np.arange(len(chosen))[list(lines)]] = 0
        return self._together(group, 0, chosen)

    # Of the intervals of time series, all replications taken together.

    def series_quantiles(
        self, type: str, name: str, p: Sequence[float], *, by: str = "entity"
    ) -> tuple[Field, Field]:
        """Quantiles of the values that fell into each interval, of all replications taken together,
        and the bounds of their errors: [point, entity, interval, quantile] both. NaN where there
        are none."""
        _check_shares(p)
        group = f"series/{type}/{name}"
        n_points, _, n_entities, n_intervals = self._dataset(f"{group}/total").shape
        labels, into = self._who(type, by, series=True)
        n_who = len(labels.values)
        places = into[:, None] * n_intervals + np.arange(n_intervals)
        unit = n_entities * n_intervals
        parts = []
        for _, rows in self._blocks(group, unit):
            many = len(rows) // unit
            where = (np.arange(many) * n_who * n_intervals)[:, None] + places.reshape(-1)
            parts.append(rows.merged(where.reshape(-1), many * n_who * n_intervals).quantiles(p))
        size = (n_points, n_who, n_intervals, len(p))
        value, bound = (np.concatenate(part).reshape(size) for part in zip(*parts))
        coords = {
            **self._coords(type, by, series=True),
            "quantile": Labels(np.array(p, float), ("quantile",), "1"),
        }
        del coords["replication"]
        dims = ("point", by, "interval", "quantile")
        unit_, long_name = "ns", meaning(self._dataset(f"{group}/total"))[1]
        return (
            Field(value, dims, unit_, long_name, coords, name).told("Quantiles of each interval"),
            Field(bound, dims, unit_, "Error bound", coords, f"{name}_bound"),
        )

    def series_histogram(
        self,
        type: str,
        name: str,
        interval: int,
        *,
        point: int = 0,
        entities: Sequence[int] | None = None,
    ) -> Histogram:
        """The values that fell into an interval, of all replications taken together."""
        group = f"series/{type}/{name}"
        _, _, n_entities, n_intervals = self._dataset(f"{group}/total").shape
        chosen = np.full((n_entities, n_intervals), -1)
        chosen[slice(None) if entities is None else entities, interval] = 0
        return self._together(group, point * chosen.size, chosen.reshape(-1))

    def series_rows(self, type: str, name: str, point: int = 0) -> Rows:
        """The values of a histogram by interval at a point, of all replications taken together: row
        entity * intervals + interval."""
        group = f"series/{type}/{name}"
        _, _, n_entities, n_intervals = self._dataset(f"{group}/total").shape
        n = n_entities * n_intervals
        return self._rows(group, point * n, n)

    # Reading.

    def _blocks(self, group: str, unit: int) -> Iterator[tuple[int, Rows]]:
        """The compressed rows of a histogram, with the number of the first, in blocks of whole
        units of rows. While one is worked on, the next one is read."""
        begins = self._dataset(f"{group}/offsets")[()].astype(np.int64)
        n = len(begins) - 1
        ends = [0]
        while ends[-1] < n:
            end = int(np.searchsorted(begins, begins[ends[-1]] + BLOCK, side="right")) - 1
            ends.append(min(max((end - ends[-1]) // unit, 1) * unit + ends[-1], n))
        with ThreadPoolExecutor(max_workers=1) as reader:

            def ahead(begin: int, end: int) -> Future[Rows]:
                return reader.submit(self._some_rows, group, begin, begins[begin : end + 1])

            blocks = list(zip(ends[:-1], ends[1:]))
            coming = ahead(*blocks[0]) if blocks else None
            for (begin, _), after in zip(blocks, [*blocks[1:], None]):
                rows = coming.result()
                coming = ahead(*after) if after else None
                yield begin, rows

    def _rows(self, group: str, first: int, n: int) -> Rows:
        """`n` compressed rows from `first` on."""
        begins = self._dataset(f"{group}/offsets")[first : first + n + 1]
        return self._some_rows(group, first, begins.astype(np.int64))

    def _together(self, group: str, first: int, into: np.ndarray) -> Histogram:
        """Those of the rows from `first` on whose place in `into` is 0, not -1, as one."""
        some = np.flatnonzero(into == 0)
        begin, end = (some[0], some[-1] + 1) if len(some) else (0, 0)
        one = self._rows(group, first + begin, end - begin).merged(into[begin:end], 1)
        return Histogram(
            one.bins, one.counts, self._edges, int(one.least[0]), int(one.largest[0])
        )

    def _some_rows(self, group: str, first: int, begins: np.ndarray) -> Rows:
        inside = slice(begins[0], begins[-1])
        bins, counts = (self._dataset(f"{group}/{leaf}")[inside] for leaf in ("bin", "count"))
        begins = begins - begins[0]
        many = slice(first, first + len(begins) - 1)
        if f"{group}/min" in self._file:
            total, least, largest = (
                _flat(self._dataset(f"{group}/{leaf}"), many) for leaf in ("total", "min", "max")
            )
            if (total[begins[1:] == begins[:-1]] > 0).any():
                self._no_buckets(group)
        else:  # then those of the outermost buckets
            bounds = np.append(bins, 0).astype(np.int64)
            least = self._edges[bounds[np.minimum(begins[:-1], len(bins))]]
            largest = self._edges[bounds[begins[1:] - 1] + 1] - 1
        return Rows(begins, bins, counts, self._edges, least, largest)

    def _no_buckets(self, group: str) -> None:
        raise ResultsError(f"{self.path}: was run without histograms; {group} has no buckets")

    @cached_property
    def _edges(self) -> np.ndarray:
        return self._dataset("histograms/edges")[()]


def _flat(dataset: h5py.Dataset, rows: slice) -> np.ndarray:
    """Some of the numbers of a dataset, as if it had one dimension: reads the points that they lie
    in."""
    size = int(np.prod(dataset.shape[1:]))
    first = rows.start // size
    part = dataset[first : -(-rows.stop // size)].reshape(-1)
    return part[rows.start - first * size : rows.stop - first * size]


def _check_shares(p: Sequence[float]) -> None:
    for share in p:
        if not 0 <= share <= 1:
            raise ResultsError(f"quantiles are asked for from 0 to 1, 0.99 for one: not {share:g}")
