"""Numbers of hand-made tables, each with its calculation."""

from __future__ import annotations

import polars as pl

from experiments.metrics.volume import Matrix, goodput, matrix, seed_load, share
from tests.unit.experiments.metrics.four import FOUR

SOURCES = pl.DataFrame(
    [("s", "a", 700), ("s", "b", 400), ("a", "b", 600), ("b", "a", 300), ("?1234", "a", 50)],
    schema=["giver", "taker", "bytes"],
    orient="row",
)


def test_goodput_is_all_bytes_of_the_finished_until_the_last_completion():
    # 3,000 bytes in 10 s; d is not finished.
    finished = FOUR.filter(pl.col("completed").is_not_null())
    assert goodput(finished) == 300.0
    assert goodput(finished.clear()) == 0.0


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
