"""Numbers of hand-made tables, each with its calculation."""

from __future__ import annotations

import polars as pl

from experiments.metrics.fairness import contributions, download_rates, jain
from tests.unit.experiments.metrics.four import FOUR


def test_download_rates_are_each_member_s_own():
    assert download_rates(FOUR.filter(pl.col("completed").is_not_null())) == [500.0, 250.0, 100.0]


def test_jain_s_index_is_1_for_equals_and_1_over_n_for_one_that_has_all():
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([7, 0, 0, 0]) == 0.25
    assert jain([1, 2, 3]) == round(36 / (3 * 14), 4)
    assert jain([]) is None
    assert jain([0, 0]) is None


def test_who_gave_nothing_counts_in_the_contributions():
    sources = pl.DataFrame({"giver": ["s", "a", "b"], "bytes": [1100, 600, 300]})
    assert contributions(["a", "b", "c"], sources) == [600, 300, 0]
