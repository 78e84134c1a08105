# SPDX-License-Identifier: Apache-2.0
"""Figures of whole runs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import figures
from squall.file import Results, ResultsError
from squall.style import (
    BAND,
    CYCLE,
    NOTE,
    legend_below,
    panels,
    places,
    split_label,
    styled,
    titles,
)

HATCHES = ("", "//", "..", "\\\\", "xx", "--")
ARRIVED = ("requests_received", "requests_missed")  # what reached somebody, up or down


def amplification(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    client: str | None = None,
    group: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """Attempts that arrive at each entity of a chain for every request that the clients begin.

    `client` is the group of clients, by default the first; `group` names the chain from there on,
    by default all that receive requests, as written. `span` is a span of time [s, s], by default
    the whole run. Bars are medians over replications, whiskers the middle 90 %.
    """
    client = client or str(files[0].groups("client")[0])
    chain = list(group) or _receivers(files[0])
    points = places(files, point)
    values = [
        [_attempts(results, one, client, span, place) for one in chain]
        for results, place in zip(files, points)
    ]
    with styled():
        drawn, [[axes]] = panels(1, 1, (8.0, 4.4))
        _bars(axes, values, labels or titles(files, points))
        axes.set_xticks(range(len(chain)), chain)
        axes.set_yscale("log")
        axes.set_ylabel(f"attempts per request of {client} [1]")
        axes.set_xlabel("where they arrive, from first to last")
        axes.grid(axis="x", visible=False)
        _headroom(axes, values)
        if span:
            axes.set_title(f"from {span[0]:g} s to {span[1]:g} s")
        if len(files) > 1:
            axes.legend(loc="upper left", fontsize=9.5)
    return drawn


def compare(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """Figures as `squall.figures` writes them, side by side: `panel: bar = group.statistic / ...`.

    Those of one panel share an axis. `span` is a span of time [s, s], by default the whole run
    after the warm-up. Bars are medians over replications, whiskers the middle 90 %.
    """
    by_panel: dict[str, list[tuple[str, str]]] = {}
    for text in figure:
        name, written = split_label(text)
        panel, colon, bar = name.rpartition(":")
        by_panel.setdefault(panel.strip() if colon else "", []).append((bar.strip(), written))
    if not by_panel:
        raise ResultsError("which figures? (figure: panel: bar = group.statistic, ...)")
    points = places(files, point)
    with styled():
        drawn, row = panels(1, len(by_panel), (max(8.0, 4.0 * len(by_panel)), 3.9))
        told = labels or titles(files, points)
        for axes, (panel, wanted) in zip(row[0], by_panel.items()):
            _panel(axes, files, told, panel, wanted, span, points)
        if len(files) > 1:
            handles, names = row[0, 0].get_legend_handles_labels()
            legend_below(drawn, handles, names, 2)
    return drawn


def _panel(
    axes: Axes,
    files: Sequence[Results],
    labels: Sequence[str],
    panel: str,
    wanted: Sequence[tuple[str, str]],
    span: tuple[float, float] | None,
    points: Sequence[int],
) -> None:
    values = [
        [
            figures.value(results, figures.parse(results, written), span=span, point=point)
            for _, written in wanted
        ]
        for results, point in zip(files, points)
    ]
    unit = figures.unit(figures.parse(files[0], wanted[0][1]))
    _bars(axes, values, labels)
    axes.set_xticks(range(len(wanted)), [name for name, _ in wanted])
    axes.set_ylabel(f"{panel} {unit[unit.index('['):]}" if panel else unit)
    axes.set_ylim(0, 1.15 * max(np.nanmax(one) for file in values for one in file) or 1)
    axes.grid(axis="x", visible=False)


def _receivers(results: Results) -> list[str]:
    """Groups of all that receive requests, in the order of the configuration."""
    receiving = {
        name
        for type in results.types
        if f"stats/{type}/{ARRIVED[0]}" in results.h5
        for name in results.groups(type)
    }
    return [name for name in results.config.tree["entities"] if name in receiving]


def _attempts(
    results: Results, who: str, client: str, span: tuple[float, float] | None, point: int
) -> np.ndarray:
    above = " + ".join(f"{who}.{name}" for name in ARRIVED)
    figure = figures.parse(results, f"{above} / {client}.logical_requests")
    return figures.value(results, figure, span=span, point=point)


def _bars(axes: Axes, values: Sequence[Sequence[np.ndarray]], labels: Sequence[str]) -> None:
    """Values [replication] by file and place, with what they are in numbers."""
    width = (0.8 if len(values) > 1 else 0.6) / len(values)
    for number, (one, label) in enumerate(zip(values, labels)):
        x = np.arange(len(one)) + (number - (len(values) - 1) / 2) * width
        low, median, high = np.array(
            [np.nanquantile(value, (BAND[0], 0.5, BAND[1])) for value in one]
        ).T
        axes.bar(
            x,
            median,
            0.92 * width,
            color=CYCLE[number % len(CYCLE)],
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
            label=label,
            yerr=(median - low, high - median) if (high > low).any() else None,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": NOTE},
        )
        for place, top, height in zip(x, high, median):
            axes.annotate(
                f"{height:.3g}",
                (place, top),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8 if len(values) < 4 else 7,
                color=NOTE,
            )


def _headroom(axes: Axes, values: Sequence[Sequence[np.ndarray]]) -> None:
    """On a logarithmic axis, from somewhat below 1 to well above the highest bar."""
    tops = [np.nanmax(one) for file in values for one in file]
    bottoms = [np.nanmin(one) for file in values for one in file]
    axes.set_ylim(min([0.7, *(0.7 * low for low in bottoms if low > 0)]), 3 * max(1.0, *tops))
