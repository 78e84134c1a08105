# SPDX-License-Identifier: Apache-2.0
"""Which settings matter, of a sweep by `morris` or `saltelli`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall import figures, sweeps
from squall import sensitivity as measured
from squall.axis import file_titles
from squall.file import Results, ResultsError
from squall.sensitivity import Design, Effects, Indices
from squall.style import (
    BLACK,
    BLUE,
    NOTE,
    ORANGE,
    legend_below,
    of_files,
    panels,
    split_label,
    styled,
)

if TYPE_CHECKING:
    import pandas

OPTIONS = ("figure", "where", "span")
THICK = 0.36  # of a bar, where a setting has two
# Of each design: the measures that are drawn, what they are called, their colour and hatch.
SHOWN = {
    "morris": (
        ("mu_star", "mu*: how far a whole range of the setting moves it", BLUE, ""),
        ("sigma", "sigma: how much that depends on the others", ORANGE, "//"),
    ),
    "saltelli": (
        ("first", "first: share of the variance, by the setting alone", BLUE, ""),
        ("total", "total: with what it does together with others", ORANGE, "//"),
    ),
}
NOISE = {  # what it is compared with
    "morris": "noise that replications leave in sigma",
    "saltelli": "noise of replications, part of total",
}


@of_files
def sensitivity(
    files: Sequence[Results],
    *,
    labels: Sequence[str] | None = None,
    figure: Sequence[str] = (),
    where: Sequence[str] = (),
    span: tuple[float, float] | None = None,
) -> Figure:
    """What settings do to a figure, as `squall.figures` writes it, the one that does most on top:
    of a design `morris` the size of the elementary effects, mu*, with their mean mu in numbers, and
    sigma; of `saltelli` the indices of variance, first and total. One column a file and design, one
    row a figure.

    By default the figure is what the study is about (`sweeps.studied`). Whiskers are intervals of
    95 % confidence, see `squall.sensitivity`; a black line is what replications leave as noise, and
    what does not clearly exceed it is not known to be there. Of percentiles the means over
    replications are taken. `where` picks points where the sweep varies more than the design.
    """
    texts, span = _asked(files[0], list(figure), span)
    columns = [
        (results, title, design)
        for results, title in zip(files, labels or file_titles(files))
        for design in _designs(results)
    ]
    most = max(len(design.axes) for *_, design in columns)
    size = (max(8.0, 6.4 * len(columns)), 0.6 + (1.1 + 0.5 * most) * len(texts))
    with styled():
        drawn, grid = panels(len(texts), len(columns), size)
        lettered: dict[str, object] = {}
        for place, (text, row) in enumerate(zip(texts, grid)):
            for (results, title, design), axes in zip(columns, row):
                values, of = matter(results, design, text, where, span)
                _draw(axes, design.kind, values)
                axes.set_xlabel(_what(text, of, span))
                axes.set_title(f"{title}: {_size(values)}" if place == 0 else "")
                handles, names = axes.get_legend_handles_labels()
                lettered |= dict(zip(names, handles))
        names = sorted(lettered, key=lambda name: name in NOISE.values())
        legend_below(drawn, [lettered[name] for name in names], names, 2)
    return drawn


def table(
    results: Results,
    figure: Sequence[str] = (),
    where: Sequence[str] = (),
    span: tuple[float, float] | None = None,
) -> pandas.DataFrame:
    """The numbers of the picture: a row for each figure and setting."""
    import pandas

    texts, span = _asked(results, list(figure), span)
    parts = []
    for text in texts:
        for design in _designs(results):
            values, _ = matter(results, design, text, where, span)
            one = values.to_pandas().reset_index()
            when = "" if span is None else f", {sweeps.span_text(span)}"
            one.insert(0, "figure", split_label(text)[0] + when)
            one.insert(0, "design", design.kind)
            one.insert(0, "file", results.path)
            parts.append(one)
    return pandas.concat(parts, ignore_index=True)


def matter(
    results: Results,
    design: Design,
    text: str,
    where: Sequence[str],
    span: tuple[float, float] | None,
) -> tuple[Effects | Indices, str]:
    """What settings do to a figure, and its unit in brackets."""
    _, written = split_label(text)
    figure = figures.parse(results, written)
    meant = sweeps.chosen(results, where)
    others = [one.path for one in sweeps.varied(results, meant) if one.path not in design.axes]
    if others:
        pick = " and ".join(f"--where {path}=..." for path in others)
        raise ResultsError(
            f"{results.path}: its sweep varies more than the design {design.kind}; pick the points "
            f"of one by {pick}"
        )
    alike = [one for one in measured.designs(results) if one.kind == design.kind]
    number = next(place for place, one in enumerate(alike) if one.axes == design.axes)
    found = measured.effects if design.kind == "morris" else measured.indices
    values = figures.table(results, figure, span=span)
    unit = figures.unit(figure)
    of = "share of its variance [1]" if design.kind == "saltelli" else unit[unit.index("[") :]
    return found(results, values, points=meant, number=number), of


def _designs(results: Results) -> list[Design]:
    there = measured.designs(results)
    if not there:
        raise ResultsError(
            f"{results.path}: its sweep has no design; run a sweep by morris or saltelli"
        )
    return there


def _asked(
    results: Results, texts: list[str], span: tuple[float, float] | None
) -> tuple[list[str], tuple[float, float] | None]:
    if texts:
        return texts, span
    study = sweeps.studied(results)
    return [study.figure], study.span if span is None else span


def _size(values: Effects | Indices) -> str:
    if isinstance(values, Effects):
        return f"{values.trajectories} trajectories (morris)"
    return f"{values.rows} rows (saltelli)"


def _what(text: str, of: str, span: tuple[float, float] | None) -> str:
    name = split_label(text)[0] + (f", from {sweeps.span_text(span)}" if span is not None else "")
    return "\n".join([*textwrap.wrap(name, 60), of])


def _draw(axes: Axes, kind: str, values: Effects | Indices) -> None:
    """Two bars for each setting, with their noise."""
    (first, *_), (second, *_) = SHOWN[kind]
    order = np.argsort(getattr(values, first if kind == "morris" else second).estimate)
    y = np.arange(len(order))
    for side, (measure, name, colour, hatch) in zip((1, -1), SHOWN[kind]):
        interval = getattr(values, measure)
        height, low, high = (it[order] for it in (interval.estimate, interval.low, interval.high))
        ends = np.stack([height - low, high - height])
        known = np.where(np.isfinite(ends), np.maximum(ends, 0.0), 0.0)
        axes.barh(
            y + side * THICK / 2,
            height,
            0.92 * THICK,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=name,
            xerr=known,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": NOTE},
        )
        for place, value, end in zip(y + side * THICK / 2, height, height + known[1]):
            axes.annotate(
                _number(values, measure, value, order[int(round(place - side * THICK / 2))]),
                (max(end, 0.0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=NOTE,
            )
    noise = values.noise[order]
    axes.plot(
        np.repeat(noise, 3) * np.tile([1, 1, np.nan], len(y)),
        (y[:, None] + np.array([-THICK, 0.0, 0.0])).ravel(),
        color=BLACK,
        linewidth=2,
        label=NOISE[kind],
    )
    axes.set_yticks(y, [values.axes[place] for place in order])
    axes.grid(axis="y", visible=False)
    axes.set_xlim(right=1.12 * axes.get_xlim()[1])


def _number(values: Effects | Indices, measure: str, value: float, place: int) -> str:
    """A bar in numbers, and of mu* which way it goes."""
    if not np.isfinite(value):
        return "not known"
    if isinstance(values, Indices):
        return f"{value:.2f}"
    mean = f" (mu {values.mu.estimate[place]:+.2g})" if measure == "mu_star" else ""
    return f"{value:.2g}{mean}"
