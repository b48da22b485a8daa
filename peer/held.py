"""How much of each file of a content is here: looked up in memory, nothing is opened."""

from __future__ import annotations

from typing import Final

from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.messages import FilePriority, Held, HeldFile, ListHeld, Priority
from peer.contents import Contents
from peer.core.bitmap import contains, mask_of
from peer.core.file_priority import level_of
from peer.reading import Source
from peer.shared import ABSENT, SharedFiles, record_at
from peer.temporary import TemporaryFiles

PAGE: Final = 1000
"""Files of one answer."""


def held(contents: Contents, message: ListHeld) -> Held:
    """The answer to `message`.

    Raises:
        ShoalError: ERR_NOT_FOUND if there is no such content, or its files are not known yet.
    """
    found = contents.find(message.content)
    if found is None:
        raise ShoalError(ERR_NOT_FOUND, f"the files of {message.content[:80]} are not known; get it first")
    source, following = found[1], message.first + PAGE
    files = source.layout.files
    priorities = source.priorities if isinstance(source, TemporaryFiles) else ()
    levels = dict(priorities)
    is_left_out = contains(mask_of(source.record.left_out if isinstance(source, TemporaryFiles) else ()))
    rows = [_row(source, entry, levels, is_left_out(entry)) for entry in files[message.first : following]]
    told = [FilePriority(path, level) for path, level in priorities]
    return Held(0, rows, following if following < len(files) else 0, told)


def _row(source: Source, entry: int, levels: dict[str, Priority], left_out: bool) -> HeldFile:
    layout = source.layout
    size, chunks = layout.entries[entry].size, layout.chunks_of(entry)
    if isinstance(source, SharedFiles):
        is_here = record_at(source.stats, entry) != ABSENT
        return HeldFile(is_here, size if is_here else 0)
    assert isinstance(source, TemporaryFiles)
    level = level_of(layout.entries[entry].path, levels)
    if not chunks:
        return HeldFile(not left_out, 0, level)
    count, chunk_size = source.held.count(chunks), layout.chunk_sizes[entry]
    # The last chunk is as long as what is left of the file.
    beyond = len(chunks) * chunk_size - size if chunks[-1] in source.held else 0
    return HeldFile(chunks.start in source.wanted, count * chunk_size - beyond, level)
