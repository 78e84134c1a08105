# SPDX-License-Identifier: Apache-2.0
"""What all pictures have in common: colours and type, names of files, lines with their bands, and
the shading of what happened."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed; must come before pyplot

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from squall.config import Action, differences
from squall.file import Results

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

BAND = (0.05, 0.95)  # of the replications, around their median


def titles(files: Sequence[Results]) -> list[str]:
    """What tells the files apart: the values in which their configurations differ, or else the
    names of their studies."""
    if len(files) < 2:
        return [results.title for results in files]
    told = differences([results.config for results in files])
    timelines = [results.config.timeline() for results in files]
    if len({len(actions) for actions in timelines}) > 1:  # then rows have no counterparts
        for one, actions in zip(told, timelines):
            for path in [path for path in one if path.startswith("timeline[")]:
                del one[path]
            one["timeline"] = ", ".join(map(str, actions)) or "[]"
    texts = [", ".join(f"{path} = {value}" for path, value in one.items()) for one in told]
    return [textwrap.shorten(text or results.title, 70) for text, results in zip(texts, files)]


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


def shade(results: Results, column: Sequence[Axes]) -> int:
    """Shades what happened on all axes and names it on the first, in as many rows as keep the names
    apart; returns how many. Among several actions, a bar in its row shows how long each lasts."""
    end_s = results.duration_s
    actions = [action for action in results.config.timeline() if action.at_s < end_s]
    letter = LETTER * end_s / WIDTH
    taken: list[list[tuple[float, float]]] = []
    for action in sorted(actions, key=lambda action: action.at_s):
        windows = action.windows(end_s)
        until = min(windows[-1][1], end_s)
        for begin, end in windows:
            for axes in column:
                axes.axvspan(begin, min(end, end_s), color=SHADE, zorder=0)
        width = letter * (len(str(action)) + 1)
        early = until + width < end_s or until < end_s - action.at_s  # there is room on the right
        span = (action.at_s, until + width) if early else (action.at_s - width, until)
        row = next((i for i, spans in enumerate(taken) if _free(spans, span)), len(taken))
        taken[row:] = taken[row:] or [[]]
        taken[row].append(span)
        _name(column[0], action, until, early, row, len(actions) > 1)
    return len(taken)


def _free(spans: Sequence[tuple[float, float]], span: tuple[float, float]) -> bool:
    return all(span[1] <= begin or end <= span[0] for begin, end in spans)


def _name(axes: Axes, action: Action, until: float, early: bool, row: int, bar: bool) -> None:
    height = ("data", "axes fraction")
    if bar:
        x, y = [action.at_s, until], -(row * LABEL_PT + LABEL_PT / 2 + 1)
        shift = ScaledTranslation(0, y / 72, axes.figure.dpi_scale_trans)
        top = axes.get_xaxis_transform() + shift
        axes.plot(x, [1, 1], color=NOTE, linewidth=2.5, transform=top, solid_capstyle="butt")
    axes.annotate(
        str(action),
        xy=(until if early else action.at_s, 1),
        xycoords=height,
        xytext=(4 if early else -4, -2 - row * LABEL_PT),
        textcoords="offset points",
        ha="left" if early else "right",
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
    """A legend for all panels, below them."""
    ncols = min(ncols, len(names))
    rows = -(-len(names) // ncols)
    height = (0.21 * rows + 0.12) / drawn.get_size_inches()[1]
    drawn.legend(handles, names, loc="lower center", ncols=ncols, fontsize=9)
    drawn.get_layout_engine().set(rect=(0, height, 1, 1 - height))
