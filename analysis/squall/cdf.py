# SPDX-License-Identifier: Apache-2.0
"""Distributions of latency, and of whatever has a histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall.file import NS_PER_S, Results, ResultsError
from squall.latency import named_histogram
from squall.store import meaning
from squall.style import (
    BAND,
    CYCLE,
    DASHES,
    legend_below,
    of_files,
    panels,
    places,
    split_label,
    styled,
    titles,
)

STRETCHED_FROM = 0.9  # on the axis of shares, a decade more of what is left takes as much room each
DECADE = 0.18  # of the room from 0 to STRETCHED_FROM, about
LAST = 1e-4  # left above the line at 1, which has no logarithm
ENDS_AT = 1.00001
LEFT_OUT = 0.001  # share of values below the axis
READ_AT = (0.5, 0.75, 0.9, 0.99, 0.999)  # shares with a line across


@of_files
def cdf(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    group: Sequence[str] = (),
    point: int | Sequence[int] = 0,
) -> Figure:
    """The share of values that are below a time, on a logarithmic axis of time; the
    axis of shares is stretched above 0.9, where the tail is. For each group and
    file one line, all replications that count taken together (`Results.counted`); the band is the
    middle 90 % of the replications' own shares, time by time.

    A group may have a name, and a histogram other than the latency of its requests: `name =
    group.histogram`. By default all groups of clients. Shares are known exactly at the bounds of
    buckets; between them lines are straight. The axis begins where one value in a thousand is
    below. What is there for the tail is `latency`.
    """
    who = list(group) or list(dict.fromkeys(files[0].groups("client")))
    points = places(files, point)
    told = labels or titles(files, points)
    with styled():
        drawn, [[axes]] = panels(1, 1, (8.0, 4.8))
        number, units, begins = 0, {}, []
        for results, file, place in zip(files, told, points):
            for text in who:
                name, written = split_label(text)
                type, histogram, entities = named_histogram(results, written)
                unit, _ = meaning(results.h5[f"histograms/{type}/{histogram}/sum"])
                units[unit] = histogram.replace("_", " ")
                label = name if len(files) == 1 else file if len(who) == 1 else f"{name}, {file}"
                times, together, low, high = shares(results, type, histogram, entities, place)
                _draw(axes, times, together, (low, high), label, number)
                begins.append(_begin(times, together))
                number += 1
        _finish(axes, units)
        axes.set_xlim(left=min(begins))
        legend_below(drawn, *axes.get_legend_handles_labels(), 3)
        if len(files) == 1:
            axes.set_title(told[0])
    return drawn


def _stretched(share: np.ndarray) -> np.ndarray:
    """Where shares lie on the axis: even up to 0.9, from there on by the logarithm of what is left,
    to which a little is added, so that 1 has a place."""
    share = np.asarray(share, float)
    left = np.maximum(1.0 - share, 0.0) + LAST
    most = 1.0 - STRETCHED_FROM + LAST
    return np.where(
        share <= STRETCHED_FROM, share, STRETCHED_FROM + DECADE * np.log10(most / left)
    )


def _shrunk(place: np.ndarray) -> np.ndarray:
    """The opposite of `_stretched`."""
    place = np.asarray(place, float)
    most = 1.0 - STRETCHED_FROM + LAST
    above = np.maximum(place - STRETCHED_FROM, 0.0)
    return np.where(place <= STRETCHED_FROM, place, 1.0 + LAST - most / 10 ** (above / DECADE))


def _begin(values: np.ndarray, together: np.ndarray) -> float:
    """Where the axis may begin: below it are zeros, which have no logarithm, and one value in a
    thousand."""
    shown = values > 0
    some = together[shown] >= together[shown][0] + LEFT_OUT
    return float(values[shown][max(int(np.argmax(some)) - 1, 0)]) / 1.1


def _finish(axes: Axes, units: dict[str, str]) -> None:
    if len(units) > 1:
        raise ResultsError(f"histograms in {' and '.join(units)} cannot share an axis")
    [(unit, what)] = units.items()
    axes.set_xscale("log")
    axes.set_xlabel(f"{what} [{'s' if unit == 'ns' else unit}]")
    axes.set_ylabel("share of values below [1]\n(stretched above 0.9)")
    axes.set_yscale("function", functions=(_stretched, _shrunk))
    axes.set_ylim(-0.02, ENDS_AT)
    axes.set_yticks([0, 0.25, *READ_AT, 1], ["0", "0.25", *map(str, READ_AT), "1"])


def shares(
    results: Results, type: str, name: str, entities: np.ndarray, point: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values [s, or the unit of the histogram] where the share of smaller ones is known exactly,
    rising; that share of all replications that count together; and the lower and upper end of the
    band of the replications' own: [value] each. Replications without values are left out of it."""
    counted = np.flatnonzero(results.counted[point])
    parts = [
        results.histogram(type, name, point=point, entities=entities, replications=[number])
        for number in counted
    ]
    parts = [part for part in parts if part.total > 0]
    if not parts:
        raise ResultsError(f"{results.path}: no values of {name}")
    edges = parts[0].edges
    used = np.unique(np.concatenate([part.bins for part in parts]))
    bounds = np.unique(np.concatenate([used, used + 1]))
    below = np.array([np.searchsorted(part.bins, bounds) for part in parts])
    upto = [np.concatenate([[0], np.cumsum(part.counts.astype(np.int64))]) for part in parts]
    counts = np.array([one[place] for one, place in zip(upto, below)])  # [replication, bound]
    totals = np.array([float(part.total) for part in parts])
    low, high = np.quantile(counts / totals[:, None], BAND, axis=0)
    values = edges[bounds].astype(float)
    values[0] = min(part.least for part in parts)
    values[-1] = max(part.largest for part in parts) + 1
    unit, _ = meaning(results.h5[f"histograms/{type}/{name}/sum"])
    scale = NS_PER_S if unit == "ns" else 1.0
    return values / scale, counts.sum(axis=0) / totals.sum(), low, high


def _draw(
    axes: Axes,
    values: np.ndarray,
    together: np.ndarray,
    band: tuple[np.ndarray, np.ndarray],
    label: str,
    number: int,
) -> None:
    shown = values > 0  # zero has no logarithm
    colour, dashes = CYCLE[number % len(CYCLE)], DASHES[number % len(DASHES)]
    axes.fill_between(
        values[shown], band[0][shown], band[1][shown], color=colour, alpha=0.25, linewidth=0
    )
    axes.plot(values[shown], together[shown], color=colour, linestyle=dashes, label=label)
