"""Reading what others asked for: parts of chunks as one payload, and slices of manifests.

Neighbouring parts of one file are one read.  A single read is handed over as the system gave it;
several are read into one buffer.  Bytes are not hashed before they are sent: that would cost 10
to 20% of the rate, and whoever receives them hashes them anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ShoalError
from peer.core.interface import ChunkChecked, Part, PartRead, Read, ReadFailed
from peer.core.layout import Layout
from peer.manifest import DIGEST_SIZE, TREE, chunk_digest, chunk_is_right, parse_digest_list
from peer.shared import SharedFiles
from peer.temporary import TemporaryFiles

Source = SharedFiles | TemporaryFiles


def read(effect: Read, source: Source) -> PartRead:
    """Carry out a Read.

    Raises:
        ShoalError: the bytes cannot be served.
    """
    payload = read_parts(source, effect.parts)
    return PartRead(effect.job, payload, len(payload))


def read_failed(effect: Read, error: ShoalError) -> ReadFailed:
    """What tells the core that a Read could not be carried out."""
    return ReadFailed(effect.job, error.code == ERR_CHANGED, error.message)


def read_parts(source: Source, parts: Sequence[Part]) -> bytes | bytearray:
    """The bytes of parts of chunks, in order."""
    runs = list(_runs(source, parts))
    if len(runs) == 1:
        entry, offset, length = runs[0]
        return source.read(entry, offset, length)
    buffer = bytearray(sum(length for _, _, length in runs))
    view = memoryview(buffer)
    place = 0
    for entry, offset, length in runs:
        source.read_into(entry, view[place : place + length], offset)
        place += length
    return buffer


def check_chunk(content: str, chunk: int, source: SharedFiles, listed: bytes | None) -> ChunkChecked:
    """Whether a chunk on disk still is what was hashed; `listed` as of `listed_digest`."""
    layout = source.layout
    entry = layout.entry_of(chunk)
    try:
        data = source.read(entry, layout.offset_of(chunk, entry), layout.length_of(chunk))
    except ShoalError:
        return ChunkChecked(content, chunk, False)
    return ChunkChecked(content, chunk, chunk_is_right(layout.entries[entry], chunk_digest(data), listed))


def list_holding(layout: Layout, chunk: int) -> str | None:
    """Id of the digest list that has a chunk's digest; None for the only chunk of a file in a tree."""
    entry = layout.entry_of(chunk)
    if layout.kind == TREE and layout.entries[entry].size <= layout.chunk_sizes[entry]:
        return None
    return layout.entries[entry].file_id


def listed_digest(layout: Layout, chunk: int, raw: bytes) -> bytes:
    """A chunk's digest in the digest list that holds it."""
    entry = layout.entry_of(chunk)
    digests = parse_digest_list(raw, layout.entries[entry])
    at = (chunk - layout.starts[entry]) * DIGEST_SIZE
    return digests[at : at + DIGEST_SIZE]


def _runs(source: Source, parts: Sequence[Part]) -> Iterator[tuple[int, int, int]]:
    """(entry, offset in its file, length) of the reads to make."""
    layout, chunks = source.layout, [chunk for chunk, _, _ in parts]
    for chunk in (min(chunks, default=0), max(chunks, default=0)):
        if not 0 <= chunk < layout.chunks:
            raise ShoalError(ERR_NOT_FOUND, f"there is no chunk {chunk}; the content has {layout.chunks}")
    source.check_held(chunks)
    starts, chunk_sizes = layout.starts, layout.chunk_sizes
    entry, start, length = -1, 0, 0
    for (chunk, offset, size), holder in zip(parts, layout.entries_of(chunks), strict=True):
        place = (chunk - starts[holder]) * chunk_sizes[holder] + offset
        if holder == entry and place == start + length:
            length += size
            continue
        if length:
            yield entry, start, length
        entry, start, length = holder, place, size
    if length:
        yield entry, start, length
