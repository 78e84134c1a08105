# SPDX-License-Identifier: Apache-2.0
"""A model divided among ranks: who is where, and what goes between them."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from squall.file import ResultsError
from squall.style import SHADE, of_files, panels, styled

MAP = "cividis"
NUMBERS_MOST = 16  # ranks whose shares are written in numbers
GROUPS_MOST = 40  # rows of a picture; of more groups, those with the most events


def read_plan(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `squall plan CONFIG --divide --json` wrote to a file."""
    try:
        with open(path, encoding="utf-8") as file:
            plan = json.load(file)
    except OSError as error:
        raise ResultsError(f"{os.fspath(path)}: {error.strerror.lower()}") from error
    except ValueError as error:
        raise ResultsError(
            f"{os.fspath(path)}: no plan; this picture is of the JSON of 'squall plan CONFIG "
            "--divide --ranks-per-replication N --json'"
        ) from error
    if not isinstance(plan, dict) or plan.get("division") is None:
        raise ResultsError(
            f"{os.fspath(path)}: has no division; write it by 'squall plan CONFIG --divide "
            "--ranks-per-replication N --json'"
        )
    return plan


@of_files
def partition(files: Sequence[dict[str, Any]], *, labels: Sequence[str] | None = None) -> Figure:
    """One row for each plan, as `read_plan` reads it.

    Left, groups by ranks: which share of a group's entities is on each rank. Right, ranks by ranks:
    requests that the one in the row sends to the one in the column, in each simulated second, as
    expected without retries (or as measured, where the plan was made with a profile); what stays on
    a rank is on the diagonal. White has none.
    """
    with styled():
        rows = [min(max(len(_division(plan)["groups"]), 8), GROUPS_MOST) for plan in files]
        heights = [1.3 + 0.27 * n for n in rows]
        drawn, grid = panels(
            len(files),
            2,
            (12.0, 0.6 + sum(heights)),
            gridspec_kw={"height_ratios": heights, "width_ratios": (1.25, 1)},
        )
        told = labels or [_title(plan) for plan in files]
        for plan, label, (left, right) in zip(files, told, grid):
            _draw_groups(left, _division(plan), label)
            _draw_traffic(right, _division(plan))
    return drawn


def _division(plan: dict[str, Any]) -> dict[str, Any]:
    return plan["division"]


def _title(plan: dict[str, Any]) -> str:
    division = _division(plan)
    return f"{plan['study']} on {len(division['ranks'])} ranks, by {division['method']}"


def _draw_groups(axes: Axes, division: dict[str, Any], title: str) -> None:
    groups = sorted(division["groups"], key=lambda one: -sum(one["events"]))[:GROUPS_MOST]
    groups = [one for one in division["groups"] if one in groups]  # as written
    counts = np.array([one["entities"] for one in groups], float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    _matrix(axes, shares, 1.0, "share of the group's entities [1]")
    names = [
        f"{textwrap.shorten(one['name'], 24)} ({int(count):,})"
        for one, count in zip(groups, counts.sum(axis=1))
    ]
    axes.set_yticks(range(len(groups)), names)
    events = np.array([rank["events"] for rank in division["ranks"]])
    busiest = events.max() / events.mean() if events.sum() > 0 else np.nan
    axes.set_xlabel("rank")
    n = len(division["groups"])
    some = f", the {len(groups)} of {n} with the most events" if len(groups) < n else ""
    axes.set_ylabel(f"group (entities){some}")
    axes.set_title(f"{title}\nthe busiest rank has {busiest:.2f} times the mean events")


def _draw_traffic(axes: Axes, division: dict[str, Any]) -> None:
    traffic = np.array(division["traffic"], float)
    _matrix(axes, traffic, None, "requests [1/s]")
    axes.set_yticks(_some(len(traffic)))
    axes.set_xlabel("to rank")
    axes.set_ylabel("from rank")
    lookahead = division["lookahead"]
    ahead = f"lookahead {_seconds(lookahead)}" if lookahead is not None else "nothing is cut"
    axes.set_title(f"{100 * division['remote']:.3g} % of the requests go between ranks\n{ahead}")


def _seconds(value: float) -> str:
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value * 1e9:.4g} ns"


def _some(n: int) -> list[int]:
    """Numbers of ranks to write on an axis."""
    return list(range(0, n, -(-n // NUMBERS_MOST)))


def _written(value: float) -> str:
    """Three digits, or all before the point: `0.125`, `6,910`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _matrix(axes: Axes, values: np.ndarray, most: float | None, name: str) -> None:
    axes.grid(False)
    axes.set_facecolor("white")
    shown = np.ma.masked_equal(values, 0.0)
    image = axes.imshow(shown, cmap=MAP, vmin=0, vmax=most or values.max() or 1.0, aspect="auto")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(name)
    bar.outline.set_visible(False)
    axes.set_xticks(_some(values.shape[1]))
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    if max(values.shape) <= 2 * GROUPS_MOST:
        axes.grid(True, which="minor", color=SHADE, linewidth=0.6)
        axes.grid(False, which="major")
    if values.shape[1] > NUMBERS_MOST or values.size > NUMBERS_MOST * GROUPS_MOST:
        return
    for (row, column), value in np.ndenumerate(values):
        if value > 0:
            dark = image.norm(value) < 0.5
            axes.text(
                column,
                row,
                _written(value),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
