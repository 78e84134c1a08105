# SPDX-License-Identifier: Apache-2.0
"""Pictures of results. Each function returns a matplotlib figure; `PLOTS` lists them by name."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from squall.bars import amplification, compare
from squall.latency import latency
from squall.storm import storm
from squall.timelines import lines, outcomes

PLOTS: dict[str, Callable[..., Figure]] = {
    "storm": storm,
    "lines": lines,
    "outcomes": outcomes,
    "latency": latency,
    "amplification": amplification,
    "compare": compare,
}
