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
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np

from squall.distributions import Distributions
from squall.fields import Field
from squall.rows import QUANTILES
from squall.store import FILETYPE, NS_PER_S, SCHEMA_MAJOR, ResultsError

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["FILETYPE", "NS_PER_S", "SCHEMA_MAJOR", "Field", "Results", "ResultsError", "open"]

WHOLE = ("point", "replication", "entity")  # dimensions of what is said of whole replications


def open(path: str | os.PathLike[str], *more: str | os.PathLike[str]) -> Results:
    """Opens a results file; to be closed, or used in a `with` statement. Several files become one,
    whose points are those of all: see `squall.several`."""
    if more:
        from squall.several import Several

        return Several([Results(one) for one in (path, *more)])
    return Results(path)


class Results(Distributions):
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
            key: self._field(f"{group}/{leaf}", f"{name}_{key}", type, by, values).told(what)
            for key, (leaf, values, what) in found.items()
        }

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
        """What replications say together, with intervals: a row for each number of `squall
        inspect`; see `squall.tables.summary`."""
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

    # Reading.

    @property
    def _numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of all entities and of their groups, by number in the model."""
        n = sum(len(self.entities(type)) for type in self.types)
        names, groups = np.empty(n, object), np.empty(n, object)
        for type in self.types:
            number = self._dataset(f"entities/{type}/id")[()]
            names[number], groups[number] = self.entities(type), self.groups(type)
        return names, groups


def _words(dataset: h5py.Dataset, values: np.ndarray) -> np.ndarray:
    """The words that a dataset's attributes have for its values; "" where they have none."""
    words = dict(zip(dataset.attrs["flag_values"], dataset.attrs["flag_meanings"].split()))
    present, place = np.unique(values, return_inverse=True)
    return np.array([words.get(value, "") for value in present], object)[place]


def _level(field: Field) -> Field:
    """A mean level, described as its integral over time."""
    return replace(field, unit=field.unit.removesuffix("ns").strip() or "1").told("Mean level")
