# SPDX-License-Identifier: Apache-2.0
"""A results file as it lies on disk: what was run, who took part, and how to reach its arrays."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from functools import cached_property

import h5py
import numpy as np

from squall.config import Action, Config
from squall.fields import Field, Labels

JOURNAL = ".journal"  # ends the name of what a run writes before its results
FILETYPE = "squall-results"
SCHEMA_MAJOR = 1  # a file of any minor version of it can be read
NS_PER_S = 1e9
BY = ("entity", "group")


class ResultsError(Exception):
    """A file cannot be used, or does not hold what was asked for; the text says why."""


class Store:
    """An open file. Opening reads nothing but attributes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._read: dict[str, np.ndarray] = {}  # what `_names` has read, by path
        try:
            self._file = h5py.File(self.path, "r")
        except FileNotFoundError as error:
            raise ResultsError(f"{self.path}: no such file") from error
        except OSError as error:
            raise ResultsError(f"{self.path}: {_unreadable(self.path, error)}") from error
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

    @property
    def h5(self) -> h5py.File:
        """The file itself, for whatever has no accessor."""
        return self._file

    # What was run.

    @property
    def title(self) -> str:
        """Name of the study."""
        return str(self._file.attrs["title"])

    @cached_property
    def config(self) -> Config:
        """The configuration with every default filled in; of a sweep, before any of its axes."""
        return Config(self._file["config_resolved"].asstr()[()])

    def config_at(self, point: int) -> Config:
        """The configuration of one point. What an axis says of a path that only a short form has
        (`arrivals.poisson`) is not in it."""
        return self.config.changed({path: written(it, point) for path, it in self.axes.items()})

    def timeline(self, point: int = 0) -> list[Action]:
        """What happens when at a point, in the order written."""
        return self.config_at(point).timeline()

    @property
    def n_points(self) -> int:
        """Points in the file: one without a sweep."""
        return self._file["runs/status"].shape[0]

    @property
    def n_replications(self) -> int:
        """The most of any point; see `complete`."""
        return self._file["runs/status"].shape[1]

    @cached_property
    def points(self) -> np.ndarray:
        """Number of each point in the plan, of which those that nobody looked at are left out:
        [point]."""
        numbers = self._file.get("point")
        known = isinstance(numbers, h5py.Dataset) and len(numbers) == self.n_points
        return numbers[()].astype(np.int64) if known else np.arange(self.n_points)

    @cached_property
    def axes(self) -> dict[str, Labels]:
        """What each point has on the axes of the sweep, by path, in the order written: numbers with
        their unit, or texts; [point] each. Empty without a sweep."""
        found = self._file.get("axes", {})
        return {
            path: Labels(_texts_or_numbers(axis), ("point",), axis.attrs.get("units", ""), path)
            for path, axis in found.items()
            if path != "point" and isinstance(axis, h5py.Dataset) and axis.shape == (self.n_points,)
        }

    @property
    def antithetic(self) -> bool:
        """Whether replications 2k and 2k + 1 are a pair, which depend on each other: only pairs are
        independent then."""
        replications = self.config.tree.get("replications") or {}
        return isinstance(replications, dict) and replications.get("antithetic") == "true"

    @property
    def duration_s(self) -> float:
        """Simulated time of one replication [s]."""
        return float(self._file["plan"].attrs["end_ns"]) / NS_PER_S

    @property
    def warmup_s(self) -> float:
        """Time before which nothing counts, except in time series [s]; where each point has one
        of its own, the longest."""
        return float(self.warmup_at_s.max())

    @cached_property
    def warmup_at_s(self) -> np.ndarray:
        """That of each point [s]: [point]."""
        attributes = self._file["plan"].attrs
        if "warmup_ns" in attributes:
            return np.full(self.n_points, float(attributes["warmup_ns"]) / NS_PER_S)
        return self._file["runs/warmup"][()].max(axis=1) / NS_PER_S

    @cached_property
    def observed_s(self) -> np.ndarray:
        """Simulated time within which statistics counted [s]: [point, replication]."""
        runs = self._file["runs"]
        begin_ns = runs["warmup"][()] if "warmup" in runs else self.warmup_s * NS_PER_S
        return np.maximum(runs["sim_end"][()].astype(float) - begin_ns, 1.0) / NS_PER_S

    @cached_property
    def complete(self) -> np.ndarray:
        """Which replications ran to their end: bool [point, replication]."""
        status = self._file["runs/status"]
        names = status.attrs["flag_meanings"].split()
        return status[()] == status.attrs["flag_values"][names.index("ok")]

    @cached_property
    def counted(self) -> np.ndarray:
        """Which replications count where they are taken together: the complete ones; of antithetic
        ones both of a pair or neither, as one alone would lean to its side: bool [point,
        replication]."""
        if not self.antithetic:
            return self.complete
        pairs = self.complete.reshape(len(self.complete), -1, 2)
        return np.repeat(pairs.all(axis=2), 2, axis=1)

    def run_columns(self) -> dict[str, np.ndarray]:
        """How replications ended, [point, replication] each: see `Results.runs`."""
        runs = self._file["runs"]
        status, wall = runs["status"], self._file.get("provenance/wall_ns")
        words = dict(zip(status.attrs["flag_values"], status.attrs["flag_meanings"].split()))
        return {
            "status": np.vectorize(words.get, otypes=[object])(status[()]),
            "events": runs["events"][()],
            "simulated": runs["sim_end"][()] / NS_PER_S,
            "warmup": np.broadcast_to(self.warmup_at_s[:, None], status.shape),
            "observed": self.observed_s,
            "wall": np.full(status.shape, np.nan) if wall is None else wall[()] / NS_PER_S,
        }

    # Who took part.

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types in the file: client, server, ..."""
        return tuple(self._file["entities"])

    def entities(self, type: str, *, series: bool = False) -> list[str]:
        """Names of the entities of a type; with `series`, of those that keep time series."""
        section = "series" if series else "entities"
        return list(self._names(f"{section}/{type}/entity"))

    def groups(self, type: str, *, series: bool = False) -> np.ndarray:
        """Name of each entity's group: str [entity], as `entities` lists them."""
        groups = self._names(f"entities/{type}/group")
        if not series:
            return np.array(groups, str)
        group_of = dict(zip(self.entities(type), groups))
        return np.array([group_of[name] for name in self.entities(type, series=True)], str)

    def present(self, type: str) -> np.ndarray:
        """Which entities a point has: bool [point, entity]."""
        path = f"entities/{type}/present"
        if path in self._file:
            return self._file[path][()] != 0
        return np.ones((self.n_points, len(self.entities(type))), bool)

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

    # Reading.

    def _names(self, path: str) -> np.ndarray:
        """Texts that every statistic needs, and that are read once: nobody may change them."""
        if path not in self._read:
            self._read[path] = self._dataset(path).asstr()[()]
        return self._read[path]

    def _dataset(self, path: str) -> h5py.Dataset:
        if path.startswith("series/") and "series" not in self._file:
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


def _unreadable(path: str, error: OSError) -> str:
    """Why a file cannot be opened, and what to do."""
    if os.path.isdir(path):
        if path.rstrip(os.sep).endswith(JOURNAL):
            return (
                "a journal; `squall resume` or, where all was run, `squall merge` makes a results "
                "file of it"
            )
        return "is a folder; name a file in it"
    if error.errno:
        return os.strerror(error.errno).lower()
    return "not an HDF5 file, or not whole"


def did_you_mean(written: str, there: Iterable[str]) -> str:
    """What to add to a message: the nearest name, if one is near."""
    near = difflib.get_close_matches(written, list(there), 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def meaning(dataset: h5py.Dataset) -> tuple[str, str]:
    """Unit and long name."""
    return dataset.attrs["units"], dataset.attrs["long_name"]


def _texts_or_numbers(axis: h5py.Dataset) -> np.ndarray:
    return np.array(axis.asstr()[()], str) if axis.dtype.kind == "O" else axis[()]


def written(axis: Labels, point: int) -> str:
    """The value of an axis as a configuration writes it."""
    value = axis.values[point]
    if axis.values.dtype.kind == "U":
        return str(value)
    unit = "" if axis.unit == "1" else axis.unit.removeprefix("1")
    return f"{value:.15g}{unit}"
