"""The chunk space against a naive model: every byte of every file is in exactly one chunk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peer.core.layout import Entry, Layout, chunk_count_for, chunk_size_for

sizes = st.one_of(
    st.just(0), st.integers(1, 10), st.integers(1, 2**21), st.integers(-2, 2).map(lambda d: 2**28 + d), st.just(2**17)
)


@given(st.integers(0, 2**43))
def test_a_chunk_size_is_the_smallest_that_keeps_the_digest_list_short(size):
    chunk_size = chunk_size_for(size)
    assert chunk_size in [2**power for power in range(17, 25)]
    assert chunk_size == 2**24 or size <= chunk_size * 2048
    assert chunk_size == 2**17 or size > chunk_size // 2 * 2048


def test_a_chunk_that_comes_twice_is_not_taken_for_the_empty_file_before_it():
    layout = Layout("tree", [Entry(f"{number}", size, False, "ab" * 32) for number, size in enumerate([1, 0, 1])])
    assert list(layout.entries_of([0, 1, 1])) == [0, 2, 2]


@given(st.lists(sizes, max_size=12), st.data())
def test_every_byte_is_in_one_chunk(given_sizes, data):
    entries = [Entry(f"{number:02}", size, False, "ab" * 32) for number, size in enumerate(given_sizes)]
    layout = Layout("tree", entries)
    model = []  # (entry, offset, length) of every chunk
    for number, size in enumerate(given_sizes):
        step = chunk_size_for(size)
        model += [(number, start, min(step, size - start)) for start in range(0, size, step)]
    assert layout.chunks == len(model) == sum(map(chunk_count_for, given_sizes))
    if not model:
        return
    for chunk in data.draw(st.lists(st.integers(0, len(model) - 1), max_size=20)):
        entry = layout.entry_of(chunk)
        assert (entry, layout.offset_of(chunk, entry), layout.length_of(chunk)) == model[chunk]
        assert chunk in layout.chunks_of(entry)
    first, count = data.draw(st.integers(0, len(model) - 1)), data.draw(st.integers(1, 6))
    for chunks in (list(range(first, min(first + count, len(model)))), data.draw(some(len(model)))):
        assert list(layout.entries_of(chunks)) == [model[chunk][0] for chunk in chunks]
        assert layout.whole(chunks) == [(chunk, 0, model[chunk][2]) for chunk in chunks]


def some(chunks):
    return st.lists(st.integers(0, chunks - 1), min_size=1, max_size=6)


@given(st.lists(st.sampled_from([0, 5, 2**17, 2**17 + 1, 300_000]), min_size=1, max_size=8), st.integers(0))
def test_bytes_in_a_mask_are_those_of_its_chunks(given_sizes, mask):
    layout = Layout("tree", [Entry(f"{number}", size, False, "ab" * 32) for number, size in enumerate(given_sizes)])
    mask &= layout.all_chunks
    assert layout.bytes_in(mask) == sum(layout.length_of(chunk) for chunk in range(layout.chunks) if mask >> chunk & 1)


@given(
    st.lists(st.sampled_from([0, 5, 2**17, 2**17 + 1, 300_000]), min_size=1, max_size=8),
    st.integers(1),
    st.integers(0, 2**20),
)
def test_a_run_is_the_most_neighbours_that_are_not_larger_and_one_at_least(given_sizes, mask, size):
    layout = Layout("tree", [Entry(f"{number}", size, False, "ab" * 32) for number, size in enumerate(given_sizes)])
    candidates = mask & layout.all_chunks
    for chunk in range(layout.chunks):
        if not candidates >> chunk & 1:
            continue
        count, taken = 1, layout.length_of(chunk)
        while candidates >> (chunk + count) & 1 and taken + layout.length_of(chunk + count) <= size:
            taken += layout.length_of(chunk + count)
            count += 1
        assert layout.run(candidates, chunk, size) == (((1 << count) - 1) << chunk, taken)
