"""Numbers of hand-made tables, each with its calculation."""

from __future__ import annotations

import polars as pl

from experiments.metrics.completion import completions
from experiments.statistics import Interval
from tests.unit.experiments.metrics.four import FOUR


def test_completion_counts_from_a_member_s_own_start_and_says_who_finished():
    found = {row.part: row for row in completions(FOUR)}
    assert [(part, row.members, row.finished) for part, row in found.items()] == [
        ("all", 4, 3), ("group fast", 2, 2), ("group slow", 2, 1),
        ("behaviour free_rider", 1, 0), ("behaviour honest", 3, 3),
    ]  # fmt: skip
    # 2, 4 and 10 s: a tenth of two gaps is 0.2 of the first gap (2.4), 0.9 is 0.8 of the second (8.8).
    seconds, slow = found["all"].seconds, found["group slow"].seconds
    assert seconds is not None
    assert slow is not None
    assert (seconds.lowest, seconds.p10, seconds.median.value, seconds.p90, seconds.highest) == (2, 2.4, 4, 8.8, 10)
    assert slow.median == Interval(10.0)
    assert found["behaviour free_rider"].seconds is None


def test_a_swarm_of_one_kind_has_one_row():
    assert [row.part for row in completions(FOUR.filter(pl.col("group") == "fast"))] == ["all"]
