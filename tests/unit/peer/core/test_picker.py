"""Picking: swarms drawn as one column per chunk."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.picker import Availability, RandomOrder, RarestFirst, Sequential

N = 40


def counted(counts: str) -> Availability:
    """An availability map from one digit a chunk."""
    availability = Availability(len(counts))
    for level in range(1, 10):
        availability.add(sum(1 << i for i, digit in enumerate(counts) if int(digit) >= level))
    return availability


def drawn(chunks: str) -> int:
    return sum(1 << i for i, mark in enumerate(chunks) if mark == "x")


def test_the_rarest_chunk_the_source_has_is_picked() -> None:
    assert RarestFirst().pick(drawn(".xxx"), counted("0321"), random.Random(0)) == 3


def test_a_rarer_chunk_that_the_source_lacks_does_not_matter() -> None:
    assert RarestFirst().pick(drawn(".xx."), counted("0230"), random.Random(0)) == 1


def test_ties_are_random() -> None:
    rng = random.Random(0)
    picked = {RarestFirst().pick(drawn("xx.x"), counted("1111"), rng) for _ in range(100)}
    assert picked == {0, 1, 3}


def test_sequential_takes_the_first() -> None:
    assert Sequential().pick(drawn("..xx"), counted("0090"), random.Random(0)) == 2


def test_random_order_ignores_availability() -> None:
    rng = random.Random(0)
    assert {RandomOrder().pick(drawn("x..x"), counted("9000"), rng) for _ in range(100)} == {0, 3}


def test_no_candidate_is_an_error() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        RarestFirst().pick(0, counted("11"), random.Random(0))


@given(st.lists(st.integers(0, 2**N - 1), max_size=20), st.integers(0, N - 1), st.integers(1, N))
def test_the_fewest_of_a_run_is_what_a_look_at_each_chunk_tells(masks: list[int], first: int, count: int) -> None:
    availability, chunks = Availability(N), range(first, min(N, first + count))
    for mask in masks:
        availability.add(mask)
    assert availability.fewest(chunks) == min(availability.of(chunk) for chunk in chunks)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**N - 1)), max_size=40))
def test_counters_equal_a_naive_recount(changes: list[tuple[bool, int]]) -> None:
    availability = Availability(N)
    present: list[int] = []
    for add, mask in changes:
        if add or not present:
            present.append(mask)
            availability.add(mask)
        else:
            availability.remove(present.pop())
    recount = [sum(mask >> chunk & 1 for mask in present) for chunk in range(N)]
    assert [availability.of(chunk) for chunk in range(N)] == recount
