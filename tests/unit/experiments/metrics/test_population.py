from __future__ import annotations

import polars as pl

from experiments.metrics.population import Late, Population, late, population

LEECHERS = pl.DataFrame(
    [("a", 0.0, 4.0), ("b", 2.0, None), ("late", None, None)],
    schema={"member": str, "started": float, "completed": float},
    orient="row",
)
PRESENCE = pl.DataFrame(
    [(-1.0, "s", True), (-1.0, "b", True), (0.0, "a", True), (5.0, "a", False), (8.0, "b", False), (9.0, "b", True)],
    schema=["time", "member", "online"],
    orient="row",
)
PROGRESS = pl.DataFrame(
    [(0.0, "a", 0), (3.0, "a", 2), (4.0, "a", 3), (6.0, "b", 1), (7.0, "b", 2), (10.0, "b", 2)],
    schema=["time", "member", "chunks"],
    orient="row",
)


def test_the_population_follows_everyone_who_comes_begins_completes_leaves_and_returns():
    assert population(LEECHERS, PRESENCE, PROGRESS, 3) == [
        Population(-1.0, 1, 0, 0),  # b's process is there, and idle
        Population(0.0, 2, 1, 0),
        Population(2.0, 2, 2, 0),
        Population(3.0, 2, 2, 1),
        Population(4.0, 2, 1, 0),  # a has everything, and stays
        Population(5.0, 1, 1, 0),
        Population(6.0, 1, 1, 0),
        Population(7.0, 1, 1, 1),
        Population(8.0, 0, 0, 0),
        Population(9.0, 1, 1, 1),  # b returns with what it had
        Population(10.0, 1, 1, 1),
    ]


def test_who_goes_and_comes_back_at_one_time_is_still_there():
    # As a whitewasher does when it changes its identity.
    changed = pl.DataFrame([(9.5, "b", False), (9.5, "b", True)], schema=PRESENCE.schema, orient="row")
    rows = population(LEECHERS, PRESENCE.vstack(changed), PROGRESS, 3)
    assert rows[-2:] == [Population(9.5, 1, 1, 1), Population(10.0, 1, 1, 1)]


def test_the_end_is_the_mean_over_the_last_tenth_of_the_time():
    # From 90 to 100 s: 4 wait for 5 s, then 2 for 5 s, of whom 1 lacks one chunk.
    rows = [Population(0.0, 9, 9, 9), Population(50.0, 6, 4, 0), Population(95.0, 6, 2, 1), Population(100.0, 0, 0, 0)]
    assert late(rows) == Late(3.0, round(5 / 30, 4))


def test_one_moment_has_no_last_tenth():
    assert late([Population(0.0, 3, 3, 1)]) == Late(0.0, 0.0)
