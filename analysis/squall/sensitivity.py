# SPDX-License-Identifier: Apache-2.0
"""Which settings matter: what becomes of a figure when they are varied all at once.

    results = squall.open("sensitivity.h5")          # of a sweep by `morris` or `saltelli`
    share = ...                                      # any figure, [point] or [point, replication]
    found = sensitivity.effects(results, share)      # of `morris`; `indices` of `saltelli`
    found.to_pandas().sort_values("mu_star")

A screening by Morris costs some 10 to 50 points for each setting and says which of them can be left
alone. Indices of variance cost hundreds of points for each, and say what share each setting has in
the variance of the figure when all vary over their ranges: alone (`first`), and with whatever it
does together with others (`total`). Both hold for the ranges of the sweep and its scales: a setting
that spans a decade on a logarithmic scale is a coordinate from 0 to 1 like any other.

Chance. A figure of a simulation is its mean over replications, y(x), plus noise. Here the figure is
taken as it is, the mean of the replications that there are, so noise counts as if it came from the
settings. It makes `mu_star`, `sigma` and `total` larger than they are, those of a setting without
any effect too, and every `first` smaller, as the variance that it is a share of is larger; `mu`
keeps its mean. Give the values as [point, replication], and `noise` says how much: it is in the
units of `sigma` for effects, and of `total` for indices, and what does not clearly exceed it is not
known to be there. Against it help more replications, and common random numbers (the default of a
sweep, `seeds: common`): what all points share cancels in differences. With them the intervals tell
how well this design knows what these replications do; whether others do the same, only others can
tell. `noise` takes replications as independent: of a study with antithetic ones `effects` and
`indices` take the means of pairs, as `intervals.antithetic` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from squall import intervals
from squall.file import Results, ResultsError
from squall.intervals import Interval

if TYPE_CHECKING:
    import pandas

SECTION = "designs"  # of a results file, since its minor version 3
SOME = 256  # resamples that are held at a time


@dataclass(frozen=True)
class Effects:
    """What a whole range of each setting does, from elementary effects; all arrays are [axis].

    In units of the figure: an effect is its change by the change of the coordinate, of which the
    whole range is 1.
    """

    axes: tuple[str, ...]  # paths, or numbers as texts where they are not known
    mu: Interval  # mean of the effects: which way, and how far
    mu_star: Interval  # mean of their sizes: how much it matters, whichever way it goes
    sigma: Interval  # their standard deviation: how much it depends on the other settings, and on
    # where in its range; 0 for a setting that only adds something in proportion
    noise: np.ndarray  # standard deviation that the replications leave in a single effect; NaN
    # where they are not known one by one
    trajectories: int  # that were whole

    def to_pandas(self) -> pandas.DataFrame:
        """A table: a line for each axis; `mu`, `mu_low`, `mu_high` and so on, `noise`."""
        columns = {"mu": self.mu, "mu_star": self.mu_star, "sigma": self.sigma}
        return _table(self.axes, columns, self.noise)


@dataclass(frozen=True)
class Indices:
    """Shares of the variance of a figure; all arrays are [axis], but for `variance`."""

    axes: tuple[str, ...]
    first: Interval  # what would be gone, on average, if the setting alone were known
    total: Interval  # what would be left, on average, if all but it were known
    noise: np.ndarray  # the part of `total` that comes from the replications; NaN where they are
    # not known one by one
    variance: float  # of the figure, when all settings vary
    rows: int  # of the design, that were whole

    def to_pandas(self) -> pandas.DataFrame:
        """A table: a line for each axis; `first`, `first_low`, `first_high` and so on, `noise`."""
        return _table(self.axes, {"first": self.first, "total": self.total}, self.noise)


def morris(
    unit: ArrayLike, values: ArrayLike, *, confidence: float = 0.95, axes: tuple[str, ...] = ()
) -> Effects:
    """Elementary effects (Morris, Technometrics 33, 1991), with `mu_star` of Campolongo, Cariboni
    and Saltelli (Environmental Modelling & Software 22, 2007).

    `unit` are the coordinates of the points, 0 to 1: [trajectory, step, axis] with axes + 1 steps,
    of which each but the first changes one axis, every axis once. `values` is the figure there:
    [trajectory, step] or [trajectory, step, replication], of which the mean is taken. A trajectory
    of which a value is missing (NaN) is left out; of replications, those that are there are taken.

    Trajectories are independent of one another, so the intervals of `mu` and `mu_star` are
    Student's t, and that of `sigma` is Bonett's for standard deviations of any law (Computational
    Statistics & Data Analysis 50, 2006), which of 20 trajectories held 83 to 100 % of the true ones
    for an interval of 95 %, the least where one effect in ten differs from the others, and a
    bootstrap 76 to 90 %. ValueError where the points are no such trajectories.
    """
    unit, values = np.asarray(unit, float), np.asarray(values, float)
    moved = _moves(unit)
    if values.shape[:2] != unit.shape[:2] or values.ndim not in (2, 3):
        raise ValueError(f"values of shape {values.shape} for points of shape {unit.shape[:2]}")
    figure = _mean(values) if values.ndim == 3 else values
    whole = ~(np.isnan(figure).any(axis=1) | np.isnan(unit).any(axis=(1, 2)))
    moved = moved[whole]
    steps = np.diff(unit[whole], axis=1)
    by = np.take_along_axis(steps, moved[..., None], axis=2)[..., 0]  # [trajectory, step]
    place = np.argsort(moved, axis=1)  # the step that changes each axis
    effect = np.take_along_axis(np.diff(figure[whole], axis=1) / by, place, axis=1).T
    noise = np.full(by.shape, np.nan)
    if values.ndim == 3:
        noise = _noise(np.diff(values[whole], axis=1), by)
    noise = np.take_along_axis(noise, place, axis=1).T
    return Effects(
        axes=_named(axes, unit.shape[2]),
        mu=intervals.mean(effect, confidence),
        mu_star=_at_least_nothing(intervals.mean(np.abs(effect), confidence)),
        sigma=_deviation(effect, confidence),
        noise=np.sqrt(_mean(noise)),
        trajectories=int(whole.sum()),
    )


def sobol(
    a: ArrayLike,
    b: ArrayLike,
    mixed: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
    axes: tuple[str, ...] = (),
) -> Indices:
    """Indices of variance (Sobol', Mathematics and Computers in Simulation 55, 2001).

    `a` and `b` are the figure at the points of two matrices, [row] or [row, replication], and
    `mixed` that at the points of `a` with one coordinate from `b`: [row, axis] or [row, axis,
    replication]. Of replications the mean is taken. A row of which a value is missing (NaN) is left
    out; of replications, those that are there are taken.

    `first` is estimated by mean(b (mixed - a)) / variance (Saltelli et al., Computer Physics
    Communications 181, 2010, table 2 b), `total` by mean((a - mixed)^2) / (2 variance) (Jansen,
    Computer Physics Communications 117, 1999), both with the variance of `a` and `b` together, from
    the mean of which values are counted. As estimates they can lie below 0 or above 1. NaN where
    nothing varies.

    Intervals are from the bootstrap of whole rows, bias-corrected and accelerated (Efron, JASA 82,
    1987), which takes rows as independent of one another. Where they are, intervals of 95 % for
    Ishigami's function held 91 to 97 % of the true ones with 256 rows, 86 to 96 % with 64. Those of
    a Sobol sequence cover the cube more evenly: all were held with 256 rows, as they are rather too
    wide then.
    """
    a, b, mixed = (np.asarray(values, float) for values in (a, b, mixed))
    if not (a.shape == b.shape == mixed.shape[:1] + mixed.shape[2:] and mixed.ndim in (2, 3)):
        raise ValueError(
            f"values of shapes {a.shape}, {b.shape} and {mixed.shape}; expected [row], [row] and "
            "[row, axis], or a replication more of each"
        )
    mean_a, mean_b, mean_mixed = (
        _mean(values) if mixed.ndim == 3 else values for values in (a, b, mixed)
    )
    whole = ~(np.isnan(mean_a) | np.isnan(mean_b) | np.isnan(mean_mixed).any(axis=1))
    terms = _terms(mean_a[whole], mean_b[whole], mean_mixed[whole])
    n_axes = mixed.shape[1]
    estimate, variance = _shares(terms.mean(axis=0), n_axes) if whole.any() else _nothing(n_axes)
    low, high = _resampled(terms, n_axes, confidence, resamples, seed)
    noise = np.full(n_axes, np.nan)
    if mixed.ndim == 3 and whole.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = _mean(_noise(a[whole][:, None] - mixed[whole], 1.0).T) / (2.0 * variance)
    first, total = (Interval(*parts, confidence) for parts in zip(estimate, low, high))
    return Indices(_named(axes, n_axes), first, total, noise, float(variance), int(whole.sum()))


# By the design of a file.


@dataclass(frozen=True)
class Design:
    """A design of a sweep whose points belong together, as a results file has it."""

    kind: str  # "morris", "saltelli"
    axes: tuple[str, ...]  # paths
    size: int  # trajectories of morris, rows of saltelli
    row: np.ndarray  # place of each point in the design: [point]
    unit: np.ndarray  # its coordinates in the unit cube, 0 to 1: [point, axis]

    @property
    def block(self) -> int:
        """Points of one trajectory or row: axes + 1, or axes + 2 (a, b, and the mixed ones)."""
        return len(self.axes) + (1 if self.kind == "morris" else 2)


def designs(results: Results) -> list[Design]:
    """The designs `morris` and `saltelli` of a file, in the order of its sweep."""
    groups = results.h5.get(SECTION, {})
    return [
        Design(
            kind=str(group.attrs["kind"]),
            axes=tuple(group["axis"].asstr()[()]),
            size=int(group.attrs["size"]),
            row=group["row"][()].astype(np.intp),
            unit=group["unit"][()],
        )
        for group in (groups[name] for name in sorted(groups, key=int))
    ]


def effects(
    results: Results,
    values: ArrayLike,
    *,
    points: ArrayLike | None = None,
    number: int = 0,
    confidence: float = 0.95,
) -> Effects:
    """Elementary effects on a figure by a file's design `morris`; see `morris`.

    `values` are the figure at all points of the file, [point] or [point, replication]; NaN where it
    is not known. Replications that did not run to their end are left out. `points`, bool [point] or
    numbers of places, picks some, where the sweep varies more than the design: those with one value
    of every other axis. `number` is that of the design among those of its kind. ResultsError where
    the file has no such design, or a point of it twice.
    """
    design = _find(results, "morris", number)
    unit, table = _arranged(results, design, values, points)
    return morris(unit, table, confidence=confidence, axes=design.axes)


def indices(
    results: Results,
    values: ArrayLike,
    *,
    points: ArrayLike | None = None,
    number: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
) -> Indices:
    """Indices of the variance of a figure by a file's design `saltelli`; see `sobol`, and `effects`
    for the arguments."""
    design = _find(results, "saltelli", number)
    _, table = _arranged(results, design, values, points)
    return sobol(
        table[:, 0],
        table[:, 1],
        table[:, 2:],
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        axes=design.axes,
    )


def _find(results: Results, kind: str, number: int) -> Design:
    there = designs(results)
    some = [design for design in there if design.kind == kind]
    if not 0 <= number < len(some):
        others = ", ".join(design.kind for design in there) or "none"
        raise ResultsError(
            f"{results.path}: its sweep has no design '{kind}' of number {number} (designs: "
            f"{others}); run a sweep by {kind}"
        )
    return some[number]


def _arranged(
    results: Results, design: Design, values: ArrayLike, points: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates, [block, step, axis], and values, [block, step] or with replications; both are
    NaN at points that are not there."""
    values = np.asarray(values, float)
    if values.ndim not in (1, 2) or len(values) != len(design.row):
        raise ValueError(
            f"values of shape {values.shape}; expected [point] or [point, replication] with the "
            f"{len(design.row)} points of the file"
        )
    if values.shape == results.complete.shape:
        values = np.where(results.complete, values, np.nan)
        values = intervals.antithetic(values) if results.antithetic else values
    some = np.arange(len(values)) if points is None else np.arange(len(values))[points]
    row = design.row[some]
    if len(np.unique(row)) < len(row):
        raise ResultsError(
            f"{results.path}: its sweep varies more than the design {design.kind}; give `points`, "
            "those with one value of every other axis"
        )
    shape = (design.size, design.block)
    unit = np.full((design.size * design.block, len(design.axes)), np.nan)
    table = np.full((len(unit), *values.shape[1:]), np.nan)
    unit[row], table[row] = design.unit[some], values[some]
    return unit.reshape(*shape, -1), table.reshape(*shape, *values.shape[1:])


# What they share.


def _named(axes: tuple[str, ...], n: int) -> tuple[str, ...]:
    if axes and len(axes) != n:
        raise ValueError(f"{len(axes)} names for {n} axes")
    return tuple(axes) or tuple(str(axis) for axis in range(n))


def _mean(values: np.ndarray) -> np.ndarray:
    """Along the last axis, NaN left out; NaN without any."""
    n = np.count_nonzero(~np.isnan(values), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.nansum(values, axis=-1) / n


def _noise(differences: np.ndarray, by: ArrayLike) -> np.ndarray:
    """Variance of the means of [..., replication], divided by `by` squared; NaN below two."""
    n = np.count_nonzero(~np.isnan(differences), axis=-1)
    squares = np.nansum((differences - _mean(differences)[..., None]) ** 2, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return squares / (n - 1.0) / n / np.asarray(by) ** 2


def _table(
    axes: tuple[str, ...], columns: dict[str, Interval], noise: np.ndarray
) -> pandas.DataFrame:
    import pandas

    parts = {
        f"{name}{end}": value
        for name, interval in columns.items()
        for end, value in (
            ("", interval.estimate), ("_low", interval.low), ("_high", interval.high)
        )
    }
    return pandas.DataFrame({**parts, "noise": noise}, index=pandas.Index(axes, name="axis"))


# Effects.


def _moves(unit: np.ndarray) -> np.ndarray:
    """The axis that each step changes: [trajectory, step]; any where points are not there."""
    if unit.ndim != 3 or unit.shape[1] != unit.shape[2] + 1:
        raise ValueError(
            f"points of shape {unit.shape}; expected [trajectory, step, axis] with a step more "
            "than there are axes"
        )
    changed = np.diff(unit, axis=1) != 0.0
    there = ~np.isnan(unit).any(axis=(1, 2))
    once = (changed.sum(axis=1) == 1).all(axis=1) & (changed.sum(axis=2) == 1).all(axis=1)
    if not once[there].all():
        raise ValueError(
            f"trajectory {np.flatnonzero(there & ~once)[0]} does not change one axis at each step, "
            "and every axis once"
        )
    return changed.argmax(axis=2)


def _at_least_nothing(interval: Interval) -> Interval:
    """Of what cannot be negative."""
    return Interval(
        interval.estimate, np.maximum(interval.low, 0.0), interval.high, interval.confidence
    )


def _deviation(values: np.ndarray, confidence: float) -> Interval:
    """The standard deviation along the last axis, by Bonett's interval: that of a logarithm, with
    the fourth moment about a trimmed mean. From 0 to infinity below five values."""
    n = values.shape[-1]
    if n < 2:
        nothing = np.full(values.shape[:-1], np.nan)
        return Interval(nothing, np.zeros_like(nothing), np.full_like(nothing, np.inf), confidence)
    deviation = values.std(axis=-1, ddof=1)
    if n < 5:
        return Interval(
            deviation, np.zeros_like(deviation), np.full_like(deviation, np.inf), confidence
        )
    z = stats.norm.isf(0.5 * (1.0 - confidence))
    middle = stats.trim_mean(values, 0.5 / np.sqrt(n - 4.0), axis=-1)[..., None]
    squares = (n - 1.0) * deviation**2
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = n * ((values - middle) ** 4).sum(axis=-1) / squares**2
        # Far from a law with tails, this can be below 0 by a hair.
        error = np.sqrt(np.maximum(kurtosis - (n - 3.0) / n, 0.0) / (n - 1.0))
        factor = n / (n - z)
        low, high = (
            deviation * np.sqrt(factor * np.exp(side * z * factor * error)) for side in (-1, 1)
        )
    equal = deviation == 0.0
    return Interval(
        deviation, np.where(equal, 0.0, low), np.where(equal, 0.0, high), confidence
    )


# Indices. All sums that they are made of are means over rows, so that resamples are weights.


def _terms(a: np.ndarray, b: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """What indices need the means of: [row, term]."""
    middle = 0.5 * (a.mean() + b.mean()) if len(a) else 0.0
    a, b, mixed = a - middle, b - middle, mixed - middle  # so that little cancels
    along, off = mixed - a[:, None], (a[:, None] - mixed) ** 2
    pooled = np.stack([0.5 * (a + b), 0.5 * (a**2 + b**2)], axis=1)
    return np.concatenate([pooled, b[:, None] * along, along, off], axis=1)


def _shares(means: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """First and total indices, [2, ..., axis], and the variance, [...], of means [..., term]."""
    middle, square = means[..., 0, None], means[..., 1, None]
    product, along, off = (
        means[..., 2 + part * n_axes : 2 + (part + 1) * n_axes] for part in range(3)
    )
    variance = square - middle**2
    variance = np.where(variance > 1e-14 * square, variance, 0.0)  # what rounding leaves
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.stack([product - middle * along, 0.5 * off]) / variance
    return np.where(variance > 0.0, shares, np.nan), variance[..., 0]


def _nothing(n_axes: int) -> tuple[np.ndarray, float]:
    return np.full((2, n_axes), np.nan), np.nan


def _resampled(
    terms: np.ndarray, n_axes: int, confidence: float, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals of both indices, [2, axis] each; infinite below two rows."""
    n = len(terms)
    if n < 2:
        return np.full((2, n_axes), -np.inf), np.full((2, n_axes), np.inf)
    draws = np.random.default_rng(seed)
    means = np.empty((resamples, terms.shape[1]))
    for begin in range(0, resamples, SOME):
        some = means[begin : begin + SOME]
        some[:] = draws.multinomial(n, np.full(n, 1.0 / n), size=len(some)) @ terms / n
    estimate, _ = _shares(terms.mean(axis=0), n_axes)
    again, _ = _shares(means, n_axes)
    without, _ = _shares((terms.sum(axis=0) - terms) / (n - 1.0), n_axes)
    again, without = (np.moveaxis(one, 1, -1) for one in (again, without))
    return intervals.accelerated(estimate, again, without, confidence)
