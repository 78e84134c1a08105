# SPDX-License-Identifier: Apache-2.0
"""What a remedy is worth: two studies that differ by it, replication by replication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from squall import intervals
from squall.file import Results
from squall.intervals import Interval
from squall.metastability import metastable, point_of
from squall.recovery import DEGRADED, time_to_recover
from squall.series import Span, finished
from squall.survival import Times


@dataclass(frozen=True)
class Remedy:
    """What a policy changes, replication by replication under the same chance."""

    probability: Interval  # of metastability, with the remedy minus without it [1]
    prevented: int  # replications that are metastable only without it
    caused: int  # those that are only with it
    recovery_s: Interval  # time to recover, likewise, of each at most the horizon [s]
    horizon_s: float  # up to which it is known in all of them


def remedy_value(
    without: Results,
    remedied: Results,
    window_s: float | None = None,
    *,
    hold_s: float | None = None,
    recovery_hold_s: float = 10.0,
    twin: Results | None = None,
    confidence: float = 0.95,
    threshold: float = DEGRADED,
    trigger: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> Remedy:
    """How much less likely a storm is with a remedy and how much sooner it is over, from two files
    of the same seed that differ by it: paired differences under common random numbers (Law and
    Kelton, Simulation Modeling and Analysis, section 10.2.1), below 0 where it helps. A twin is
    that of both."""
    other = point_of(without, remedied, point)
    verdicts, times = [], []
    for results, one in ((without, point), (remedied, other)):
        options = {"trigger": trigger, "group": group, "point": one}
        verdicts.append(
            metastable(
                results, window_s, hold_s=hold_s, twin=twin, threshold=threshold, **options
            )
        )
        times.append(time_to_recover(results, recovery_hold_s, **options))
    before, after = verdicts
    horizon = _horizon_s(times)
    probability, recovery = (
        intervals.paired(
            *(_observations(without, values, point) for values in (new, old)), confidence
        )
        for old, new in (verdicts, [one.restricted(horizon) for one in times])
    )
    prevented, caused = int((before & ~after).sum()), int((after & ~before).sum())
    return Remedy(probability, prevented, caused, recovery, horizon)


def _horizon_s(times: Sequence[Times]) -> float:
    """Up to which all are known: to the first that is censored, or else to the last of all."""
    censored = np.concatenate([one.s[one.censored] for one in times])
    return float(censored.min() if censored.size else max(one.s.max() for one in times))


def _observations(results: Results, values: np.ndarray, point: int) -> np.ndarray:
    """What is independent: replications, or whole pairs of antithetic ones. `values` are those of
    the replications that ran to their end."""
    every = np.full(results.n_replications, np.nan)
    every[finished(results, point)] = values
    return intervals.antithetic(every) if results.antithetic else every
