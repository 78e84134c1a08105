# SPDX-License-Identifier: Apache-2.0
"""A figure over two axes of a sweep, as colours."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import contourpy
import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from squall import sweeps
from squall.axis import file_titles
from squall.fields import Labels
from squall.file import Results, ResultsError
from squall.style import NOTE, SHADE, VERMILION, of_files, panels, scale, styled

MAP = "cividis"  # alike to all colour vision, and even (Nuñez, Anderton and Renslow, 2018)
VALUES_MOST = 120  # cells of a panel with their numbers written in them
FACETS_MOST = 12
VISITED_PT = 9.0  # a level that a search has looked at
ASIDE = 0.22  # of a threshold from these, where texts leave room
LOG_FROM = 30.0  # values that are further apart than this have a logarithmic scale of colours
SMALL = 1e-3  # of numbers in cells; from there on all are written with powers of ten
TIMES = ((1.0, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns"))  # their units [s]
LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
HALF = 0.5  # what divides shares, where the study does not say


@dataclass(frozen=True)
class Panel:
    """One picture of two axes."""

    results: Results
    title: str
    across: sweeps.Axis
    up: sweeps.Axis
    values: np.ndarray  # [up, across]; NaN where nothing is known
    facet: dict[str, Labels]  # what its points have on a third axis

    @property
    def searched(self) -> bool:
        """Whether the levels of one of its axes are those that a search has looked at."""
        found = sweeps.thresholds(self.results)
        return found is not None and found.path in (self.across.path, self.up.path)


@of_files
def heatmap(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    axis: Sequence[str] = (),
    where: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    level: float | None = None,
) -> Figure:
    """A figure, as `squall.figures` writes it or `degraded`, over two axes of a sweep: colours are
    estimates (see `sweeps.curve`), with the number written in each cell where there are few.

    `axis` names the axis across and the one up, by default the first two, that of a search being
    the one up. A third axis makes a panel for each of its values; of more, `where` picks. By
    default the figure is what the study is about (`sweeps.studied`). The red line is where it
    passes `level`, by straight lines between the middles of cells: by default what the study
    divides good from bad by, or 0.5 for shares. Along an axis that was searched there are dots, at
    the levels looked at; the thresholds found are red, with their intervals. Of cells
    of grey nothing is known: no replication ran to its end, or the figure is over nothing.
    """
    across, up = _shared(files, list(axis), where)  # mistakes come first
    asked = level
    text, span, level = _asked(files[0], list(figure), span, level)
    drawn_panels: list[Panel] = []
    curve = None
    for results, title, *axes in zip(files, labels or file_titles(files), across, up):
        curve = sweeps.curve(results, text, span)
        drawn_panels += _panels(results, title if len(files) > 1 else "", curve, *axes, where)
    assert curve is not None
    if level is None and curve.share:
        level = HALF
    known = np.concatenate([one.values[np.isfinite(one.values)] for one in drawn_panels])
    if asked is not None and len(known) and not known.min() <= asked <= known.max():
        warnings.warn(
            f"nothing passes the level {asked:g}: values are {known.min():.3g} to "
            f"{known.max():.3g} {curve.unit}",
            stacklevel=2,
        )
    with styled():
        columns = min(len(drawn_panels), 3)
        rows = -(-len(drawn_panels) // columns)
        width, height = (8.0, 5.0) if columns == 1 else (4.6 * columns + 1.2, 4.0)
        size = (width, 0.7 + height * rows)
        drawn, grid = panels(rows, columns, size, sharex=True, sharey=True)
        norm = _norm(np.concatenate([one.values.ravel() for one in drawn_panels]), curve)
        for one, axes in zip(drawn_panels, grid.ravel()):
            _draw(axes, one, norm, level, curve.unit)
        for axes in grid.ravel()[len(drawn_panels) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel(drawn_panels[0].across.label)
        for axes in grid[:, 0]:
            axes.set_ylabel(drawn_panels[0].up.label)
        _bar(drawn, grid, norm, curve, span, level)
        name = (labels or [files[0].title])[0] if len(files) == 1 else ""
        _title(grid[0, 0], name, drawn_panels, level, curve.of)
    return drawn


def _asked(
    results: Results, texts: list[str], span: tuple[float, float] | None, level: float | None
) -> tuple[str, tuple[float, float] | None, float | None]:
    if len(texts) > 1:
        raise ResultsError("a heat map is of one figure")
    if texts:
        return texts[0], span, level
    study = sweeps.studied(results)
    span = study.span if span is None else span
    return study.figure, span, study.level if level is None else level


def _panels(
    results: Results,
    title: str,
    curve: sweeps.Curve,
    across: sweeps.Axis,
    up: sweeps.Axis,
    where: Sequence[str],
) -> list[Panel]:
    """Those of one file: one, or one for each value of a third axis."""
    meant = sweeps.chosen(results, where)
    *_, third = _axes(results, [across.path, up.path], meant)
    if third is None:
        return [Panel(results, title, across, up, _cells(curve, across, up, meant), {})]
    found = []
    for value in range(len(third.values)):
        some = meant & (third.place == value)
        facet = dict([third.having(value)])
        name = ", ".join(filter(None, (title, third.text(value))))
        found.append(Panel(results, name, across, up, _cells(curve, across, up, some), facet))
    return found


def _shared(
    files: Sequence[Results], wanted: list[str], where: Sequence[str]
) -> tuple[list[sweeps.Axis], list[sweeps.Axis]]:
    """The axis across and the one up, of each file: those of the first one, with the values of
    all."""
    found = []
    for results in files:
        found.append(_axes(results, wanted, sweeps.chosen(results, where))[:2])
        wanted = [one.path for one in found[0]]
    across, up = map(sweeps.shared, zip(*found))
    return across, up


def _axes(
    results: Results, wanted: list[str], meant: np.ndarray
) -> tuple[sweeps.Axis, sweeps.Axis, sweeps.Axis | None]:
    """The axis across, the one up, and the one that makes panels."""
    axes = {one.path: one for one in sweeps.varied(results, meant)}
    there = ", ".join(axes) or "none"
    wanted = [sweeps.axis_path(results, path) for path in wanted]
    for path in wanted:
        if path not in axes:
            raise ResultsError(
                f"{results.path}: no axis '{path}' to draw along (there are: {there})"
            )
    if len(set(wanted)) < len(wanted):
        raise ResultsError(f"{results.path}: '{wanted[0]}' twice; a heat map takes two axes")
    if len(axes) < 2:
        raise ResultsError(f"{results.path}: a heat map takes two axes (there are: {there})")
    found = sweeps.thresholds(results)
    searched = found.path if found else None
    if not sweeps.is_grid(list(axes.values()), searched):
        raise ResultsError(
            f"{results.path}: its points are no grid of values but a design; draw it by `axis`"
        )
    order = list(axes)
    if searched in axes and not wanted:
        order.remove(searched)
        order.insert(1, searched)
    order = [*wanted, *(path for path in order if path not in wanted)]
    across, up, *others = (axes[path] for path in order)
    if len(others) > 1 or (others and len(others[0].values) > FACETS_MOST):
        too_many = others[1:] if len(others) > 1 else others
        pick = " and ".join(f"--where {one.path}=..." for one in too_many)
        raise ResultsError(
            f"{results.path}: has more axes than a picture; pick values of others by {pick}"
        )
    return across, up, others[0] if others else None


def _cells(
    curve: sweeps.Curve, across: sweeps.Axis, up: sweeps.Axis, meant: np.ndarray
) -> np.ndarray:
    """[up, across]: where several points share a cell, their mean."""
    shape = (len(up.values), len(across.values))
    sums, n = np.zeros(shape), np.zeros(shape)
    points = np.flatnonzero(meant & np.isfinite(curve.estimate))
    np.add.at(sums, (up.place[points], across.place[points]), curve.estimate[points])
    np.add.at(n, (up.place[points], across.place[points]), 1)
    return np.divide(sums, n, out=np.full(shape, np.nan), where=n > 0)


def _norm(values: np.ndarray, curve: sweeps.Curve) -> Normalize:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        raise ResultsError(f"there is nothing to draw of {curve.name}")
    if curve.share:
        return Normalize(0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if low > 0 and high > LOG_FROM * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _draw(axes: Axes, one: Panel, norm: Normalize, level: float | None, unit: str) -> None:
    axes.grid(one.searched)
    edges = [_edges(it) for it in (one.across, one.up)]
    if one.searched:
        _draw_visited(axes, one, norm)
    else:
        axes.set_facecolor(SHADE)
        values = np.ma.masked_invalid(one.values)
        axes.pcolormesh(*edges, values, cmap=MAP, norm=norm, edgecolor="white", linewidth=0.5)
    for which, axis, bounds in zip("xy", (one.across, one.up), edges):
        names = [textwrap.shorten(str(it), 24) for it in axis.values] if axis.texts else None
        scale(axes, which, axis.positions, names=names, geometric=axis.geometric)
        (axes.set_xlim if which == "x" else axes.set_ylim)(bounds[0], bounds[-1])
    if not one.searched and np.isfinite(one.values).sum() <= VALUES_MOST:
        _write(axes, one, norm, unit)
    if level is not None and not one.searched:
        for line in crossing(one, level):
            axes.plot(*line.T, color=VERMILION, linewidth=2.2, path_effects=_halo(), label="_level")
    _draw_thresholds(axes, one)
    if one.title:
        axes.set_title(one.title)


def _draw_visited(axes: Axes, one: Panel, norm: Normalize) -> None:
    """Of a search, the levels that it has looked at: dots, as nobody knows about those between."""
    up, across = np.nonzero(np.isfinite(one.values))
    axes.scatter(
        one.across.positions[across],
        one.up.positions[up],
        s=VISITED_PT**2,
        c=one.values[up, across],
        cmap=MAP,
        norm=norm,
        edgecolors=NOTE,
        linewidths=0.6,
        zorder=3,
    )


def _edges(axis: sweeps.Axis) -> np.ndarray:
    """The bounds of cells, halfway between the values."""
    where = axis.spacing.transform(axis.positions)
    if len(where) == 1:
        return np.array([where[0] - 0.5, where[0] + 0.5])
    between = (where[:-1] + where[1:]) / 2
    ends = [2 * where[0] - between[0], *between, 2 * where[-1] - between[-1]]
    return axis.spacing.inverted().transform(np.array(ends))


def cell_texts(values: np.ndarray, unit: str, *, share: bool = False) -> np.ndarray:
    """Numbers as they are written in cells, all alike: times with a unit that suits each, others
    with a prefix where they are large, all of three digits; shares with two."""
    texts = np.full(values.shape, "", object)
    known = np.abs(values[np.isfinite(values) & (values != 0)])
    small = len(known) > 0 and known.min() < SMALL and unit != "[s]"
    for place, value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        if share:
            texts[place] = f"{value:.2f}"
        elif small:
            texts[place] = f"{value:.2e}"
        else:
            texts[place] = _three_digits(float(value), TIMES if unit == "[s]" else LARGE)
    return texts


def _three_digits(value: float, units: Sequence[tuple[float, str]]) -> str:
    if value == 0.0:
        return "0"
    value = float(f"{value:.3g}")  # so that 999.9 is 1000
    factor, name = next((it for it in units if abs(value) >= it[0]), units[-1])
    return f"{value / factor:#.3g}".rstrip(".") + name


def _write(axes: Axes, one: Panel, norm: Normalize, unit: str) -> None:
    colours = matplotlib.colormaps[MAP](norm(one.values))
    dark = colours[..., :3] @ (0.299, 0.587, 0.114) < 0.55
    size = 8.5 if one.values.shape[1] <= 10 else 6.5
    texts = cell_texts(one.values, unit, share=norm.vmax == 1.0 and norm.vmin == 0.0)
    for (row, column), value in np.ndenumerate(one.values):
        if np.isfinite(value):
            axes.text(
                one.across.positions[column],
                one.up.positions[row],
                texts[row, column],
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark[row, column] else "black",
            )


def _halo() -> list:
    return [patheffects.withStroke(linewidth=4.5, foreground="white")]


def crossing(one: Panel, level: float) -> list[np.ndarray]:
    """Where the figure passes the level: lines [vertex, across and up], by straight lines between
    the middles of cells, on axes as they are drawn. None between texts, which have no middle."""
    if one.across.texts or one.up.texts or min(one.values.shape) < 2:
        return []
    axes = (one.across, one.up)
    x, y = (it.spacing.transform(it.positions) for it in axes)
    generator = contourpy.contour_generator(x, y, np.ma.masked_invalid(one.values))
    lines = [np.array(line) for line in generator.lines(level)]
    for line in lines:
        for column, it in enumerate(axes):
            line[:, column] = it.spacing.inverted().transform(line[:, column])
    return lines


def _draw_thresholds(axes: Axes, one: Panel) -> None:
    """What a search along one of the two axes has found."""
    if not one.searched:
        return
    found = sweeps.thresholds(one.results)
    up = found.path == one.up.path
    other = one.across if up else one.up
    for place, where in enumerate(other.positions):
        for k in np.flatnonzero(found.of(one.facet | dict([other.having(place)]))):
            value, low, high = (it[k] for it in (found.estimate, found.low, found.high))
            if not np.isfinite(value):
                continue
            ends = [[max(value - low, 0)], [max(high - value, 0)]]
            aside = where + (ASIDE if other.texts else 0.0)
            x, y = (aside, value) if up else (value, aside)
            _, caps, bars = axes.errorbar(
                [x],
                [y],
                **{"yerr" if up else "xerr": ends},
                fmt="D",
                color=VERMILION,
                markeredgecolor="white",
                markersize=8,
                elinewidth=2.5,
                capsize=5,
                label="_threshold",
                zorder=5,
            )
            for artist in (*caps, *bars):
                artist.set_path_effects(_halo())


def _bar(
    drawn: Figure,
    grid: np.ndarray,
    norm: Normalize,
    curve: sweeps.Curve,
    span: tuple[float, float] | None,
    level: float | None,
) -> None:
    bar = drawn.colorbar(ScalarMappable(norm, MAP), ax=list(grid.ravel()), aspect=30, pad=0.02)
    when = f"from {sweeps.span_text(span)}" if span is not None else ""
    lines = [*textwrap.wrap(curve.name, 48), " ".join(filter(None, (when, curve.unit)))]
    bar.set_label("\n".join(lines))
    bar.outline.set_visible(False)
    if level is not None and norm.vmin <= level <= norm.vmax:
        bar.ax.axhline(level, color=VERMILION, linewidth=2.2)


def _title(
    axes: Axes, name: str, shown: Sequence[Panel], level: float | None, of: str
) -> None:
    """What is drawn, above the first panel."""
    notes = [of]
    if level is not None and any(crossing(one, level) for one in shown if not one.searched):
        notes.append(f"red: where it passes {level:g}")
    if any(one.searched for one in shown):
        notes = ["dots: levels looked at", "red: thresholds found, with their intervals"]
    elif any(np.isnan(one.values).any() for one in shown):
        notes.append("grey: nothing known")
    head = ": ".join(filter(None, (name, ", ".join(notes))))
    own = axes.get_title(loc="left")
    axes.set_title("\n".join(filter(None, (head, own))), fontsize=10)
