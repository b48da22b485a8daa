from __future__ import annotations

import pytest

from experiments.bench.bounds import chunked_bound as equal_chunked_bound
from experiments.cast import Member
from experiments.metrics.bound import chunked_bound, fluid_bound

SIZE = 1000


def cast(*leechers, seeds=(100,), down=0, arrives=0.0):
    members = [Member(f"s{n}", [], "seeds", complete=True, up=up) for n, up in enumerate(seeds)]
    return members + [Member(f"l{n}", [], "l", up=up, down=down, arrives=arrives) for n, up in enumerate(leechers)]


def leechers_of(members):
    return [member for member in members if not member.complete]


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        (cast(0, 0, seeds=(0,)), None),  # nothing is limited
        (cast(100), 10.0),  # the seed must give every byte once: 1000 / 100
        (cast(100, 100, 100), 10.0),  # 3 * 1000 / 400 = 7.5 is less
        (cast(10, 10, 10), 23.077),  # 3 * 1000 / (100 + 30)
        (cast(*[100] * 9, down=50), 20.0),  # 1000 / 50
        (cast(100, down=50, arrives=7.0), 27.0),  # it comes at 7 and needs 20
        (cast(0, 0), 10.0),  # unlimited leechers carry any number of copies
        (cast(100, seeds=(100, 150)), 4.0),  # two seeds share the work: 1000 / 250
        (cast(100, seeds=(0,), down=500), 2.0),  # only the download is limited
    ],
)
def test_no_swarm_is_faster_than_its_narrowest_place(members, seconds):
    assert fluid_bound(SIZE, members, leechers_of(members)) == seconds


def test_who_does_not_finish_needs_no_copy_but_may_help():
    members = cast(10, 10, 10)
    # Two copies of 1000 over 100 + 30 bytes a second.
    assert fluid_bound(SIZE, members, leechers_of(members)[:2]) == 15.385
    assert fluid_bound(SIZE, members, []) is None


@pytest.mark.parametrize(("count", "chunks"), [(1, 10), (2, 10), (3, 10), (6, 512), (7, 4), (8, 4), (100, 64)])
def test_with_one_seed_and_equal_rates_the_chunked_bound_is_the_exact_one(count, chunks):
    members = cast(*[100] * count)
    exact = equal_chunked_bound(SIZE, 100, count, chunks)
    assert chunked_bound(SIZE, chunks, members, leechers_of(members)) == pytest.approx(exact, abs=1e-3)


def test_the_last_chunk_is_spread_by_the_fastest_at_best():
    # 10 s until it has left the seed; then 1 + 3 holders make 2 rounds of log2(4 / 2), 1 round, of 100 bytes at 200.
    members = cast(200, 100, 100)
    assert chunked_bound(SIZE, 10, members, leechers_of(members)) == 10.5
    # Two seeds: 1000 / 200 = 5 s; ceil(log2((3 + 2) / 3)), 1 round, of 100 bytes at 200.
    members = cast(200, 100, 100, seeds=(100, 100))
    assert chunked_bound(SIZE, 10, members, leechers_of(members)) == 5.5


def test_the_chunked_bound_is_never_below_the_fluid_one():
    members = cast(10, 10, 10)
    assert chunked_bound(SIZE, 1000, members, leechers_of(members)) == 23.077
    members = cast(0, 10, 10)  # one is unlimited: nothing is known of the last chunk
    assert chunked_bound(SIZE, 10, members, leechers_of(members)) == 10.0
