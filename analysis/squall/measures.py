# SPDX-License-Identifier: Apache-2.0
"""Measures derived from time series, with their definitions.

Rates are per second of simulated time, [replication, interval], of one sweep point and of the
replications that ran to their end. `group` picks the clients or servers of one group; without it
all that keep time series are taken together.
"""

from __future__ import annotations

import math

import numpy as np

from squall.file import NS_PER_S, Results, ResultsError

DEGRADED = 0.9  # a goodput ratio below it is a degraded one


def select(results: Results, type: str, group: str | None) -> np.ndarray:
    """Places, along the axis of time series, of the entities of a group (None: of all)."""
    keeping = _keeping(results, type)
    chosen = [place for place, name in enumerate(keeping) if group in (None, name)]
    if not chosen:
        who = f"{type} '{group}'" if group else type
        remedy = _remedy(results, type, group)
        raise ResultsError(f"{results.path}: no {who} keeps time series{remedy}")
    return np.array(chosen)


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


def rate(
    results: Results, type: str, name: str, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """A counter's increments per second [1/s]: [replication, interval]."""
    return total(results, type, name, group=group, point=point) / results.interval_s


def total(
    results: Results, type: str, name: str, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """A series summed over entities: [replication, interval]. Of a gauge, the sum of the mean
    levels."""
    chosen = select(results, type, group)
    complete = results.complete[point]
    if not complete.any():
        raise ResultsError(f"{results.path}: no replication ran to its end")
    values = results.series(type, name).values[point][complete]
    return values[:, chosen].sum(axis=1)


def offered_load(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """First attempts per second that leave the clients [1/s]: [replication, interval]."""
    return rate(results, "client", "logical_requests", group=group, point=point)


def attempt_load(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Attempts per second, first ones and retries [1/s]: [replication, interval]."""
    return rate(results, "client", "requests_sent", group=group, point=point)


def goodput(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Requests per second that end well, their answer being in time [1/s]: [replication,
    interval]."""
    return rate(results, "client", "successes", group=group, point=point)


def latency_quantile(
    results: Results, p: float, *, group: str | None = None, point: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The p-quantile of the time from a request's first attempt to its end, well or not, of those
    that ended in each interval, all replications taken together; and the bound of its error. [ns],
    [interval] both; NaN where none ended."""
    chosen = select(results, "client", group)
    found = [
        results.series_histogram(
            "client", "request_latency", interval, point=point, entities=chosen
        ).quantiles([p])
        for interval in range(len(results.time_s))
    ]
    return np.array([value[0] for value, _ in found]), np.array([bound[0] for _, bound in found])


def trigger_end_s(results: Results) -> float:
    """When the last action of the timeline that ends is over [s]; 0 without any."""
    ends = [action.over_s for action in results.config.timeline()]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def goodput_ratio(
    results: Results, begin_s: float, end_s: float, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Requests that ended well over requests begun, within the whole intervals from `begin_s` to
    `end_s`: [replication]. NaN where none was begun."""
    inside = within(results, begin_s, end_s)
    well = total(results, "client", "successes", group=group, point=point)[:, inside].sum(axis=1)
    begun = total(results, "client", "logical_requests", group=group, point=point)[:, inside]
    return quotient(well, begun.sum(axis=1))


def goodput_kept(
    results: Results, begin_s: float, end_s: float, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Mean goodput within the whole intervals from `begin_s` to `end_s` over that before: from the
    end of the warm-up to the first action of the timeline, or to `begin_s` if that is earlier:
    [replication]. NaN where there was none before."""
    first_s = min((action.at_s for action in results.config.timeline()), default=begin_s)
    well = total(results, "client", "successes", group=group, point=point)
    means = []
    for inside in (
        within(results, begin_s, end_s),
        within(results, results.warmup_s, min(first_s, begin_s)),
    ):
        length_s = results.interval_s[inside].sum()
        means.append(well[:, inside].sum(axis=1) / (length_s if length_s > 0 else np.nan))
    return quotient(*means)


def within(results: Results, begin_s: float, end_s: float) -> np.ndarray:
    """The whole intervals within a span of time: bool [interval]. Times are compared to half a
    nanosecond, the file's unit being a whole one."""
    half = 0.5 / NS_PER_S
    ends_s = results.time_s + results.interval_s
    return (results.time_s >= begin_s - half) & (ends_s <= end_s + half)


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where `below` is 0 or NaN."""
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def still_degraded(
    results: Results,
    window_s: float | None = None,
    *,
    threshold: float = DEGRADED,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Replications that have not recovered from their trigger by the end: bool [replication].

    What counts is the window of the last `window_s` seconds of the run, by default half of the
    time since the trigger ended. Degraded is a replication in which, over the window,

    - the goodput ratio is below `threshold`; or
    - no request was begun, so that the ratio is not known, although some were before the window:
      what has fallen silent has not recovered; or
    - all clients looked at are closed (a user begins a request only after the last one has ended,
      so users who wait for ever do not show in the ratio) and less than `threshold` is kept of the
      goodput before the trigger.

    That it is the trigger's doing is shown by the same study run without it.
    """
    end = results.duration_s
    since = end - trigger_end_s(results)
    window = since / 2 if window_s is None else window_s
    if not 0 < window <= since:
        raise ResultsError(f"{results.path}: no {window:g} s are left after the trigger")
    begin = end - window
    if not within(results, begin, end).any():
        raise ResultsError(f"{results.path}: no whole interval lies in the last {window:g} s")
    ratio = goodput_ratio(results, begin, end, group=group, point=point)
    begun = total(results, "client", "logical_requests", group=group, point=point)
    worked = begun[:, within(results, 0, begin)].any(axis=1)
    bad = (ratio < threshold) | (np.isnan(ratio) & worked)
    if _all_closed(results, group):
        bad |= goodput_kept(results, begin, end, group=group, point=point) < threshold
    return bad


def _all_closed(results: Results, group: str | None) -> bool:
    """Whether all clients looked at wait for an answer before they begin the next request."""
    groups = results.groups("client", series=True)[select(results, "client", group)]
    clients = [results.config.tree["entities"].get(name, {}) for name in set(groups)]
    return all(client.get("arrivals", {}).get("kind") == "closed" for client in clients)
