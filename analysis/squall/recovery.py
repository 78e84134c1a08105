# SPDX-License-Identifier: Apache-2.0
"""How long a storm lasts: degraded windows, the times until they come and until they are over, and
whom it reaches.

A window is so many intervals in a row; time series are needed. `trigger` is the span of time [s, s]
of what set it off, where the timeline does not tell it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from squall import load
from squall.file import NS_PER_S, Results, ResultsError
from squall.series import CALLS, Span, caller, moving, quotient, select, some_within, total
from squall.survival import Times
from squall.trigger import trigger as trigger_of

DEGRADED = 0.9  # a goodput ratio below it is a degraded one
RECOVERED = 0.95  # one that is not below it is good again
REQUESTS = 1000  # that tell a ratio of 0.95 from a good one whatever is under way at the ends


# Whether all is well.


def degraded_within(
    results: Results,
    begin_s: float,
    end_s: float,
    *,
    threshold: float = DEGRADED,
    usual_until_s: float | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Whether the goodput ratio of the whole intervals within a span of time is bad: bool
    [replication]. It is where

    - requests that ended well are fewer than `threshold` of those begun; or
    - no request was begun, so that the ratio is not known, although some were before: what has
      fallen silent has not recovered; or
    - all clients looked at are closed (a user begins a request only after the last one has ended,
      so users who wait for ever do not show in the ratio) and less than `threshold` is kept of the
      goodput before the first action of the timeline, or before `usual_until_s` (by default
      `begin_s`) if that is earlier.
    """
    inside = some_within(results, begin_s, end_s)
    first, n = int(np.argmax(inside)), int(inside.sum())
    before_s = begin_s if usual_until_s is None else usual_until_s
    return _degraded(results, n, threshold, before_s, group, point)[:, first]


def degraded(
    results: Results,
    window_s: float | None = None,
    *,
    threshold: float = DEGRADED,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """The same of the window of `window_s` seconds, by default one interval, that begins with each
    interval: bool [replication, window]. In short windows chance makes bad ones of good ones."""
    n = load.intervals_in(results, window_s)
    return _degraded(results, n, threshold, results.duration_s, group, point)


def _degraded(
    results: Results, n: int, threshold: float, before_s: float, group: str | None, point: int
) -> np.ndarray:
    type, prefix = caller(results, group)
    begun, well = (
        total(results, type, prefix + name, group=group, point=point)
        for name in ("logical_requests", "successes")
    )
    ratio = quotient(moving(well, n), moving(begun, n))
    worked = (np.cumsum(begun, axis=1) - begun)[:, : ratio.shape[1]] > 0
    bad = (ratio < threshold) | (np.isnan(ratio) & worked)
    if _all_closed(results, group):
        usual = load.usual_goodput(results, before_s, group=group, point=point)[:, None]
        now = moving(well, n) / moving(results.interval_s, n)
        bad |= quotient(now, np.broadcast_to(usual, now.shape)) < threshold
    return bad


def _all_closed(results: Results, group: str | None) -> bool:
    """Whether all clients looked at wait for an answer before they begin the next request."""
    type, _ = caller(results, group)
    groups = results.groups(type, series=True)[select(results, type, group)]
    clients = [results.config.tree["entities"].get(name, {}) for name in set(groups)]
    return all(client.get("arrivals", {}).get("kind") == "closed" for client in clients)


# How long it takes.


def time_to_detect(
    results: Results,
    window_s: float | None = None,
    *,
    threshold: float = DEGRADED,
    trigger: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> Times:
    """From the beginning of the trigger to the end of the first degraded window that begins after
    it, which is when it can be known; censored at the end of the run where there is none. A window
    has `window_s` seconds, by default as many intervals as have a thousand requests, up to a tenth
    of the run."""
    begin = _span(results, trigger, point)[0]
    n = _window(results, window_s, results.duration_s / 10, group, point)
    bad = _degraded(results, n, threshold, begin, group, point)
    ends = (results.time_s + results.interval_s)[n - 1 :]
    bad &= results.time_s[: bad.shape[1]] >= begin - 0.5 / NS_PER_S
    never = ~bad.any(axis=1)
    when = np.where(never, results.duration_s, ends[np.argmax(bad, axis=1)])
    return Times(when - begin, never)


def time_to_recover(
    results: Results,
    hold_s: float = 10.0,
    window_s: float | None = None,
    *,
    threshold: float = RECOVERED,
    trigger: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> Times:
    """From the end of the trigger to the first time from which on, for `hold_s` seconds, no window
    is degraded below `threshold`; 0 where it never hurt.

    A window has `window_s` seconds, by default as many intervals as have a thousand requests, up to
    all of `hold_s`. Times are known to the interval. Where it has not recovered, the time is
    censored at the last one from which on `hold_s` seconds could be looked at: the share of those
    and `Times.survival` say more than a mean, which nobody knows.
    """
    begin, end = _span(results, trigger, point)
    n = _window(results, window_s, hold_s, group, point)
    held = load.intervals_in(results, max(hold_s, results.interval_s[0]))
    good = ~_degraded(results, n, threshold, begin, group, point)
    good = moving(good, max(held - n + 1, 1)) == max(held - n + 1, 1)
    starts = results.time_s[: good.shape[1]]
    after = starts >= end - 0.5 / NS_PER_S
    if not after.any():
        raise ResultsError(f"{results.path}: less than {hold_s:g} s are left after the trigger")
    good &= after
    never = ~good.any(axis=1)
    return Times(np.where(never, starts[-1], starts[np.argmax(good, axis=1)]) - end, never)


def _span(results: Results, trigger: Span | None, point: int) -> Span:
    return trigger_of(results, point=point) if trigger is None else trigger


def _window(
    results: Results, window_s: float | None, most_s: float, group: str | None, point: int
) -> int:
    """Intervals of a window; by default as many as have `REQUESTS` requests, up to `most_s`."""
    if window_s is not None:
        return load.intervals_in(results, window_s)
    mean = load.offered_load(results, group=group, point=point).mean() * results.interval_s[0]
    most = most_s / results.interval_s[0]
    return int(max(1, min(math.ceil(REQUESTS / mean) if mean > 0 else 1, most)))


# Whom it reaches.


@dataclass(frozen=True)
class Blast:
    """Which groups a storm reaches, and when."""

    groups: list[str]  # that make calls and keep time series
    # [s] after the beginning of the trigger; NaN: not at all: [replication, group]
    entry_s: np.ndarray

    @property
    def radius(self) -> np.ndarray:
        """How many it reaches: integers [replication]."""
        return (~np.isnan(self.entry_s)).sum(axis=1)

    def order(self, replication: int) -> list[str]:
        """Those that it reaches in a replication, from first to last; those of one interval as in
        `groups`."""
        times = self.entry_s[replication]
        places = np.argsort(times, kind="stable")
        return [self.groups[place] for place in places if not np.isnan(times[place])]


def blast_radius(
    results: Results,
    window_s: float | None = None,
    *,
    threshold: float = DEGRADED,
    trigger: Span | None = None,
    groups: Sequence[str] | None = None,
    point: int = 0,
) -> Blast:
    """The groups whose goodput ratio falls below `threshold` in a window after the beginning of the
    trigger, and when each does first (`time_to_detect`). By default of all that make calls and keep
    time series: of servers it is the ratio of the calls that they make."""
    chosen = list(groups) if groups is not None else _callers(results, point)
    entries = []
    for one in chosen:
        times = time_to_detect(
            results, window_s, threshold=threshold, trigger=trigger, group=one, point=point
        )
        entries.append(np.where(times.censored, np.nan, times.s))
    return Blast(chosen, np.stack(entries, axis=1))


def _callers(results: Results, point: int) -> list[str]:
    """Groups that make calls and keep time series."""
    found = []
    for type in results.types if results.has_series else ():
        for prefix in ("", CALLS):
            if f"series/{type}/{prefix}logical_requests" not in results.h5:
                continue
            for group in dict.fromkeys(map(str, results.groups(type, series=True))):
                name = f"{prefix}logical_requests"
                if total(results, type, name, group=group, point=point).any():
                    found.append(group)
    if not found:
        raise ResultsError(f"{results.path}: nobody who makes calls keeps time series")
    return found
