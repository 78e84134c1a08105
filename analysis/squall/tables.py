# SPDX-License-Identifier: Apache-2.0
"""Tables of a results file, for pandas and xarray.

`stats` and `frame` have a number for each replication; `summary` says what replications say
together, in the rows of `squall inspect --csv`: values are the same, half widths but for the last
digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from squall.fields import Field
from squall.readings import QUANTILES, Reading, check_type, read
from squall.store import ResultsError

if TYPE_CHECKING:
    import pandas
    import xarray

    from squall.file import Results


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

    check_type(results, type)
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

    check_type(results, type)
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

    found = [
        reading
        for one in (results.types if type is None else (type,))
        for reading in read(results, one, quantiles=quantiles)
    ]
    parts = [_columns(reading, confidence, results.antithetic) for reading in found]
    columns = {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0]}
    table = pandas.DataFrame({key: values.T.reshape(-1) for key, values in columns.items()})
    place = np.tile(np.arange(results.n_points), len(table) // results.n_points)
    axes = {path: axis.values[place] for path, axis in results.axes.items()}
    heads = {"file": results.path, "point": results.points[place], **axes}
    for at, (name, values) in enumerate(heads.items()):
        table.insert(at, name, values)
    table.insert(table.columns.get_loc("half_width") + 1, "confidence", confidence)
    kept = np.ones(len(table), bool) if group is None else (table["group"] == group).to_numpy()
    if not kept.any():
        raise ResultsError(f"{results.path}: has nothing of a group '{group}'")
    order = np.argsort(place, kind="stable")
    return table.iloc[order[kept[order]]].reset_index(drop=True)


def runs(results: Results) -> pandas.DataFrame:
    """How the replications ended, one row each, indexed by (point, replication): the axes of the
    sweep, `status` in words, `events` and, in s, `simulated`, `warmup`, `observed` (what counts)
    and `wall` (what it took; NaN where the file does not say)."""
    import pandas

    told = results.run_columns()
    shape = results.complete.shape
    index = pandas.MultiIndex.from_product(
        [results.points, np.arange(shape[1])], names=["point", "replication"]
    )
    axes = {path: np.repeat(axis.values, shape[1]) for path, axis in results.axes.items()}
    return pandas.DataFrame(
        {**axes, **{name: values.reshape(-1) for name, values in told.items()}}, index
    )


def _columns(reading: Reading, confidence: float, antithetic: bool) -> dict[str, np.ndarray]:
    """What a table says of a reading: [point, group] each."""
    interval = reading.interval(confidence, antithetic)
    shape = interval.estimate.shape
    columns = {
        "group": reading.groups.astype(object),
        "statistic": reading.statistic,
        "measure": reading.measure,
        "value": interval.estimate,
        "unit": reading.unit,
        "half_width": interval.half_width,
        "replications": reading.replications,
        "bound": reading.bound,
    }
    texts = ("group", "statistic", "measure", "unit")
    return {
        key: np.broadcast_to(np.array(value, object) if key in texts else value, shape)
        for key, value in columns.items()
    }


def _present(results: Results, type: str, by: str) -> np.ndarray:
    """Whom a point has: bool [point, entity], or of groups any instance of them."""
    there = results.present(type)
    if by == "entity":
        return there
    groups = results.groups(type)
    return np.stack([there[:, groups == one].any(axis=1) for one in dict.fromkeys(groups)], axis=1)
