# SPDX-License-Identifier: Apache-2.0
"""A results file, opened.

Every array is returned as a `Field`: numbers, the names of their dimensions, unit and meaning. The
dimensions are

    point         sweep point; one without a sweep
    replication   independent repetition
    entity        of one type, in the order of `Results.entities(type)`; in time series only those
                  that keep them, `Results.entities(type, series=True)`
    interval      of a time series, from `Results.time_s`

Replications that were not run to their end have numbers too (zeros when they are missing): look at
`Results.complete` before averaging.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import h5py
import numpy as np

from squall.config import Config
from squall.histogram import Histogram

FILETYPE = "squall-results"
SCHEMA_MAJOR = 1  # a file of any minor version of it can be read
NS_PER_S = 1e9


class ResultsError(Exception):
    """A file cannot be used, or does not hold what was asked for; the text says why."""


@dataclass(frozen=True)
class Field:
    """Numbers with what is needed to understand them."""

    values: np.ndarray
    dims: tuple[str, ...]  # one name for each axis of `values`
    unit: str  # "1" for pure numbers
    long_name: str


def open(path: str | os.PathLike[str]) -> Results:
    """Opens a results file; to be closed, or used in a `with` statement."""
    return Results(path)


class Results:
    """An open results file. Arrays are read anew at each call and belong to the caller."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            self._file = h5py.File(self.path, "r")
        except FileNotFoundError as error:
            raise ResultsError(f"{self.path}: no such file") from error
        except OSError as error:
            raise ResultsError(f"{self.path}: not an HDF5 file, or not whole ({error})") from error
        try:
            self._check_kind()
        except ResultsError:
            self._file.close()
            raise

    def _check_kind(self) -> None:
        attributes = self._file.attrs
        if attributes.get("filetype") != FILETYPE:
            raise ResultsError(f"{self.path}: an HDF5 file, but no results of squall")
        major, minor = (int(number) for number in attributes["schema"])
        if major != SCHEMA_MAJOR:
            raise ResultsError(
                f"{self.path}: its layout is version {major}.{minor}, written by "
                f"{attributes.get('software', 'an unknown program')}; this package reads version "
                f"{SCHEMA_MAJOR}"
            )

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<squall results {self.path!r}: {self.title}, {', '.join(self.types)}>"

    # What was run.

    @property
    def h5(self) -> h5py.File:
        """The file itself, for whatever has no accessor."""
        return self._file

    @property
    def title(self) -> str:
        """Name of the study."""
        return str(self._file.attrs["title"])

    @cached_property
    def config(self) -> Config:
        """The configuration with every default filled in."""
        return Config(self._file["config_resolved"].asstr()[()])

    @property
    def duration_s(self) -> float:
        """Simulated time of one replication [s]."""
        return float(self._file["plan"].attrs["end_ns"]) / NS_PER_S

    @property
    def warmup_s(self) -> float:
        """Time before which nothing counts, except in time series [s]; where each point has one
        of its own, the longest."""
        if "warmup_ns" in self._file["plan"].attrs:
            return float(self._file["plan"].attrs["warmup_ns"]) / NS_PER_S
        return float(self._file["runs/warmup"][()].max()) / NS_PER_S

    @cached_property
    def observed_s(self) -> np.ndarray:
        """Simulated time within which statistics counted [s]: [point, replication]."""
        runs = self._file["runs"]
        begin_ns = runs["warmup"][()] if "warmup" in runs else self.warmup_s * NS_PER_S
        return np.maximum(runs["sim_end"][()].astype(float) - begin_ns, 1.0) / NS_PER_S

    @property
    def complete(self) -> np.ndarray:
        """Which replications ran to their end: bool [point, replication]."""
        status = self._file["runs/status"]
        names = status.attrs["flag_meanings"].split()
        return status[()] == status.attrs["flag_values"][names.index("ok")]

    # Who took part.

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types in the file: client, server, ..."""
        return tuple(self._file["entities"])

    def entities(self, type: str, *, series: bool = False) -> list[str]:
        """Names of the entities of a type; with `series`, of those that keep time series."""
        section = "series" if series else "entities"
        return list(self._dataset(f"{section}/{type}/entity").asstr()[()])

    def groups(self, type: str, *, series: bool = False) -> np.ndarray:
        """Name of each entity's group: str [entity], as `entities` lists them."""
        names = self.entities(type)
        group_of = dict(zip(names, self._dataset(f"entities/{type}/group").asstr()[()]))
        return np.array([group_of[name] for name in self.entities(type, series=series)])

    # Numbers of whole replications, from the end of the warm-up.

    def counter(self, type: str, name: str) -> Field:
        """A counter: integers [point, replication, entity]."""
        return self._field(f"stats/{type}/{name}", ("point", "replication", "entity"))

    def gauge_mean(self, type: str, name: str) -> Field:
        """A level, averaged over time: [point, replication, entity]."""
        integral = self._field(
            f"gauges/{type}/{name}/time_integral", ("point", "replication", "entity")
        )
        return _mean_level(integral, self.observed_s[:, :, None] * NS_PER_S)

    def gauge_max(self, type: str, name: str) -> Field:
        """The highest level reached: integers [point, replication, entity]."""
        return self._field(f"gauges/{type}/{name}/max", ("point", "replication", "entity"))

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
        some = range(n_replications) if replications is None else replications
        who = range(n_entities) if entities is None else entities
        parts = [
            self._whole_histogram(group, (point, replication, entity))
            for replication in some
            for entity in who
        ]
        return Histogram.merged(parts, self._edges)

    def quantiles(self, type: str, name: str, p: Sequence[float]) -> tuple[Field, Field]:
        """Quantiles of a histogram by replication, and how far each may be off.

        `p` are probabilities, 0 <= p <= 1. Both fields are [point, replication, entity, quantile];
        the second one bounds the error that comes from the width of the buckets. NaN where there
        are no values.
        """
        group = f"histograms/{type}/{name}"
        total = self._dataset(f"{group}/total")
        value = np.full((*total.shape, len(p)), np.nan)
        bound = np.full_like(value, np.nan)
        for place in np.ndindex(total.shape):
            value[place], bound[place] = self._whole_histogram(group, place).quantiles(p)
        dims = ("point", "replication", "entity", "quantile")
        unit, long_name = _meaning(self._dataset(f"{group}/sum"))
        return Field(value, dims, unit, long_name), Field(bound, dims, unit, "Error bound")

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
        total = self._dataset(f"{group}/total")[()]
        least, largest = (self._dataset(f"{group}/{leaf}")[()] for leaf in ("min", "max"))
        numbers = np.arange(len(total))
        some = numbers if lines is None else numbers[list(lines)]
        parts = []
        for line in some:
            bins, counts = self._row(group, int(line))
            if len(bins) == 0:
                raise ResultsError(
                    f"{self.path}: was run without histograms; {group} has no buckets"
                )
            parts.append(
                Histogram(bins, counts, self._edges, int(least[line]), int(largest[line]))
            )
        return Histogram.merged(parts, self._edges)

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

    def series(self, type: str, name: str) -> Field:
        """[point, replication, entity, interval]: what a counter counted within each interval, or
        the level of a gauge averaged over each."""
        dims = ("point", "replication", "entity", "interval")
        path = f"series/{type}/{name}"
        if f"{path}/time_integral" not in self._file:
            return self._field(path, dims)
        integral = self._field(f"{path}/time_integral", dims)
        return _mean_level(integral, self._dataset("series/interval_length")[()])

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
        who = range(n_entities) if entities is None else entities
        rows = [(point * n_entities + entity) * n_intervals + interval for entity in who]
        parts = [Histogram.from_bins(*self._row(group, row), self._edges) for row in rows]
        return Histogram.merged(parts, self._edges)

    # Reading.

    def _dataset(self, path: str) -> h5py.Dataset:
        if path.startswith("series/") and not self.has_series:
            raise ResultsError(f"{self.path}: has no time series; run it with an interval")
        for section, key in (("breakdowns", "breakdowns"), ("trace", "trace.entities")):
            if path.startswith(section + "/") and section not in self._file:
                raise ResultsError(f"{self.path}: has no {section}; run it with output.{key}")
        found = self._file.get(path)
        if not isinstance(found, h5py.Dataset):
            where = path.rpartition("/")[0]
            while where and where not in self._file:
                where = where.rpartition("/")[0]
            there = ", ".join(self._file[where or "/"])
            raise ResultsError(f"{self.path}: has no {path} (in /{where}: {there})")
        return found

    def _field(self, path: str, dims: tuple[str, ...]) -> Field:
        dataset = self._dataset(path)
        return Field(dataset[()], dims, *_meaning(dataset))

    @cached_property
    def _numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of all entities and of their groups, by number in the model."""
        n = sum(len(self.entities(type)) for type in self.types)
        names, groups = np.empty(n, object), np.empty(n, object)
        for type in self.types:
            number = self._dataset(f"entities/{type}/id")[()]
            names[number], groups[number] = self.entities(type), self.groups(type)
        return names, groups

    @cached_property
    def _edges(self) -> np.ndarray:
        return self._dataset("histograms/edges")[()]

    def _row(self, group: str, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Buckets in use and how many values are in each, of one compressed row."""
        begin, end = self._dataset(f"{group}/offsets")[row : row + 2]
        bins, counts = (self._dataset(f"{group}/{leaf}")[begin:end] for leaf in ("bin", "count"))
        return bins.astype(np.intp), counts

    def _whole_histogram(self, group: str, place: tuple[int, int, int]) -> Histogram:
        total = self._dataset(f"{group}/total")
        row = np.ravel_multi_index(place, total.shape)
        bins, counts = self._row(group, int(row))
        if total[place] > 0 and len(bins) == 0:
            raise ResultsError(f"{self.path}: was run without histograms; {group} has no buckets")
        least, largest = (int(self._dataset(f"{group}/{leaf}")[place]) for leaf in ("min", "max"))
        return Histogram(bins, counts, self._edges, least, largest)


def _meaning(dataset: h5py.Dataset) -> tuple[str, str]:
    return dataset.attrs["units"], dataset.attrs["long_name"]


def _words(dataset: h5py.Dataset, values: np.ndarray) -> np.ndarray:
    """The words that a dataset's attributes have for its values; "" where they have none."""
    words = dict(zip(dataset.attrs["flag_values"], dataset.attrs["flag_meanings"].split()))
    present, place = np.unique(values, return_inverse=True)
    return np.array([words.get(value, "") for value in present], object)[place]


def _mean_level(integral: Field, length_ns: np.ndarray) -> Field:
    unit = integral.unit.removesuffix("ns").strip() or "1"
    long_name = "Mean level: " + integral.long_name.partition(": ")[2]
    return Field(integral.values / length_ns, integral.dims, unit, long_name)
