# SPDX-License-Identifier: Apache-2.0
"""What all pictures have in common: colours and type, names of files, lines with their bands, and
the shading of what happened."""

from __future__ import annotations

import functools
import os
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.scale import LogTransform, SymmetricalLogTransform
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from matplotlib.transforms import IdentityTransform, ScaledTranslation, Transform

from squall.config import differences
from squall.fields import Labels
from squall.file import Results, ResultsError
from squall.series import check_point

# Of M. Okabe and K. Ito, "Color Universal Design" (2008): told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, YELLOW = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#F0E442",
)
# Of lines, bars and areas that stand side by side, in this order; none is told by colour alone.
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK, YELLOW)
DASHES = ("-", (0, (4, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
SHADE, NOTE = "#E4E4E4", "#555555"

WIDTH = 5.2  # of a column [in]
LABEL_PT = 13  # height of a row of names of actions [pt]
LABEL_SHARE = 0.07  # likewise, of the first panel
LETTER = 0.09  # width of a letter of these names, with something for the margins [in]
KEY, LEGEND_LETTER = 0.6, 0.067  # width of a line in a legend, and of a letter beside it [in]
TICKS_MOST = 12  # on an axis, at all values of a sweep
APART = 0.045  # least distance of these, of the whole axis
MARGIN = 0.05  # beside the outermost values, of what is between them
BASE = 10.0  # of logarithms; that of matplotlib's scales
LETTERS_MOST = 60  # of names along an axis, side by side

STYLE = {
    "figure.dpi": 150,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
}

Picture = TypeVar("Picture", bound=Callable[..., Figure])


def of_files(draw: Picture) -> Picture:
    """A picture of several files that takes one as well, without a list around it."""

    @functools.wraps(draw)
    def drawn(files: Any, **options: Any) -> Figure:
        return draw([files] if isinstance(files, (Results, dict)) else files, **options)

    return cast(Picture, drawn)


BAND = (0.05, 0.95)  # of the replications, around their median


def styled() -> Any:
    """Within it, what is drawn is drawn in this style."""
    return matplotlib.rc_context(STYLE)


def panels(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of `size` [in, in] and its axes, [row, column]. It belongs to the caller alone: no
    display, and no list of open figures, knows it."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def places(files: Sequence[Results], point: int | Sequence[int]) -> list[int]:
    """Which point of each file: one for all, or one each. ResultsError where one has none such."""
    found = [int(it) for it in np.broadcast_to(point, len(files))]
    for results, one in zip(files, found):
        check_point(results, one)
    return found


def titles(files: Sequence[Results], point: int | Sequence[int] = 0) -> list[str]:
    """What tells the files apart, at a point of each: the values in which their configurations
    differ, those of the sweep among them; or else the names of their studies."""
    points = places(files, point)
    swept = [
        {path: value_text(axis, place) for path, axis in results.axes.items()}
        for results, place in zip(files, points)
    ]
    if len(files) < 2:
        return [
            textwrap.shorten(": ".join(filter(None, (results.title, _named(values)))), 90)
            for results, values in zip(files, swept)
        ]
    told = differences([results.config_at(place) for results, place in zip(files, points)])
    for one, values in zip(told, swept):
        one |= {
            path: text
            for path, text in values.items()
            if any(other.get(path) != text for other in swept)
        }
    timelines = [results.timeline(place) for results, place in zip(files, points)]
    if len({len(actions) for actions in timelines}) > 1:  # then rows have no counterparts
        for one, actions in zip(told, timelines):
            for path in [path for path in one if path.startswith("timeline[")]:
                del one[path]
            one["timeline"] = ", ".join(map(str, actions)) or "[]"
    return told_apart(files, [_named(one) for one in told])


def told_apart(files: Sequence[Results], texts: Sequence[str]) -> list[str]:
    """Names of files: these texts, or the names of their studies where there is none; of files that
    would be called alike, with the file's own."""
    told = [textwrap.shorten(text or it.title, 70) for text, it in zip(texts, files)]
    names = [os.path.basename(results.path) for results in files]
    if len(set(zip(told, names))) < len(files):
        names = [results.path for results in files]
    return [
        f"{text} ({name})" if told.count(text) > 1 else text for text, name in zip(told, names)
    ]


def _named(values: dict[str, str]) -> str:
    return ", ".join(f"{path} = {value}" for path, value in values.items())


def value_text(axis: Labels, place: int) -> str:
    """What one point has on an axis of the sweep, with its unit: `500/s`, `0.1 s`, `none`."""
    value = axis.values[place]
    if axis.values.dtype.kind == "U":
        return str(value)
    return f"{value:.6g}{unit_text(axis.unit)}"


def unit_text(unit: str) -> str:
    """How a unit follows a number: `/s`, ` s`; nothing for pure numbers."""
    return unit.removeprefix("1") if unit.startswith("1") else f" {unit}" if unit else ""


def draw_band(
    axes: Axes,
    results: Results,
    values: np.ndarray,
    name: str,
    colour: str,
    dashes: str | tuple[int, tuple[int, ...]] = "-",
) -> None:
    """The median over replications of values [replication, interval], and the band around it."""
    low, high = np.quantile(values, BAND, axis=0)
    axes.fill_between(middle(results), low, high, color=colour, alpha=0.2, linewidth=0)
    median = np.median(values, axis=0)
    axes.plot(middle(results), median, color=colour, linestyle=dashes, label=name)


def middle(results: Results) -> np.ndarray:
    """The middles of the intervals [s]."""
    return results.time_s + results.interval_s / 2


def window(results: Results, span: tuple[float, float] | None) -> tuple[float, float]:
    """What is shown of simulated time [s, s]: a span of it, by default all."""
    if span is None:
        return 0.0, results.duration_s
    begin, end = span
    if not 0.0 <= begin < min(end, results.duration_s):
        raise ResultsError(
            f"{results.path}: nothing lies between {begin:g} s and {end:g} s (it lasts "
            f"{results.duration_s:g} s)"
        )
    return begin, min(end, results.duration_s)


def zoom(files: Sequence[Results], grid: np.ndarray, span: tuple[float, float] | None) -> None:
    """Shows a span of time of what has been drawn, a column a file; rows are as high as what is
    within it."""
    for results, column in zip(files, grid.T):
        column[-1].set_xlim(window(results, span))
    if span is None:
        return
    for row in grid:
        seen = np.concatenate([_seen(axes, *axes.get_xlim()) for axes in row])
        log = row[0].get_yscale() == "log"
        seen = seen[np.isfinite(seen) & ((seen > 0) | (not log))]
        if len(seen) == 0:
            continue
        low, high = float(seen.min()), float(seen.max())
        margin = 0.05 * ((high - low) or abs(high) or 1.0)
        row[0].set_ylim(*((low / 1.2, high * 1.2) if log else (low - margin, high + margin)))


def _seen(axes: Axes, begin: float, end: float) -> np.ndarray:
    """All heights of lines, bands and steps within a span."""
    points = [np.stack(line.get_data(), axis=1).astype(float) for line in axes.get_lines()]
    points += [path.vertices for it in axes.collections for path in it.get_paths()]
    heights = [one[(one[:, 0] >= begin) & (one[:, 0] <= end), 1] for one in points]
    for steps in (patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch)):
        inside = (steps.edges[1:] > begin) & (steps.edges[:-1] < end)
        heights += [steps.values[inside], np.broadcast_to(steps.baseline, inside.shape)[inside]]
    return np.concatenate([np.zeros(0), *heights])


def shade(
    results: Results,
    column: Sequence[Axes],
    point: int = 0,
    span: tuple[float, float] | None = None,
) -> int:
    """Shades what happened (within a span of time [s, s]) on all axes and names it on the first, in
    as many rows as keep the names apart; returns how many. Among several actions, a bar in its row
    shows how long each lasts."""
    begin_s, end_s = window(results, span)
    seen = [
        (action, [it for it in action.windows(end_s) if it[1] >= begin_s])
        for action in sorted(results.timeline(point), key=lambda action: action.at_s)
    ]
    seen = [(action, windows) for action, windows in seen if windows]
    letter = LETTER * (end_s - begin_s) / WIDTH
    taken: list[list[tuple[float, float]]] = []
    for action, windows in seen:
        first, until = max(windows[0][0], begin_s), min(windows[-1][1], end_s)
        for begin, end in windows:
            for axes in column:
                axes.axvspan(max(begin, begin_s), min(end, end_s), color=SHADE, zorder=0)
        width = letter * (len(str(action)) + 1)
        right = until + width < end_s or end_s - until > first - begin_s  # there is room
        needed = (first, until + width) if right else (first - width, until)
        row = next((i for i, spans in enumerate(taken) if _free(spans, needed)), len(taken))
        taken[row:] = taken[row:] or [[]]
        taken[row].append(needed)
        _name(column[0], str(action), (first, until), right, row, len(seen) > 1)
    return len(taken)


def _free(spans: Sequence[tuple[float, float]], span: tuple[float, float]) -> bool:
    return all(span[1] <= begin or end <= span[0] for begin, end in spans)


def _name(
    axes: Axes, name: str, span: tuple[float, float], right: bool, row: int, bar: bool
) -> None:
    """Beside a span, on its right or left."""
    height = ("data", "axes fraction")
    if bar:
        x, y = span, -(row * LABEL_PT + LABEL_PT / 2 + 1)
        shift = ScaledTranslation(0, y / 72, axes.figure.dpi_scale_trans)
        top = axes.get_xaxis_transform() + shift
        axes.plot(x, [1, 1], color=NOTE, linewidth=2.5, transform=top, solid_capstyle="butt")
    axes.annotate(
        name,
        xy=(span[1] if right else span[0], 1),
        xycoords=height,
        xytext=(4 if right else -4, -2 - row * LABEL_PT),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        fontsize=9,
        color=NOTE,
    )


def make_room(axes: Axes, rows: int) -> None:
    """Keeps the lines below the names of actions, of which there are so many rows."""
    if rows > 0:
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) / max(1 - LABEL_SHARE * (rows + 1), 0.4))


def split_label(text: str) -> tuple[str, str]:
    """The name and what it names, of `name = written`; without a name it is its own."""
    name, equals, written = text.partition("=")
    return (name.strip(), written.strip()) if equals else (text.strip(), text.strip())


def legend_below(drawn: Figure, handles: Sequence, names: Sequence[str], ncols: int) -> None:
    """A legend for all panels, below them, in no more columns than have room."""
    column = KEY + LEGEND_LETTER * max(map(len, names))
    room = int(drawn.get_size_inches()[0] // column)
    ncols = max(min(ncols, len(names), room), 1)
    rows = -(-len(names) // ncols)
    height = (0.21 * rows + 0.12) / drawn.get_size_inches()[1]
    drawn.legend(handles, names, loc="lower center", ncols=ncols, fontsize=9)
    drawn.get_layout_engine().set(rect=(0, height, 1, 1 - height))


def scale(
    axes: Axes,
    which: str,
    positions: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    geometric: bool = False,
) -> None:
    """Has the axis `which`, "x" or "y", follow values of a sweep: logarithmic where they are
    geometric (see `spacing`), with a tick at each if there are few; `names` are those of texts."""
    line = axes.xaxis if which == "x" else axes.yaxis
    where = spacing(positions, geometric)
    if geometric:
        of_axis = axes.set_xscale if which == "x" else axes.set_yscale
        if positions[0] > 0:
            of_axis("log")
            line.set_major_locator(LogLocator(subs=(1, 2, 5)))
        else:
            of_axis("symlog", linthresh=where.linthresh, linscale=where.linscale)
            first, last = where.transform(positions[[0, -1]])
            ends = np.array([first, last]) + MARGIN * (last - first) * np.array([-1, 1])
            axes.set(**{f"{which}lim": where.inverted().transform(ends)})
        line.set_minor_locator(NullLocator())
    if names is not None:
        line.set_ticks(positions, names)
    elif len(positions) <= TICKS_MOST and _apart(where.transform(positions)):
        line.set_ticks(positions)
    if names is None:
        line.set_major_formatter(FormatStrFormatter("%g"))
    if which == "x" and sum(map(len, names or ())) > LETTERS_MOST:
        axes.tick_params("x", labelrotation=20)


def spacing(positions: np.ndarray, geometric: bool) -> Transform:
    """From values to where they lie on an axis of such a scale. A zero, which has no logarithm,
    lies before the least of the others, as far as these are from one another (the median)."""
    if not geometric:
        return IdentityTransform()
    if positions[0] > 0:
        return LogTransform(BASE)
    step = np.median(np.diff(np.log(positions[1:]))) / np.log(BASE)
    return SymmetricalLogTransform(BASE, positions[1], step * (1 - 1 / BASE))


def _apart(where: np.ndarray) -> bool:
    """Whether ticks at these places leave room for their numbers."""
    return len(where) < 2 or np.diff(where).min() >= APART * (where[-1] - where[0])
