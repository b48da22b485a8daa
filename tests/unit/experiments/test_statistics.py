"""Quantiles and intervals against values worked out by hand or printed in tables."""

from __future__ import annotations

import random

import pytest

from experiments.statistics import (
    Interval,
    difference_interval,
    mean_interval,
    median_interval,
    quantile,
    ranks,
    spearman,
    student_t,
)


@pytest.mark.parametrize(
    ("share", "value"),
    # Five values have four gaps: 0.1 is 0.4 of the first gap, 0.9 is 0.6 of the last.
    [(0.0, 1.0), (0.1, 1.4), (0.5, 3.0), (0.9, 9.4), (1.0, 13.0)],
)
def test_a_quantile_lies_on_the_line_between_its_neighbours(share, value):
    assert quantile([13.0, 1.0, 2.0, 4.0, 3.0], share) == pytest.approx(value)


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (4, 2.776), (4.9, 2.776), (30, 2.042), (40, 2.021), (60, 2.000), (120, 1.980)]
)
def test_student_s_t_is_that_of_the_printed_tables(freedom, t):
    assert student_t(freedom) == pytest.approx(t, abs=0.0006)


def test_the_mean_of_five_has_the_textbook_interval():
    # Mean 3, squared distances 4+1+0+1+4 = 10, s = sqrt(10 / 4) = 1.5811, s / sqrt(5) = 0.7071, times 2.776 = 1.9629.
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 1.0371, 4.9629), abs=1e-4)


def test_one_repetition_has_no_interval():
    assert mean_interval([4.0]) == Interval(4.0)
    assert median_interval([4.0]) == Interval(4.0)
    assert difference_interval([4.0], [5.0, 6.0], paired=False) == Interval(1.5)


def test_repetitions_that_are_all_equal_have_an_interval_of_no_width():
    assert mean_interval([2.0, 2.0]) == Interval(2.0, 2.0, 2.0)
    assert difference_interval([2.0, 2.0], [3.0, 3.0], paired=False) == Interval(1.0, 1.0, 1.0)


def test_a_difference_of_unpaired_repetitions_is_welch_s():
    # Means 2 and 5; variances 1 and 4, a third of each 1/3 and 4/3, together 5/3;
    # freedom (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 2.7778 / 0.9444 = 2.94: two whole ones, t = 4.303;
    # half 4.303 sqrt(5/3) = 5.5551.
    found = difference_interval([1.0, 2.0, 3.0], [3.0, 5.0, 7.0], paired=False)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, -2.5551, 8.5551), abs=1e-3)


def test_a_difference_of_paired_repetitions_is_that_of_their_differences():
    # Differences 2, 3, 4: mean 3, s = 1, half 4.303 / sqrt(3) = 2.4843.
    found = difference_interval([1.0, 2.0, 3.0], [3.0, 5.0, 7.0], paired=True)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 0.5157, 5.4843), abs=1e-3)


def test_the_median_of_three_may_be_any_of_them():
    # The lowest is drawn at least twice of three times with probability 7/27: more than 2.5%.
    assert median_interval([1.0, 2.0, 9.0]) == Interval(2.0, 1.0, 9.0)


def test_of_many_values_the_ends_are_the_ranks_that_the_bootstrap_comes_to():
    # 400 values: 200 +- 1.96 * 10, so the ranks 180 and 220.
    assert median_interval([float(n) for n in range(400)]) == Interval(199.5, 180.0, 220.0)


def test_the_interval_of_a_median_holds_the_truth_about_95_times_in_100():
    draw = random.Random(1)
    hits = 0
    for _ in range(60):
        found = median_interval([draw.gauss(10, 2) for _ in range(25)])
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 10 <= found.high
    assert 54 <= hits <= 60


def test_equal_values_share_the_mean_of_their_places():
    assert ranks([10.0, 30.0, 20.0, 20.0]) == [1.0, 4.0, 2.5, 2.5]


@pytest.mark.parametrize(
    ("other", "correlation"),
    # Without ties it is 1 - 6 (sum of squared differences of places) / (n (n^2 - 1)), here with n (n^2 - 1) = 60.
    [
        ([1.0, 2.0, 3.0, 4.0], 1.0),
        ([1.0, 3.0, 2.0, 4.0], 0.8),
        ([3.0, 1.0, 4.0, 2.0], 0.0),
        ([9.0, 8.0, 7.0, 6.0], -1.0),
    ],
)
def test_spearman_s_correlation_is_that_worked_out_by_hand(other, correlation):
    assert spearman([10.0, 20.0, 30.0, 40.0], other) == pytest.approx(correlation)


def test_spearman_s_correlation_of_ties_is_that_of_their_shared_places():
    # Places 1, 2.5, 2.5, 4 and 1, 2, 3, 4: products of the distances from 2.5 sum to 4.5, squares to 4.5 and 5.
    assert spearman([1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
