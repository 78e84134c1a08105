# SPDX-License-Identifier: Apache-2.0
"""Intervals of confidence, from replications.

    sent = results.counter("client", "requests_sent").values     # [point, replication, entity]
    rate = np.where(results.complete, sent[..., 0] / results.observed_s, np.nan)
    intervals.mean(rate)                                         # .estimate, .low, .high: [point]

Observations are independent of one another: replications, or what is made of each of them, never
the values within one. They lie along one axis, the last one unless `axis` says otherwise; every
other axis is kept, so that a table of many rows takes one call. NaN (a replication that gave
nothing) is left out. Units are those of the values. A confidence is that of the two-sided interval:
0.95 leaves 2.5 % on each side. The formulas are those of `src/stats/summary.h` and of
`squall inspect`, and give the same numbers. What cannot be meant raises ValueError.

How often intervals of 95 % held what they were made for [%], in 10^4 trials each
(`tests/test_intervals.py`; proportions over shares of 0.01 to 0.99, exactly):

    mean of 10 normal values                           95.3
    mean of 10 means of 20 exponential values          95.0
    mean of 10 lognormal values (sigma 1)              83.4
    mean of 10 antithetic pairs                        93.5
    paired: 10 pairs, correlation 0.9                  95.2
    welch: 10 values, and 20 that vary more            95.1
    quantile: p50 of 30 values                         95.7
    quantile: p90 of 100 values                        95.3
    quantile: p99 of 1000 values                       97.7
    sectioning: p99 of 10 times 500 values             96.5
    bootstrap: mean of 50 normal values                93.7
    bootstrap: mean of 50 exponential values           93.6
    bootstrap: median of 51 exponential values         95.3
    bootstrap: p90 of 100 exponential values           94.1
    wilson: of 20 trials, mean                         95.4
    wilson: of 20 trials, least                        92.4
    wilson: of 100 trials, mean                        94.9
    wilson: of 100 trials, least                       92.1
    clopper-pearson: of 20 trials, mean                97.6
    clopper-pearson: of 20 trials, least               95.9
    clopper-pearson: of 100 trials, mean               96.5
    clopper-pearson: of 100 trials, least              95.4

The mean of ten values as skewed as lognormal ones is beyond Student's t: more replications, longer
ones, or a quantile. Order statistics hold at least what they say, and more where few of them are to
choose from. The same for what squall itself ran, half a server's capacity, in 800 studies of which
the figures are uncertain by 1 (`tests/test_intervals_of_runs.py`):

    mean of 10 runs of M/M/1, 500 requests each        93.8
    p50 of 10 runs of M/M/1, 500 requests each         95.9
    p90 of 10 runs of M/M/1, 500 requests each         94.5
    p99 of 10 runs of M/M/1, 500 requests each         89.1
    mean of 10 runs of M/M/1, 2000 requests each       96.1
    p50 of 10 runs of M/M/1, 2000 requests each        96.1
    p90 of 10 runs of M/M/1, 2000 requests each        96.5
    p99 of 10 runs of M/M/1, 2000 requests each        94.0

Successive requests fare alike, so that 500 of them tell too little of a tail. Longer replications
mend that; more of them do not (with 40 instead of 10 it is 88).
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

BATCH = 1 << 22  # values of resamples that are held at a time
MANY_ROWS = 50  # from which on arithmetic with arrays is faster than with floats


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval: floats, or arrays of one shape."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: float  # of both sides, 0 < confidence < 1

    # The number behind +-, where there is one; degrees of freedom, where it is Student's t.
    symmetric: np.ndarray | None = field(default=None, repr=False)
    freedom: np.ndarray | None = field(default=None, repr=False)

    @property
    def half_width(self) -> np.ndarray:
        """The number behind +-, or half of what lies between the ends where it is not the same on
        both sides."""
        return 0.5 * (self.high - self.low) if self.symmetric is None else self.symmetric

    @property
    def chance(self) -> np.ndarray:
        """Of an estimate as far from 0, if 0 is the truth: the p-value of the two-sided test. NaN
        where the interval is infinite. Without any spread, what is not 0 is not so by chance.

        >>> print(f"{mean([0.5, 1.0, 1.5]).chance:.4f}")
        0.0742
        """
        if self.freedom is None:
            raise ValueError("only Student's t tells the chance of an estimate")
        with np.errstate(divide="ignore", invalid="ignore"):
            error = self.half_width / _student(self.confidence, self.freedom)
            chance = 2 * stats.t.sf(np.abs(self.estimate) / error, self.freedom)
        chance = np.where(error == 0, 0.0, chance)
        chance = np.where(self.estimate == 0, 1.0, chance)
        return np.where(np.isfinite(self.half_width), chance, np.nan)[()]


def mean(values: ArrayLike, confidence: float = 0.95, *, axis: int = -1) -> Interval:
    """The mean +- t s / sqrt(n), with Student's t of n - 1 degrees of freedom.

    It asks for values that are nearly normal, or for many. Infinite below two values, and NaN
    without any.

    >>> rate = mean([9.0, 10.0, 11.0])
    >>> print(f"{rate.estimate:.1f} +- {rate.half_width:.3f}")
    10.0 +- 2.484
    """
    n, middle, squares = _summary(_last(values, axis))
    half = _half_width(n, squares, confidence)
    return _around(np.where(n > 0, middle, np.nan), half, confidence, n - 1)


def paired(
    values: ArrayLike, others: ArrayLike, confidence: float = 0.95, *, axis: int = -1
) -> Interval:
    """The mean of `values` - `others`, of which equal places belong together: two systems under
    common random numbers, compared replication by replication (Law and Kelton, Simulation Modeling
    and Analysis, section 10.2.1). Their other axes are broadcast. A pair of which either is NaN is
    left out.

    >>> with_retries, without = [5.0, 7.0, 6.0], [4.0, 5.5, 5.5]
    >>> print(f"{paired(with_retries, without).estimate:.1f}")
    1.0
    """
    values, others = _last(values, axis), _last(others, axis)
    if values.shape[-1] != others.shape[-1]:
        raise ValueError(
            f"{values.shape[-1]} values cannot be paired with {others.shape[-1]}; compare "
            "independent ones by `welch`"
        )
    return mean(values - others, confidence)


def welch(
    values: ArrayLike,
    others: ArrayLike,
    confidence: float = 0.95,
    *,
    about: tuple[ArrayLike, ArrayLike] | None = None,
    axis: int = -1,
) -> Interval:
    """The difference of the means of `values` and of `others` that are independent of them, by
    Student's t with the degrees of freedom of Welch (Biometrika 34, 1947) and Satterthwaite. Their
    numbers and variances may differ. Infinite below two values on either side. `about` has the two
    estimates whose difference is meant in place of that of the means, as of quantiles (see
    `sectioning`).

    >>> faster = welch([5.0, 7.0, 6.0], [4.0, 5.0, 4.5, 4.5])
    >>> print(f"{faster.estimate:.1f} +- {faster.half_width:.3f}")
    1.5 +- 2.186
    """
    sides = [_summary(_last(side, axis)) for side in (values, others)]
    if about is not None:
        sides = [_about(*side, np.asarray(one, float)) for side, one in zip(sides, about)]
    (n, middle, squares), (n_others, middle_others, squares_others) = sides
    with np.errstate(divide="ignore", invalid="ignore"):
        square = squares / (n - 1) / n
        square_others = squares_others / (n_others - 1) / n_others
        both = square + square_others
        freedom = both**2 / (square**2 / (n - 1) + square_others**2 / (n_others - 1))
        half = _student(confidence, freedom) * np.sqrt(both)
        estimate = np.where((n > 0) & (n_others > 0), middle - middle_others, np.nan)
    half = np.where(both == 0.0, 0.0, half)
    half = np.where((n < 2) | (n_others < 2), np.inf, half)
    return _around(estimate, half, confidence, freedom)


def antithetic(values: ArrayLike, *, axis: int = -1) -> np.ndarray:
    """The observations of a study with antithetic replications: the means of the neighbours (2 k,
    2 k + 1), with half as many places along the axis. NaN where either is.

    Neighbours depend on each other, their means do not; with negative correlation the variance of
    these is less than half that of single values (Hammersley and Morton, Proceedings of the
    Cambridge Philosophical Society 52, 1956).

    >>> antithetic([1.0, 3.0, 4.0, 2.0]).tolist()
    [2.0, 3.0]
    """
    values = _last(values, axis)
    if values.shape[-1] % 2 != 0:
        raise ValueError(
            f"antithetic replications come in pairs, and {values.shape[-1]} is odd; keep those "
            "that did not run to their end, as NaN"
        )
    return np.moveaxis(0.5 * values[..., 0::2] + 0.5 * values[..., 1::2], -1, axis)


def sectioning(
    values: ArrayLike, estimate: ArrayLike, confidence: float = 0.95, *, axis: int = -1
) -> Interval:
    """A quantile whose estimate, [...], is that of all values of all replications together, and
    `values` that of each replication, [..., replication].

    Quantiles of small samples are biased in the tail, so their mean would be. The interval is
    Student's t with the deviations taken from `estimate` instead of from the mean of `values`, so
    that this bias widens it (Asmussen and Glynn, Stochastic Simulation, 2007, section III.5;
    Nakayama, ACM TOMACS 24(4), 2014). So does `squall inspect`.

    >>> p99 = sectioning([90.0, 95.0, 85.0], 92.0)
    >>> print(f"{p99.low:.1f} .. {p99.high:.1f}")
    78.2 .. 105.8
    """
    n, estimate, squares = _about(*_summary(_last(values, axis)), np.asarray(estimate, float))
    return _around(estimate, _half_width(n, squares, confidence), confidence, n - 1)


def quantile(
    values: ArrayLike, p: ArrayLike, confidence: float = 0.95, *, axis: int = -1
) -> Interval:
    """The p-quantile of observations, 0 < p < 1, between two order statistics: whatever their law,
    their number below the quantile is binomial (David and Nagaraja, Order Statistics, 2003, section
    7.1; the ranks of `summary_quantile_ranks`). An end is infinite where there are too few values
    for it. The estimate is of type 7 of Hyndman and Fan, as numpy's; NaN without values.

    Several `p` come first in the shape of the answer, as in numpy.

    >>> worst = quantile(range(1, 101), 0.95)
    >>> print(f"{worst.estimate:.2f}, {worst.low:g} .. {worst.high:g}")
    95.05, 90 .. 100
    """
    p = np.asarray(p, float)
    if not np.all((0.0 < p) & (p < 1.0)):
        raise ValueError(f"a quantile needs 0 < p < 1, not {p}")
    ordered = np.sort(_last(values, axis), axis=-1)  # NaN last
    n = np.count_nonzero(~np.isnan(ordered), axis=-1)[..., None]
    low, high = quantile_ranks(n, p.ravel(), confidence)
    ends = (
        _quantile(ordered, n, p.ravel()),
        np.where(low >= 1, _of_rank(ordered, low), -np.inf),
        np.where(high <= n, _of_rank(ordered, high), np.inf),
    )
    shape = p.shape + ordered.shape[:-1]
    return Interval(*(np.moveaxis(end, -1, 0).reshape(shape)[()] for end in ends), confidence)


def quantile_ranks(
    n: ArrayLike, p: ArrayLike, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The ranks, 1-based, of the order statistics of `n` values that enclose the p-quantile; below
    1 or above n where there is none that does. Shapes are broadcast.

    >>> print(*quantile_ranks(1000, 0.99))
    983 997
    """
    side = 0.5 * (1.0 - _checked(confidence))
    n, p = np.broadcast_arrays(n, p)
    some = np.maximum(n, 1)
    # Rank r is above the quantile with the chance that at most r - 1 values are below it.
    low = stats.binom.ppf(side, some, p).astype(int)
    low = np.where(stats.binom.cdf(low, some, p) <= side, low + 1, low)  # which is equality
    high = stats.binom.ppf(1.0 - side, some, p).astype(int) + 1
    return np.where(n > 0, low, 0)[()], np.where(n > 0, high, 1)[()]


def proportion(
    hits: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, method: str = "wilson"
) -> Interval:
    """The share of `hits` in `n` trials; [0, 1], and NaN in between, without trials.

        wilson            the score interval (Wilson, JASA 22, 1927), which holds the true share as
                          often as it says on average, but not for each share
        clopper-pearson   from exact tests (Clopper and Pearson, Biometrika 26, 1934), which holds
                          it at least as often, and is wider

    >>> storms = proportion(3, 100)
    >>> print(f"{storms.estimate:.2f}, {storms.low:.4f} .. {storms.high:.4f}")
    0.03, 0.0103 .. 0.0845
    """
    side = 0.5 * (1.0 - _checked(confidence))
    hits, n = (np.asarray(number, float) for number in (hits, n))
    if not np.all((0 <= hits) & (hits <= n)):
        raise ValueError("a proportion needs 0 <= hits <= n")
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / n
        if method == "wilson":
            z = stats.norm.isf(side)
            scale = 1.0 + z * z / n
            middle = (share + z * z / (2.0 * n)) / scale
            half = z / scale * np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
            low, high = middle - half, middle + half
        elif method == "clopper-pearson":
            low = stats.beta.ppf(side, hits, n - hits + 1.0)
            high = stats.beta.isf(side, hits + 1.0, n - hits)
        else:
            raise ValueError(f"no method '{method}' (there are: wilson, clopper-pearson)")
    # Rounding must not leave a hair outside of what a proportion can be.
    low, high = np.where(hits == 0, 0.0, low)[()], np.where(hits == n, 1.0, high)[()]
    return Interval(share[()], low, high, confidence)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., np.ndarray],
    confidence: float = 0.95,
    *,
    resamples: int = 2000,
    seed: int = 1,
    axis: int = -1,
) -> Interval:
    """Any statistic of observations, by the bias-corrected and accelerated bootstrap (Efron, JASA
    82, 1987).

    `statistic` takes values and, to be fast, an `axis`, as the functions of numpy do. The same seed
    gives the same interval; every row is resampled alike, whatever other rows there are. It is the
    one of `scipy.stats.bootstrap` but defined everywhere (where leaving out a value changes
    nothing, there is no acceleration) and fast for many rows. It asks for some 50 values, and for
    more in the tail. Infinite below two.

    >>> middle = bootstrap([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0], np.median)
    >>> print(f"{middle.estimate:.1f}, {middle.low:.2f} .. {middle.high:.2f}")
    3.5, 1.50 .. 6.00
    """
    _checked(confidence)
    values = _last(values, axis)
    there = ~np.isnan(values)
    if there.all():
        return _bootstrapped(values, statistic, confidence, resamples, seed)
    ends = np.empty((3, *values.shape[:-1]))
    for row in np.ndindex(values.shape[:-1]):
        some = values[row][there[row]]
        one = _bootstrapped(some, statistic, confidence, resamples, seed)
        ends[(slice(None), *row)] = one.estimate, one.low, one.high
    return Interval(*(end[()] for end in ends), confidence)


def accelerated(
    estimate: ArrayLike, resampled: ArrayLike, left_out: ArrayLike, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of a bias-corrected and accelerated interval, from a statistic of all values, [...],
    of their resamples, [..., resample], and with each value left out in turn, [..., value] (Efron
    and Tibshirani, An Introduction to the Bootstrap, 1993, equations 14.10, 14.14 and 14.15). NaN
    among these is left out, and without any resample an end is NaN. Where leaving out a value
    changes nothing, there is no acceleration."""
    estimate, resampled, left_out = (
        np.asarray(values, float) for values in (estimate, resampled, left_out)
    )
    ordered = np.sort(resampled, axis=-1)  # NaN last
    number = np.count_nonzero(~np.isnan(ordered), axis=-1)
    some = np.maximum(number, 1)
    # Ties count half; nothing is so rare that no resample at all stands for it.
    below = (ordered < estimate[..., None]).sum(axis=-1)
    upto = (ordered <= estimate[..., None]).sum(axis=-1)
    share = np.clip(0.5 * (below + upto) / some, 0.5 / some, 1.0 - 0.5 / some)
    bias = stats.norm.ppf(share)[..., None]
    there = ~np.isnan(left_out)
    middle = np.where(there, left_out, 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    off = np.where(there, middle[..., None] - left_out, 0.0)
    squares = (off**2).sum(axis=-1, keepdims=True)
    skew = (off**3).sum(axis=-1, keepdims=True) / np.where(squares > 0.0, squares, 1.0) ** 1.5
    z = bias + stats.norm.isf(0.5 * (1.0 - _checked(confidence))) * np.array([-1.0, 1.0])
    shares = stats.norm.cdf(bias + z / (1.0 - skew / 6.0 * z))
    ends = np.where(number[..., None] > 0, _quantile(ordered, number[..., None], shares), np.nan)
    return ends[..., 0], ends[..., 1]


def holm(p_values: ArrayLike) -> np.ndarray:
    """Adjusts the p-values of several tests (of `scipy.stats.ttest_rel`, say) for there being
    several: to reject what is below 0.05 rejects anything wrongly with a chance of at most 5 %,
    however they depend on each other (Holm, Scandinavian Journal of Statistics 6, 1979). All axes
    are one family; NaN is no test and stays.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, float)
    flat = p_values.ravel()
    order = np.argsort(flat)[: np.count_nonzero(~np.isnan(flat))]
    adjusted = np.full(flat.shape, np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * flat[order]), 1.0)
    return adjusted.reshape(p_values.shape)


# What they share.


def _last(values: ArrayLike, axis: int) -> np.ndarray:
    """As floats, with the observations along the last axis."""
    return np.moveaxis(np.asarray(values, float), axis, -1)


def _checked(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence is a share, 0 < confidence < 1, not {confidence}")
    return confidence


def _summary(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, mean and sum of squared deviations along the last axis, NaN left out."""
    there = ~np.isnan(values)
    n = np.count_nonzero(there, axis=-1).astype(float)
    if there.all() and n.size >= MANY_ROWS:
        return n, *_welford(np.moveaxis(values, -1, 0))
    middle, squares = np.zeros(n.shape), np.zeros(n.shape)
    for row in np.ndindex(n.shape):
        middle[row], squares[row] = _welford(values[row][there[row]].tolist())
    return n, middle, squares


def _welford(
    values: Iterable[float] | Iterable[np.ndarray],
) -> tuple[float, float] | tuple[np.ndarray, np.ndarray]:
    """Mean and sum of squared deviations, of floats or of arrays of one shape: added one by one
    (Welford, Technometrics 4, 1962), as `summary_add` does, so that the last digits agree."""
    middle = squares = 0.0
    with np.errstate(invalid="ignore"):  # infinite values
        for n, value in enumerate(values, start=1):
            off = value - middle
            middle = middle + off / n
            squares = squares + off * (value - middle)
    return middle, squares


def _student(confidence: float, freedom: np.ndarray) -> np.ndarray:
    """Half the width in standard errors."""
    side = 0.5 * (1.0 - _checked(confidence))
    t = stats.t.isf(side, freedom)
    # Of which nine digits are right; a step of Newton's method rights the others.
    return t + (stats.t.sf(t, freedom) - side) / stats.t.pdf(t, freedom)


def _half_width(n: np.ndarray, squares: np.ndarray, confidence: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        half = _student(confidence, n - 1.0) * np.sqrt(squares / (n - 1.0) / n)
    return np.where(n < 2, np.inf, half)


def _about(
    n: np.ndarray, middle: np.ndarray, squares: np.ndarray, estimate: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A summary whose squares are those of deviations from an estimate other than the mean."""
    estimate = np.broadcast_to(estimate, n.shape)
    return n, estimate, squares + n * (middle - estimate) * (middle - estimate)


def _around(
    middle: np.ndarray, half: ArrayLike, confidence: float, freedom: np.ndarray | None = None
) -> Interval:
    half = np.broadcast_to(half, middle.shape)
    return Interval(
        middle[()], (middle - half)[()], (middle + half)[()], confidence, half[()], freedom
    )


def _of_rank(ordered: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The values of some ranks (1-based), [..., rank]; any where there is no such rank."""
    if ordered.shape[-1] == 0:
        return np.full(rank.shape, np.nan)
    place = np.clip(rank, 1, ordered.shape[-1]) - 1
    return np.take_along_axis(ordered, place, axis=-1)


def _quantile(ordered: np.ndarray, n: ArrayLike, p: np.ndarray) -> np.ndarray:
    """The p-quantiles (type 7) of the first n values, [..., p], each row with an n and p's of its
    own."""
    position = p * np.maximum(n - 1, 0)
    rank = np.floor(position).astype(int) + 1
    first, second = _of_rank(ordered, rank), _of_rank(ordered, np.minimum(rank + 1, n))
    return first + (position - (rank - 1)) * (second - first)


def _bootstrapped(
    values: np.ndarray,
    statistic: Callable[..., np.ndarray],
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """Of values without NaN, along the last axis."""
    n = values.shape[-1]
    if values.size == 0:
        return _around(np.full(values.shape[:-1], np.nan), np.inf, confidence)
    if "axis" in inspect.signature(statistic).parameters:
        of = functools.partial(statistic, axis=-1)
    else:
        of = functools.partial(np.apply_along_axis, statistic, -1)
    estimate = np.asarray(of(values), float)
    if n < 2:
        return _around(estimate, np.inf, confidence)
    draws = np.random.default_rng(seed).integers(0, n, (resamples, n))
    resampled = _of_each(of, values, draws)
    others = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(n)[:, None])  # all but one
    low, high = accelerated(estimate, resampled, _of_each(of, values, others), confidence)
    return Interval(estimate[()], low[()], high[()], confidence)


def _of_each(
    of: Callable[[np.ndarray], np.ndarray], values: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """A statistic of the values at some places, [resample, place]: [..., resample]."""
    parts = np.array_split(places, math.ceil(len(places) * values.size / BATCH))
    return np.concatenate([of(values[..., part]) for part in parts], axis=-1)
