# SPDX-License-Identifier: Apache-2.0
"""The time line of a storm: load, queue and latency."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from squall import measures
from squall.file import NS_PER_S, Results, ResultsError
from squall.style import (
    BLACK,
    BLUE,
    GREEN,
    LABEL_SHARE,
    NOTE,
    ORANGE,
    STYLE,
    VERMILION,
    WIDTH,
    draw_band,
    make_room,
    middle,
    shade,
    titles,
)


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
        rows = max(shade(results, column) for results, column in zip(files, grid.T))
        make_room(grid[0, 0], rows)
        figure.align_ylabels(grid[:, 0])
        figure.get_layout_engine().set(w_pad=0.08)
        top = 1 - LABEL_SHARE * max(rows, 1)
        grid[0, -1].legend(loc="best", bbox_to_anchor=(0, 0, 1, top), fontsize=9.5)
    return figure


def verdict(results: Results, client: str | None, point: int) -> str:
    """In how many replications the clients do well in the end."""
    trigger_end = measures.trigger_end_s(results, point=point)
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
        draw_band(axes, results, measure(results, group=client, point=point), name, colour, dashes)


def _draw_queue(axes: Axes, results: Results, server: str | None, point: int) -> None:
    depth = measures.total(results, "server", "queue_depth", group=server, point=point)
    draw_band(axes, results, depth, "queue depth", GREEN)
    axes.set_title(_whose_queue(results, server), fontsize=9.5, color=NOTE, pad=3)


def _whose_queue(results: Results, server: str | None) -> str:
    chosen = measures.select(results, "server", server)
    names = dict.fromkeys(results.groups("server", series=True)[chosen])
    text = textwrap.shorten(f"queue depth of {' + '.join(names)}", 60)
    return f"{text} (the sum)" if len(chosen) > 1 else text


def _draw_latency(axes: Axes, results: Results, client: str | None, point: int) -> None:
    value, _ = measures.latency_quantile(results, 0.99, group=client, point=point)
    axes.plot(middle(results), value / NS_PER_S, color=VERMILION)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
