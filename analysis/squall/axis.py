# SPDX-License-Identifier: Apache-2.0
"""Figures along an axis of a sweep."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import sweeps
from squall.config import differences
from squall.fields import Labels
from squall.file import Results, ResultsError
from squall.style import CYCLE, DASHES, NOTE, legend_below, panels, scale, styled

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES_MOST = 8  # in a panel, that can be told apart
ROOM = 0.25  # for thresholds, below the lines
LOG_FROM = 50.0  # times [s] that are further apart than this are drawn on a logarithmic axis


@dataclass(frozen=True)
class Line:
    """Some points of a file along an axis."""

    name: str  # "" where it is the only one
    points: np.ndarray  # their places, in the order of the axis
    others: dict[str, Labels]  # what they have on the other axes, one value each


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
    intervals of 95 % confidence (see `sweeps.curve`), and left out below two replications. What
    points have on other axes makes lines of their own; `where` picks some of them. Points of a
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
    _finish(drawn, grid, files[0], along, meant[0], lettered)
    title = f"{told[0]}: " if len(files) == 1 else ""
    below = ""
    if any("_threshold" in _all_labels(axes) for axes in grid.ravel()):
        below = "; at the bottom thresholds"
        low, high = grid[-1, 0].get_ylim()
        ticks = [tick for tick in grid[-1, 0].get_yticks() if low <= tick <= high]
        grid[-1, 0].set_yticks(ticks)
        grid[-1, 0].set_ylim(low - ROOM * (high - low), high)
    grid[0, 0].set_title(f"{title}means over replications, with their 95 % intervals{below}")
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
    return [textwrap.shorten(text or results.title, 70) for text, results in zip(texts, files)]


def _finish(
    drawn: Figure,
    grid: np.ndarray,
    results: Results,
    along: list[str],
    meant: np.ndarray,
    lettered: dict[str, object],
) -> None:
    for axes, path in zip(grid[-1], along):
        one = sweeps.axis_of(results, path, meant)
        names = [str(value) for value in one.values] if one.texts else None
        scale(axes, "x", one.positions, names=names, geometric=one.geometric)
        axes.set_xlabel(one.label)
    if len(lettered) > 1:
        columns = 1 if max(map(len, lettered)) > 60 else 2 if max(map(len, lettered)) > 34 else 3
        legend_below(drawn, list(lettered.values()), list(lettered), columns)
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
    number = 0
    for results, title, some, of_file in zip(files, told, meant, curves):
        one = sweeps.axis_of(results, path, some)
        found = sweeps.thresholds(results)
        grid = sweeps.is_grid(sweeps.varied(results, some), found.path if found else None)
        for curve in (it for it in of_file if it.unit == unit):
            several = sum(it.unit == unit for it in of_file) > 1
            for line in _lines(results, one, some, grid):
                parts = (curve.name if several else "", line.name, title if len(files) > 1 else "")
                name = ", ".join(filter(None, parts)) or curve.name
                _draw_line(axes, one, curve, line.points, name, number, grid)
                if found is not None and found.path == path:
                    _mark(axes, found, line, number)
                number += 1
                if number > LINES_MOST:
                    raise ResultsError(
                        f"{results.path}: too many lines to tell apart; pick some by "
                        f"{_how_to_pick(results, path, some)}"
                    )


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


def _draw_line(
    axes: Axes,
    one: sweeps.Axis,
    curve: sweeps.Curve,
    points: np.ndarray,
    name: str,
    number: int,
    grid: bool,
) -> None:
    points = points[np.isfinite(curve.estimate[points])]
    x = one.positions[one.place[points]]
    y, low, high = (values[points] for values in (curve.estimate, curve.low, curve.high))
    colour, marker = CYCLE[number % len(CYCLE)], MARKERS[number % len(MARKERS)]
    if grid and not one.texts:
        dashes = DASHES[number % len(DASHES)]
        axes.plot(x, y, color=colour, linestyle=dashes, marker=marker, markersize=4, label=name)
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        return
    _bars(axes, x, y, low, high, color=colour, fmt=marker, label=name)


def _bars(
    axes: Axes, x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray, **options: object
) -> None:
    """Dots with their intervals, as far as these are known."""
    ends = np.nan_to_num(np.stack([y - low, high - y]))
    axes.errorbar(x, y, yerr=np.maximum(ends, 0), markersize=4, elinewidth=1, capsize=2, **options)


def _mark(axes: Axes, found: sweeps.Thresholds, line: Line, number: int) -> None:
    """The thresholds of a line, in rows at the bottom of the panel."""
    colour, marker = CYCLE[number % len(CYCLE)], MARKERS[number % len(MARKERS)]
    for place in np.flatnonzero(found.of(line.others)):
        x, low, high = (values[place] for values in (found.estimate, found.low, found.high))
        if np.isfinite(x):
            axes.errorbar(
                [x],
                [0.03 + 0.035 * number],
                xerr=[[max(x - low, 0)], [max(high - x, 0)]],
                transform=axes.get_xaxis_transform(),
                fmt=marker,
                markersize=5,
                markerfacecolor="white",
                color=colour,
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
    size = (8.0 if len(along) == 1 else min(4.2 * len(along), 17.0), 4.4)
    drawn, grid = panels(1, len(along), size, sharey="row")
    lettered: dict[str, object] = {}
    for axes, path in zip(grid[0], along):
        number = 0
        for results, title, some in zip(files, told, meant):
            found = sweeps.thresholds(results)
            if found is None:
                raise ResultsError(f"{results.path}: nothing was searched in it")
            one = sweeps.axis_of(results, path, some)
            for name, x, which in _found_along(results, found, one, some):
                label = ", ".join(filter(None, (name, title if len(files) > 1 else "")))
                style = {"color": CYCLE[number % len(CYCLE)], "fmt": MARKERS[number % len(MARKERS)]}
                if not one.texts:
                    style["linestyle"] = DASHES[number % len(DASHES)]
                values = (found.estimate[which], found.low[which], found.high[which])
                _bars(axes, x, *values, label=label or "threshold", **style)
                number += 1
        handles, names = axes.get_legend_handles_labels()
        lettered |= dict(zip(names, handles))
    found = sweeps.thresholds(files[0])
    grid[0, 0].set_ylabel(f"threshold on\n{found.path} [{found.unit}]")
    _finish(drawn, grid, files[0], along, meant[0], lettered)
    title = f"{told[0]}: " if len(files) == 1 else ""
    grid[0, 0].set_title(f"{title}thresholds, with the intervals that hold them")
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
