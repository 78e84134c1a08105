# SPDX-License-Identifier: Apache-2.0
"""Tails of latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import figures
from squall.file import NS_PER_S, Results, ResultsError
from squall.histogram import Histogram
from squall.store import did_you_mean
from squall.style import CYCLE, DASHES, of_files, panels, places, split_label, styled, titles

DEFAULT = {"client": "request_latency", "pooled_client": "request_latency"}  # by type


@of_files
def latency(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    group: Sequence[str] = (),
    point: int | Sequence[int] = 0,
) -> Figure:
    """The share of values that are longer than a time, on logarithmic axes: for each group and
    file one line, all replications that count taken together (`Results.counted`).

    A group may have a name, and a histogram other than the latency of its requests: `name =
    group.histogram`. By default all groups of clients. What is known exactly is the share at the
    bounds of buckets; between them the share lies in the box that is shaded.
    """
    who = list(group) or list(dict.fromkeys(files[0].groups("client")))
    points = places(files, point)
    told = labels or titles(files, points)
    with styled():
        drawn, [[axes]] = panels(1, 1, (8.0, 4.8))
        place = 0
        for results, file, point in zip(files, told, points):
            for text in who:
                name, written = split_label(text)
                histogram = _find(results, written, point)
                label = name if len(files) == 1 else file if len(who) == 1 else f"{name}, {file}"
                colour, dashes = CYCLE[place % len(CYCLE)], DASHES[place % len(DASHES)]
                _draw_tail(axes, histogram, label, colour, dashes)
                place += 1
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("latency [s]")
        axes.set_ylabel("share of requests that take as long or longer [1]")
        axes.set_ylim(top=1.3)
        axes.legend(loc="best", fontsize=9.5)
        if len(files) == 1:
            axes.set_title(told[0])
    return drawn


def tail(histogram: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] and the share of the values that are at least as long, where it is known exactly:
    at the least value, at the bounds of the buckets in use and beyond the largest value."""
    low = histogram.edges[histogram.bins].astype(float)
    high = histogram.edges[histogram.bins + 1].astype(float)
    left = histogram.total - np.cumsum(histogram.counts).astype(float)
    begun = np.concatenate([[histogram.total], left[:-1]])
    low[0], high[-1] = histogram.least, histogram.largest + 1
    times = np.stack([low, high], axis=1).ravel()
    shares = np.stack([begun, left], axis=1).ravel() / histogram.total
    return times / NS_PER_S, shares


def named_histogram(results: Results, written: str) -> tuple[str, str, np.ndarray]:
    """What `group.histogram` or `group` means: the type, the name of the histogram and the places
    of the group's entities."""
    group, _, name = written.partition(".")
    type = figures.type_of(results, group)
    name = name or DEFAULT.get(type, "")
    entities = np.flatnonzero(results.groups(type) == group)
    if not name or results.statistics(type).get(name) != "histogram":
        there = _filled(results, type, entities)
        if not there:
            raise ResultsError(f"{results.path}: no histogram of '{group}' has any value")
        raise ResultsError(
            f"{results.path}: which histogram of '{group}'? name it by --group {group}.{there[0]} "
            f"(there are: {', '.join(there)}){did_you_mean(name, there)}"
        )
    return type, name, entities


def _filled(results: Results, type: str, entities: np.ndarray) -> list[str]:
    """Histograms of a type in which these entities have any value."""
    return [
        name
        for name, kind in results.statistics(type).items()
        if kind == "histogram"
        and np.any(results.moments(type, name)["count"].values[..., entities] > 0)
    ]


def _find(results: Results, written: str, point: int) -> Histogram:
    type, name, entities = named_histogram(results, written)
    group = written.partition(".")[0]
    replications = np.flatnonzero(results.counted[point])
    found = results.histogram(
        type, name, point=point, entities=entities, replications=replications
    )
    if found.total == 0:
        raise ResultsError(f"{results.path}: no values of {group}.{name}")
    return found


def _draw_tail(
    axes: Axes, histogram: Histogram, label: str, colour: str, dashes: str | tuple
) -> None:
    times, shares = tail(histogram)
    shown = np.where(shares > 0, shares, np.nan)  # beyond the largest value there is no logarithm
    axes.plot(times, shown, color=colour, linestyle=dashes, label=f"{label} ({histogram.total:,})")
    bottom = 0.5 / histogram.total  # of what is known to be less than one value
    axes.fill_between(
        np.insert(times, slice(2, None, 2), np.nan),  # boxes are apart where nothing is between
        np.insert(np.repeat(np.maximum(shares[1::2], bottom), 2), slice(2, None, 2), np.nan),
        np.insert(np.repeat(shares[0::2], 2), slice(2, None, 2), np.nan),
        color=colour,
        alpha=0.25,
        linewidth=0,
    )
