# SPDX-License-Identifier: Apache-2.0
"""The time line of a storm: load, queue, breakers and latency."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from squall import measures
from squall.file import NS_PER_S, Results, ResultsError
from squall.style import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    LABEL_SHARE,
    NOTE,
    ORANGE,
    VERMILION,
    WIDTH,
    draw_band,
    make_room,
    middle,
    of_files,
    panels,
    places,
    shade,
    styled,
    titles,
    zoom,
)

BREAKERS = re.compile(r"(.*breakers_)?")  # before the state, in names of gauges


@of_files
def storm(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    client: str | None = None,
    server: str | None = None,
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """A time line: offered load, attempts and goodput; queue depth; circuit breakers that are open
    or half-open, where any opens; p99 of the requests' latency.

    One column a file, on common axes. Lines are medians over replications, within the band of the
    middle 90 % of them; the percentile is that of all replications taken together. What the
    timeline did is shaded. `client` and `server` pick one group each; breakers are those of all
    that keep time series. `span` is a span of time [s, s] to show, by default all. `point` is a
    point of the sweep, or one for each file. The panel of the queue is left out, with a warning, if
    a file has no time series of it.
    """
    points = places(files, point)
    rows = {"requests [1/s]": (2.2, _draw_loads)}
    if _queues_known(files, server):
        rows["queue depth\n[requests]"] = (1, _draw_queue)
    if any(_breakers_open(results, place) for results, place in zip(files, points)):
        rows["breakers [1]"] = (0.8, _draw_breakers)
    rows["p99 latency\n[s]"] = (1, _draw_latency)
    heights = [height for height, _ in rows.values()]
    size = (WIDTH * len(files) if len(files) > 1 else 8.0, 0.6 + sum(heights) / 0.7)
    with styled():
        ratios = {"height_ratios": heights}
        figure, grid = panels(
            len(rows), len(files), size, sharex="col", sharey="row", gridspec_kw=ratios
        )
        told = labels or titles(files, points)
        for results, place, label, column in zip(files, points, told, grid.T):
            column[0].set_title(f"{label}\n{verdict(results, client, place)}", linespacing=1.5)
            for (_, draw), axes in zip(rows.values(), column):
                draw(axes, results, server if draw is _draw_queue else client, place)
            column[-1].set_xlabel("simulated time [s]")
        zoom(files, grid, span)
        for axes, name in zip(grid[:, 0], rows):
            axes.set_ylabel(name)
        for axes in grid[:-1, 0]:
            axes.set_ylim(bottom=-0.03 * axes.get_ylim()[1])  # a line at 0 is not on the edge
        named = max(shade(*one, span) for one in zip(files, grid.T, points))
        make_room(grid[0, 0], named)
        figure.align_ylabels(grid[:, 0])
        figure.get_layout_engine().set(w_pad=0.08)
        top = 1 - LABEL_SHARE * max(named, 1)
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


def _breaker_levels(
    results: Results, state: str, point: int
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Type, name and level [replication, interval] of every gauge of breakers in a state, "open" or
    "half_open": callers hold breakers, on whichever side, and some types are breakers."""
    kinds = {type: results.statistics(type) for type in results.types}
    for type, kind_of in kinds.items():
        for name in kind_of if type in results.h5["series"] else ():
            if BREAKERS.fullmatch(name.removesuffix(state)) and name.endswith(state):
                yield type, name, measures.total(results, type, name, point=point)


def _breakers_open(results: Results, point: int) -> bool:
    return any(level.any() for *_, level in _breaker_levels(results, "open", point))


def _draw_breakers(axes: Axes, results: Results, client: str | None, point: int) -> None:
    """Of all that keep time series, added."""
    for state, colour, dashes in (("open", VERMILION, "-"), ("half_open", ORANGE, DASHES[1])):
        found = list(_breaker_levels(results, state, point))
        if found:
            level = sum(level for *_, level in found)
            draw_band(axes, results, level, state.replace("_", "-"), colour, dashes)
    axes.legend(loc="best", fontsize=9)


def _draw_latency(axes: Axes, results: Results, client: str | None, point: int) -> None:
    value, _ = measures.latency_quantile(results, 0.99, group=client, point=point)
    axes.plot(middle(results), value / NS_PER_S, color=VERMILION)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
