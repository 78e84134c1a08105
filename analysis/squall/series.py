# SPDX-License-Identifier: Apache-2.0
"""What measures are made of: statistics of the groups of one sweep point, summed over entities.

Only replications that ran to their end count; arrays are [replication, interval] by the intervals
of the time series, or [replication]. A span of time [s, s] stands for the whole intervals within
it.
"""

from __future__ import annotations

import h5py
import numpy as np

from squall.file import NS_PER_S, Results, ResultsError
from squall.store import did_you_mean

Span = tuple[float, float]
CALLS = "downstream_"  # before the names of what a server counts of its own calls


def finished(results: Results, point: int = 0) -> np.ndarray:
    """Which replications of a point ran to their end: bool [replication]."""
    check_point(results, point)
    complete = results.complete[point]
    if not complete.any():
        which = f" of point {results.points[point]}" if results.n_points > 1 else ""
        raise ResultsError(f"{results.path}: no replication{which} ran to its end")
    return complete


def check_point(results: Results, point: int) -> None:
    """ResultsError where a file has no point at this place."""
    if not 0 <= point < results.n_points:
        n = results.n_points
        raise ResultsError(f"{results.path}: has no point {point}, but {n} from 0 on")


def caller(results: Results, group: str | None) -> tuple[str, str]:
    """The type of a group that makes calls, and what stands before the names of the statistics of
    its calls; of all clients without a group."""
    for type in results.types if group is not None else ():
        if group in results.groups(type):
            calls = f"stats/{type}/{CALLS}logical_requests" in results.h5
            return type, CALLS if calls else ""
    return "client", ""


def select(results: Results, type: str, group: str | None) -> np.ndarray:
    """Places, along the axis of time series, of the entities of a group (None: of all)."""
    known = list(dict.fromkeys(results.groups(type))) if type in results.types else []
    if group is not None and group not in known:
        raise ResultsError(
            f"{results.path}: there is no {type} '{group}' (there are: {', '.join(known)})"
            f"{did_you_mean(group, known)}"
        )
    keeping = _keeping(results, type)
    chosen = [place for place, name in enumerate(keeping) if group in (None, name)]
    if not chosen:
        raise no_series(results, type, group)
    return np.array(chosen)


def no_series(results: Results, type: str, group: str | None) -> ResultsError:
    """That nobody of a group, or type, keeps time series, and how to have them do so."""
    who = f"{type} '{group}'" if group else type
    return ResultsError(
        f"{results.path}: no {who} keeps time series{_remedy(results, type, group)}"
    )


def _keeping(results: Results, type: str) -> list[str]:
    """The groups of the entities that keep time series, one by one."""
    if results.has_series and type not in results.h5["series"]:
        return []
    return list(results.groups(type, series=True))


def _remedy(results: Results, type: str, group: str | None) -> str:
    """How to have these entities keep time series beside those that do so already."""
    there = results.groups(type) if type in results.types else []
    wanted = [name for name in there if group in (None, name)]
    if not wanted:
        return ""
    keeping = [name for one in results.types for name in _keeping(results, one)]
    names = dict.fromkeys([*keeping, *wanted])
    return f" (run it with output.series: [{', '.join(names)}])"


def total(
    results: Results, type: str, name: str, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """A series summed over entities: [replication, interval]. Of a gauge, the sum of the mean
    levels."""
    chosen = select(results, type, group)
    return _of_point(results, type, name, point)[:, chosen].sum(axis=1)


def _of_point(results: Results, type: str, name: str, point: int) -> np.ndarray:
    """A series of one point, no other being read: [replication, entity, interval]."""
    complete = finished(results, point)
    file, place = results.at(point)
    path = f"series/{type}/{name}"
    level = f"{path}/time_integral" in file.h5
    found = file.h5.get(f"{path}/time_integral" if level else path)
    if not isinstance(found, h5py.Dataset):
        file.series(type, name)  # says what there is instead
    values = found[place][complete[: found.shape[1]]]
    return values / file.h5["series/interval_length"][()] if level else values


def rate(
    results: Results, type: str, name: str, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """A counter's increments per second [1/s]: [replication, interval]."""
    return total(results, type, name, group=group, point=point) / results.interval_s


def counted(
    results: Results,
    type: str,
    name: str,
    *,
    group: str | None = None,
    span: Span | None = None,
    point: int = 0,
) -> np.ndarray:
    """What a counter counted, summed over entities: [replication]. Without a span from the end of
    the warm-up to that of the run, for which no time series are needed."""
    return by_entity(results, type, name, group=group, span=span, point=point).sum(axis=1)


def by_entity(
    results: Results,
    type: str,
    name: str,
    *,
    group: str | None = None,
    span: Span | None = None,
    point: int = 0,
) -> np.ndarray:
    """Likewise for each entity of a group: [replication, entity]."""
    if span is not None:
        chosen, inside = select(results, type, group), some_within(results, *span)
        return _of_point(results, type, name, point)[:, chosen][:, :, inside].sum(axis=2)
    complete = finished(results, point)
    groups = results.groups(type)
    mask = groups == group if group is not None else np.ones(len(groups), bool)
    if not mask.any():
        raise ResultsError(f"{results.path}: there is no {type} '{group}'")
    return results.counter(type, name).values[point][complete][:, mask]


def within(results: Results, begin_s: float, end_s: float) -> np.ndarray:
    """The whole intervals within a span of time: bool [interval]. Times are compared to half a
    nanosecond, the file's unit being a whole one."""
    half = 0.5 / NS_PER_S
    ends_s = results.time_s + results.interval_s
    return (results.time_s >= begin_s - half) & (ends_s <= end_s + half)


def some_within(results: Results, begin_s: float, end_s: float) -> np.ndarray:
    """Likewise; there is one at least."""
    inside = within(results, begin_s, end_s)
    if not inside.any():
        raise ResultsError(
            f"{results.path}: no whole interval lies within {begin_s:g} s to {end_s:g} s (they "
            f"are from 0 s to {results.duration_s:g} s)"
        )
    return inside


def moving(values: np.ndarray, n: int) -> np.ndarray:
    """Sums over n neighbours, which begin at each place where there are as many.

    >>> moving(np.array([1, 2, 3, 4]), 2)
    array([3, 5, 7])
    """
    sums = np.cumsum(values, axis=-1)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    return sums[..., n:] - sums[..., :-n]


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where `below` is 0 or NaN."""
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
