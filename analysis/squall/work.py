# SPDX-License-Identifier: Apache-2.0
"""What requests cost and what becomes of them: amplification, wasted work, outcomes, fairness.

Figures are of one sweep point and of the replications that ran to their end, [replication] unless
they say otherwise: of the whole run after the warm-up or, with `span`, of the whole intervals
within a span of time [s, s], which needs time series. NaN over nothing. `group` picks the clients
of one group, or a server that makes calls; without it all clients are taken together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from squall import load
from squall.file import NS_PER_S, Results, ResultsError
from squall.series import Span, by_entity, caller, counted, finished, moving, quotient, total

ARRIVED = ("requests_received", "requests_missed")  # what reached somebody, up or down
ANSWERED_WELL = "answered_well"
# How else an attempt may end, by what counts it; those answered well are counted by none.
ENDS = (
    "errors",
    "timeouts",
    "refused",
    "cancelled",
    "rate_limited",
    "circuit_broken",
    "throttled",
    "low_timeouts",
    "dropped",
    "connection_wait_timeouts",
)


def amplification(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Attempts sent per request begun [1]: [replication]. 1 without retries and hedges; below it
    where attempts are held back."""
    sent = _calls(results, "requests_sent", span, group, point)
    return quotient(sent, _calls(results, "logical_requests", span, group, point))


def amplification_over_time(
    results: Results, window_s: float | None = None, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Likewise in the window of `window_s` seconds, by default one interval, that begins with each
    interval: [replication, window]."""
    n = load.intervals_in(results, window_s)
    type, prefix = caller(results, group)
    sent, begun = (
        moving(total(results, type, prefix + name, group=group, point=point), n)
        for name in ("requests_sent", "logical_requests")
    )
    return quotient(sent, begun)


def max_amplification(
    results: Results, window_s: float | None = None, *, group: str | None = None, point: int = 0
) -> np.ndarray:
    """The largest of these: [replication]. The shorter the window, the more it is a matter of
    chance."""
    values = amplification_over_time(results, window_s, group=group, point=point)
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(np.isinf(highest), np.nan, highest)


def tier_amplification(
    results: Results,
    tiers: Sequence[str],
    *,
    calls: Mapping[str, float] | None = None,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Attempts that arrive at each tier of a chain for each request of the clients, over those that
    would without any retries [1]: [replication, tier].

    `tiers` are groups that are called, from first to last, `calls` how often a request that needs
    no retries calls each of them, by default once. What one tier adds is its value over that of the
    tier before; the last value is the product of all of these, the end-to-end amplification. In
    `k` layers of `n` attempts each, something that is down gets `n^k` (Site Reliability
    Engineering, 2016, chapter 22).
    """
    requests = _calls(results, "logical_requests", span, group, point)
    factors = []
    for tier in tiers:
        type = _type_of(results, tier)
        arrived = sum(
            counted(results, type, name, group=tier, span=span, point=point)
            for name in ARRIVED
        )
        factors.append(quotient(arrived, requests * (calls or {}).get(tier, 1.0)))
    return np.stack(factors, axis=1)


def wasted_work(
    results: Results,
    *,
    server: str | None = None,
    calls: float = 1.0,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """The share of the work of a server that no user has anything of [1]: [replication].

    It is 1 - useful services / services, that is by service time where a useful one takes as long
    as another. Useful are `calls` services, what a request needs, of every request that ended well.
    So work for nobody (`zombie_share`), duplicates and all that a request was given that failed in
    the end are wasted. Services that were broken off do not count. In a short span what was served
    for requests that end later makes it higher, and may make it negative afterwards.
    """
    useful = calls * _calls(results, "successes", span, group, point)
    served = counted(results, "server", "requests_completed", group=server, span=span, point=point)
    return 1 - quotient(useful, served)


def zombie_share(
    results: Results,
    *,
    server: str | None = None,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Attempts whose answer came after their caller had given them up, over all that the server
    served [1]: [replication]. `group` is who calls the server. Late refusals, which took no
    service, count too; they come from slow networks only."""
    late = _calls(results, "late_responses", span, group, point)
    served = counted(results, "server", "requests_completed", group=server, span=span, point=point)
    return quotient(late, served)


def request_outcomes(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> dict[str, np.ndarray]:
    """How requests ended, as shares of those that ended [1]: [replication] by

        success        well, by an answer in time
        late_success   well, by an answer to an attempt that had been given up
        failure        given up
        abandoned      forgotten, as the caller crashed or had no use for them

    They sum to 1. Why they were given up is in `outcomes_by_status`.
    """
    well, late, failed, forgotten = (
        _calls(results, name, span, group, point)
        for name in ("successes", "late_successes", "failures", "abandoned")
    )
    ends = {
        "success": well - late,
        "late_success": late,
        "failure": failed,
        "abandoned": forgotten,
    }
    return _shares(ends)


def attempt_outcomes(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> dict[str, np.ndarray]:
    """How attempts ended, as shares of those that ended, whether they were sent or held back [1]:
    [replication] each, by the names of `attempt_ends`. They sum to 1."""
    return _shares(attempt_ends(lambda name: _calls(results, name, span, group, point)))


def attempt_ends(count: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
    """How attempts ended, by `answered_well` and the counters in `ENDS`, where `count` gives what a
    counter of the caller says."""
    ends = {name: count(name) for name in ENDS}
    return {ANSWERED_WELL: count("responses_received") - ends["errors"], **ends}


def outcomes_by_status(
    results: Results, *, group: str | None = None, point: int = 0
) -> dict[str, np.ndarray]:
    """How requests ended after the warm-up by the status, or the error, of their last attempt, as
    shares of those that ended [1]: [replication] each. They sum to 1. For groups in
    `output.breakdowns`."""
    type, prefix = caller(results, group)
    lines = results.breakdown(type, f"{prefix}outcome_latency")
    mine = lines["point"] == point
    if group is not None:
        mine &= lines["group"] == group
    complete = finished(results, point)
    ends: dict[str, np.ndarray] = {}
    for status in np.unique(lines["status"][mine]):
        some = np.flatnonzero(mine & (lines["status"] == status))
        name = lines["word"][some[0]] or str(status)
        ends.setdefault(name, np.zeros(len(complete), np.uint64))
        np.add.at(ends[name], lines["replication"][some], lines["total"][some])
    if not ends:
        raise ResultsError(
            f"{results.path}: no breakdown of {group or type}; run it with its name in "
            "output.breakdowns"
        )
    return _shares({name: values[complete] for name, values in ends.items()})


def attempts_per_success(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> np.ndarray:
    """The cost of a request that ended well, in attempts sent [1]: [replication]. Infinite where
    none did."""
    sent = _calls(results, "requests_sent", span, group, point)
    return _per_success(results, sent, span, group, point)


def service_per_success(
    results: Results,
    *,
    server: str | None = None,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Likewise in service of a server [s]: [replication]."""
    given = counted(results, "server", "total_service_time", group=server, span=span, point=point)
    return _per_success(results, given / NS_PER_S, span, group, point)


def client_ratios(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Goodput ratio of each client: requests that ended well over those begun [1]: [replication,
    client]. NaN for one that began none."""
    type, prefix = caller(results, group)
    well, begun = (
        by_entity(results, type, prefix + name, group=group, span=span, point=point)
        for name in ("successes", "logical_requests")
    )
    return quotient(well, begun)


def fairness(
    results: Results, *, span: Span | None = None, group: str | None = None, point: int = 0
) -> np.ndarray:
    """Jain's index of the goodput ratios of clients [1]: [replication]; 1 where all fare alike, 1/n
    where one of n has all (Jain, Chiu and Hawe 1984, DEC-TR-301). NaN where nothing goes well."""
    return jain(client_ratios(results, span=span, group=group, point=point))


def jain(values: np.ndarray) -> np.ndarray:
    """(sum x)^2 / (n sum x^2) along the last axis, of the values that are not NaN.

    >>> float(jain(np.array([1.0, 1.0, 0.0, 0.0])))
    0.5
    """
    n = (~np.isnan(values)).sum(axis=-1)
    return quotient(np.nansum(values, axis=-1) ** 2, n * np.nansum(values**2, axis=-1))


def worst_clients(
    results: Results,
    p: float = 0.05,
    *,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """The goodput ratio that a share `p` of the clients does not surpass [1]: [replication]."""
    ratios = client_ratios(results, span=span, group=group, point=point)
    ordered = [np.sort(one[~np.isnan(one)]) for one in ratios]
    worst = [one[max(int(np.ceil(p * len(one))), 1) - 1] if len(one) else np.nan for one in ordered]
    return np.array(worst)


def _calls(
    results: Results, name: str, span: Span | None, group: str | None, point: int
) -> np.ndarray:
    type, prefix = caller(results, group)
    values = counted(results, type, prefix + name, group=group, span=span, point=point)
    return values.astype(float)


def _shares(ends: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    whole = sum(ends.values())
    return {name: quotient(values, whole) for name, values in ends.items()}


def _per_success(
    results: Results, spent: np.ndarray, span: Span | None, group: str | None, point: int
) -> np.ndarray:
    well = _calls(results, "successes", span, group, point)
    return np.where(well > 0, quotient(spent, well), np.where(spent > 0, np.inf, np.nan))


def _type_of(results: Results, group: str) -> str:
    for type in results.types:
        if group in results.groups(type) and f"stats/{type}/{ARRIVED[0]}" in results.h5:
            return type
    raise ResultsError(f"{results.path}: nobody called '{group}' receives requests")
