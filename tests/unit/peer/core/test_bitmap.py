"""Have-maps as integers."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from peer.core.bitmap import (
    apply_have,
    chunks_in,
    have_blocks,
    mask_of,
    mask_of_chunks,
    random_chunk,
    ranges_of,
    run_at,
    strip,
    to_have,
)

masks = st.sets(st.integers(0, 40_000), max_size=60).map(lambda chunks: sum(1 << c for c in chunks))


@given(masks)
def test_ranges_and_masks_are_inverse(mask: int) -> None:
    assert mask_of(ranges_of(mask)) == mask


@given(st.lists(st.integers(0, 40_000), max_size=60))
def test_a_mask_has_the_chunks_that_were_named_in_any_order(chunks: list[int]) -> None:
    assert list(chunks_in(mask_of_chunks(chunks))) == sorted(set(chunks))


def test_ranges_are_maximal_runs() -> None:
    assert ranges_of(0b1110_0110) == [(1, 2), (5, 3)]


@given(masks)
def test_chunks_come_in_rising_order(mask: int) -> None:
    chunks = list(chunks_in(mask))
    assert chunks == sorted(chunks)
    assert sum(1 << chunk for chunk in chunks) == mask


def test_a_run_ends_at_the_first_gap() -> None:
    assert [run_at(0b1011_1, place) for place in range(6)] == [3, 2, 1, 0, 1, 0]


@given(masks.filter(bool), st.integers(0, 2**32))
def test_a_random_chunk_is_one_of_the_mask(mask: int, seed: int) -> None:
    assert mask >> random_chunk(mask, random.Random(seed)) & 1


def test_random_ties_reach_every_chunk() -> None:
    rng = random.Random(1)
    assert {random_chunk(0b1011, rng) for _ in range(200)} == {0, 1, 3}


@given(masks, masks)
def test_a_have_restates_its_range(known: int, told: int) -> None:
    bits = to_have(told, 0)
    width = 8 * len(bits)
    assert apply_have(known, 0, bits) == (known >> width << width) | told


@given(masks, masks)
def test_batched_haves_bring_the_other_side_up_to_date(old: int, new: int) -> None:
    theirs = old
    for first, bits in have_blocks(new, old ^ new):
        assert first % 8 == 0
        assert len(bits) <= 1024
        theirs = apply_have(theirs, first, bits)
    assert theirs == new


def test_a_strip_shows_the_share_of_each_part() -> None:
    assert strip(0b0000_1111, 8, cells=4) == bytes([255, 255, 0, 0])
    assert strip(0b1, 2, cells=256) == bytes([255, 0])


@given(masks, st.integers(1, 300))
def test_a_strip_counts_what_a_look_at_each_chunk_counts(mask: int, cells: int) -> None:
    chunks, found = 40_001, strip(mask, 40_001, cells)
    for cell in (0, cells // 2, cells - 1):
        part = range(cell * chunks // cells, (cell + 1) * chunks // cells)
        assert found[cell] == 255 * sum(mask >> chunk & 1 for chunk in part) // len(part)
