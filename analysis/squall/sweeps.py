# SPDX-License-Identifier: Apache-2.0
"""The points of a sweep, as pictures need them: which there are along each axis, which are meant,
what a figure is at each, and what a search has found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.transforms import Transform

from squall import figures, intervals, measures
from squall.config import numbers
from squall.fields import Labels
from squall.file import NS_PER_S, Results, ResultsError
from squall.store import did_you_mean
from squall.style import spacing, split_label, unit_text, value_text

DEGRADED = "degraded"  # the figure that is no statistic: the share of replications not recovered
CONFIDENCE = 0.95
FILE = "file"  # the axis of several files as one that has their names
EXTREMES = {  # measures that are one value of all replications, and what they are then
    "min": (np.fmin.reduce, "the least of all replications"),
    "max": (np.fmax.reduce, "the largest of all replications"),
}


@dataclass(frozen=True)
class Axis:
    """The values that some points have on an axis of the sweep, each once."""

    path: str
    values: np.ndarray  # numbers, rising; or texts, as they come first: [value]
    unit: str  # "" of texts
    place: np.ndarray  # of each point's value among them; -1 of points that are not meant: [point]

    @property
    def texts(self) -> bool:
        return self.values.dtype.kind == "U"

    @property
    def positions(self) -> np.ndarray:
        """Where the values lie: numbers where they are, texts one after another."""
        return np.arange(len(self.values), dtype=float) if self.texts else self.values.astype(float)

    @property
    def geometric(self) -> bool:
        """Whether the quotients of neighbours differ less than their differences; a zero before
        the others has none."""
        if self.texts:
            return False
        values = self.positions[1:] if self.positions[0] == 0 else self.positions
        if len(values) < 3 or values[0] <= 0:
            return False
        steps, ratios = np.diff(values), np.diff(np.log(values))
        return bool(ratios.std() / ratios.mean() < steps.std() / steps.mean())

    @property
    def spacing(self) -> Transform:
        """From values to where they lie on an axis as it is drawn."""
        return spacing(self.positions, self.geometric)

    @property
    def label(self) -> str:
        return self.path if self.texts else f"{self.path} [{self.unit}]"

    def having(self, value: int) -> tuple[str, Labels]:
        """The path, and one of the values, as `Thresholds.of` takes them."""
        return self.path, Labels(self.values[value : value + 1], ("point",), self.unit)

    def text(self, value: int) -> str:
        """The name of one of its values: `path = 0.1 s`."""
        return f"{self.path} = {value_text(Labels(self.values, (), self.unit), value)}"


def axis_of(results: Results, path: str, meant: np.ndarray) -> Axis:
    """`meant`: bool [point]."""
    labels = results.axes.get(path)
    if labels is None:
        axis_path(results, path)  # says which there are
    values, first, place = np.unique(labels.values[meant], return_index=True, return_inverse=True)
    if labels.values.dtype.kind == "U":
        order = np.argsort(first)
        values, place = values[order], np.argsort(order)[place]
    everywhere = np.full(results.n_points, -1)
    everywhere[meant] = place
    return Axis(path, values, labels.unit, everywhere)


def shared(axes: Sequence[Axis]) -> list[Axis]:
    """The same axis in several files, each with the values of all of them: equal values have equal
    places then. ResultsError where they are not of one kind."""
    if len({(axis.texts, axis.unit) for axis in axes}) > 1:
        kinds = ", ".join("texts" if axis.texts else f"[{axis.unit}]" for axis in axes)
        raise ResultsError(f"'{axes[0].path}' is no common axis: its values are {kinds}")
    together = np.concatenate([axis.values for axis in axes])
    values, first = np.unique(together, return_index=True)
    if axes[0].texts:
        values = together[np.sort(first)]
    places = {value: place for place, value in enumerate(values.tolist())}
    there = [np.array([places[value] for value in axis.values.tolist()]) for axis in axes]
    return [
        replace(axis, values=values, place=np.where(axis.place < 0, -1, into[axis.place]))
        for axis, into in zip(axes, there)
    ]


def varied(results: Results, meant: np.ndarray) -> list[Axis]:
    """The axes along which the points that are meant differ, in the order written; of several files
    as one, without their names where other axes tell them apart."""
    axes = [axis_of(results, path, meant) for path in results.axes]
    axes = [axis for axis in axes if len(axis.values) > 1]
    others = [axis for axis in axes if axis.path != FILE]
    if others and len(others) < len(axes):
        both, without = (
            np.unique([it.place[meant] for it in some], axis=1).shape[1] for some in (axes, others)
        )
        axes = others if both == without else axes
    return axes


def is_grid(axes: Sequence[Axis], searched: str | None = None) -> bool:
    """Whether values come in combinations, as in a sweep of axes, and not each in one point, as in
    a design that fills a space. A search visits some points of a grid."""
    if searched is not None or len(axes) < 2:
        return True
    points = np.count_nonzero(axes[0].place >= 0)
    return math.prod(len(axis.values) for axis in axes) <= 2 * points


# Which points are meant.


def chosen(results: Results, where: Sequence[str]) -> np.ndarray:
    """The points that have these values, `PATH=VALUE` each, as `--set` writes them; several of one
    path are alternatives. Of a path the end is enough where no other axis has it: bool [point]."""
    by_path: dict[str, np.ndarray] = {}
    for text in where:
        written, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ResultsError(f"--where {text}: what value? (PATH=VALUE)")
        path = axis_path(results, written)
        labels = results.axes[path]
        has = _having(labels, value)
        if not has.any():
            _, first = np.unique(labels.values, return_index=True)
            there = ", ".join(value_text(labels, int(place)) for place in np.sort(first)[:12])
            raise ResultsError(
                f"{results.path}: no point has {path} = '{value}' (there are: {there})"
            )
        by_path[path] = by_path.get(path, False) | has
    meant = np.logical_and.reduce([np.ones(results.n_points, bool), *by_path.values()])
    if not meant.any():
        raise ResultsError(f"{results.path}: no point has {' and '.join(where)}")
    return meant


def axis_path(results: Results, written: str) -> str:
    """The path of the axis that is meant: by its path, or by the end of one that no other has."""
    if written in results.axes:
        return written
    ends = [path for path in results.axes if path.endswith(f".{written}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ResultsError(
            f"{results.path}: '{written}' is the end of several axes; write more of "
            f"{' or '.join(ends)}"
        )
    if not results.axes:
        raise ResultsError(f"{results.path}: no axis '{written}': there is no sweep in it")
    raise ResultsError(
        f"{results.path}: no axis '{written}' (there are: {', '.join(results.axes)})"
        f"{did_you_mean(written, results.axes)}"
    )


def _having(labels: Labels, value: str) -> np.ndarray:
    if labels.values.dtype.kind == "U":
        return labels.values == value
    number = value.removesuffix(unit_text(labels.unit).strip())
    read = numbers([value]) or numbers([number])
    if read is None or read[1] not in ("1", labels.unit):
        return np.zeros(len(labels.values), bool)
    return np.isclose(labels.values.astype(float), read[0][0], rtol=1e-6, atol=0.0)


def one_point(results: Results, where: Sequence[str], number: int | None) -> int:
    """The place of the point that is meant: by its values, or by its number in the plan."""
    meant = chosen(results, where)
    if number is not None:
        meant &= results.points == number
        if not meant.any():
            raise ResultsError(
                f"{results.path}: no point {number}{' there' if where else ''} (there are "
                f"{results.n_points}, up to {results.points.max()})"
            )
    places = np.flatnonzero(meant)
    if where and len(places) > 1:
        axes = varied(results, meant)
        more = " or ".join(f"--where {axis.path}=..." for axis in axes) or "--point"
        raise ResultsError(
            f"{results.path}: {len(places)} points have {' and '.join(where)}; pick one by {more}"
        )
    return int(places[0])


# What a figure is at each point.


@dataclass(frozen=True)
class Curve:
    """A figure at every point, with its intervals over replications: [point] each."""

    name: str
    unit: str  # in brackets, `[1/s]`
    estimate: np.ndarray
    low: np.ndarray  # NaN where there are too few replications to tell, as `high`
    high: np.ndarray
    of: str  # what the estimates are: "means over replications"

    @property
    def share(self) -> bool:
        """A pure number between 0 and 1; of requests that end in a span of time, somewhat more may
        have begun before it."""
        known = self.estimate[np.isfinite(self.estimate)]
        return self.unit == "[1]" and len(known) > 0 and 0 <= known.min() and known.max() <= 1.05


def curve(results: Results, text: str, span: tuple[float, float] | None) -> Curve:
    """A figure as `squall.figures` writes it, or `degraded`, with a name if it has one. Intervals
    are Student's t over replications; of a percentile, whose estimate is that of all values of all
    replications together, by sectioning; of `degraded`, the share of replications that
    `measures.still_degraded` says have not recovered, Wilson's. All of 95 %. Of antithetic
    replications pairs are the observations, but for `degraded`, whose interval is wider than it
    need be; half a pair counts for nothing. A least or largest value is that of all replications,
    and has none. So `squall inspect` says it, too."""
    name, written = split_label(text)
    if written == DEGRADED:
        return _degraded(results, name)
    figure = figures.parse(results, written)
    values = figures.table(results, figure, span=span)
    first, unit = figure.above[0], figures.unit(figure)
    unit = unit[unit.index("[") :]
    if first.what in EXTREMES and not figure.below:
        reduce, of = EXTREMES[first.what]
        found = reduce(np.where(results.counted, values, np.nan), axis=1)
        unknown = np.full(len(found), np.nan)
        return Curve(name, unit, found, unknown, unknown, of)
    if results.antithetic:
        values = intervals.antithetic(values, axis=1)
    if first.p is not None and not figure.below:
        found = intervals.sectioning(values, _together(results, first), CONFIDENCE, axis=1)
        of = "percentiles of all replications together"
    else:
        found = intervals.mean(values, CONFIDENCE, axis=1)
        most = results.counted.sum(axis=1).max()
        of = "means over replications" if most > 1 else "values of one replication"
    low, high = (np.where(np.isfinite(end), end, np.nan) for end in (found.low, found.high))
    return Curve(name, unit, found.estimate, low, high, of)


def means_text(shown: Sequence[tuple[Curve, np.ndarray | int]]) -> str:
    """What is drawn of some points of these, and with which intervals, in words."""
    of = ", ".join(dict.fromkeys(curve.of for curve, _ in shown))
    known = any(np.isfinite(curve.low[some]).any() for curve, some in shown)
    return f"{of}, with their 95 % intervals" if known else f"{of}, without intervals"


def _together(results: Results, term: figures.Statistic) -> np.ndarray:
    """A percentile of all replications that count as one: [point]."""
    by = "group" if term.who in results.groups(term.type) else "entity"
    field, _ = results.quantiles(term.type, term.name, [term.p], by=by, pooled=True)
    who = list(field.coords[by].values).index(term.who)
    return field.values[:, who, 0] / (NS_PER_S if term.unit == "ns" else 1.0)


def _degraded(results: Results, name: str) -> Curve:
    hits, n = np.zeros(results.n_points), results.counted.sum(axis=1)
    for point in np.flatnonzero(n > 0):
        bad = measures.still_degraded(results, point=int(point))  # of complete ones
        hits[point] = np.count_nonzero(bad[results.counted[point][results.complete[point]]])
    found = intervals.proportion(hits, n, CONFIDENCE)
    known = np.where(n > 0, found.estimate, np.nan)
    return Curve(
        "share of replications that do not recover" if name == DEGRADED else name,
        "[1]",
        known,
        *(np.where(n > 0, end, np.nan) for end in (found.low, found.high)),
        "shares of replications",
    )


@dataclass(frozen=True)
class Studied:
    """What a study is about: a figure, where it looks, and what divides good from bad."""

    figure: str
    span: tuple[float, float] | None
    level: float | None  # None: nothing does

    @property
    def words(self) -> str:
        return self.figure if self.span is None else f"{self.figure}, {span_text(self.span)}"


def span_text(span: tuple[float, float]) -> str:
    return f"{span[0]:g} s to {span[1]:g} s"


def studied(results: Results) -> Studied:
    """The measure of its search or else of its stopping rule; or else the share of requests that
    end well in the second half of the time since the last trigger, where there are time series, or
    in the whole run."""
    for keys in (("search", "measure"), ("replications", "until")):
        measure = _first(results.config.tree, *keys)
        found = _measured(results, measure) if measure else None
        if found:
            return found
    return _goodput(results)


def _first(tree: dict, *keys: str) -> dict:
    """What the keys lead to, or the first of it where it is a list; {} without it."""
    for key in keys:
        tree = tree.get(key) or {}
        tree = tree[0] if isinstance(tree, list) else tree
        if not isinstance(tree, dict):
            return {}
    return tree


def _measured(results: Results, measure: dict) -> Studied | None:
    per, text = measure.get("per"), measure.get("stat", "")
    text = f"{text} / {per}" if per else text
    begin, end = (_number(measure.get(key)) for key in ("from", "to"))
    span = None
    if begin is not None or end is not None:
        span = (begin or 0.0, results.duration_s if end is None else end)
    try:
        figures.table(results, figures.parse(results, text), span=span)
    except ResultsError:
        return None
    return Studied(text, span, _number(measure.get("below") or measure.get("above")))


def _number(text: str | None) -> float | None:
    """Of `90%`, `0.9`, `250ms`; None of nothing and of `none`."""
    if not text:
        return None
    if text.endswith("%"):
        return float(text[:-1]) / 100
    read = numbers([text])
    return float(read[0][0]) if read is not None and np.isfinite(read[0][0]) else None


def _goodput(results: Results) -> Studied:
    """Of all clients, as far as they are told of."""
    if "client" not in results.types:
        raise ResultsError(f"{results.path}: which figure? (--figure GROUP.STATISTIC)")
    span, series = None, False
    if results.has_series and len(results.h5["series"].get("client/entity", ())):
        points = range(results.n_points)
        over = max(measures.trigger_end_s(results, point=point) for point in points)
        middle = over + (results.duration_s - over) / 2
        span = (float(math.ceil(middle)), results.duration_s)
        series = span[0] < span[1] and measures.within(results, *span).any()
    groups = list(dict.fromkeys(results.groups("client", series=series)))
    sums = [
        " + ".join(f"{group}.{name}" for group in groups)
        for name in ("successes", "logical_requests")
    ]
    return Studied(" / ".join(sums), span if series else None, measures.DEGRADED)


# What a search has found.


@dataclass(frozen=True)
class Thresholds:
    """Where on the axis that was searched the target is passed, once for each search: [search]."""

    path: str  # of the axis that was searched
    unit: str
    where: list[dict[str, str]]  # what each has on the other axes, as written
    estimate: np.ndarray  # NaN where none was found
    low: np.ndarray
    high: np.ndarray
    outcome: list[str]

    def of(self, wanted: dict[str, Labels]) -> np.ndarray:
        """Searches at which axes have these values, of which each is one: bool [search]."""
        return np.array(
            [all(_alike(one.get(path), it) for path, it in wanted.items()) for one in self.where]
        )


def thresholds(results: Results) -> Thresholds | None:
    """None where nothing was searched."""
    found = results.h5.get("search")
    if found is None or len(found.get("estimate", ())) == 0:
        return None
    estimate = found["estimate"]
    path = str(estimate.attrs["long_name"]).rpartition(" on ")[2]
    words = str(found["outcome"].attrs["flag_meanings"]).split()
    others = [one for one in results.axes if one != path]
    return Thresholds(
        path,
        str(estimate.attrs["units"]),
        [_read_where(text, others) for text in found["where"].asstr()[()]],
        *(found[leaf][()] for leaf in ("estimate", "low", "high")),
        [words[int(number)] for number in found["outcome"][()]],
    )


def _read_where(text: str, paths: Sequence[str]) -> dict[str, str]:
    """Of `a.b=10ms, c={x: 1, y: 2}`: values may hold commas, so paths divide it."""
    begins = sorted((text.find(f"{path}="), path) for path in paths if f"{path}=" in text)
    values = {}
    for place, (begin, path) in enumerate(begins):
        end = begins[place + 1][0] if place + 1 < len(begins) else len(text)
        values[path] = text[begin + len(path) + 1 : end].removesuffix(", ")
    return values


def _alike(text: str | None, wanted: Labels) -> bool:
    return text is not None and bool(_having(wanted, text).all())
