# SPDX-License-Identifier: Apache-2.0
"""Figures of whole runs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import figures, measures, sweeps
from squall.file import Results, ResultsError
from squall.style import (
    BAND,
    CYCLE,
    NOTE,
    legend_below,
    of_files,
    panels,
    places,
    split_label,
    styled,
    titles,
)

HATCHES = ("", "//", "..", "\\\\", "xx", "--")
LOG_FROM = 10.0  # attempts for a request that are drawn on a logarithmic axis
LETTERS_IN_PANEL = 32  # of names below bars, side by side


@of_files
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
    the whole run. Bars are medians over replications, whiskers the middle 90 %; from 10 attempts on
    they are on a logarithmic axis.
    """
    client = client or str(files[0].groups("client")[0])
    chain = list(group) or _receivers(files[0])
    points = places(files, point)
    values = [
        measures.tier_amplification(results, chain, group=client, span=span, point=place)
        for results, place in zip(files, points)
    ]
    with styled():
        drawn, [[axes]] = panels(1, 1, (8.0, 4.4))
        band = (BAND[0], 0.5, BAND[1])
        shown = [np.nanquantile(one, band, axis=0) for one in values]
        _bars(axes, shown, labels or titles(files, points))
        axes.set_xticks(range(len(chain)), chain)
        if max(np.nanmax(one) for one in values) >= LOG_FROM:
            axes.set_yscale("log")
            _headroom(axes, values)
        axes.set_ylabel(f"attempts per request of {client} [1]")
        axes.set_xlabel("where they arrive, from first to last")
        axes.grid(axis="x", visible=False)
        if span:
            axes.set_title(f"from {span[0]:g} s to {span[1]:g} s")
        if len(files) > 1:
            axes.legend(loc="upper left", fontsize=9.5)
    return drawn


@of_files
def compare(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    span: tuple[float, float] | None = None,
    point: int | Sequence[int] = 0,
) -> Figure:
    """Figures as `squall.figures` writes them, side by side: `panel: bar = group.statistic / ...`.

    Those of one panel and unit share an axis. `span` is a span of time [s, s], by default the whole
    run after the warm-up. Bars are means over replications, of percentiles those of all values
    taken together; whiskers are intervals of 95 % confidence (see `sweeps.curve`). So they agree
    with what `squall inspect` says.
    """
    if not figure:
        raise ResultsError(figures.which(files[0]))
    by_panel: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for text in figure:
        name, written = split_label(text)
        panel, colon, bar = name.rpartition(":")
        key = (panel.strip() if colon else "", figures.unit(figures.parse(files[0], written)))
        by_panel.setdefault(key, []).append((bar.strip(), written))
    points = places(files, point)
    with styled():
        drawn, row = panels(1, len(by_panel), (max(8.0, 4.0 * len(by_panel)), 3.9))
        told = labels or titles(files, points)
        shown: list[tuple[sweeps.Curve, int]] = []
        for axes, ((panel, unit), wanted) in zip(row[0], by_panel.items()):
            shown += _panel(axes, files, told, wanted, span, points)
            axes.set_ylabel(f"{panel} {unit[unit.index('['):]}" if panel else unit)
        when = f"from {sweeps.span_text(span)}: " if span else ""
        drawn.suptitle(
            f"{when}{sweeps.means_text(shown)}",
            x=0.01,
            ha="left",
            fontsize=10.5,
        )
        if len(files) > 1:
            handles, names = row[0, 0].get_legend_handles_labels()
            legend_below(drawn, handles, names, 2)
    return drawn


def _panel(
    axes: Axes,
    files: Sequence[Results],
    labels: Sequence[str],
    wanted: Sequence[tuple[str, str]],
    span: tuple[float, float] | None,
    points: Sequence[int],
) -> list[tuple[sweeps.Curve, int]]:
    """Draws one, and returns what is drawn, with the point of each."""
    curves = [[sweeps.curve(results, text, span) for _, text in wanted] for results in files]
    shown = [
        np.array([[it.low[point], it.estimate[point], it.high[point]] for it in of_file]).T
        for of_file, point in zip(curves, points)
    ]
    _bars(axes, shown, labels)
    names = [name for name, _ in wanted]
    if sum(map(len, names)) > LETTERS_IN_PANEL:
        names = [name.replace(".", ".\n") for name in names]
    axes.set_xticks(range(len(wanted)), names)
    axes.set_ylim(0, 1.15 * np.nanmax(np.array(shown)) or 1)
    axes.grid(axis="x", visible=False)
    return [(it, point) for of_file, point in zip(curves, points) for it in of_file]


def _receivers(results: Results) -> list[str]:
    """Groups of all that receive requests, in the order of the configuration."""
    receiving = {
        name
        for type in results.types
        if f"stats/{type}/{measures.ARRIVED[0]}" in results.h5
        for name in results.groups(type)
    }
    return [name for name in results.config.tree["entities"] if name in receiving]


def _bars(axes: Axes, values: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """For each file the lower end, height and upper end, [3, place], with the height in numbers.
    Ends that are not known are left out."""
    width = (0.8 if len(values) > 1 else 0.6) / len(values)
    for number, (one, label) in enumerate(zip(values, labels)):
        x = np.arange(one.shape[1]) + (number - (len(values) - 1) / 2) * width
        low, height, high = np.where(np.isnan(one), one[1], one)
        axes.bar(
            x,
            height,
            0.92 * width,
            color=CYCLE[number % len(CYCLE)],
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
            label=label,
            yerr=(height - low, high - height) if (high > low).any() else None,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": NOTE},
        )
        for place, top, middle in zip(x, high, height):
            if np.isnan(middle):
                continue
            axes.annotate(
                f"{middle:.3g}",
                (place, top),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8 if len(values) < 4 else 7,
                color=NOTE,
            )


def _headroom(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """On a logarithmic axis, from somewhat below 1 to well above the highest bar."""
    known = np.concatenate([one[one > 0] for one in values])
    axes.set_ylim(0.7 * min(1.0, known.min(initial=1.0)), 3 * known.max(initial=1.0))
