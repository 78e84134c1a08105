# SPDX-License-Identifier: Apache-2.0
"""Figures along an axis of a sweep."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import sweeps
from squall.config import differences
from squall.fields import Labels
from squall.file import Results, ResultsError
from squall.style import (
    CYCLE,
    DASHES,
    NOTE,
    legend_below,
    of_files,
    panels,
    scale,
    styled,
    told_apart,
)

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES_MOST = 8  # in a panel, that can be told apart
ASIDE, ASIDE_ALL = 0.12, 0.6  # between dots of one text, and between the outermost [of a text]
ROOM = 0.25  # for thresholds, below the lines
LOG_FROM = 50.0  # times [s] that are further apart than this are drawn on a logarithmic axis


@dataclass(frozen=True)
class Line:
    """Some points of a file along an axis."""

    name: str  # "" where it is the only one
    points: np.ndarray  # their places, in the order of the axis
    others: dict[str, Labels]  # what they have on the other axes, one value each


@dataclass(frozen=True)
class Dots:
    """What is drawn of some points: [point] each, in the order of the axis."""

    name: str
    number: int  # of its colour
    x: np.ndarray
    y: np.ndarray  # NaN where nothing is known
    low: np.ndarray  # NaN where there is no interval, as `high`
    high: np.ndarray

    @property
    def colour(self) -> str:
        return CYCLE[self.number % len(CYCLE)]

    @property
    def marker(self) -> str:
        return MARKERS[self.number % len(MARKERS)]

    @property
    def dashes(self) -> str | tuple:
        return DASHES[self.number % len(DASHES)]

    @property
    def alone(self) -> np.ndarray:
        """Where there is an interval, but no neighbour's for a band between them: bool [point]."""
        known = np.isfinite(self.y) & np.isfinite(self.low) & np.isfinite(self.high)
        beside = np.pad(known, 1)
        return known & ~(beside[:-2] | beside[2:])


@of_files
def axis(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    axis: Sequence[str] = (),
    where: Sequence[str] = (),
    span: tuple[float, float] | None = None,
) -> Figure:
    """Figures, as `squall.figures` writes them, against one axis of a sweep, or several of them,
    side by side; those of one unit share a panel.

    Lines are means over replications, of percentiles those of all values taken together; bands are
    intervals of 95 % confidence (see `sweeps.curve`), and left out below two replications. A line
    has a gap where nothing is known of a point. What points have on other axes makes lines of their
    own; `where` picks some of them. Texts have dots, side by side, and no lines. Points of a
    design, which has no two alike, are drawn as dots with bars. By default the figure is what the
    study is about (`sweeps.studied`), against the axis that was searched or the first one; for a
    design, against every axis. A dotted line is what divides good from bad, and where a search
    was made along the axis its thresholds lie at the bottom, with their intervals. Along another
    axis than the one that was searched, these thresholds are what is drawn.
    """
    meant = [sweeps.chosen(results, where) for results in files]
    along = _along(files[0], list(axis), meant[0])
    found = sweeps.thresholds(files[0])
    with styled():
        if found is not None and not figure and along != [found.path]:
            return _draw_thresholds(files, labels, along, meant)
        return _draw_figures(files, labels, list(figure), along, meant, span)


def _along(results: Results, wanted: list[str], meant: np.ndarray) -> list[str]:
    """The axes to be drawn against."""
    axes = sweeps.varied(results, meant)
    paths = [one.path for one in axes]
    wanted = [sweeps.axis_path(results, path) for path in wanted if results.axes]
    for path in wanted:
        if path not in paths:
            there = ", ".join(paths) or "none"
            raise ResultsError(
                f"{results.path}: no axis '{path}' to draw along (there are: {there})"
            )
    if not paths:
        raise ResultsError(f"{results.path}: no axis to draw along: its points do not differ")
    found = sweeps.thresholds(results)
    searched = found.path if found else None
    if wanted:
        return wanted
    if searched in paths:
        return [searched]
    return [paths[0]] if sweeps.is_grid(axes, searched) else paths


def _draw_figures(
    files: Sequence[Results],
    labels: Sequence[str] | None,
    texts: list[str],
    along: list[str],
    meant: list[np.ndarray],
    span: tuple[float, float] | None,
) -> Figure:
    study = sweeps.studied(files[0]) if not texts else None
    if study is not None:
        texts, span = [study.figure], study.span if span is None else span
    curves = [[sweeps.curve(results, text, span) for text in texts] for results in files]
    units = list(dict.fromkeys(curve.unit for curve in curves[0]))
    told = labels or file_titles(files)
    size = (8.0 if len(along) == 1 else min(4.2 * len(along), 17.0), 0.9 + 3.4 * len(units))
    drawn, grid = panels(len(units), len(along), size, sharex="col", sharey="row")
    lettered: dict[str, object] = {}
    for row, unit in zip(grid, units):
        for axes, path in zip(row, along):
            _panel(axes, files, told, meant, curves, unit, path)
            if study is not None:
                _draw_level(axes, study.level)
            handles, names = axes.get_legend_handles_labels()
            lettered |= dict(zip(names, handles))
        _label(row[0], [it for it in curves[0] if it.unit == unit], unit, span)
    _finish(drawn, grid, files, along, meant, lettered)
    title = f"{told[0]}: " if len(files) == 1 else ""
    below = ""
    if any("_threshold" in _all_labels(axes) for axes in grid.ravel()):
        below = "; at the bottom thresholds"
        low, high = grid[-1, 0].get_ylim()
        ticks = [tick for tick in grid[-1, 0].get_yticks() if low <= tick <= high]
        grid[-1, 0].set_yticks(ticks)
        grid[-1, 0].set_ylim(low - ROOM * (high - low), high)
    shown = [(it, some) for of_file, some in zip(curves, meant) for it in of_file]
    grid[0, 0].set_title(f"{title}{sweeps.means_text(shown)}{below}")
    return drawn


def _draw_level(axes: Axes, level: float | None) -> None:
    """What divides good from bad, if it is in the picture."""
    low, high = axes.get_ylim()
    if level is not None and low <= level <= high:
        axes.axhline(level, color=NOTE, linewidth=1, linestyle=(0, (1, 2)))


def _all_labels(axes: Axes) -> list[str]:
    return [container.get_label() for container in axes.containers]


def file_titles(files: Sequence[Results]) -> list[str]:
    """What tells the files apart, whatever their points."""
    if len(files) == 1:
        return [files[0].title]
    told = differences([results.config for results in files])
    texts = [
        ", ".join(
            f"{path} = {value}" for path, value in one.items() if not path.startswith("sweep")
        )
        for one in told
    ]
    return told_apart(files, texts)


def _axis_of_all(
    files: Sequence[Results], path: str, meant: Sequence[np.ndarray]
) -> list[sweeps.Axis]:
    """The axis in each file, with the values of all."""
    return sweeps.shared([sweeps.axis_of(it, path, some) for it, some in zip(files, meant)])


def _finish(
    drawn: Figure,
    grid: np.ndarray,
    files: Sequence[Results],
    along: list[str],
    meant: Sequence[np.ndarray],
    lettered: dict[str, object],
) -> None:
    for axes, path in zip(grid[-1], along):
        one = _axis_of_all(files, path, meant)[0]
        names = [str(value) for value in one.values] if one.texts else None
        scale(axes, "x", one.positions, names=names, geometric=one.geometric)
        axes.set_xlabel(one.label)
    if len(lettered) > 1:
        legend_below(drawn, list(lettered.values()), list(lettered), 3)
    drawn.align_ylabels(grid[:, 0])


def _label(
    axes: Axes, curves: Sequence[sweeps.Curve], unit: str, span: tuple[float, float] | None
) -> None:
    known = np.concatenate([it.estimate[np.isfinite(it.estimate)] for it in curves])
    if unit == "[s]" and len(known) and known.min() > 0 and known.max() > LOG_FROM * known.min():
        axes.set_yscale("log")
    name = curves[0].name if len(curves) == 1 else ""
    when = f"from {sweeps.span_text(span)}" if span is not None else ""
    lines = [*textwrap.wrap(name, 36), " ".join(filter(None, (when, unit)))]
    axes.set_ylabel("\n".join(lines))


def _panel(
    axes: Axes,
    files: Sequence[Results],
    told: Sequence[str],
    meant: Sequence[np.ndarray],
    curves: Sequence[Sequence[sweeps.Curve]],
    unit: str,
    path: str,
) -> None:
    """All lines of one unit along one axis."""
    numbers = itertools.count()
    drawn: list[tuple[Dots, sweeps.Axis, bool]] = []
    for results, title, some, of_file, one in zip(
        files, told, meant, curves, _axis_of_all(files, path, meant)
    ):
        found = sweeps.thresholds(results)
        grid = sweeps.is_grid(sweeps.varied(results, some), found.path if found else None)
        of_unit = [it for it in of_file if it.unit == unit]
        for curve, line in itertools.product(of_unit, list(_lines(results, one, some, grid))):
            what = curve.name if len(of_unit) > 1 else ""
            parts = (what, line.name, title if len(files) > 1 else "")
            dots = _dots(one, curve, line, ", ".join(filter(None, parts)), next(numbers))
            if dots.number >= LINES_MOST:
                raise ResultsError(
                    f"{results.path}: too many lines to tell apart; pick some by "
                    f"{_how_to_pick(results, path, some)}"
                )
            if found is not None and found.path == path:
                _mark(axes, found, line, dots)
            drawn.append((dots, one, grid))
    _draw_all(axes, drawn)


def _dots(
    one: sweeps.Axis, curve: sweeps.Curve, line: Line, name: str, number: int
) -> Dots:
    values = (at[line.points] for at in (curve.estimate, curve.low, curve.high))
    return Dots(name or curve.name, number, one.positions[one.place[line.points]], *values)


def _draw_all(axes: Axes, drawn: Sequence[tuple[Dots, sweeps.Axis, bool]]) -> None:
    """As lines where points are neighbours, which those of a design or of texts are not."""
    for place, (dots, one, grid) in enumerate(drawn):
        if one.texts:
            _bars(axes, _aside(dots, place, len(drawn)), np.ones(len(dots.x), bool))
        elif not grid:
            _bars(axes, dots, np.ones(len(dots.x), bool))
        else:
            axes.plot(
                dots.x,
                dots.y,
                color=dots.colour,
                linestyle=dots.dashes,
                marker=dots.marker,
                markersize=4,
                label=dots.name,
            )
            axes.fill_between(
                dots.x, dots.low, dots.high, color=dots.colour, alpha=0.2, linewidth=0
            )
            if dots.alone.any():
                _bars(axes, replace(dots, name="_alone"), dots.alone)


def _aside(dots: Dots, place: int, n: int) -> Dots:
    """Beside those of `n` others that have the same texts."""
    step = min(ASIDE, ASIDE_ALL / n)
    return replace(dots, x=dots.x + step * (place - 0.5 * (n - 1)))


def _how_to_pick(results: Results, path: str, meant: np.ndarray) -> str:
    others = [one.path for one in sweeps.varied(results, meant) if one.path != path]
    return " or ".join(f"--where {one}=..." for one in others) or "fewer files or figures"


def _lines(
    results: Results, one: sweeps.Axis, meant: np.ndarray, grid: bool
) -> Iterator[Line]:
    """The points that differ along the axis only, once for each of what they have on others."""
    order = np.flatnonzero(meant)[np.argsort(one.place[meant], kind="stable")]
    others = [axis for axis in sweeps.varied(results, meant) if axis.path != one.path]
    if not grid or not others:
        yield Line("", order, {})
        return
    keys = np.stack([axis.place[order] for axis in others], axis=1)
    for key in np.unique(keys, axis=0):
        points = order[(keys == key).all(axis=1)]
        name = ", ".join(axis.text(int(value)) for axis, value in zip(others, key))
        has = dict(axis.having(int(value)) for axis, value in zip(others, key))
        yield Line(name, points, has)


def _bars(axes: Axes, dots: Dots, some: np.ndarray, **options: object) -> None:
    """Dots with their intervals, as far as these are known."""
    x, y, low, high = (values[some] for values in (dots.x, dots.y, dots.low, dots.high))
    ends = np.nan_to_num(np.stack([y - low, high - y]))
    axes.errorbar(
        x,
        y,
        yerr=np.maximum(ends, 0),
        color=dots.colour,
        fmt=dots.marker,
        markersize=4,
        elinewidth=1,
        capsize=2,
        label=dots.name,
        **options,
    )


def _mark(axes: Axes, found: sweeps.Thresholds, line: Line, dots: Dots) -> None:
    """The thresholds of a line, in rows at the bottom of the panel."""
    for place in np.flatnonzero(found.of(line.others)):
        x, low, high = (values[place] for values in (found.estimate, found.low, found.high))
        if np.isfinite(x):
            axes.errorbar(
                [x],
                [0.03 + 0.035 * dots.number],
                xerr=[[max(x - low, 0)], [max(high - x, 0)]],
                transform=axes.get_xaxis_transform(),
                fmt=dots.marker,
                markersize=5,
                markerfacecolor="white",
                color=dots.colour,
                capsize=3,
                label="_threshold",
            )


def _draw_thresholds(
    files: Sequence[Results],
    labels: Sequence[str] | None,
    along: list[str],
    meant: list[np.ndarray],
) -> Figure:
    """What was found along the axis that was searched, against another one."""
    told = labels or file_titles(files)
    searched, missing = sweeps.thresholds(files[0]).path, 0
    size = (8.0 if len(along) == 1 else min(4.2 * len(along), 17.0), 4.4)
    drawn, grid = panels(1, len(along), size, sharey="row")
    lettered: dict[str, object] = {}
    for axes, path in zip(grid[0], along):
        numbers = itertools.count()
        drawn_here: list[tuple[Dots, sweeps.Axis]] = []
        for results, title, some, one in zip(
            files, told, meant, _axis_of_all(files, path, meant)
        ):
            found = sweeps.thresholds(results)
            if found is None or found.path != searched:
                raise ResultsError(f"{results.path}: no search along '{searched}' in it")
            for name, x, which in _found_along(results, found, one, some):
                label = ", ".join(filter(None, (name, title if len(files) > 1 else "")))
                values = (found.estimate[which], found.low[which], found.high[which])
                dots = Dots(label or "threshold", next(numbers), x, *values)
                drawn_here.append((dots, one))
                missing += np.count_nonzero(np.isnan(dots.y))
        for place, (dots, one) in enumerate(drawn_here):
            dots = _aside(dots, place, len(drawn_here)) if one.texts else dots
            options = {} if one.texts else {"linestyle": dots.dashes}
            _bars(axes, dots, np.ones(len(dots.x), bool), **options)
        handles, names = axes.get_legend_handles_labels()
        lettered |= dict(zip(names, handles))
    grid[0, 0].set_ylabel(f"threshold on\n{searched} [{sweeps.thresholds(files[0]).unit}]")
    _finish(drawn, grid, files, along, meant, lettered)
    title = f"{told[0]}: " if len(files) == 1 else ""
    missing //= len(along)
    none = f"; searches that found none: {missing}" if missing else ""
    grid[0, 0].set_title(f"{title}thresholds, with the intervals that hold them{none}")
    return drawn


def _found_along(
    results: Results, found: sweeps.Thresholds, one: sweeps.Axis, meant: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For what searches have on other axes: its name, where the searches lie along this one, and
    which they are."""
    others = [it for it in sweeps.varied(results, meant) if it.path not in (one.path, found.path)]
    keys = np.zeros((1, 0), int)
    if others:
        keys = np.stack([axis.place[meant] for axis in others], axis=1)
    for key in np.unique(keys, axis=0):
        has = dict(axis.having(int(value)) for axis, value in zip(others, key))
        hits = [
            (k, place)
            for k in range(len(one.values))
            for place in np.flatnonzero(found.of(has | dict([one.having(k)])))
        ]
        name = ", ".join(axis.text(int(value)) for axis, value in zip(others, key))
        if hits:
            x, which = np.array(hits).T
            yield name, one.positions[x], which
