# SPDX-License-Identifier: Apache-2.0
"""Pictures of results. Each function returns a matplotlib figure, which belongs to the caller;
`PLOTS` lists them by name, and `suiting` says which one suits a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from squall import sweeps
from squall.axis import axis
from squall.bars import amplification, compare
from squall.cdf import cdf
from squall.figures import usual_figures
from squall.file import Results
from squall.heatmap import heatmap
from squall.influence import sensitivity
from squall.latency import latency
from squall.partition import partition
from squall.sensitivity import designs
from squall.storm import storm
from squall.timelines import lines, outcomes

PLOTS: dict[str, Callable[..., Figure]] = {
    "storm": storm,
    "lines": lines,
    "outcomes": outcomes,
    "cdf": cdf,
    "latency": latency,
    "axis": axis,
    "heatmap": heatmap,
    "sensitivity": sensitivity,
    "amplification": amplification,
    "compare": compare,
    "partition": partition,
}
__all__ = ["OF_PLANS", "OF_SWEEPS", "PLOTS", "suiting", "usual_figures"]
OF_SWEEPS = ("axis", "heatmap", "sensitivity")  # take all points, others one
OF_PLANS = ("partition",)  # what `squall plan --json` wrote, not results


def suiting(files: Sequence[Results], where: Sequence[str] = (), *, point: bool = False) -> str:
    """The name of the plot that shows what is to be seen in these files: of a design by which
    settings matter that, over two axes or more of a sweep a heat map, along one a line, of one
    point (or of the one meant, `point`) a time line, and without time series a distribution."""
    first = files[0]
    if not point:
        axes = sweeps.varied(first, sweeps.chosen(first, where))
        found = sweeps.thresholds(first)
        if axes and designs(first):
            return "sensitivity"
        if axes:
            grid = sweeps.is_grid(axes, found.path if found else None)
            return "heatmap" if len(axes) > 1 and grid else "axis"
    if first.has_series and _clients(first, series=True):
        return "storm"
    if _clients(first, series=False):
        return "cdf"
    return "lines" if first.has_series else "compare"


def _clients(results: Results, *, series: bool) -> bool:
    """Whether there are clients (that keep time series)."""
    if "client" not in results.types or (series and "client" not in results.h5["series"]):
        return False
    return len(results.entities("client", series=series)) > 0
