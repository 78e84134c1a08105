# SPDX-License-Identifier: Apache-2.0
"""The configuration that a results file carries, in which every default is written out."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# What the timeline may do, and which of it takes a factor.
_KINDS = (
    "slow",
    "crash",
    "rate",
    "conditioner",
    "pause",
    "capacity",
    "errors",
    "link",
    "partition",
)
_WITH_FACTOR = ("slow", "rate", "capacity")
_WINDOWS_TOLD_APART = 1000  # in a figure
_SELECTOR = re.compile(r"\.(kind|type)$")  # of the keys beside it


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `250us`, `1.5s` or `2m`; infinite for `none`."""
    if text == "none":
        return math.inf
    found = re.fullmatch(r"([0-9.]+(?:e[-+]?[0-9]+)?)(ns|us|ms|s|m|h|d)", text)
    if not found:
        raise ValueError(f"'{text}' is not a duration")
    return float(found[1]) * _SECONDS[found[2]]


def numbers(texts: Sequence[str] | np.ndarray) -> tuple[np.ndarray, str] | None:
    """Values as a configuration writes them, as numbers and their unit: durations in s, rates in
    1/s, pure numbers; None where they are not all of one of these kinds.

    >>> numbers(["100ms", "2s"])
    (array([0.1, 2. ]), 's')
    >>> numbers(["fixed", "none"]) is None
    True
    """
    kinds: dict[str, Callable[[str], float]] = {
        "1": float,
        "1/s": _parse_rate,
        "s": parse_duration,
    }
    for unit, read in kinds.items():
        try:
            return np.array([read(str(text)) for text in texts]), unit
        except ValueError:
            continue
    return None


def _parse_rate(text: str) -> float:
    number, slash, unit = text.partition("/")
    if not slash or unit not in _SECONDS:
        raise ValueError(f"'{text}' is not a rate")
    return float(number) / _SECONDS[unit]


@dataclass(frozen=True)
class Action:
    """Something that happens in a run: one row of the timeline."""

    kind: str  # the key that names whom: one of _KINDS
    whom: str  # groups and instances; of two sides "users | web", of one and all others "users"
    at_s: float  # [s]
    lasts_s: float  # [s]; infinite: to the end
    factor: float | None  # None where there is none
    every_s: float = math.inf  # [s] after which it begins again; infinite: it does not
    times: float = math.inf  # how often, if it does; infinite: to the end
    by_chance: bool = False  # it comes and goes by chance while it lasts

    def windows(self, end_s: float) -> list[tuple[float, float]]:
        """When it begins and ends [s], each time that it begins before `end_s`; as one if nobody
        could tell them apart."""
        if self.at_s >= end_s:
            return []
        often = min(self.times, math.ceil((end_s - self.at_s) / self.every_s) or 1)
        if often > _WINDOWS_TOLD_APART:
            return [(self.at_s, self.at_s + (often - 1) * self.every_s + self.lasts_s)]
        begins = [self.at_s] + [self.at_s + i * self.every_s for i in range(1, int(often))]
        return [(begin, begin + self.lasts_s) for begin in begins if begin < end_s]

    @property
    def over_s(self) -> float:
        """When it is over for good [s]; infinite if it never is."""
        if not math.isfinite(self.every_s):
            return self.at_s + self.lasts_s
        return self.at_s + (self.times - 1) * self.every_s + self.lasts_s

    def __str__(self) -> str:
        factor = f" × {self.factor:g}" if self.factor is not None else ""
        again = f" every {self.every_s:g} s" if math.isfinite(self.every_s) else ""
        chance = " by chance" if self.by_chance else ""
        return f"{self.kind} {self.whom}{factor}{again}{chance}"


class Config:
    """A resolved configuration. Scalars are texts, as written: `tree["duration"]` is "5m"."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)

    def timeline(self) -> list[Action]:
        """What happens when, in the order written."""
        rows = self.tree.get("timeline") or []
        return [_action(row) for row in rows]

    def changed(self, values: dict[str, str]) -> Config:
        """The same with other values at some paths, written as `--set` takes them. Paths that lead
        nowhere in it are passed over."""
        other = Config("{}")
        other.text, other.tree = self.text, copy.deepcopy(self.tree)
        for path, value in values.items():
            keys = [key for key in re.split(r"[.\[\]]+", path) if key]
            top = other.tree if keys[0] in other.tree else other.tree.get("entities", {})
            _set(top, keys, value)
        return other

    def leaves(self) -> dict[str, str]:
        """Every scalar by its path, as `--set` takes it: {"users.call.timeout": "300ms", ...}."""
        found: dict[str, str] = {}
        _collect(self.tree, "", found)
        return {path.removeprefix("entities."): value for path, value in found.items()}


def differences(configs: list[Config]) -> list[dict[str, str]]:
    """For each configuration, its values of the keys in which they differ, without those that it
    has not. What follows from another kind is told by that: {"users.call.retry": "exponential"}
    against {"users.call.retry": "none"}. The name of the study and what was kept of it (`output`)
    do not count."""
    passed = re.compile(r"name$|output\b")
    leaves = [
        {path: value for path, value in config.leaves().items() if value and not passed.match(path)}
        for config in configs
    ]
    paths = dict.fromkeys(path for one in leaves for path in one)
    differing = [path for path in paths if len({one.get(path) for one in leaves}) > 1]
    told: list[dict[str, str]] = [{} for _ in leaves]
    for path in differing:
        having = [one[path] for one in leaves if path in one]
        partial = len(having) < len(leaves)
        if partial and len(set(having)) == 1 and _follows(path, differing):
            continue
        name = _SELECTOR.sub("", path) if partial else path
        for one, values in zip(told, leaves):
            if path in values:
                one[name] = values[path]
    return told


def _follows(path: str, differing: list[str]) -> bool:
    """Whether the path is there because of a kind, or type, among those that differ."""
    selectors = [one for one in differing if _SELECTOR.search(one) and one != path]
    return any(path.startswith(_SELECTOR.sub(".", one)) for one in selectors)


def _action(row: dict[str, Any]) -> Action:
    kind = next(kind for kind in _KINDS if row.get(kind))
    times = row.get("times", "unlimited")
    return Action(
        kind=kind,
        whom=_whom(row[kind]),
        at_s=parse_duration(row["at"]),
        lasts_s=parse_duration(row.get("for", "none")),
        factor=float(row["factor"]) if kind in _WITH_FACTOR else None,
        every_s=parse_duration(row.get("every", "none")),
        times=math.inf if times == "unlimited" else float(times),
        by_chance=row.get("mtbf", "none") != "none",
    )


def _whom(value: Any) -> str:
    """Whom an action is about: a name; or blocks with `of`, with `a` and `b`, or with `among`."""
    if isinstance(value, str):
        return value
    blocks = value if isinstance(value, list) else [value]
    return ", ".join(dict.fromkeys(_sides(block) for block in blocks))


def _sides(block: Any) -> str:
    if isinstance(block, str):
        return block
    sides = (_names(block.get(key) or []) for key in ("of", "among", "a", "b"))
    return " | ".join(filter(None, sides))


def _names(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return " + ".join(item if isinstance(item, str) else item["name"] for item in items)


def _set(node: Any, keys: list[str], value: str) -> None:
    """Sets what the keys lead to, if they do."""
    for place, key in enumerate(keys):
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            key = int(key)
        elif not (isinstance(node, dict) and key in node):
            return
        if place == len(keys) - 1:
            node[key] = yaml.load(value, Loader=yaml.BaseLoader)
        else:
            node = node[key]


def _collect(node: Any, path: str, found: dict[str, str]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            _collect(value, f"{path}.{key}" if path else key, found)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            _collect(value, f"{path}[{place}]", found)
    else:
        found[path] = node
