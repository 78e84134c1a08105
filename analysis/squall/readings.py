# SPDX-License-Identifier: Apache-2.0
"""What is measured of statistics: of every counter, gauge and histogram of a type one number for
each replication, and what all of them say together. Tables and comparisons are made of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from squall import intervals
from squall.fields import Field
from squall.rows import QUANTILES
from squall.store import ResultsError

if TYPE_CHECKING:
    from squall.file import Results


@dataclass(frozen=True)
class Reading:
    """One measure of a statistic, of every group at every point."""

    statistic: str
    measure: str  # "mean", "rate", "max", "p99", ...
    unit: str
    groups: np.ndarray  # names: [group]
    values: np.ndarray  # [point, replication, group]; NaN where one does not count or has none
    together: np.ndarray | None = None  # of all values of all replications, where that is no mean
    #                                     of theirs: [point, group]
    exact: bool = False  # `together` is the least or largest of all, without an interval
    bound: np.ndarray | float = 0.0  # how far buckets may have moved `together`

    @property
    def replications(self) -> np.ndarray:
        """How many have a value: [point, group]."""
        return np.count_nonzero(~np.isnan(self.values), axis=1)

    def interval(self, confidence: float, antithetic: bool) -> intervals.Interval:
        """[point, group]: Student's t of means; of quantiles by sectioning about that of all values
        together. Antithetic replications count as pairs."""
        if self.exact:
            unknown = np.full(self.together.shape, np.nan)
            return intervals.Interval(self.together, unknown, unknown, confidence, unknown)
        values = observations(self.values, antithetic)
        if self.together is None:
            return intervals.mean(values, confidence, axis=1)
        return intervals.sectioning(values, self.together, confidence, axis=1)


def observations(values: np.ndarray, antithetic: bool) -> np.ndarray:
    """Values [point, replication, ...] as what is independent: replications, or pairs of them."""
    return intervals.antithetic(values, axis=1) if antithetic else values


def read(
    results: Results,
    type: str,
    *,
    quantiles: Sequence[float] = QUANTILES,
    counted: np.ndarray | None = None,
) -> Iterator[Reading]:
    """All readings of a type, in the order of the file. `counted` says which replications count,
    bool [point, replication], by default `results.counted`. A breakdown has none."""
    check_type(results, type)
    reader = _Reader(results, type, quantiles, results.counted if counted is None else counted)
    for name, kind in results.statistics(type).items():
        if kind == "counter":
            yield from reader.counter(name)
        elif kind == "gauge":
            yield from reader.gauge(name)
        elif kind == "histogram":
            yield from reader.histogram(name)


def check_type(results: Results, type: str) -> None:
    """Whether there is such a type: ResultsError if not."""
    if type not in results.types:
        there = ", ".join(results.types)
        raise ResultsError(f"{results.path}: has no type '{type}' (there are: {there})")


@dataclass(frozen=True)
class _Reader:
    results: Results
    type: str
    p: Sequence[float]
    counted: np.ndarray

    def counter(self, name: str) -> Iterator[Reading]:
        field = self.results.counter(self.type, name, by="group")
        yield self._reading(field, name, "mean")
        per_second = field.values / self.results.observed_s[:, :, None]
        yield self._reading(
            replace(field, values=per_second, unit=f"{field.unit}/s"), name, "rate"
        )

    def gauge(self, name: str) -> Iterator[Reading]:
        yield self._reading(self.results.gauge_mean(self.type, name, by="group"), name, "mean")
        most = self.results.gauge_max(self.type, name, by="group")
        yield self._extreme(most, name, "max", np.fmax)

    def histogram(self, name: str) -> Iterator[Reading]:
        moments = self.results.moments(self.type, name, by="group")
        yield self._reading(moments["count"], name, "count")
        yield self._reading(moments["mean"], name, "mean")
        yield self._extreme(moments["min"], name, "min", np.fmin)
        yield self._extreme(moments["max"], name, "max", np.fmax)
        yield from self._quantiles(moments["mean"], name)

    def _quantiles(self, like: Field, name: str) -> Iterator[Reading]:
        try:
            each, _ = self.results.quantiles(self.type, name, self.p, by="group")
            together, bound = self.results.quantiles(
                self.type, name, self.p, by="group", pooled=True, counted=self.counted
            )
            values, of_all, far = each.values, together.values, np.nan_to_num(bound.values)
        except ResultsError:  # it has no buckets, and its percentiles are not known
            values = np.full((*like.values.shape, len(self.p)), np.nan)
            of_all, far = values[:, 0], np.zeros_like(values[:, 0])
        for place, share in enumerate(self.p):
            reading = self._reading(
                replace(like, values=values[..., place]), name, f"p{100 * share:.10g}"
            )
            yield replace(reading, together=of_all[..., place], bound=far[..., place])

    def _reading(self, field: Field, name: str, measure: str) -> Reading:
        values = np.where(self.counted[:, :, None], field.values, np.nan)
        return Reading(name, measure, field.unit, field.coords["group"].values, values)

    def _extreme(self, field: Field, name: str, measure: str, how: np.ufunc) -> Reading:
        reading = self._reading(field, name, measure)
        return replace(reading, together=how.reduce(reading.values, axis=1), exact=True)
