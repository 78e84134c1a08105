# SPDX-License-Identifier: Apache-2.0
"""Storms that outlive what set them off.

A system is metastable where a trigger leaves it in a bad state that keeps itself up after the
trigger is gone, under a load that it can bear otherwise (Bronson, Aghayev, Charapko and Zhu,
Metastable Failures in Distributed Systems, HotOS 2021; Huang and others, Metastable Failures in the
Wild, OSDI 2022). So in a replication there are three things to see: the trigger is over, it is bad
all the same, and without the trigger it would be well. The last one is told by a twin: the same
study, of the same seed, without the trigger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from squall import intervals
from squall.file import Results, ResultsError
from squall.intervals import Interval
from squall.recovery import DEGRADED, degraded_within
from squall.series import Span, finished, within
from squall.trigger import trigger as trigger_of
from squall.trigger import trigger_end_s


def still_degraded(
    results: Results,
    window_s: float | None = None,
    *,
    hold_s: float | None = None,
    threshold: float = DEGRADED,
    trigger: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Replications that have not recovered from their trigger `hold_s` seconds after it ended, by
    default at the end of the run: bool [replication].

    What counts is the window of the last `window_s` seconds of that time, by default half of it:
    whether it is bad in the sense of `degraded_within`. Without a trigger the run itself is the
    time. That it is the trigger's doing is told by `metastable`.
    """
    window = _window(results, window_s, hold_s, trigger, point)
    return degraded_within(
        results,
        *window,
        threshold=threshold,
        usual_until_s=None if trigger is None else trigger[0],
        group=group,
        point=point,
    )


def _window(
    results: Results,
    window_s: float | None,
    hold_s: float | None,
    trigger: Span | None,
    point: int,
) -> Span:
    """The time at which the verdict is made [s, s]."""
    over = trigger_end_s(results, point=point) if trigger is None else trigger[1]
    left = results.duration_s - over
    hold = left if hold_s is None else hold_s
    window = hold / 2 if window_s is None else window_s
    if not 0 < window <= hold or hold > left:
        wanted = window if hold_s is None else max(hold, window)
        raise ResultsError(f"{results.path}: no {wanted:g} s are left after the trigger")
    end = over + hold
    if not within(results, end - window, end).any():
        raise ResultsError(f"{results.path}: no whole interval lies in the last {window:g} s")
    return end - window, end


def metastable(
    results: Results,
    window_s: float | None = None,
    *,
    hold_s: float | None = None,
    twin: Results | None = None,
    threshold: float = DEGRADED,
    trigger: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> np.ndarray:
    """Replications that are metastable: bool [replication].

    They are still degraded (`still_degraded`), and the same replication of the twin is well in the
    same window. Without a twin it must have been well before the trigger instead, from the end of
    the warm-up on, which does not tell a storm from one that would have come anyway.
    """
    window = _window(results, window_s, hold_s, trigger, point)
    options = {"threshold": threshold, "group": group}
    bad = still_degraded(
        results, window_s, hold_s=hold_s, trigger=trigger, point=point, **options
    )
    if twin is not None:
        other = point_of(results, twin, point)
        return bad & ~degraded_within(twin, *window, point=other, **options)
    begin = trigger_of(results, point=point)[0] if trigger is None else trigger[0]
    usual_s = results.warmup_at_s[point]
    if not within(results, usual_s, begin).any():
        raise ResultsError(
            f"{results.path}: nothing is known of the time before the trigger; name the results of "
            "a run without it (twin)"
        )
    return bad & ~degraded_within(results, usual_s, begin, point=point, **options)


def point_of(results: Results, twin: Results, point: int) -> int:
    """The point of a twin that stands for one of `results`: the same one, or its only one. The
    chance in its replications must be that of those of `results`."""
    other = 0 if len(twin.complete) == 1 else point
    if other >= len(twin.complete):
        raise ResultsError(f"{twin.path}: has no point {point}, as {results.path} has")
    files = (results.at(point)[0], twin.at(other)[0])
    if len({str(file.h5.attrs.get("seed")) for file in files}) > 1:
        raise ResultsError(f"{results.path} and {twin.path} have different seeds; run one anew")
    if other != point and results.config.tree.get("seeds") == "independent":
        raise ResultsError(
            f"{results.path}: each point has chance of its own; run {twin.path} at the same points"
        )
    mine, others = finished(results, point), finished(twin, other)
    if len(mine) != len(others) or (mine != others).any():
        raise ResultsError(
            f"not the same replications ran to their end in {results.path} and in {twin.path}; "
            "finish them (squall run again)"
        )
    return other


def metastable_probability(
    results: Results,
    window_s: float | None = None,
    *,
    confidence: float = 0.95,
    method: str = "wilson",
    **options: Any,
) -> Interval:
    """The probability that a replication is metastable, with its interval of confidence
    (`intervals.proportion`); options as of `metastable`. Antithetic replications make it wider than
    it need be."""
    verdicts = metastable(results, window_s, **options)
    return intervals.proportion(int(verdicts.sum()), len(verdicts), confidence, method=method)


# Over the points of a sweep.


@dataclass(frozen=True)
class Vulnerability:
    """The probability of a storm by the point of a sweep."""

    axes: dict[str, np.ndarray]  # values by path, numbers or texts: [point] each
    hits: np.ndarray  # metastable replications: [point]
    n: np.ndarray  # replications that ran to their end: [point]
    probability: Interval  # [point]

    def boundary(self, axis: str, level: float = 0.05) -> tuple[float, float]:
        """Where along an axis of numbers the probability passes `level`, as the two values between
        which it does: up to the first one it is below, whatever the other axes have; at the second
        one it is not. The first is NaN where it never is, the second where it always is.

        Along the load, in a sweep of triggers, it is the vulnerability boundary, the hidden
        capacity of Bronson and others (2021); in one without a trigger, the load up to which
        nothing collapses by itself. Along the size of the trigger, at a level of 0.5, it is the
        trigger that does it in half of the cases.
        """
        if axis not in self.axes or self.axes[axis].dtype.kind not in "fiu":
            known = ", ".join(name for name, it in self.axes.items() if it.dtype.kind in "fiu")
            raise ResultsError(f"no axis of numbers '{axis}' (there are: {known})")
        known = self.n > 0
        places, shares = self.axes[axis][known], self.probability.estimate[known]
        values = np.unique(places)
        worst = np.array([shares[places == value].max() for value in values])
        first = int(np.argmax(worst >= level)) if (worst >= level).any() else len(values)
        below = float(values[first - 1]) if first > 0 else np.nan
        return below, float(values[first]) if first < len(values) else np.nan


def vulnerability(
    results: Results,
    window_s: float | None = None,
    *,
    verdict: Callable[..., np.ndarray] = metastable,
    confidence: float = 0.95,
    method: str = "wilson",
    **options: Any,
) -> Vulnerability:
    """The probability of metastability at every point of a sweep; options as of `metastable`. A
    twin has the same points, or one. With `verdict=still_degraded` that of a bad end, whatever it
    comes from, for sweeps without a trigger."""
    n = results.complete.sum(axis=1)
    hits = np.zeros(len(n), int)
    for point in np.flatnonzero(n):
        hits[point] = verdict(results, window_s, point=int(point), **options).sum()
    axes = {path: np.asarray(axis.values) for path, axis in results.axes.items()}
    return Vulnerability(axes, hits, n, intervals.proportion(hits, n, confidence, method=method))
