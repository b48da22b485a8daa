"""Order statistics and 95% intervals.  Pure."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from math import floor, sqrt
from statistics import NormalDist, correlation, fmean, median, stdev, variance
from typing import Final

from msgspec import Struct

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
"""Of a bootstrap: its ends then hardly depend on the seed."""
MANY: Final = 100
"""Values above which the ends of a median's bootstrap are taken from the ranks that they come to."""
_T975: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t that 2.5% exceed, for 1 to 30 degrees of freedom."""


class Interval(Struct, frozen=True):
    """An estimate and where the truth lies with 95% confidence; without an interval if one value is all there is."""

    value: float
    low: float | None = None
    high: float | None = None

    def rounded(self, digits: int) -> Interval:
        """The same with so many digits behind the point."""
        if self.low is None or self.high is None:
            return Interval(round(self.value, digits))
        return Interval(round(self.value, digits), round(self.low, digits), round(self.high, digits))

    def scaled(self, factor: float) -> Interval:
        """All of it times a positive factor."""
        if self.low is None or self.high is None:
            return Interval(self.value * factor)
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed, between neighbours on a straight line.

    Source: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages" (1996), definition 7.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def ranks(values: Sequence[float]) -> list[float]:
    """The place of each value in order, from 1; equal ones share the mean of their places."""
    ordered = sorted(values)
    return [bisect_left(ordered, value) + (ordered.count(value) + 1) / 2 for value in values]


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Correlation of two orders of the same things: 1 is the same order, -1 the reverse.

    Source: C. Spearman, "The proof and measurement of association between two things" (1904); ties share their ranks.

    Raises:
        StatisticsError: there are less than two values, or all of a side are equal.
    """
    return correlation(ranks(one), ranks(other))


def student_t(freedom: float) -> float:
    """Student's t that 2.5% exceed; part degrees of freedom are dropped.

    Source: M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.5, above 30 degrees.
    """
    if freedom <= len(_T975):
        return _T975[max(1, floor(freedom)) - 1]
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def mean_interval(values: Sequence[float]) -> Interval:
    """Of independent repetitions: the mean, +- t s / sqrt(n)."""
    middle = fmean(values)
    if len(values) < 2:
        return Interval(middle)
    half = student_t(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(middle, middle - half, middle + half)


def median_interval(values: Sequence[float], seed: int = 1) -> Interval:
    """Of a sample: the median, and the 2.5% and 97.5% quantiles of the medians of samples drawn from it anew.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife" (1979), percentile method.
    """
    middle = median(values)
    if len(values) < 2:
        return Interval(middle)
    if len(values) > MANY:
        # A drawn median exceeds the value of rank r if at most half of the n draws fall on the first r: a binomial.
        half = NormalDist().inv_cdf(0.975) * sqrt(len(values)) / 2
        ranks = [min(max(round(len(values) / 2 + side * half), 0), len(values) - 1) for side in (-1, 1)]
        ordered = sorted(values)
        return Interval(middle, *(ordered[rank] for rank in ranks))
    draw = random.Random(seed)
    medians = [median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES)]
    return Interval(middle, quantile(medians, 0.025), quantile(medians, 0.975))


def difference_interval(before: Sequence[float], after: Sequence[float], paired: bool) -> Interval:
    """Of mean(after) - mean(before).

    Args:
        before: one value for each repetition.
        after: likewise.
        paired: the repetitions belong together one by one, so their differences are judged; else the two are
            independent (B. L. Welch, "The generalization of Student's problem", 1947).
    """
    if paired:
        return mean_interval([new - old for old, new in zip(before, after, strict=True)])
    change = fmean(after) - fmean(before)
    if len(before) < 2 or len(after) < 2:
        return Interval(change)
    parts = [variance(before) / len(before), variance(after) / len(after)]
    if not sum(parts):
        return Interval(change, change, change)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(before) - 1) + parts[1] ** 2 / (len(after) - 1))
    half = student_t(freedom) * sqrt(sum(parts))
    return Interval(change, change - half, change + half)
