"""Where the chunks of a content lie: chunk sizes, and the chunk space of a file or a tree.

A file of S bytes is cut into chunks of `chunk_size_for(S)` bytes, the last one shorter.  The
chunk space of a tree is the concatenation of its files' chunks in manifest order; sizes alone
give it.  An empty file has no chunks.

    chunk size   the smallest power of two with size / chunk size <= 2,048,
                 at least 128 KiB, at most 16 MiB

Part of the content id, so it never changes; 2,048 keeps a digest list at 64 KiB and the
have-map at 256 bytes for any file up to 32 GiB.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from bus.messages import MAX_CHUNK_SIZE, MAX_CHUNKS, MAX_CHUNKS_PER_FILE, Kind
from peer.core.bitmap import mask_of, ranges_of, run_at, span

MIN_CHUNK_SIZE = 128 * 1024
TARGET_CHUNKS = 2048
MAX_RUN = 4096
"""Chunks that go together in one want or offer at most, however small their files are."""


def chunk_size_for(size: int) -> int:
    """Bytes of every chunk but the last of a file of `size` bytes."""
    chunk_size = MIN_CHUNK_SIZE
    while chunk_size < MAX_CHUNK_SIZE and chunk_size * TARGET_CHUNKS < size:
        chunk_size *= 2
    return chunk_size


def chunk_count_for(size: int) -> int:
    """Chunks of a file of `size` bytes; 0 for an empty file."""
    return -(-size // chunk_size_for(size))


class Entry(Struct, frozen=True, gc=False):
    """One file of a content (or one empty directory of a tree)."""

    path: str
    """Relative, `/` between parts; empty for a content that is a single file."""
    size: int
    executable: bool
    file_id: str
    """Content id of this file; empty for a directory."""
    directory: bool = False


class Layout:
    """The chunk space of one content.  Immutable.

    `starts[i]` is the first chunk of entry i; entries without chunks share their start with
    the next one.
    """

    __slots__ = (
        "_files", "_listed", "all_chunks", "chunk_sizes", "chunks", "entries", "kind", "positions", "size", "starts",
    )  # fmt: skip

    def __init__(self, kind: Kind, entries: Sequence[Entry]) -> None:
        """`kind` is "file" (one entry) or "tree".

        Raises:
            ValueError: over 2^19 chunks in a file or 2^22 in all.
        """
        self.kind: Kind = kind
        self.entries = tuple(entries)
        chunk_sizes, starts, positions, total, position = [], [], [], 0, 0
        for entry in entries:
            size = entry.size
            # Most files are small: they have one chunk, which takes no reckoning.
            chunk_size = chunk_size_for(size) if size > MIN_CHUNK_SIZE else MIN_CHUNK_SIZE
            count = -(-size // chunk_size)
            if count > MAX_CHUNKS_PER_FILE:
                raise ValueError(f"{entry.path or 'the file'} has {count} chunks, the limit is {MAX_CHUNKS_PER_FILE}")
            chunk_sizes.append(chunk_size)
            starts.append(total)
            positions.append(position)
            total += count
            position += size
        if total > MAX_CHUNKS:
            raise ValueError(f"the content has {total} chunks, the limit is {MAX_CHUNKS}")
        self.size = position
        self.chunk_sizes = tuple(chunk_sizes)
        self.starts = starts
        self.positions = positions
        """Where each entry's bytes begin if all are laid end to end."""
        self.chunks = total
        self.all_chunks = (1 << total) - 1
        """Bitmask of every chunk."""
        self._listed: frozenset[str] | None = None
        self._files: Sequence[int] | None = None

    @property
    def files(self) -> Sequence[int]:
        """The entries that are files: `files[n]` is the index of the n-th one."""
        if self._files is None:
            found = [index for index, entry in enumerate(self.entries) if not entry.directory]
            self._files = range(len(found)) if len(found) == len(self.entries) else found
        return self._files

    def has_list(self, file_id: str) -> bool:
        """Whether a file of this tree has a digest list of its own: one of more than one chunk."""
        if self._listed is None:
            many = (e.file_id for e, size in zip(self.entries, self.chunk_sizes, strict=True) if e.size > size)
            self._listed = frozenset(many)
        return file_id in self._listed

    def entry_of(self, chunk: int) -> int:
        """Index of the entry that holds a chunk."""
        return bisect_right(self.starts, chunk) - 1

    def entries_of(self, chunks: list[int]) -> Sequence[int]:
        """For each chunk (at least one) the index of the entry that holds it."""
        starts = self.starts
        first, last = self.entry_of(chunks[0]), self.entry_of(chunks[-1])
        entries = range(first, last + 1)
        # Neighbouring files of one chunk: looking for each takes far longer.  (Empty files begin where the next does.)
        if starts[first : last + 1] == chunks and len(set(chunks)) == len(chunks):
            return entries
        return [bisect_right(starts, chunk) - 1 for chunk in chunks]

    def whole(self, chunks: list[int]) -> list[tuple[int, int, int]]:
        """As parts of a data message, of which all these chunks (at least one) are whole: (chunk, 0, length)."""
        entries = self.entries
        return [
            (chunk, 0, size if (size := entries[number].size) <= MIN_CHUNK_SIZE else self.length_of(chunk))
            for chunk, number in zip(chunks, self.entries_of(chunks), strict=True)
        ]

    def offset_of(self, chunk: int, entry: int) -> int:
        """Offset in its file at which a chunk of that entry begins, bytes."""
        return (chunk - self.starts[entry]) * self.chunk_sizes[entry]

    def length_of(self, chunk: int) -> int:
        """Bytes of a chunk."""
        entry = bisect_right(self.starts, chunk) - 1
        size = self.chunk_sizes[entry]
        rest = self.entries[entry].size - (chunk - self.starts[entry]) * size
        return size if size < rest else rest

    def run(self, candidates: int, chunk: int, size: int) -> tuple[int, int]:
        """Neighbouring candidates (a bitmask) from `chunk` on, of about `size` bytes: (mask, bytes).

        At least that chunk, whatever its size, and at most `MAX_RUN`.
        """
        length = self.length_of(chunk)
        if length >= size:
            return 1 << chunk, length
        begin = self._position(chunk)
        ends = range(chunk + 1, chunk + min(run_at(candidates, chunk), MAX_RUN) + 1)
        count = max(1, bisect_right(ends, begin + size, key=self._position))
        return span(chunk, count), self._position(chunk + count) - begin

    def chunks_of(self, entry: int) -> range:
        """The chunks of an entry."""
        start = self.starts[entry]
        return range(start, start + chunk_count_for(self.entries[entry].size))

    def mask_of(self, paths: Sequence[str]) -> int:
        """Bitmask of the chunks of these files, or of all files under these folders.

        Raises:
            KeyError: a path names nothing in this content.
        """
        ranges = []
        for path in paths:
            chosen = [i for i, e in enumerate(self.entries) if e.path == path or e.path.startswith(path + "/")]
            if not chosen:
                raise KeyError(path)
            ranges += [(span.start, len(span)) for span in map(self.chunks_of, chosen) if span]
        return mask_of(ranges)

    def bytes_in(self, mask: int) -> int:
        """Bytes of the chunks in a bitmask."""
        if mask and not mask & (mask - 1):
            return self.length_of(mask.bit_length() - 1)
        return sum(self._position(first + count) - self._position(first) for first, count in ranges_of(mask))

    def _position(self, chunk: int) -> int:
        """Where a chunk begins if all files are laid end to end; the end of it all for the chunk after the last."""
        if chunk >= self.chunks:
            return self.size
        entry = bisect_right(self.starts, chunk) - 1
        return self.positions[entry] + (chunk - self.starts[entry]) * self.chunk_sizes[entry]
