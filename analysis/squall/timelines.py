# SPDX-License-Identifier: Apache-2.0
"""Time lines of any statistics, and of what became of attempts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from squall import figures, measures, work
from squall.file import Results, ResultsError
from squall.style import (
    BLACK,
    BLUE,
    CYCLE,
    DASHES,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    YELLOW,
    draw_band,
    legend_below,
    make_room,
    middle,
    of_files,
    panels,
    places,
    shade,
    split_label,
    styled,
    titles,
    zoom,
)

# How attempts end (`work.attempt_ends`), from the bottom of the stack: name, colour and hatch.
ENDS = {
    work.ANSWERED_WELL: ("answered well", BLUE, ""),
    "errors": ("answered with an error", ORANGE, ""),
    "timeouts": ("timed out", VERMILION, ""),
    "refused": ("refused a connection", PURPLE, "//"),
    "connection_wait_timeouts": ("waited for a connection in vain", PURPLE, ""),
    "rate_limited": ("held back by a rate limit", GREEN, "//"),
    "circuit_broken": ("held back by a breaker", GREEN, ""),
    "throttled": ("held back by a throttle", SKY, ""),
    "low_timeouts": ("held back by a deadline", SKY, "//"),
    "dropped": ("lost in a conditioner", YELLOW, ""),
    "cancelled": ("given up for another one", YELLOW, "//"),
}


@of_files
def lines(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """Figures over time, as `squall.figures` writes them, each with a name if it has one: `orders
    that end well = orders.sagas_completed`. Those of one unit share a panel.

    One column a file. Lines are medians over replications, within the band of the middle 90 %.
    `span` is a span of time [s, s] to show, by default all.
    """
    if not figure:
        raise ResultsError(figures.which(files[0]))
    points = places(files, point)
    by_unit: dict[str, list[tuple[str, str]]] = {}
    for text in figure:
        name, written = split_label(text)
        unit = figures.unit(figures.parse(files[0], written))
        by_unit.setdefault(unit, []).append((name, written))
    with styled():
        drawn, grid = columns(files, labels, points, len(by_unit))
        for (unit, wanted), row in zip(by_unit.items(), grid):
            for results, place, axes in zip(files, points, row):
                _draw_lines(axes, results, wanted, place)
            alone = f"{wanted[0][0]}\n{unit[unit.index('['):]}"
            row[0].set_ylabel(unit if len(wanted) > 1 else alone)
        finish(files, grid, points, span)
        _legends(drawn, list(by_unit.values()), grid)
    return drawn


@of_files
def outcomes(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    group: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """What became of the attempts of each group of clients, by the second in which they ended:
    rates, stacked, means over replications. The dashed line is the load without any retry.

    One column a file, one row a group; by default all that keep time series. `span` is a span of
    time [s, s] to show, by default all.
    """
    who = list(group) or list(dict.fromkeys(files[0].groups("client", series=True)))
    points = places(files, point)
    stacks = [[_ends(results, one, place) for results, place in zip(files, points)] for one in who]
    with styled():
        drawn, grid = columns(files, labels, points, len(who))
        for one, row, stack in zip(who, grid, stacks):
            row[0].set_ylabel(f"attempts of\n{one} [1/s]")
            for results, place, axes, ends in zip(files, points, row, stack):
                _stack(axes, results, ends)
                offered = measures.offered_load(results, group=one, point=place).mean(axis=0)
                axes.plot(middle(results), offered, color=BLACK, linestyle=(0, (4, 2)))
        finish(files, grid, points, span)
        _legend_of_ends(drawn, [ends for stack in stacks for ends in stack])
    return drawn


def columns(
    files: Sequence[Results], labels: Sequence[str] | None, points: Sequence[int], rows: int
) -> tuple[Figure, np.ndarray]:
    """A grid of time lines: a column a file, with its title."""
    width = WIDTH * len(files) if len(files) > 1 else 8.0
    drawn, grid = panels(rows, len(files), (width, 0.8 + 2.2 * rows), sharex="col", sharey="row")
    for results, label, column in zip(files, labels or titles(files, points), grid.T):
        column[0].set_title(label)
        column[-1].set_xlabel("simulated time [s]")
    return drawn, grid


def finish(
    files: Sequence[Results],
    grid: np.ndarray,
    points: Sequence[int],
    span: tuple[float, float] | None,
) -> None:
    """Shows a span of time, and shades what happened, when all has been drawn."""
    zoom(files, grid, span)
    for axes in grid[:, 0]:
        low, high = axes.get_ylim()
        if low <= 0:
            axes.set_ylim(min(low, -0.03 * high), high)  # a line at 0 is not on the edge
    rows = max(shade(*one, span) for one in zip(files, grid.T, points))
    make_room(grid[0, 0], rows)
    grid[0, 0].figure.align_ylabels(grid[:, 0])


def _legends(
    drawn: Figure, rows: Sequence[Sequence[tuple[str, str]]], grid: np.ndarray
) -> None:
    """Where one panel has several lines, their names are below all, in the way of nothing."""
    several = [row for wanted, row in zip(rows, grid) if len(wanted) > 1]
    if len(several) == 1:
        legend_below(drawn, *several[0][-1].get_legend_handles_labels(), 3)
        return
    for row in several:
        row[-1].legend(loc="best", fontsize=9, frameon=True, edgecolor="none", framealpha=0.85)


def _draw_lines(
    axes: Axes, results: Results, wanted: Sequence[tuple[str, str]], point: int
) -> None:
    for place, (name, written) in enumerate(wanted):
        values = figures.series(results, figures.parse(results, written), point=point)
        dashes = DASHES[place % len(DASHES)]
        draw_band(axes, results, values, name, CYCLE[place % len(CYCLE)], dashes)


def _ends(results: Results, group: str, point: int) -> dict[str, np.ndarray]:
    """Attempts per second by how they ended, [interval] each, without what never happened."""
    rates = work.attempt_ends(
        lambda name: measures.rate(results, "client", name, group=group, point=point)
    )
    means = {name: rates[name].mean(axis=0) for name in ENDS}
    return {name: values for name, values in means.items() if values.any()}


def _stack(axes: Axes, results: Results, ends: dict[str, np.ndarray]) -> None:
    """Steps, as what is known is the number in each interval."""
    edges = np.append(results.time_s, results.time_s[-1] + results.interval_s[-1])
    floor = np.zeros(len(results.time_s))
    for end, (_, colour, hatch) in ENDS.items():
        if end in ends:
            top = floor + ends[end]
            axes.stairs(
                top, edges, baseline=floor, fill=True, color=colour, hatch=hatch, linewidth=0
            )
            floor = top


def _legend_of_ends(drawn: Figure, stacks: Sequence[dict[str, np.ndarray]]) -> None:
    """One legend for all panels, of what occurs in any."""
    there = [look for end, look in ENDS.items() if any(end in ends for ends in stacks)]
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
        for _, colour, hatch in there
    ]
    names = [name for name, *_ in there]
    handles.append(Line2D([], [], color=BLACK, linestyle=(0, (4, 2))))
    names.append("offered load (requests begun)")
    legend_below(drawn, handles, names, 3)
