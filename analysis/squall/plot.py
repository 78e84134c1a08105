# SPDX-License-Identifier: Apache-2.0
"""Pictures of results. Each function returns a matplotlib figure; `PLOTS` lists them by name."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")  # no display is needed; must come before pyplot

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from squall import measures
from squall.config import Action, differences
from squall.file import NS_PER_S, Results, ResultsError

# Of M. Okabe and K. Ito, "Color Universal Design" (2008): told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
)
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


def storm(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    client: str | None = None,
    server: str | None = None,
    point: int = 0,
) -> Figure:
    """A time line: offered load, attempts and goodput; queue depth; p99 of the requests' latency.

    One column a file, on common axes. Lines are medians over replications, within the band of the
    middle 90 % of them; the percentile is that of all replications taken together. What the
    timeline did is shaded. `client` and `server` pick one group each. The panel of the queue is
    left out, with a warning, if a file has no time series of it.
    """
    panels = {"requests [1/s]": _draw_loads}
    if _queues_known(files, server):
        panels["queue depth\n[requests]"] = _draw_queue
    panels["p99 latency\n[s]"] = _draw_latency
    heights = (2.2, 1, 1)[: len(panels)]
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(panels),
            len(files),
            figsize=(WIDTH * len(files) if len(files) > 1 else 8.0, 0.6 + sum(heights) / 0.7),
            sharex="col",
            sharey="row",
            squeeze=False,
            height_ratios=heights,
            layout="constrained",
        )
        for results, label, column in zip(files, labels or titles(files), grid.T):
            column[0].set_title(f"{label}\n{verdict(results, client, point)}", linespacing=1.5)
            for draw, axes in zip(panels.values(), column):
                draw(axes, results, server if draw is _draw_queue else client, point)
            column[-1].set_xlabel("simulated time [s]")
            column[-1].set_xlim(0, results.duration_s)
        for axes, name in zip(grid[:, 0], panels):
            axes.set_ylabel(name)
        for axes in grid[:-1, 0]:
            axes.set_ylim(bottom=-0.03 * axes.get_ylim()[1])  # a line at 0 is not on the edge
        rows = max(_shade(results, column) for results, column in zip(files, grid.T))
        _make_room(grid[0, 0], rows)
        figure.align_ylabels(grid[:, 0])
        figure.get_layout_engine().set(w_pad=0.08)
        top = 1 - LABEL_SHARE * max(rows, 1)
        grid[0, -1].legend(loc="best", bbox_to_anchor=(0, 0, 1, top), fontsize=9.5)
    return figure


PLOTS: dict[str, Callable[..., Figure]] = {"storm": storm}


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


def verdict(results: Results, client: str | None, point: int) -> str:
    """In how many replications the clients do well in the end."""
    trigger_end = measures.trigger_end_s(results)
    left = results.duration_s - trigger_end
    if left <= 0:
        return "ends before its trigger does"
    if left / 2 < results.interval_s[0]:
        return "ends too soon to tell whether all is well"
    bad = measures.still_degraded(results, group=client, point=point)
    what = "recovered" if trigger_end > 0 else "well at the end"
    return f"{what} in {np.count_nonzero(~bad)} of {len(bad)} replications"


def _queues_known(files: Sequence[Results], server: str | None) -> bool:
    """Whether all files have time series of the servers asked for; warns if not."""
    for results in files:
        servers = results.groups("server") if "server" in results.types else ()
        try:
            measures.select(results, "server", server)
        except ResultsError as error:
            if not results.has_series or (server is not None and server not in servers):
                raise
            warnings.warn(f"no panel of the queue: {error}", stacklevel=3)
            return False
    return True


def _draw_loads(axes: Axes, results: Results, client: str | None, point: int) -> None:
    for measure, name, colour, dashes in (
        (measures.attempt_load, "attempts (retries included)", ORANGE, "-"),
        (measures.goodput, "goodput (requests that end well)", BLUE, "-"),
        (measures.offered_load, "offered load (requests begun)", BLACK, (0, (4, 2))),
    ):
        _draw_band(axes, results, measure(results, group=client, point=point), name, colour, dashes)


def _draw_queue(axes: Axes, results: Results, server: str | None, point: int) -> None:
    depth = measures.total(results, "server", "queue_depth", group=server, point=point)
    _draw_band(axes, results, depth, "queue depth", GREEN)
    axes.set_title(_whose_queue(results, server), fontsize=9.5, color=NOTE, pad=3)


def _whose_queue(results: Results, server: str | None) -> str:
    chosen = measures.select(results, "server", server)
    names = dict.fromkeys(results.groups("server", series=True)[chosen])
    text = textwrap.shorten(f"queue depth of {' + '.join(names)}", 60)
    return f"{text} (the sum)" if len(chosen) > 1 else text


def _draw_latency(axes: Axes, results: Results, client: str | None, point: int) -> None:
    value, _ = measures.latency_quantile(results, 0.99, group=client, point=point)
    axes.plot(_middle(results), value / NS_PER_S, color=VERMILION)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())


def _draw_band(
    axes: Axes,
    results: Results,
    values: np.ndarray,
    name: str,
    colour: str,
    dashes: str | tuple[int, tuple[int, ...]] = "-",
) -> None:
    """The median over replications of values [replication, interval], and the band around it."""
    low, high = np.quantile(values, BAND, axis=0)
    axes.fill_between(_middle(results), low, high, color=colour, alpha=0.2, linewidth=0)
    median = np.median(values, axis=0)
    axes.plot(_middle(results), median, color=colour, linestyle=dashes, label=name)


def _middle(results: Results) -> np.ndarray:
    """The middles of the intervals [s]."""
    return results.time_s + results.interval_s / 2


def _shade(results: Results, column: Sequence[Axes]) -> int:
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


def _make_room(axes: Axes, rows: int) -> None:
    """Keeps the lines below the names if there are several rows of these."""
    if rows > 1:
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) / max(1 - LABEL_SHARE * rows, 0.4))
