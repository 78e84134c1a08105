# SPDX-License-Identifier: Apache-2.0
"""Several results files as one: `squall.open("a.h5", "b.h5")`.

Their points become the points of one study, those of the first file first. What tells the files
apart is an axis like any other: `file`, the name of each without its extension, and every key of
the configuration in which they differ. So two runs with and without retries are a sweep of one
axis, and the same study with other seeds has more points.

The files must have the same entities in whatever is read of them.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from squall.config import Config, differences, numbers
from squall.fields import Field, Labels, concatenated
from squall.file import Results
from squall.histogram import Histogram
from squall.store import ResultsError, written

_NO_AXES = re.compile(r"(sweep|replications)(?![^.[])")  # say how much was run, and where, not what


class Several(Results):
    """Open results files, which it closes."""

    def __init__(self, files: Sequence[Results]) -> None:
        self.files = tuple(files)
        self.path = " + ".join(file.path for file in files)
        self._first_points = np.cumsum([0, *(file.n_points for file in files)])

    def close(self) -> None:
        for file in self.files:
            file.close()

    def at(self, point: int) -> tuple[Results, int]:
        place = int(np.searchsorted(self._first_points, point, side="right")) - 1
        return self.files[place], point - int(self._first_points[place])

    # What was run.

    @property
    def h5(self) -> h5py.File:
        """The first of the files."""
        return self.files[0].h5

    @property
    def title(self) -> str:
        return ", ".join(dict.fromkeys(file.title for file in self.files))

    @property
    def config(self) -> Config:
        """That of the first file; see `config_at`."""
        return self.files[0].config

    def config_at(self, point: int) -> Config:
        file, place = self.at(point)
        return file.config_at(place)

    @property
    def n_points(self) -> int:
        return int(self._first_points[-1])

    @property
    def n_replications(self) -> int:
        return max(file.n_replications for file in self.files)

    @cached_property
    def points(self) -> np.ndarray:
        return np.arange(self.n_points)

    @cached_property
    def axes(self) -> dict[str, Labels]:
        told = differences([file.config for file in self.files])
        keys = [path for one in told for path in one if not _NO_AXES.match(path)]
        paths = dict.fromkeys([*keys, *(path for file in self.files for path in file.axes)])
        names = np.array([pathlib.PurePath(file.path).stem for file in self.files])
        counts = [file.n_points for file in self.files]
        found = {"file": Labels(np.repeat(names, counts), ("point",), "", "file")}
        for path in paths:
            parts = [_values(file, path, one) for file, one in zip(self.files, told)]
            found[path] = _joined(path, parts)
        return found

    @property
    def antithetic(self) -> bool:
        return self._common("whether replications are antithetic", lambda file: file.antithetic)

    @property
    def duration_s(self) -> float:
        return self._common("the duration", lambda file: file.duration_s)

    @cached_property
    def warmup_at_s(self) -> np.ndarray:
        return np.concatenate([file.warmup_at_s for file in self.files])

    @cached_property
    def observed_s(self) -> np.ndarray:
        return self._padded(lambda file: file.observed_s, np.nan)

    @cached_property
    def complete(self) -> np.ndarray:
        return self._padded(lambda file: file.complete, False)

    @cached_property
    def counted(self) -> np.ndarray:
        return self._padded(lambda file: file.counted, False)

    def run_columns(self) -> dict[str, np.ndarray]:
        empty = {"status": "missing", "events": 0}  # NaN else
        parts = {file.path: file.run_columns() for file in self.files}
        return {
            name: self._padded(lambda file: parts[file.path][name], empty.get(name, np.nan))
            for name in parts[self.files[0].path]
        }

    # Who took part.

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types that all files have."""
        first, *others = self.files
        return tuple(type for type in first.types if all(type in it.types for it in others))

    def entities(self, type: str, *, series: bool = False) -> list[str]:
        return self._common(
            f"the entities of type {type}", lambda file: file.entities(type, series=series)
        )

    def groups(self, type: str, *, series: bool = False) -> np.ndarray:
        self.entities(type, series=series)
        return self.files[0].groups(type, series=series)

    def present(self, type: str) -> np.ndarray:
        return np.concatenate([file.present(type) for file in self.files])

    def statistics(self, type: str) -> dict[str, str]:
        """Those that all files have."""
        first, *others = (file.statistics(type) for file in self.files)
        return {name: kind for name, kind in first.items() if all(name in one for one in others)}

    # Numbers.

    def counter(self, type: str, name: str, *, by: str = "entity") -> Field:
        return self._field_of(type, lambda file: file.counter(type, name, by=by))

    def gauge_mean(self, type: str, name: str, *, by: str = "entity") -> Field:
        return self._field_of(type, lambda file: file.gauge_mean(type, name, by=by))

    def gauge_max(self, type: str, name: str, *, by: str = "entity") -> Field:
        return self._field_of(type, lambda file: file.gauge_max(type, name, by=by))

    def moments(self, type: str, name: str, *, by: str = "entity") -> dict[str, Field]:
        self.entities(type)
        parts = [file.moments(type, name, by=by) for file in self.files]
        return {key: self._joined_field([part[key] for part in parts]) for key in parts[0]}

    def quantiles(
        self,
        type: str,
        name: str,
        p: Sequence[float],
        *,
        counted: np.ndarray | None = None,
        **how: Any,
    ) -> tuple[Field, Field]:
        self.entities(type)
        counted = self.counted if counted is None else counted
        parts = [
            file.quantiles(type, name, p, counted=counted[rows, : file.n_replications], **how)
            for file, rows in self._rows()
        ]
        value, bound = (self._joined_field(part) for part in zip(*parts))
        return value, bound

    def histogram(self, type: str, name: str, *, point: int = 0, **which: Any) -> Histogram:
        file, place = self.at(point)
        return file.histogram(type, name, point=place, **which)

    def breakdown(self, type: str, name: str) -> dict[str, np.ndarray]:
        return self._lines([file.breakdown(type, name) for file in self.files])

    def breakdown_histogram(self, *_: Any, **__: Any) -> Histogram:
        raise ResultsError("a breakdown's histogram is read from one file: from `at(point)`")

    def trace(self) -> dict[str, np.ndarray]:
        return self._lines([file.trace() for file in self.files])

    # Time series.

    @property
    def has_series(self) -> bool:
        return all(file.has_series for file in self.files)

    @property
    def time_s(self) -> np.ndarray:
        return self._common("the intervals", lambda file: file.time_s)

    @property
    def interval_s(self) -> np.ndarray:
        return self._common("the intervals", lambda file: file.interval_s)

    def series(self, type: str, name: str, *, by: str = "entity") -> Field:
        self.time_s, self.entities(type, series=True)
        return self._joined_field([file.series(type, name, by=by) for file in self.files])

    def series_quantiles(
        self, type: str, name: str, p: Sequence[float], *, by: str = "entity"
    ) -> tuple[Field, Field]:
        self.time_s, self.entities(type, series=True)
        parts = [file.series_quantiles(type, name, p, by=by) for file in self.files]
        value, bound = (self._joined_field(part) for part in zip(*parts))
        return value, bound

    def series_histogram(
        self, type: str, name: str, interval: int, *, point: int = 0, **which: Any
    ) -> Histogram:
        file, place = self.at(point)
        return file.series_histogram(type, name, interval, point=place, **which)

    # Joining.

    def _common(self, what: str, read: Callable[[Results], Any]) -> Any:
        """What all files must have alike."""
        first = read(self.files[0])
        for file in self.files[1:]:
            if not np.array_equal(first, read(file)):
                raise ResultsError(f"{self.files[0].path} and {file.path} differ in {what}")
        return first

    def _rows(self) -> Iterator[tuple[Results, slice]]:
        """Each file, and where its points are."""
        for file, begin in zip(self.files, self._first_points):
            yield file, slice(begin, begin + file.n_points)

    def _padded(self, read: Callable[[Results], np.ndarray], filling: Any) -> np.ndarray:
        """A table [point, replication] of each file, below one another."""
        parts = [read(file) for file in self.files]
        room = np.full((self.n_points, self.n_replications), filling, parts[0].dtype)
        for part, (_, rows) in zip(parts, self._rows()):
            room[rows, : part.shape[1]] = part
        return room

    def _field_of(self, type: str, read: Callable[[Results], Field]) -> Field:
        self.entities(type)
        return self._joined_field([read(file) for file in self.files])

    def _joined_field(self, parts: Sequence[Field]) -> Field:
        return concatenated(parts, {"point": Labels(self.points, ("point",)), **self.axes})

    def _lines(self, parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Columns below one another, their points numbered as here."""
        moved = [
            {**part, "point": part["point"] + begin}
            for part, begin in zip(parts, self._first_points.astype(np.uint64))
        ]
        return {key: np.concatenate([part[key] for part in moved]) for key in parts[0]}


def _values(file: Results, path: str, told: dict[str, str]) -> Labels:
    """What the points of a file have on an axis: one of its own, or what it says for all."""
    if path in file.axes:
        return file.axes[path]
    text = told.get(path, file.config.leaves().get(path, ""))
    return Labels(np.full(file.n_points, text), ("point",))


def _joined(path: str, parts: Sequence[Labels]) -> Labels:
    """Numbers where all are, of one unit; else texts."""
    read = [_numbers(part) for part in parts]
    known = [one for one in read if one is not None]
    if len(known) == len(read) and len({unit for _, unit in known}) == 1:
        values = np.concatenate([values for values, _ in known])
        return Labels(values, ("point",), known[0][1], path)
    texts = [written(part, point) for part in parts for point in range(len(part.values))]
    return Labels(np.array(texts, str), ("point",), "", path)


def _numbers(part: Labels) -> tuple[np.ndarray, str] | None:
    return numbers(part.values) if part.values.dtype.kind == "U" else (part.values, part.unit)
