from __future__ import annotations

import pytest

from bus.messages import MAX_CHUNK_SIZE, MAX_CHUNKS, MAX_CHUNKS_PER_FILE
from peer.core.layout import Entry, Layout, chunk_count_for, chunk_size_for

KIB, MIB, GIB = 2**10, 2**20, 2**30


def tree(*sizes: int | None) -> Layout:
    """Files a, b, c ... of these sizes; None is an empty directory."""
    entries = [
        Entry(chr(97 + number), size or 0, False, "" if size is None else "ab" * 32, size is None)
        for number, size in enumerate(sizes)
    ]
    return Layout("tree", entries)


@pytest.mark.parametrize(
    ("size", "chunk_size"),
    [
        (0, 128 * KIB),
        (1, 128 * KIB),
        (256 * MIB, 128 * KIB),
        (256 * MIB + 1, 256 * KIB),
        (GIB, 512 * KIB),
        (GIB + 1, MIB),
        (32 * GIB, 16 * MIB),
        (1000 * GIB, 16 * MIB),
    ],
)
def test_chunk_sizes_are_these(size, chunk_size):
    assert chunk_size_for(size) == chunk_size


@pytest.mark.parametrize(
    ("size", "count"), [(0, 0), (1, 1), (128 * KIB, 1), (128 * KIB + 1, 2), (256 * MIB, 2048), (256 * MIB + 1, 1025)]
)
def test_chunk_counts_are_these(size, count):
    assert chunk_count_for(size) == count


def test_a_tree_s_chunks_are_those_of_its_files_in_order():
    layout = tree(200 * KIB, 0, None, 5, 128 * KIB)
    assert layout.chunks == 4
    assert layout.size == 328 * KIB + 5
    assert [list(layout.chunks_of(entry)) for entry in range(5)] == [[0, 1], [], [], [2], [3]]
    assert [layout.entry_of(chunk) for chunk in range(4)] == [0, 0, 3, 4]
    assert [layout.offset_of(chunk, layout.entry_of(chunk)) for chunk in range(4)] == [0, 128 * KIB, 0, 0]
    assert [layout.length_of(chunk) for chunk in range(4)] == [128 * KIB, 72 * KIB, 5, 128 * KIB]


def test_entries_without_chunks_at_either_end_own_none():
    layout = tree(0, None, 5, 0, None)
    assert [layout.entry_of(chunk) for chunk in range(layout.chunks)] == [2]


def test_paths_choose_files_and_whole_folders():
    layout = Layout(
        "tree",
        [Entry(path, 200 * KIB, False, "ab" * 32) for path in ("a", "a.txt", "docs/one", "docs/sub/two", "docs.old/x")],
    )
    assert layout.mask_of(["a"]) == 0b11
    assert layout.mask_of(["docs"]) == 0b11110000
    assert layout.mask_of(["docs/sub", "a.txt"]) == 0b11001100
    for path in ("doc", "docs/", "b", ""):
        with pytest.raises(KeyError) as caught:
            layout.mask_of([path])
        assert caught.value.args == (path,)


def test_bytes_in_a_mask_count_short_last_chunks():
    layout = tree(200 * KIB, 5)
    assert layout.bytes_in(0b111) == 200 * KIB + 5
    assert layout.bytes_in(0b010) == 72 * KIB
    assert layout.bytes_in(0b101) == 128 * KIB + 5
    assert layout.bytes_in(0) == 0


def test_a_file_or_tree_with_too_many_chunks_is_refused():
    largest = MAX_CHUNKS_PER_FILE * MAX_CHUNK_SIZE
    assert Layout("file", [Entry("", largest, False, "ab" * 32)]).chunks == MAX_CHUNKS_PER_FILE
    with pytest.raises(ValueError, match="the limit is 524288"):
        Layout("file", [Entry("", largest + 1, False, "ab" * 32)])
    assert tree(*[largest] * 8).chunks == MAX_CHUNKS
    with pytest.raises(ValueError, match="the limit is 4194304"):
        tree(*[largest] * 8, 1)
