# SPDX-License-Identifier: Apache-2.0
"""What sets a storm off: when, and how much of it there is.

The trigger is what the timeline has that ends, and spikes in the rate of arrivals. Actions that
last to the end of a run are taken for remedies or for lasting changes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from squall.config import Action, parse_duration
from squall.file import Results, ResultsError
from squall.series import Span
from squall.store import written


def trigger(results: Results, *, point: int = 0) -> Span:
    """From the first beginning to the last end of what the timeline has that ends, and of spikes in
    the rate of arrivals [s, s]."""
    found = [span for span in _triggers(results, point) if math.isfinite(span[1])]
    if not found:
        raise ResultsError(f"{results.path}: nothing in its timeline ends; name the trigger's span")
    return min(begin for begin, _ in found), max(end for _, end in found)


def trigger_end_s(results: Results, *, point: int = 0) -> float:
    """When the last of what the timeline has that ends is over, and the last spike of arrivals [s];
    0 without any."""
    ends = [end for _, end in _triggers(results, point)]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def capacity_loss_s(results: Results, *, group: str | None = None, point: int = 0) -> float:
    """How much the trigger took from servers: the integral of max(0, 1 - C(t) / C) over time, C
    being their capacity without the timeline, in the mean of the servers of a group [s]. A crash or
    pause of a second takes 1 s from one server, a service twice as slow half of it."""
    of = _members(results, [type for type in results.types if type == "server"], group, point)
    return _integral(results, of, point, _capacity, lambda rest: max(0.0, 1.0 - rest))


def excess_load_s(results: Results, *, group: str | None = None, point: int = 0) -> float:
    """How much the trigger added to the load: the integral of max(0, load(t) / load - 1) over time,
    in the mean of the clients of a group [s]. Spikes of arrivals count; a load that follows another
    schedule is no trigger."""
    of = _members(results, [type for type in results.types if type != "server"], group, point)
    return _integral(results, of, point, _load, lambda more: max(0.0, more - 1.0))


def _triggers(results: Results, point: int) -> list[Span]:
    spans = [(action.at_s, action.over_s) for action in results.timeline(point)]
    return spans + [(begin, end) for begin, end, _ in _spikes(results, point).values()]


def _spikes(results: Results, point: int) -> dict[str, tuple[float, float, float]]:
    """By group: when its arrivals spike, from when to when [s], and how many times as many there
    are."""
    found = {}
    for group, entity in results.config_at(point).tree.get("entities", {}).items():
        spike = _block(_block(entity, "arrivals"), "rate")
        if spike.get("kind") != "spike":
            continue
        values = {key: spike[key] for key in ("at", "for", "baseline", "peak")}
        for path, axis in results.axes.items():
            if path.removeprefix("entities.").startswith(f"{group}.arrivals."):
                key = path.rpartition(".")[2]
                if key not in values or ".spike." not in path:
                    continue
                values[key] = written(axis, point)
        begin, lasts = parse_duration(values["at"]), parse_duration(values["for"])
        usual, most = (_per_second(values[key]) for key in ("baseline", "peak"))
        if lasts > 0 and most > usual:
            found[group] = (begin, begin + lasts, most / usual if usual > 0 else math.inf)
    return found


def _block(node: object, key: str) -> dict:
    inner = node.get(key) if isinstance(node, dict) else None
    return inner if isinstance(inner, dict) else {}


def _per_second(text: str) -> float:
    number, _, unit = text.partition("/")
    return float(number) / parse_duration(f"1{unit}")


def _members(
    results: Results, types: Sequence[str], group: str | None, point: int
) -> list[tuple[str, str]]:
    """Instances that the point has, and their groups."""
    of = [
        (name, str(one))
        for type in types
        for name, one, there in zip(
            results.entities(type), results.groups(type), results.present(type)[point]
        )
        if there and group in (None, one)
    ]
    if not of:
        raise ResultsError(f"{results.path}: there is no '{group}' of that sort")
    return of


def _integral(
    results: Results,
    of: Sequence[tuple[str, str]],
    point: int,
    effect: Callable[[Action], float],
    lost: Callable[[float], float],
) -> float:
    """The mean over instances of the integral of `lost` of the product of all effects [s]."""
    spikes = _spikes(results, point) if effect is _load else {}
    actions = [
        (action, set(action.whom.split(", ")))
        for action in results.timeline(point)
        if effect(action) != 1.0
    ]
    # Those that nothing names by themselves fare as their group does.
    named = set().union(*(whom for _, whom in actions))
    alike = Counter((name if name in named else group, group) for name, group in of)
    whole = 0.0
    for (name, group), n in alike.items():
        parts = [spikes[group]] if group in spikes else []
        for action, whom in actions:
            if not {name, group} & whom:
                continue
            if action.by_chance:
                raise ResultsError(f"{results.path}: '{action}' comes by chance; nobody knows when")
            parts += [(*window, effect(action)) for window in action.windows(results.duration_s)]
        whole += n * _over_time(parts, results.duration_s, lost)
    return whole / len(of)


def _over_time(
    parts: Sequence[tuple[float, float, float]], end_s: float, lost: Callable[[float], float]
) -> float:
    """The integral, up to the end, of `lost` of the product of factors, of which each holds from a
    time to another [s, s, 1]."""
    moments = sorted({0.0, end_s, *(min(at, end_s) for part in parts for at in part[:2])})
    return sum(
        (until - begin)
        * lost(math.prod(factor for first, last, factor in parts if first <= begin < last))
        for begin, until in zip(moments, moments[1:])
    )


def _capacity(action: Action) -> float:
    """What is left of the capacity."""
    if action.kind in ("crash", "pause"):
        return 0.0
    if action.kind == "capacity":
        return float(action.factor)
    return 1.0 / action.factor if action.kind == "slow" and action.factor else 1.0


def _load(action: Action) -> float:
    """How many times as many arrive."""
    return float(action.factor) if action.kind == "rate" else 1.0
