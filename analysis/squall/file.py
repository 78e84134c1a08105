# SPDX-License-Identifier: Apache-2.0
"""A results file, opened.

Every array is returned as a `Field`: numbers, the names of their dimensions, labels, unit and
meaning. The dimensions are

    point         sweep point; one without a sweep. `Results.axes` says what each has
    replication   independent repetition
    entity        of one type, in the order of `Results.entities(type)`; in time series only those
                  that keep them, `Results.entities(type, series=True)`. With `by="group"` the
                  instances of a group are taken together, and the dimension is called `group`
    interval      of a time series, from `Results.time_s`
    quantile      probabilities asked for

Replications that were not run to their end have numbers too (zeros when they are missing): look at
`Results.complete` before averaging, or use the tables (`Results.stats`, `frame`, `summary`), which
know it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np

from squall.fields import Field, Labels
from squall.histogram import Histogram
from squall.rows import QUANTILES, Rows
from squall.store import FILETYPE, NS_PER_S, SCHEMA_MAJOR, ResultsError, Store, meaning

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["FILETYPE", "NS_PER_S", "SCHEMA_MAJOR", "Field", "Results", "ResultsError", "open"]

WHOLE = ("point", "replication", "entity")  # dimensions of what is said of whole replications
BY = ("entity", "group")
BLOCK = 1 << 19  # buckets read at once


def open(path: str | os.PathLike[str], *more: str | os.PathLike[str]) -> Results:
    """Opens a results file; to be closed, or used in a `with` statement. Several files become one,
    whose points are those of all: see `squall.several`."""
    if more:
        from squall.several import Several

        return Several([Results(one) for one in (path, *more)])
    return Results(path)


class Results(Store):
    """An open results file. Arrays are read anew at each call and belong to the caller."""

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<squall results {self.path!r}: {self.title}, {', '.join(self.types)}>"

    def at(self, point: int) -> tuple[Results, int]:
        """The file that a point is in, and its place there: of one file, always itself."""
        return self, point

    def statistics(self, type: str) -> dict[str, str]:
        """What a type counts and measures: "counter", "gauge", "histogram" or "breakdown" by
        name."""
        sections = {
            "stats": "counter",
            "gauges": "gauge",
            "histograms": "histogram",
            "breakdowns": "breakdown",
        }
        dimensions = (*WHOLE, "line")
        return {
            name: kind
            for section, kind in sections.items()
            for name in self._file.get(f"{section}/{type}", ())
            if name not in dimensions
        }

    # Numbers of whole replications, from the end of the warm-up.

    def counter(self, type: str, name: str, *, by: str = "entity") -> Field:
        """A counter: integers [point, replication, entity]."""
        path = f"stats/{type}/{name}"
        values = self._dataset(path)[()]
        return self._field(path, name, type, by, self._gathered(values, type, by, np.add))

    def gauge_mean(self, type: str, name: str, *, by: str = "entity") -> Field:
        """A level, averaged over time: [point, replication, entity]; of a group, the sum of those
        of its instances."""
        path = f"gauges/{type}/{name}/time_integral"
        integral = self._gathered(self._dataset(path)[()], type, by, np.add)
        return _level(
            self._field(path, name, type, by, integral / NS_PER_S / self.observed_s[:, :, None])
        )

    def gauge_max(self, type: str, name: str, *, by: str = "entity") -> Field:
        """The highest level reached: integers [point, replication, entity]; of a group, that of any
        of its instances."""
        path = f"gauges/{type}/{name}/max"
        values = self._dataset(path)[()]
        return self._field(path, name, type, by, self._gathered(values, type, by, np.maximum))

    def moments(self, type: str, name: str, *, by: str = "entity") -> dict[str, Field]:
        """What is known exactly of a histogram: `count` of values, `mean`, `min` and `max`;
        [point, replication, entity] each. NaN where there are no values, but for the count."""
        group = f"histograms/{type}/{name}"
        how = {"total": np.add, "sum": np.add, "min": np.minimum, "max": np.maximum}
        leaves = {leaf: self._dataset(f"{group}/{leaf}")[()] for leaf in how}
        leaves["min"] = np.where(leaves["total"] > 0, leaves["min"], np.iinfo(np.uint64).max)
        whole = {leaf: self._gathered(leaves[leaf], type, by, how[leaf]) for leaf in how}
        count = whole["total"]
        mean = np.divide(whole["sum"], count, out=np.full(count.shape, np.nan), where=count > 0)
        least, largest = (
            np.where(count > 0, whole[leaf].astype(float), np.nan) for leaf in ("min", "max")
        )
        found = {
            "count": ("total", count, "Number of values"),
            "mean": ("sum", mean, "Mean of values"),
            "min": ("min", least, "Least value"),
            "max": ("max", largest, "Largest value"),
        }
        return {
            key: _told(self._field(f"{group}/{leaf}", f"{name}_{key}", type, by, values), what)
            for key, (leaf, values, what) in found.items()
        }

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
            _told(Field(value, dims, unit_, long_name, coords, name), "Quantiles of values"),
            Field(bound, dims, unit_, "Error bound", coords, f"{name}_bound"),
        )

    # Tables; see squall.tables.

    def stats(self, type: str, *, by: str = "entity") -> xarray.Dataset:
        """All statistics of a type as an `xarray.Dataset` [point, replication, entity]."""
        from squall import tables

        return tables.stats(self, type, by=by)

    def frame(self, type: str, *, by: str = "entity") -> pandas.DataFrame:
        """The same as a `pandas.DataFrame`: a row for each complete replication and entity."""
        from squall import tables

        return tables.frame(self, type, by=by)

    def summary(
        self,
        *,
        type: str | None = None,
        group: str | None = None,
        confidence: float = 0.95,
        quantiles: Sequence[float] = QUANTILES,
    ) -> pandas.DataFrame:
        """What replications say together, with intervals: a row for each number of `squall inspect`;
        see `squall.tables.summary`."""
        from squall import tables

        return tables.summary(
            self, type=type, group=group, confidence=confidence, quantiles=quantiles
        )

    def compare(
        self,
        other: Results,
        *,
        type: str | None = None,
        confidence: float = 0.95,
        quantiles: Sequence[float] = QUANTILES,
    ) -> pandas.DataFrame:
        """How every statistic differs from that of another file, and whether by chance: see
        `squall.comparison.compare`."""
        from squall.comparison import compare

        return compare(self, other, type=type, confidence=confidence, quantiles=quantiles)

    def runs(self) -> pandas.DataFrame:
        """How the replications ended: a row for each, indexed by (point, replication), with the
        axes of the sweep; `status` in words, `events`, and times in s: `simulated`, `warmup`,
        `observed` and, where the file says so, `wall`."""
        from squall import tables

        return tables.runs(self)

    # What only some studies keep, in columns: every array has one value for each line, so that
    # `pandas.DataFrame` makes a table of them.

    def breakdown(self, type: str, name: str) -> dict[str, np.ndarray]:
        """A breakdown: whom an entity dealt with, and how it went.

        One line for each (point, replication, entity, peer, status) that occurred, with

            point, replication
            entity, group    names of the entity and of its group
            peer             name of the group that it dealt with
            status, word     status, and its name where it has one ("" else); without an answer a
                             number below 100, and "error_" with the reason
            total            number of values
            sum, min, max    of the values, integers
            mean             of the values

        Values are in the unit of the statistic, as a rule ns.
        """
        group = f"breakdowns/{type}/{name}"
        leaves = ("point", "replication", "status", "total", "sum", "min", "max")
        columns = {leaf: self._dataset(f"{group}/{leaf}")[()] for leaf in leaves}
        entity, peer = (self._dataset(f"{group}/{leaf}")[()] for leaf in ("entity", "peer"))
        columns["word"] = _words(self._dataset(f"{group}/status"), columns["status"])
        columns["entity"] = np.array(self.entities(type), object)[entity]
        columns["group"] = self.groups(type).astype(object)[entity]
        columns["peer"] = self._dataset("breakdowns/group").asstr()[()][peer]
        columns["mean"] = columns["sum"] / columns["total"]
        order = ("point", "replication", "entity", "group", "peer", "status", "word")
        return {key: columns[key] for key in (*order, "total", "sum", "min", "max", "mean")}

    def breakdown_histogram(
        self, type: str, name: str, lines: Sequence[int] | np.ndarray | None = None
    ) -> Histogram:
        """The values of some lines of a breakdown taken together: their numbers, or bool [line];
        all of them by default."""
        group = f"breakdowns/{type}/{name}"
        chosen = np.full(len(self._dataset(f"{group}/total")), -1)
        chosen[slice(None) if lines is None else np.arange(len(chosen))[list(lines)]] = 0
        return self._together(group, 0, chosen)

    def trace(self) -> dict[str, np.ndarray]:
        """The trace: what became of single requests, the warm-up included.

        One line for each row, in order of point, replication, entity and time, with

            point, replication
            entity, group    names of the entity and of its group
            time             [ns]
            kind             "request", "retry", "success", "failure"; "state" of a breaker
            request          number of the logical request
            attempt          from 1; of a retry the one about to be made
            wait             [ns] of a retry: before the attempt
            total            [ns] of success and failure: since the request began
            status           of the answer, 0 without one; of a state the new phase
            error            why the attempt before had no answer; "none" where it had
        """
        leaves = ("time", "kind", "request", "attempt", "wait", "total", "status", "error")
        where = ("point", "replication")
        columns = {leaf: self._dataset(f"trace/{leaf}")[()] for leaf in (*where, *leaves)}
        for leaf in ("kind", "error"):
            columns[leaf] = _words(self._dataset(f"trace/{leaf}"), columns[leaf])
        entity = self._dataset("trace/entity")[()]
        columns["entity"], columns["group"] = (names[entity] for names in self._numbered)
        return {key: columns[key] for key in (*where, "entity", "group", *leaves)}

    # Time series.

    @property
    def has_series(self) -> bool:
        return "series" in self._file

    @property
    def time_s(self) -> np.ndarray:
        """Starts of the intervals [s]: [interval]."""
        return self._dataset("series/interval")[()] / NS_PER_S

    @property
    def interval_s(self) -> np.ndarray:
        """Lengths of the intervals [s], of which the last may be shorter: [interval]."""
        return self._dataset("series/interval_length")[()] / NS_PER_S

    def series(self, type: str, name: str, *, by: str = "entity") -> Field:
        """[point, replication, entity, interval]: what a counter counted within each interval, or
        the level of a gauge averaged over each."""
        path = f"series/{type}/{name}"
        level = f"{path}/time_integral" in self._file
        path = f"{path}/time_integral" if level else path
        values = self._gathered(self._dataset(path)[()], type, by, np.add, series=True)
        if level:
            values = values / self._dataset("series/interval_length")[()]
        field = self._field(path, name, type, by, values, series=True)
        return _level(field) if level else field

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
            _told(Field(value, dims, unit_, long_name, coords, name), "Quantiles of each interval"),
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

    def _who(self, type: str, by: str, *, series: bool = False) -> tuple[Labels, np.ndarray]:
        """Whom numbers are told of, and the place of each entity among them: [entity]."""
        if by not in BY:
            raise ResultsError(f"by='{by}': statistics are by {' or '.join(BY)}")
        if by == "entity":
            names = np.array(self.entities(type, series=series), str)
            return Labels(names, ("entity",)), np.arange(len(names))
        groups = self.groups(type, series=series)
        names, first, place = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(first)  # as written, not by alphabet
        return Labels(names[order], ("group",)), np.argsort(order)[place]

    def _gathered(
        self, values: np.ndarray, type: str, by: str, how: np.ufunc, *, series: bool = False
    ) -> np.ndarray:
        """Values [point, replication, entity, ...] by whom they are told of."""
        labels, into = self._who(type, by, series=series)
        if by == "entity":
            return values
        parts = [how.reduce(values[:, :, into == k], axis=2) for k in range(len(labels.values))]
        return np.stack(parts, axis=2)

    def _coords(self, type: str, by: str, *, series: bool = False) -> dict[str, Labels]:
        coords = {
            "point": Labels(self.points, ("point",)),
            **self.axes,
            "replication": Labels(np.arange(self.n_replications), ("replication",)),
            by: self._who(type, by, series=series)[0],
        }
        if by == "entity":
            coords["group"] = Labels(self.groups(type, series=series), ("entity",))
        if series:
            coords["interval"] = Labels(self.time_s, ("interval",), "s", "Start of the interval")
        return coords

    def _field(
        self, path: str, name: str, type: str, by: str, values: np.ndarray, *, series: bool = False
    ) -> Field:
        dims = ("point", "replication", by, *(("interval",) if series else ()))
        coords = self._coords(type, by, series=series)
        return Field(values, dims, *meaning(self._dataset(path)), coords, name)

    @property
    def _numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of all entities and of their groups, by number in the model."""
        n = sum(len(self.entities(type)) for type in self.types)
        names, groups = np.empty(n, object), np.empty(n, object)
        for type in self.types:
            number = self._dataset(f"entities/{type}/id")[()]
            names[number], groups[number] = self.entities(type), self.groups(type)
        return names, groups

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


def _flat(dataset: h5py.Dataset, rows: slice) -> np.ndarray:
    """Some of the numbers of a dataset, as if it had one dimension: reads the points that they lie
    in."""
    size = int(np.prod(dataset.shape[1:]))
    first = rows.start // size
    part = dataset[first : -(-rows.stop // size)].reshape(-1)
    return part[rows.start - first * size : rows.stop - first * size]


def _words(dataset: h5py.Dataset, values: np.ndarray) -> np.ndarray:
    """The words that a dataset's attributes have for its values; "" where they have none."""
    words = dict(zip(dataset.attrs["flag_values"], dataset.attrs["flag_meanings"].split()))
    present, place = np.unique(values, return_inverse=True)
    return np.array([words.get(value, "") for value in present], object)[place]


def _level(field: Field) -> Field:
    """A mean level, described as its integral over time."""
    return _told(replace(field, unit=field.unit.removesuffix("ns").strip() or "1"), "Mean level")


def _told(field: Field, what: str) -> Field:
    """Described as something else that is made of the same: "Sum of values: ..." as `what`."""
    return replace(field, long_name=f"{what}: {field.long_name.partition(': ')[2]}")


def _check_shares(p: Sequence[float]) -> None:
    for share in p:
        if not 0 <= share <= 1:
            raise ResultsError(f"quantiles are asked for from 0 to 1, 0.99 for one: not {share:g}")
