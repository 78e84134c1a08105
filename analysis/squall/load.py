# SPDX-License-Identifier: Apache-2.0
"""What is asked for and what is had of it, by the interval: loads, goodput, latency, queues,
breakers.

Rates are per second of simulated time, [replication, interval], of one sweep point and of the
replications that ran to their end. `group` picks the clients or servers of one group; without it
all that keep time series are taken together. It may name a server that makes calls, too: then its
calls are what is offered.
"""

from __future__ import annotations

import numpy as np

from squall.file import Results, ResultsError
from squall.series import caller, quotient, rate, select, total, within


def offered_load(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """First attempts per second that leave the clients [1/s]: [replication, interval]."""
    return _calls(results, "logical_requests", group, point)


def attempt_load(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Attempts per second, first ones, retries and hedges [1/s]: [replication, interval]."""
    return _calls(results, "requests_sent", group, point)


def goodput(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Requests per second that end well, their answer being in time [1/s]: [replication,
    interval]."""
    return _calls(results, "successes", group, point)


def arrival_load(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Attempts per second that reach the servers, up or down [1/s]: [replication, interval]."""
    received = rate(results, "server", "requests_received", group=group, point=point)
    return received + rate(results, "server", "requests_missed", group=group, point=point)


def throughput(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Requests per second that servers serve, whether anybody still waits for it or not [1/s]:
    [replication, interval]."""
    return rate(results, "server", "requests_completed", group=group, point=point)


def queue_depth(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Requests that wait at the servers, mean level [1]: [replication, interval]."""
    return total(results, "server", "queue_depth", group=group, point=point)


def busy_workers(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Workers of the servers in use, mean level [1]: [replication, interval]."""
    return total(results, "server", "busy_workers", group=group, point=point)


def breakers_open(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Circuit breakers of the clients that are open, mean level [1]: [replication, interval]."""
    return _calls_level(results, "breakers_open", group, point)


def breakers_half_open(results: Results, *, group: str | None = None, point: int = 0) -> np.ndarray:
    """Those that are half-open, likewise."""
    return _calls_level(results, "breakers_half_open", group, point)


def latency_quantile(
    results: Results, p: float, *, group: str | None = None, point: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The p-quantile of the time from a request's first attempt to its end, well or not, of those
    that ended in each interval, all replications taken together; and the bound of its error. [ns],
    [interval] both; NaN where none ended."""
    type, prefix = caller(results, group)
    chosen = select(results, type, group)
    file, place = results.at(point)
    rows = file.series_rows(type, f"{prefix}request_latency", place)
    n = len(results.time_s)
    into = np.full((len(rows) // n, n), -1)
    into[chosen] = np.arange(n)
    value, bound = rows.merged(into.reshape(-1), n).quantiles([p])
    return value[:, 0], bound[:, 0]


def goodput_ratio(
    results: Results, begin_s: float, end_s: float, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Requests that ended well over requests begun, within the whole intervals from `begin_s` to
    `end_s`: [replication]. NaN where none was begun."""
    type, prefix = caller(results, group)
    inside = within(results, begin_s, end_s)
    well, begun = (
        total(results, type, prefix + name, group=group, point=point)[:, inside].sum(axis=1)
        for name in ("successes", "logical_requests")
    )
    return quotient(well, begun)


def usual_goodput(
    results: Results, before_s: float, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Mean goodput from the end of the warm-up to the first action of the timeline, or to
    `before_s` if that is earlier [1/s]: [replication]. NaN where there is no time."""
    first_s = min((action.at_s for action in results.timeline(point)), default=before_s)
    inside = within(results, results.warmup_at_s[point], min(first_s, before_s))
    return _mean_goodput(results, inside, group, point)


def goodput_kept(
    results: Results, begin_s: float, end_s: float, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Mean goodput within the whole intervals from `begin_s` to `end_s` over that before: from the
    end of the warm-up to the first action of the timeline, or to `begin_s` if that is earlier:
    [replication]. NaN where there was none before."""
    kept = _mean_goodput(results, within(results, begin_s, end_s), group, point)
    return quotient(kept, usual_goodput(results, begin_s, group=group, point=point))


def _mean_goodput(
    results: Results, inside: np.ndarray, group: str | None, point: int
) -> np.ndarray:
    type, prefix = caller(results, group)
    well = total(results, type, f"{prefix}successes", group=group, point=point)
    length_s = results.interval_s[inside].sum()
    return well[:, inside].sum(axis=1) / (length_s if length_s > 0 else np.nan)


def _calls(results: Results, name: str, group: str | None, point: int) -> np.ndarray:
    type, prefix = caller(results, group)
    return rate(results, type, prefix + name, group=group, point=point)


def _calls_level(results: Results, name: str, group: str | None, point: int) -> np.ndarray:
    type, prefix = caller(results, group)
    return total(results, type, prefix + name, group=group, point=point)


def intervals_in(results: Results, window_s: float | None) -> int:
    """How many intervals a window of time has, one by default; the last, shorter one may count."""
    if window_s is None:
        return 1
    n = int(round(window_s / results.interval_s[0]))
    if not 1 <= n <= len(results.interval_s):
        raise ResultsError(
            f"{results.path}: a window of {window_s:g} s is not one to {len(results.interval_s)} "
            f"intervals of {results.interval_s[0]:g} s"
        )
    return n
