"""Where programs on this machine may read the bytes of a content: its file on disk, and how much of it is verified.

Nothing is opened here: what is said is looked up in memory.  Whoever reads compares the file's size and modification
time with those it had when it was hashed, as this peer does before it serves any of it.
"""

from __future__ import annotations

from typing import Final

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import Locate, Located
from peer.contents import Contents
from peer.core.layout import Layout
from peer.shared import ABSENT, SharedFiles, mtime_of, record_at
from peer.temporary import TemporaryFiles

MOST_CHUNKS: Final = 4096
"""Chunks of a download that one answer vouches for at most."""


def locate(contents: Contents, message: Locate) -> Located:
    """The answer to `message`.

    Raises:
        ShoalError: ERR_NOT_FOUND if there is no such content or file, ERR_STATE if the file is none of those that are
            fetched, ERR_CHANGED if it is not the one that was hashed.
    """
    found = contents.find(message.content)
    if found is None:
        raise ShoalError(ERR_NOT_FOUND, f"the files of {message.content[:80]} are not known; get it first")
    content, source = found
    file, entry = _file(source.layout, message)
    if isinstance(source, SharedFiles):
        return _of_share(content, source, file, entry, message.offset)
    return _of_download(content, source, file, entry, message.offset)


def _file(layout: Layout, message: Locate) -> tuple[int, int]:
    """(number of the file, index of its entry)."""
    files = layout.files
    if not message.path:
        if message.file >= len(files):
            raise ShoalError(ERR_NOT_FOUND, f"there is no file {message.file}; the content has {len(files):,}")
        return message.file, files[message.file]
    for file, entry in enumerate(files):
        if layout.entries[entry].path == message.path:
            return file, entry
    raise ShoalError(ERR_NOT_FOUND, f"there is no file {message.path[:200]!r} in this content")


def _of_share(content: ContentId, source: SharedFiles, file: int, entry: int, offset: int) -> Located:
    described = source.layout.entries[entry]
    record = record_at(source.stats, entry)
    if described.size and record == ABSENT:
        raise ShoalError(ERR_STATE, f"{described.path} was not fetched; get it too")
    if entry in source.stats.wrong:
        raise ShoalError(ERR_CHANGED, f"{described.path or source.content.name} is damaged; verify it")
    is_tree = source.content.path != source.path_of(entry)
    return Located(
        0, content, source.layout.kind, file, described.path, described.size, source.content.path,
        source.path_of(entry).removeprefix(f"{source.content.path}/") if is_tree else "",
        max(0, described.size - offset), max(0, mtime_of(record)),
    )  # fmt: skip


def _of_download(content: ContentId, source: TemporaryFiles, file: int, entry: int, offset: int) -> Located:
    layout = source.layout
    described = layout.entries[entry]
    chunks = layout.chunks_of(entry)
    first = chunks.start + offset // layout.chunk_sizes[entry]
    ready = 0
    if offset < described.size:
        if first not in source.wanted and first not in source.held:
            raise ShoalError(ERR_STATE, f"{described.path} is not among what is fetched; get it too")
        last = first
        while last < chunks.stop and last - first < MOST_CHUNKS and last in source.held:
            last += 1
        end = described.size if last == chunks.stop else layout.offset_of(last, entry)
        ready = max(0, end - offset)
    return Located(
        0, content, layout.kind, file, described.path, described.size, source.path, described.path, ready, 0
    )  # fmt: skip
