# SPDX-License-Identifier: Apache-2.0
"""Hysteresis: how well a system is at a load depends on whether it comes from below or from above.

It is what metastability looks like from outside, without any trigger but the load itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import integrate

from squall import load
from squall.file import Results, ResultsError
from squall.metastability import point_of
from squall.series import Span, caller, quotient, total, within


@dataclass(frozen=True)
class Loop:
    """The goodput ratio against the load, on the way up and on the way down."""

    load: np.ndarray  # [1/s], rising: [step]
    up: np.ndarray  # ratio while the load rises, or from an empty start: [replication, step]
    down: np.ndarray  # while it falls, or from a full start: [replication, step]

    @property
    def area(self) -> np.ndarray:
        """The integral of `up` - `down` over the load, by trapezoids [1/s]: [replication]. The load
        at which one and the same system is well or not, depending on its past; 0 for one without
        memory. Steps at which either is not known are left out."""
        gap = self.up - self.down
        areas = [
            integrate.trapezoid(one[known], self.load[known])
            for one, known in zip(gap, ~np.isnan(gap))
        ]
        return np.array(areas)


def hysteresis_of_ramp(
    results: Results,
    steps: int = 20,
    *,
    span: Span | None = None,
    group: str | None = None,
    point: int = 0,
) -> Loop:
    """From one run in which the load rises slowly and falls again.

    The load of an interval is the mean offered load of all replications; it turns where that is
    highest. Intervals of both ways are sorted into `steps` steps of the load, as far as both ways
    reach. `span` is the span of time of both ways, by default the run after its warm-up. A system
    that is slower than the ramp shows an area, too: make it so slow that it does not depend on
    that.
    """
    type, prefix = caller(results, group)
    begun, well = (
        total(results, type, prefix + name, group=group, point=point)
        for name in ("logical_requests", "successes")
    )
    offered = load.offered_load(results, group=group, point=point).mean(axis=0)
    inside = within(results, *(span or (results.warmup_at_s[point], results.duration_s)))
    turn = int(np.argmax(np.where(inside, offered, -1)))
    number = np.arange(len(offered))
    ways = [inside & (number <= turn), inside & (number > turn)]
    if min(int(way.sum()) for way in ways) < 2:
        raise ResultsError(f"{results.path}: its load does not rise and fall again")
    low = max(offered[way].min() for way in ways)
    edges = np.linspace(low, min(offered[way].max() for way in ways), steps + 1)
    step = np.clip(np.searchsorted(edges, offered, side="right") - 1, -1, steps - 1)
    step[(offered < edges[0]) | (offered > edges[-1])] = -1
    legs = []
    for way in ways:
        mine = [way & (step == k) for k in range(steps)]
        sums = [np.stack([one[:, k].sum(axis=1) for k in mine], axis=1) for one in (well, begun)]
        legs.append(quotient(*(one.astype(float) for one in sums)))
    return Loop((edges[:-1] + edges[1:]) / 2, *legs)


def hysteresis_of_sweeps(
    empty: Results,
    full: Results,
    axis: str,
    span: Span,
    *,
    group: str | None = None,
) -> Loop:
    """From two sweeps along `axis`, the load, of which one starts empty and the other one full (by
    a trigger at its beginning): their goodput ratios within one span of time [s, s]. Both have the
    same values on the axis, no other axis, and the same replications."""
    axes = [results.axes for results in (empty, full)]
    for results, there in zip((empty, full), axes):
        if list(there) != [axis]:
            names = ", ".join(there) or "none"
            raise ResultsError(f"{results.path}: its axes are {names}, and not {axis} alone")
    values = np.asarray(axes[0][axis].values, float)
    if not np.array_equal(values, np.asarray(axes[1][axis].values, float)):
        raise ResultsError(f"{empty.path} and {full.path} have different values of {axis}")
    order = np.argsort(values)
    legs: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for point in order:
        others = (int(point), point_of(empty, full, int(point)))
        for leg, results, one in zip(legs, (empty, full), others):
            leg.append(load.goodput_ratio(results, *span, group=group, point=one))
    return Loop(values[order], *(np.stack(leg, axis=1) for leg in legs))
