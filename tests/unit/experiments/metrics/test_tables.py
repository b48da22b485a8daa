"""Numbers of hand-made tables, each with its calculation."""

from __future__ import annotations

import polars as pl
import pytest

from experiments.metrics.completion import completions
from experiments.metrics.fairness import contributions, download_rates, jain
from experiments.metrics.tracker import Rate, TrackerLoad, request_rates, tracker_load
from experiments.metrics.volume import Matrix, goodput, matrix, seed_load, share
from experiments.statistics import Interval


def leechers(*rows):
    schema = {"member": str, "group": str, "behaviour": str, "started": float, "completed": float, "bytes": int}
    return pl.DataFrame(rows, schema=schema, orient="row")


FOUR = leechers(
    ("a", "fast", "honest", 0.0, 2.0, 1000),
    ("b", "fast", "honest", 1.0, 5.0, 1000),
    ("c", "slow", "honest", 0.0, 10.0, 1000),
    ("d", "slow", "free_rider", 0.0, None, 400),
)


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


def test_goodput_is_all_bytes_of_the_finished_until_the_last_completion():
    # 3,000 bytes in 10 s; d is not finished.
    finished = FOUR.filter(pl.col("completed").is_not_null())
    assert goodput(finished) == 300.0
    assert goodput(finished.clear()) == 0.0


def test_download_rates_are_each_member_s_own():
    assert download_rates(FOUR.filter(pl.col("completed").is_not_null())) == [500.0, 250.0, 100.0]


def test_jain_s_index_is_1_for_equals_and_1_over_n_for_one_that_has_all():
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([7, 0, 0, 0]) == 0.25
    assert jain([1, 2, 3]) == round(36 / (3 * 14), 4)
    assert jain([]) is None
    assert jain([0, 0]) is None


SOURCES = pl.DataFrame(
    [("s", "a", 700), ("s", "b", 400), ("a", "b", 600), ("b", "a", 300), ("?1234", "a", 50)],
    schema=["giver", "taker", "bytes"],
    orient="row",
)


def test_who_gave_nothing_counts_in_the_contributions():
    assert contributions(["a", "b", "c"], SOURCES) == [600, 300, 0]


def test_seed_load_is_in_copies_of_the_content():
    assert seed_load(SOURCES, ["s"], 1000) == 1.1
    assert seed_load(SOURCES, [], 1000) == 0.0


def test_a_share_of_nothing_is_nothing():
    assert (share(1, 3), share(0, 0)) == (0.333333, 0.0)


def cast(*rows):
    return pl.DataFrame(rows, schema=["member", "group", "complete"], orient="row")


def test_the_matrix_says_who_gave_what_to_whom_the_seeds_first():
    members = cast(("a", "l", False), ("b", "l", False), ("s", "z", True))
    assert matrix(members, SOURCES) == Matrix(["s", "a", "b"], [[0, 700, 400], [0, 0, 600], [0, 300, 0]])


def test_the_matrix_of_many_is_one_of_groups():
    members = cast(("s", "z", True), *((f"m{n}", "odd" if n % 2 else "even", False) for n in range(40)))
    sources = pl.DataFrame(
        [("s", "m1", 10), ("s", "m3", 10), ("m1", "m2", 5), ("m4", "m2", 1)], schema=SOURCES.schema, orient="row"
    )
    assert matrix(members, sources) == Matrix(["z", "even", "odd"], [[0, 0, 20], [0, 1, 0], [0, 5, 0]], True)


def samples(*rows):
    schema = {"time": float, "name": str, "value": float}
    return pl.DataFrame([(time, "tracker_requests_total", value) for time, value in rows], schema=schema, orient="row")


def test_tracker_load_is_the_growth_of_its_counter():
    # 10 in 1 s, 30 in 2 s, none in 1 s: 40 in 4 s.
    tracker = samples((-1, 5), (0, 15), (2, 45), (3, 45))
    assert request_rates(tracker) == [Rate(-1, 0, 10.0), Rate(0, 2, 15.0), Rate(2, 3, 0.0)]
    assert tracker_load(request_rates(tracker)) == TrackerLoad(40, 4.0, 10.0, 15.0)


def test_a_tracker_that_started_again_counts_from_0():
    # 20 in 1 s, then a new counter with 5 in 1 s.
    assert tracker_load(request_rates(samples((0, 80), (1, 100), (2, 5)))) == TrackerLoad(25, 2.0, 12.5, 20.0)


@pytest.mark.parametrize("rows", [[], [(0, 5)]])
def test_a_load_takes_two_samples(rows):
    assert tracker_load(request_rates(samples(*rows))) is None
