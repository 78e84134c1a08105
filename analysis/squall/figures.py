# SPDX-License-Identifier: Apache-2.0
"""Figures written as sums and quotients of statistics, by the names of groups or instances:

    orders.sagas_completed                                   a counter, per second
    d.requests_received + d.requests_missed / users.logical_requests
    users.request_latency.p99                                of a histogram
    web[2].queue_depth.max                                   of a gauge

What can be asked for is what a stopping rule of a study asks for, and is written alike:

    counter     rate (per second; when nothing is written), total
    gauge       mean (over time; when nothing is written), max
    histogram   mean (when nothing is written), min, max, count, percentiles (p50, p99.9)

A statistic of a group is that of its instances together: counters and mean levels are added, `max`
is the largest, and a histogram has the values of all. Of a quotient, counters are totals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from squall.fields import Field
from squall.file import NS_PER_S, Results, ResultsError
from squall.series import finished, no_series, quotient, some_within
from squall.store import did_you_mean

MEASURES = {  # of each kind of statistic; the first is meant when nothing is written
    "counter": ("rate", "total"),
    "gauge": ("mean", "max"),
    "histogram": ("mean", "min", "max", "count", "p50"),
}
PERCENTILE = re.compile(r"p([0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Statistic:
    """What a name stands for in a file."""

    type: str
    who: str  # a group, or an instance
    name: str
    kind: str  # one of MEASURES
    what: str  # one of its measures, or a percentile
    unit: str  # as in the file; "1" for pure numbers

    @property
    def counted(self) -> bool:
        """It grows with time: a counter, or the number of values of a histogram."""
        return self.kind == "counter" or self.what == "count"

    @property
    def p(self) -> float | None:
        """The probability of a percentile."""
        found = PERCENTILE.fullmatch(self.what)
        return float(found[1]) / 100 if found else None


@dataclass(frozen=True)
class Figure:
    """A sum of statistics, over another one if there is one."""

    above: tuple[Statistic, ...]
    below: tuple[Statistic, ...]

    @property
    def level(self) -> bool:
        """It says how much there is, not how much is done by second."""
        return not self.above[0].counted and not self.below

    @property
    def per_second(self) -> bool:
        return self.above[0].what == "rate" and not self.below


def statistic(results: Results, text: str) -> Statistic:
    """Finds `group.name` or `group.name.what`."""
    who, _, rest = text.strip().partition(".")
    name, _, what = rest.partition(".")
    type = type_of(results, who)
    kind = results.statistics(type).get(name)
    if kind not in MEASURES:
        there = [it for it, one in results.statistics(type).items() if one in MEASURES]
        raise ResultsError(
            f"{results.path}: {type} '{who}' has no counter, gauge or histogram '{name}'"
            f"{did_you_mean(name, there)}"
        )
    known = MEASURES[kind]
    what = what or known[0]
    percentile = PERCENTILE.fullmatch(what) and "p50" in known
    if not percentile and what not in known or percentile and float(what[1:]) > 100:
        ways = ", ".join(known)
        raise ResultsError(
            f"{results.path}: of the {kind} {who}.{name} there is no '{what}' ({ways})"
        )
    return Statistic(type, who, name, kind, what, _unit(results, type, name, kind))


def _unit(results: Results, type: str, name: str, kind: str) -> str:
    path = {
        "counter": f"stats/{type}/{name}",
        "gauge": f"gauges/{type}/{name}/max",
        "histogram": f"histograms/{type}/{name}/sum",
    }[kind]
    return str(results.h5[path].attrs["units"])


def type_of(results: Results, who: str) -> str:
    """The type of a group, or of an instance."""
    for type in results.types:
        if who in results.groups(type) or who in results.entities(type):
            return type
    there = dict.fromkeys(name for type in results.types for name in results.groups(type))
    known = ", ".join(there)
    raise ResultsError(
        f"{results.path}: there is no group '{who}' (there are: {known}){did_you_mean(who, there)}"
    )


def parse(results: Results, text: str) -> Figure:
    """Reads a sum, or a quotient of two; all terms of a sum are of one measure and unit."""
    above, slash, below = text.partition("/")
    sums = []
    for side in (above, below) if slash else (above,):
        terms = tuple(statistic(results, term) for term in side.split("+"))
        alike = len({(term.kind, term.what, term.unit) for term in terms}) == 1
        summed = terms[0].what in ("rate", "total", "mean", "count")
        if not alike or (len(terms) > 1 and not summed):
            raise ResultsError(f"'{side.strip()}' adds what cannot be added")
        sums.append(terms)
    return Figure(sums[0], sums[1] if slash else ())


def unit(figure: Figure) -> str:
    """What stands on its axis: `[1/s]`, with the name of a level before it."""
    first = figure.above[0]
    if figure.below:
        return f"ratio [{_quotient_unit(_unit_of(first), _unit_of(figure.below[0]))}]"
    one = _unit_of(first)
    if first.kind == "histogram" and first.what != "count":
        return f"{_words(first)} [{one}]"
    if figure.level:
        return f"level [{one}]"
    if not figure.per_second:
        return f"number [{one}]"
    return "rate [1/s]" if one == "1" else f"rate [{one}/s]"


def _quotient_unit(above: str, below: str) -> str:
    if above == below:
        return "1"
    return above if below == "1" else f"{above}/{below}"


def _words(one: Statistic) -> str:
    return f"{one.what} of {one.name.replace('_', ' ')}"


def _unit_of(one: Statistic) -> str:
    """In which it is told: times in seconds."""
    unit = "1" if one.what == "count" else one.unit
    return "s" if unit == "ns" else unit


def table(
    results: Results, figure: Figure, *, span: tuple[float, float] | None = None
) -> np.ndarray:
    """A figure of the whole run after the warm-up, or of a span of time [s, s], from time series:
    [point, replication]. NaN over nothing, and where a replication did not run to its end."""
    above = _sum(results, figure.above, span)
    if figure.below:
        above = quotient(above, _sum(results, figure.below, span))
    elif figure.per_second:
        above = above / _length_s(results, span)
    return np.where(results.complete, above, np.nan)


def value(
    results: Results, figure: Figure, *, span: tuple[float, float] | None = None, point: int = 0
) -> np.ndarray:
    """The same of the replications of one point that ran to their end: [replication]."""
    return table(results, figure, span=span)[point][finished(results, point)]


def series(results: Results, figure: Figure, *, point: int = 0) -> np.ndarray:
    """A figure in each interval of the time series: [replication, interval]; of what a histogram
    says, all replications are taken together, as one, so it has no quotient with what counters or
    gauges say of each."""
    of_all = {term.kind == "histogram" for term in (*figure.above, *figure.below)}
    if len(of_all) > 1:
        raise ResultsError(
            f"{results.path}: time series do not tell histograms by replication; a quotient has "
            "them on both sides or on none"
        )
    above = _sum_by_interval(results, figure.above)
    if figure.below:
        found = quotient(above, _sum_by_interval(results, figure.below))
    else:
        found = above / results.interval_s if figure.per_second else above
    if figure.above[0].kind == "histogram":
        return found[point]
    return found[point][finished(results, point)]


def _length_s(results: Results, span: tuple[float, float] | None) -> np.ndarray | float:
    if span is None:
        return results.observed_s
    return float(results.interval_s[some_within(results, *span)].sum())


def _sum(
    results: Results, terms: tuple[Statistic, ...], span: tuple[float, float] | None
) -> np.ndarray:
    """[point, replication]"""
    if span is None:
        return _scaled(sum(_whole(results, term) for term in terms), terms)
    chosen = some_within(results, *span)
    if terms[0].kind == "histogram":
        raise ResultsError(
            f"{results.path}: time series do not tell {terms[0].name} by replication; ask for a "
            "figure of the whole run"
        )
    values = _sum_by_interval(results, terms)[..., chosen]
    if terms[0].counted:
        return values.sum(axis=-1)
    if terms[0].what == "max":
        raise ResultsError(f"{results.path}: time series have no maximum of {terms[0].name}")
    return (values * results.interval_s[chosen]).sum(axis=-1) / _length_s(results, span)


def _whole(results: Results, term: Statistic) -> np.ndarray:
    """A statistic of whole replications: [point, replication]."""
    by = _by(results, term)
    if term.kind == "counter":
        field = results.counter(term.type, term.name, by=by)
    elif term.kind == "gauge":
        read = results.gauge_max if term.what == "max" else results.gauge_mean
        field = read(term.type, term.name, by=by)
    elif term.p is None:
        field = results.moments(term.type, term.name, by=by)[term.what]
    else:
        field, _ = results.quantiles(term.type, term.name, [term.p], by=by)
        return _of(field, by, term)[..., 0]
    return _of(field, by, term).astype(float)


def _sum_by_interval(results: Results, terms: tuple[Statistic, ...]) -> np.ndarray:
    """[point, replication, interval]; of histograms the replications are one."""
    return _scaled(sum(_by_interval(results, term) for term in terms), terms)


def _by_interval(results: Results, term: Statistic) -> np.ndarray:
    by = _by(results, term)
    try:
        if term.kind != "histogram":
            return _of(results.series(term.type, term.name, by=by), by, term)
        if term.p is None:
            raise ResultsError(
                f"{results.path}: time series tell percentiles of {term.name} only (p50, p99)"
            )
        field, _ = results.series_quantiles(term.type, term.name, [term.p], by=by)
        return _of(field, by, term)[:, None, :, 0]
    except KeyError:
        raise no_series(results, term.type, _group(results, term)) from None


def _by(results: Results, term: Statistic) -> str:
    return "group" if term.who in results.groups(term.type) else "entity"


def _group(results: Results, term: Statistic) -> str:
    """The group, also of an instance."""
    if term.who in results.groups(term.type):
        return term.who
    return str(results.groups(term.type)[results.entities(term.type).index(term.who)])


def _of(field: Field, by: str, term: Statistic) -> np.ndarray:
    """The numbers of one group or instance; KeyError where it is not in the field."""
    names = field.coords[by].values
    if term.who not in names:
        raise KeyError(term.who)
    return field.values.take(list(names).index(term.who), axis=field.dims.index(by))


def _scaled(values: np.ndarray, terms: tuple[Statistic, ...]) -> np.ndarray:
    """Times are read in seconds."""
    return values / NS_PER_S if terms[0].unit == "ns" and terms[0].what != "count" else values


def usual_figures(results: Results, most: int = 6) -> list[str]:
    """Counters to draw where nobody says which: those of any group that ever count, the first."""
    found = []
    for type in results.types:
        series = results.has_series and type in results.h5["series"]
        for name in results.statistics(type) if series or not results.has_series else ():
            if results.statistics(type)[name] != "counter":
                continue
            field = results.counter(type, name, by="group")
            for place, group in enumerate(field.coords["group"].values):
                if np.any(field.values[:, :, place]):
                    found.append(f"{group}.{name}")
    if not found:
        raise ResultsError(f"{results.path}: nothing was counted in it")
    return found[:most]


def which(results: Results) -> str:
    """What to say to somebody who does not say which."""
    some = usual_figures(results, 1)[0]
    return f"which figures? name each by --figure GROUP.STATISTIC, such as --figure {some}"
