# SPDX-License-Identifier: Apache-2.0
"""Times that are known only to be longer than something: how long until a storm is over, in runs
of which some end before it does. Their mean is not the mean of what was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Times:
    """How long something took, by replication."""

    s: np.ndarray  # [s]; where it is censored, it took longer than this: [replication]
    censored: np.ndarray  # bool [replication]

    @property
    def share_censored(self) -> float:
        """Share of the replications in which it did not come to pass."""
        return float(self.censored.mean())

    def survival(self, confidence: float = 0.95) -> Survival:
        return kaplan_meier(self.s, self.censored, confidence)

    def restricted(self, horizon_s: float) -> np.ndarray:
        """The shorter of each and of a common horizon [s]: [replication]. The mean of these can be
        known where that of the times cannot (the restricted mean survival time: Royston and Parmar
        2013)."""
        if (self.censored & (self.s < horizon_s)).any():
            raise ValueError(f"some are not known up to {horizon_s:g} s")
        return np.minimum(self.s, horizon_s)


@dataclass(frozen=True)
class Survival:
    """The share for which it has not come to pass, right after each of the times at which it did
    for some: [time]."""

    s: np.ndarray  # [s], rising
    at_risk: np.ndarray  # how many were looked at up to then and had it before them
    events: np.ndarray  # for how many of them it came to pass
    share: np.ndarray
    low: np.ndarray  # its interval of confidence, at each time by itself
    high: np.ndarray
    confidence: float

    def quantile(self, p: float) -> float:
        """The time within which it comes to pass with probability p; infinite where so many were
        never seen."""
        reached = np.flatnonzero(self.share <= 1 - p + 1e-12)
        return float(self.s[reached[0]]) if reached.size else np.inf


def kaplan_meier(time: np.ndarray, censored: np.ndarray, confidence: float = 0.95) -> Survival:
    """The product-limit estimate of the distribution of times of which some are right-censored.

    `time` and `censored` are [observation]. S is the product of 1 - events / at_risk over the times
    up to t (Kaplan and Meier 1958); one censored at t was at risk there. The interval is symmetric
    in log(-log S), with Greenwood's sum (Kalbfleisch and Prentice 1980), so that it stays within 0
    and 1; where S is 0 it is 0 to 0.

    >>> found = kaplan_meier(np.array([1, 2, 2, 3]), np.array([False, False, True, True]))
    >>> found.s, found.share
    (array([1, 2]), array([0.75, 0.5 ]))
    """
    time, censored = np.asarray(time), np.asarray(censored, bool)
    if time.shape != censored.shape or time.ndim != 1:
        raise ValueError("time and censored have one value for each observation")
    moments, events = np.unique(time[~censored], return_counts=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), moments)
    share = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        spread = special.ndtri((1 + confidence) / 2) * np.sqrt(greenwood) / np.log(share)
        low, high = share ** np.exp(-spread), share ** np.exp(spread)
    nothing = share <= 0
    low, high = (np.where(nothing, 0.0, bound) for bound in (low, high))
    return Survival(moments, at_risk, events, share, low, high, confidence)
