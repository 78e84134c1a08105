# SPDX-License-Identifier: Apache-2.0
"""Tables of a results file, for pandas and xarray.

`stats` and `frame` have a number for each replication; `summary` says what replications say
together, in the rows of `squall inspect --csv`: values are the same, half widths but for the last
digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from squall import intervals
from squall.fields import Field
from squall.store import ResultsError

if TYPE_CHECKING:
    import pandas
    import xarray

    from squall.file import Results

QUANTILES = (0.5, 0.9, 0.99, 0.999)


def fields(results: Results, type: str, *, by: str = "entity") -> dict[str, Field]:
    """Every number that replications have, by name: a counter `requests_sent`; of a gauge its mean
    level `in_flight` and `in_flight_max`; of a histogram `request_latency_count`, `_mean`, `_min`
    and `_max`. [point, replication, entity] each."""
    found: dict[str, Field] = {}
    for name, kind in results.statistics(type).items():
        if kind == "counter":
            found[name] = results.counter(type, name, by=by)
        elif kind == "gauge":
            found[name] = results.gauge_mean(type, name, by=by)
            found[f"{name}_max"] = results.gauge_max(type, name, by=by)
        elif kind == "histogram":
            moments = results.moments(type, name, by=by)
            found.update((field.name, field) for field in moments.values())
    return found


def stats(results: Results, type: str, *, by: str = "entity") -> xarray.Dataset:
    """`fields` as an `xarray.Dataset`, [point, replication, entity], with the axes of the sweep
    along `point`, groups along `entity`, and which replications are `complete` as coordinates;
    units and meanings are attributes."""
    import xarray

    _check_type(results, type)
    dataset = xarray.Dataset(
        {name: field.to_xarray() for name, field in fields(results, type, by=by).items()},
        attrs={"title": results.title, "source": results.path},
    )
    return dataset.assign_coords(complete=(("point", "replication"), results.complete))


def frame(results: Results, type: str, *, by: str = "entity") -> pandas.DataFrame:
    """`fields` as a `pandas.DataFrame`: a row for each complete replication and entity that the
    point has, indexed by (point, replication, entity), with the axes of the sweep and, of entities,
    the group in columns of their own before the numbers. `attrs["units"]` has the unit of each
    column."""
    import pandas

    _check_type(results, type)
    columns = fields(results, type, by=by)
    first = next(iter(columns.values()))
    index = first.to_pandas().index
    point, _, who = (places.reshape(-1) for places in np.indices(first.values.shape))
    units = {path: axis.unit for path, axis in results.axes.items()}
    data = {path: axis.values[point] for path, axis in results.axes.items()}
    if by == "entity":
        data["group"] = first.coords["group"].values[who]
    units |= {name: field.unit for name, field in columns.items()}
    data |= {name: field.values.reshape(-1) for name, field in columns.items()}
    table = pandas.DataFrame(data, index)
    table.attrs["units"] = units
    there = _present(results, type, by)
    return table[(results.complete[:, :, None] & there[:, None, :]).reshape(-1)]


def summary(
    results: Results,
    *,
    type: str | None = None,
    group: str | None = None,
    confidence: float = 0.95,
    quantiles: Sequence[float] = QUANTILES,
) -> pandas.DataFrame:
    """Every statistic of every group at every point, with its interval over replications.

    Columns are those of `squall inspect --csv` but for those of breakdowns: file, point, (the axes
    of the sweep,) group, statistic, measure, value, unit, half_width, confidence, replications,
    bound; rows are in order of points. Intervals of means and rates are Student's t; those of
    quantiles are by sectioning about the quantile of all values together (`intervals.sectioning`),
    and `bound` is how far buckets may have moved it. An exact number (min, max) has no half width.
    Where replications are antithetic, whole pairs are the observations, and others do not count.
    Breakdowns have a table of their own, `Results.breakdown`.
    """
    import pandas

    lines = [
        line
        for one in (results.types if type is None else (type,))
        for name, kind in _statistics(results, one)
        for line in _SAID[kind](_Over(results, confidence), one, name, quantiles)
        if group in (None, line.group)
    ]
    if not lines:
        raise ResultsError(f"{results.path}: has nothing of a group '{group}'")
    n = results.n_points
    columns: dict[str, np.ndarray] = {
        "file": np.full(len(lines) * n, results.path, object),
        "point": np.tile(results.points, len(lines)),
        **{path: np.tile(axis.values, len(lines)) for path, axis in results.axes.items()},
    }
    told = [line.columns() for line in lines]
    for key in told[0]:
        values = [one[key] for one in told]
        if isinstance(values[0], str):
            columns[key] = np.repeat(np.array(values, object), n)
        else:
            each = (np.full(n, one) if np.isscalar(one) else one for one in values)
            columns[key] = np.concatenate(list(each))
    table = pandas.DataFrame(columns)
    table.insert(table.columns.get_loc("half_width") + 1, "confidence", confidence)
    place = np.tile(np.arange(n), len(lines))
    return table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


@dataclass(frozen=True)
class _Line:
    """One measure of a statistic of a group: arrays [point]."""

    group: str
    statistic: str
    measure: str
    unit: str
    value: np.ndarray
    half_width: np.ndarray
    replications: np.ndarray
    bound: np.ndarray | float = 0.0

    def columns(self) -> dict:
        order = ("group", "statistic", "measure", "value", "unit", "half_width")
        return {key: getattr(self, key) for key in (*order, "replications", "bound")}


@dataclass(frozen=True)
class _Over:
    """What replications say together."""

    results: Results
    confidence: float

    def kept(self, field: Field) -> np.ndarray:
        """Numbers of replications that count, NaN in place of others: [point, replication,
        group]."""
        return np.where(self.results.counted[:, :, None], field.values, np.nan)

    def observations(self, values: np.ndarray) -> np.ndarray:
        return intervals.antithetic(values, axis=1) if self.results.antithetic else values

    def means(self, field: Field, measure: str, values: np.ndarray, unit: str) -> Iterator[_Line]:
        interval = intervals.mean(self.observations(values), self.confidence, axis=1)
        n = np.count_nonzero(~np.isnan(values), axis=1)
        for place, group in enumerate(field.coords["group"].values):
            value, half = interval.estimate[:, place], interval.half_width[:, place]
            yield _Line(group, field.name, measure, unit, value, half, n[:, place])

    def exact(
        self, field: Field, measure: str, values: np.ndarray, how: np.ufunc
    ) -> Iterator[_Line]:
        """The least or largest of all replications."""
        n = np.count_nonzero(~np.isnan(values), axis=1)
        far = how.reduce(np.where(np.isnan(values), -_WORST[how], values), axis=1)
        for place, group in enumerate(field.coords["group"].values):
            some = n[:, place]
            value, half = np.where(some > 0, far[:, place], np.nan), np.full(len(some), np.nan)
            yield _Line(group, field.name, measure, field.unit, value, half, some)

    def counter(self, type: str, name: str, _: Sequence[float]) -> Iterator[_Line]:
        field = self.results.counter(type, name, by="group")
        values = self.kept(field)
        yield from self.means(field, "mean", values, field.unit)
        per_second = values / self.results.observed_s[:, :, None]
        yield from self.means(field, "rate", per_second, f"{field.unit}/s")

    def gauge(self, type: str, name: str, _: Sequence[float]) -> Iterator[_Line]:
        field = self.results.gauge_mean(type, name, by="group")
        yield from self.means(field, "mean", self.kept(field), field.unit)
        most = self.results.gauge_max(type, name, by="group")
        yield from self.exact(most, "max", self.kept(most), np.maximum)

    def histogram(self, type: str, name: str, p: Sequence[float]) -> Iterator[_Line]:
        moments = self.results.moments(type, name, by="group")
        fields = {key: replace(field, name=name) for key, field in moments.items()}
        count = fields["count"]
        yield from self.means(count, "count", self.kept(count), "1")
        mean = fields["mean"]
        yield from self.means(mean, "mean", self.kept(mean), mean.unit)
        for key, how in (("min", np.minimum), ("max", np.maximum)):
            yield from self.exact(fields[key], key, self.kept(fields[key]), how)
        try:
            each, _ = self.results.quantiles(type, name, p, by="group")
            together, bound = self.results.quantiles(type, name, p, by="group", pooled=True)
        except ResultsError:  # it has no buckets, and its percentiles are not known
            nothing = np.full((*moments["count"].values.shape, len(p)), np.nan)
            each = replace(moments["min"], values=nothing, dims=(*moments["min"].dims, "quantile"))
            together = bound = replace(each, values=nothing[:, 0])
        for place, share in enumerate(p):
            values = np.where(self.results.counted[:, :, None], each.values[..., place], np.nan)
            interval = intervals.sectioning(
                self.observations(values), together.values[..., place], self.confidence, axis=1
            )
            n = np.count_nonzero(~np.isnan(values), axis=1)
            for who, group in enumerate(each.coords["group"].values):
                yield _Line(
                    group,
                    name,
                    f"p{100 * share:.10g}",
                    each.unit,
                    interval.estimate[:, who],
                    interval.half_width[:, who],
                    n[:, who],
                    np.nan_to_num(bound.values[:, who, place]),
                )


_SAID = {"counter": _Over.counter, "gauge": _Over.gauge, "histogram": _Over.histogram}
_WORST = {np.minimum: -np.inf, np.maximum: np.inf}


def _statistics(results: Results, type: str) -> Iterator[tuple[str, str]]:
    """Names and kinds of those that have numbers by replication."""
    _check_type(results, type)
    return ((name, kind) for name, kind in results.statistics(type).items() if kind in _SAID)


def _check_type(results: Results, type: str) -> None:
    if type not in results.types:
        there = ", ".join(results.types)
        raise ResultsError(f"{results.path}: has no type '{type}' (there are: {there})")


def _present(results: Results, type: str, by: str) -> np.ndarray:
    """Whom a point has: bool [point, entity], or of groups any instance of them."""
    there = results.present(type)
    if by == "entity":
        return there
    groups = results.groups(type)
    return np.stack([there[:, groups == one].any(axis=1) for one in dict.fromkeys(groups)], axis=1)
