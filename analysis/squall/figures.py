# SPDX-License-Identifier: Apache-2.0
"""Figures written as sums and quotients of statistics, by the names of groups:

    orders.sagas_completed
    d.requests_received + d.requests_missed / users.logical_requests

A statistic of a group is the sum over its instances. A counter is what it counted, a gauge its mean
level. All are of one sweep point and of the replications that ran to their end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from squall.file import NS_PER_S, Results, ResultsError
from squall.measures import quotient, total, within


@dataclass(frozen=True)
class Statistic:
    """What a name stands for in a file."""

    type: str
    group: str
    name: str
    level: bool  # a gauge; else a counter
    unit: str  # as in the file; "1" for pure numbers


@dataclass(frozen=True)
class Figure:
    """A sum of statistics, over another one if there is one."""

    above: tuple[Statistic, ...]
    below: tuple[Statistic, ...]

    @property
    def level(self) -> bool:
        return self.above[0].level and not self.below


def statistic(results: Results, text: str) -> Statistic:
    """Finds `group.name`."""
    group, _, name = text.strip().partition(".")
    type = type_of(results, group)
    for section, level in (("stats", False), ("gauges", True)):
        found = results.h5.get(f"{section}/{type}/{name}")
        if name and found is not None:
            leaf = found["time_integral"] if level else found
            unit = str(leaf.attrs["units"])
            if level:
                unit = unit.removesuffix("ns").strip() or "1"
            return Statistic(type, group, name, level, unit)
    raise ResultsError(f"{results.path}: {type} '{group}' has no counter or gauge '{name}'")


def type_of(results: Results, group: str) -> str:
    """The type of a group."""
    for type in results.types:
        if group in results.groups(type):
            return type
    there = dict.fromkeys(name for type in results.types for name in results.groups(type))
    known = ", ".join(there)
    raise ResultsError(f"{results.path}: there is no group '{group}' (there are: {known})")


def parse(results: Results, text: str) -> Figure:
    """Reads a sum, or a quotient of two; all terms are of one kind and unit."""
    above, slash, below = text.partition("/")
    sums = []
    for side in (above, below) if slash else (above,):
        terms = tuple(statistic(results, term) for term in side.split("+"))
        if len({(term.level, term.unit) for term in terms}) > 1:
            raise ResultsError(f"'{side.strip()}' adds what cannot be added")
        sums.append(terms)
    return Figure(sums[0], sums[1] if slash else ())


def unit(figure: Figure) -> str:
    """What stands on its axis: `[1/s]`, with the name of a level before it."""
    if figure.below:
        same = figure.above[0].unit == figure.below[0].unit
        return "ratio [1]" if same else "ratio [s]"
    one = "s" if figure.above[0].unit == "ns" else figure.above[0].unit
    if figure.level:
        return f"level [{one}]"
    return "rate [1/s]" if one == "1" else f"rate [{one}/s]"


def value(
    results: Results, figure: Figure, *, span: tuple[float, float] | None = None, point: int = 0
) -> np.ndarray:
    """A figure of the whole run after the warm-up, or of a span of time [s, s], from time series:
    [replication]. Counters without a quotient are per second [1/s]. NaN over nothing."""
    above = _sum(results, figure.above, span, point)
    if figure.below:
        return quotient(above, _sum(results, figure.below, span, point))
    if figure.level:
        return above
    return above / _length_s(results, span, point)


def series(results: Results, figure: Figure, *, point: int = 0) -> np.ndarray:
    """A figure in each interval of the time series: [replication, interval]."""
    above = _sum_by_interval(results, figure.above, point)
    if figure.below:
        return quotient(above, _sum_by_interval(results, figure.below, point))
    return above if figure.level else above / results.interval_s


def _length_s(
    results: Results, span: tuple[float, float] | None, point: int
) -> np.ndarray | float:
    if span is None:
        return results.observed_s[point][results.complete[point]]
    return float(results.interval_s[within(results, *span)].sum())


def _sum(
    results: Results, terms: tuple[Statistic, ...], span: tuple[float, float] | None, point: int
) -> np.ndarray:
    if span is not None:
        chosen = within(results, *span)
        if not chosen.any():
            of = f"{span[0]:g} s to {span[1]:g} s"
            raise ResultsError(f"{results.path}: no interval lies within {of}")
        values = _sum_by_interval(results, terms, point)[:, chosen]
        if not terms[0].level:
            return values.sum(axis=1)
        return (values * results.interval_s[chosen]).sum(axis=1) / _length_s(
            results, span, point
        )
    parts = []
    for term in terms:
        read = results.gauge_mean if term.level else results.counter
        chosen = results.groups(term.type) == term.group
        parts.append(read(term.type, term.name).values[point][_complete(results, point)][:, chosen])
    return _scaled(sum(part.sum(axis=1) for part in parts), terms)


def _sum_by_interval(results: Results, terms: tuple[Statistic, ...], point: int) -> np.ndarray:
    parts = [total(results, one.type, one.name, group=one.group, point=point) for one in terms]
    return _scaled(sum(parts), terms)


def _scaled(values: np.ndarray, terms: tuple[Statistic, ...]) -> np.ndarray:
    """Times are read in seconds."""
    return values / NS_PER_S if terms[0].unit == "ns" else values


def _complete(results: Results, point: int) -> np.ndarray:
    complete = results.complete[point]
    if not complete.any():
        raise ResultsError(f"{results.path}: no replication ran to its end")
    return complete
