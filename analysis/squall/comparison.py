# SPDX-License-Identifier: Apache-2.0
"""How two results files differ, as `squall compare --csv` says it.

Where both drew the same random numbers (the same seed, and points of equal numbers where each has a
seed of its own), replications of equal number are compared, and their differences are the
observations; otherwise the two are independent, and intervals are Welch's. The difference of a
quantile is that of the quantiles of all values, with its interval by sectioning of the differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from squall import intervals
from squall.readings import QUANTILES, Reading, observations, read
from squall.store import ResultsError, written

if TYPE_CHECKING:
    import pandas

    from squall.file import Results

LEAST = "min"  # says little, and nothing of how it would come out again: not compared


def compare(
    results: Results,
    other: Results,
    *,
    type: str | None = None,
    confidence: float = 0.95,
    quantiles: Sequence[float] = QUANTILES,
) -> pandas.DataFrame:
    """Every statistic that both files have, at every point that both have (the same values on the
    same axes), one row each, the most significant first:

        point, other_point          numbers in the plans
        group, statistic, measure, unit
        value, other_value          means over replications; of percentiles those of all values
        difference                  other_value - value, [unit]
        half_width                  of its interval; inf where there are too few observations
        bound                       how far buckets may have moved it
        chance                      of a difference as large where there is none: the p-value
        corrected                   for there being many (Holm), over the whole table
        verdict                     equal (to the bit), within (chance), beyond, unknown, or only_a
                                    and only_b where the other has no value
        method                      paired or welch

    Counters are compared as counts of a replication, or as rates where not all are observed for as
    long. Breakdowns, minima, series and traces are not compared.
    """
    import pandas

    rows = []
    for point, place in _matched(results, other):
        pair = _Pair.of(results, other, point, place)
        for one in results.types if type is None else (type,):
            if one in other.types:
                rows += [_judged(pair, *both, confidence) for both in pair.readings(one, quantiles)]
    parts = [pandas.DataFrame(row) for row in rows]
    if not parts:
        raise ResultsError(f"{results.path} and {other.path} have nothing in common to compare")
    table = pandas.concat(parts, ignore_index=True)
    table["corrected"] = intervals.holm(table["chance"].to_numpy())
    judged = ~np.isnan(table["corrected"].to_numpy())
    beyond = judged & (table["corrected"].to_numpy() < 1 - confidence)
    table.loc[judged, "verdict"] = np.where(beyond, "beyond", "within")[judged]
    return table.sort_values("chance", kind="stable", ignore_index=True)[_ORDER]


_ORDER = [
    *("point", "other_point", "group", "statistic", "measure", "unit", "value", "other_value"),
    *("difference", "half_width", "bound", "chance", "corrected", "verdict", "method"),
]


def _matched(results: Results, other: Results) -> list[tuple[int, int]]:
    """Places of points that have the same on all axes; of equal ones in their order."""
    there: dict[tuple, list[int]] = {}
    for place in range(other.n_points):
        there.setdefault(_where(other, place), []).append(place)
    found = []
    for point in range(results.n_points):
        places = there.get(_where(results, point))
        if places:
            found.append((point, places.pop(0)))
    if not found:
        raise ResultsError(f"{results.path} and {other.path} have no point with the same axes")
    return found


def _where(results: Results, point: int) -> tuple:
    return tuple(sorted((path, written(axis, point)) for path, axis in results.axes.items()))


@dataclass(frozen=True)
class _Pair:
    """Two points, and which of their replications count."""

    files: tuple[Results, Results]
    points: tuple[int, int]
    counted: tuple[np.ndarray, np.ndarray]  # [replication] each; the same where paired
    paired: bool

    @classmethod
    def of(cls, results: Results, other: Results, point: int, place: int) -> _Pair:
        files, points = (results, other), (point, place)
        counted = results.counted[point], other.counted[place]
        paired = _same_chance(files, points)
        if paired:
            n = min(map(len, counted))
            both = counted[0][:n] & counted[1][:n]
            counted = tuple(np.pad(both, (0, len(one) - n)) for one in counted)
        return cls(files, points, counted, paired)

    def readings(self, type: str, quantiles: Sequence[float]) -> Iterator[tuple[Reading, Reading]]:
        """What both have, of the groups that both have, at these points: their first dimension has
        length one."""
        sides = []
        for file, point, some in zip(self.files, self.points, self.counted):
            inside, local = file.at(point)
            mask = np.zeros(inside.complete.shape, bool)
            mask[local, : len(some)] = some[: mask.shape[1]]
            found = read(inside, type, quantiles=quantiles, counted=mask)
            sides.append({(one.statistic, one.measure): _at(one, local) for one in found})
        left_out = "mean" if not self._even else "rate"
        for key, mine in sides[0].items():
            theirs = sides[1].get(key)
            counter = (key[0], "rate") in sides[0]
            if theirs is None or key[1] == LEAST or (counter and key[1] == left_out):
                continue
            yield _common(mine, theirs)

    @property
    def _even(self) -> bool:
        """Whether all were observed for as long."""
        lengths = [
            file.observed_s[point][some]
            for file, point, some in zip(self.files, self.points, self.counted)
        ]
        return len(np.unique(np.concatenate(lengths))) <= 1


def _same_chance(files: tuple[Results, Results], points: tuple[int, int]) -> bool:
    """Whether replications of the same number drew the same random numbers."""
    (a, point_a), (b, point_b) = (file.at(point) for file, point in zip(files, points))
    independent = [file.config.tree.get("seeds") == "independent" for file in (a, b)]
    if a.h5.attrs["seed"] != b.h5.attrs["seed"] or a.antithetic != b.antithetic:
        return False
    if independent[0] != independent[1]:
        return False
    return not independent[0] or a.points[point_a] == b.points[point_b]


def _at(reading: Reading, point: int) -> Reading:
    """One point of it."""
    far = np.broadcast_to(reading.bound, reading.values.shape[::2])
    together = None if reading.together is None else reading.together[[point]]
    return replace(reading, values=reading.values[[point]], together=together, bound=far[[point]])


def _common(mine: Reading, theirs: Reading) -> tuple[Reading, Reading]:
    """The groups that both have, in the order of the first."""
    names = [name for name in mine.groups if name in theirs.groups]
    return tuple(
        replace(
            one,
            groups=np.array(names),
            values=one.values[..., places],
            together=None if one.together is None else one.together[:, places],
            bound=one.bound[:, places],
        )
        for one in (mine, theirs)
        for places in [[list(one.groups).index(name) for name in names]]
    )


def _judged(pair: _Pair, mine: Reading, theirs: Reading, confidence: float) -> dict:
    """Columns of a table, [group] each."""
    pairs = pair.files[0].antithetic, pair.files[1].antithetic
    value, other = (_shown(one, those) for one, those in zip((mine, theirs), pairs))
    between = _difference(pair, mine, theirs, confidence)
    bound = (mine.bound + theirs.bound)[0]
    difference, half = between.estimate[0], between.half_width[0]
    chance = between.chance[0]
    chance = np.where((np.abs(difference) <= bound) & ~np.isnan(chance), 1.0, chance)
    verdict = np.where(np.isnan(chance), "unknown", "within").astype(object)
    equal = _equal(mine, theirs)
    for where, word in (
        (np.isnan(other), "only_a"),
        (np.isnan(value) & ~np.isnan(other), "only_b"),
        (equal, "equal"),
    ):
        verdict[where] = word
    untested = np.isin(verdict, ("only_a", "only_b", "equal"))
    difference = np.where(equal & ~np.isnan(value), 0.0, difference)
    return {
        "point": pair.files[0].points[pair.points[0]],
        "other_point": pair.files[1].points[pair.points[1]],
        "group": mine.groups.astype(object),
        "statistic": mine.statistic,
        "measure": mine.measure,
        "unit": mine.unit,
        "value": value,
        "other_value": other,
        "difference": difference,
        "half_width": np.where(equal, 0.0 * difference, half),
        "bound": np.where(untested, 0.0, bound),
        "chance": np.where(untested, np.nan, chance),
        "verdict": verdict,
        "method": "paired" if pair.paired else "welch",
    }


def _shown(reading: Reading, antithetic: bool) -> np.ndarray:
    """Means, also of extremes; of quantiles that of all values: [group]."""
    if reading.together is not None and not reading.exact:
        return reading.together[0]
    return intervals.mean(observations(reading.values, antithetic), axis=1).estimate[0]


def _equal(mine: Reading, theirs: Reading) -> np.ndarray:
    """The same in each replication, or one and the same in all of both: bool [group]."""
    n = max(mine.values.shape[1], theirs.values.shape[1])
    a, b = (
        np.pad(one.values[0], ((0, n - one.values.shape[1]), (0, 0)), constant_values=np.nan)
        for one in (mine, theirs)
    )
    each = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=0)
    known = ~np.isnan(a).all(axis=0) & ~np.isnan(b).all(axis=0)
    both = np.concatenate([a, b])
    return each | (known & (np.fmin.reduce(both) == np.fmax.reduce(both)))


def _difference(
    pair: _Pair, mine: Reading, theirs: Reading, confidence: float
) -> intervals.Interval:
    """Of `theirs` less `mine`: [point, group]."""
    a, b = (
        observations(one.values, file.antithetic) for one, file in zip((mine, theirs), pair.files)
    )
    quantile = mine.together is not None and not mine.exact
    if not pair.paired:
        about = (theirs.together, mine.together) if quantile else None
        return intervals.welch(b, a, confidence, about=about, axis=1)
    n = min(a.shape[1], b.shape[1])
    apart = b[:, :n] - a[:, :n]
    if quantile:
        return intervals.sectioning(apart, theirs.together - mine.together, confidence, axis=1)
    return intervals.mean(apart, confidence, axis=1)
