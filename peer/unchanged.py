"""What of a path that is shared again need not be hashed again.

A file is taken for the one that was hashed before if its size, modification time, inode and
device are the same.  So a file may be found again under another name, or in another content.
That is why the device counts here: two disk images made alike have files alike in all the rest.

A file that was written to in the very moment before it was hashed could be written to once more
without its time showing it: it is hashed again.  (git calls such files "racy".)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from bus.boundary import ContentId
from bus.errors import ShoalError
from peer.catalogue import Catalogue
from peer.manifest import FILE
from peer.shared import SharedFiles, mtime_of, record_at
from peer.walking import Found

_SECOND: Final = 10**9
FINE: Final = _SECOND // 20
"""Nanoseconds: more than any step of the clock of which Linux takes a file's time."""
COARSE: Final = 5 * _SECOND // 2
"""Nanoseconds: for times in whole seconds, as file systems with steps of up to 2 s keep them."""


class Known(NamedTuple):
    """A file whose bytes were hashed before."""

    file_id: str
    raw: bytes
    """Its digest list; empty if it has only one chunk, or none."""


def known_files(found: Found, contents: Iterable[SharedFiles], catalogue: Catalogue) -> dict[int, Known]:
    """The entries of `found` that are in one of these contents, as they were when that was hashed."""
    waiting = {
        record_at(found.stats, number): number for number, entry in enumerate(found.layout.entries) if entry.size
    }
    same: dict[bytes, Known] = {}
    for source in contents:
        if not waiting:
            break
        if source.stats.hashed:
            same |= _taken_from(source, waiting, catalogue)
    if not same:
        return {}
    known = {}
    for number, entry in enumerate(found.layout.entries):
        if entry.size and (file := same.get(record_at(found.stats, number))):
            known[number] = file
    if found.layout.kind == FILE and known and not known[0].raw:
        return {}  # of the only chunk of a file in a tree no digest is kept, only the file's id
    return known


def _taken_from(source: SharedFiles, waiting: dict[bytes, int], catalogue: Catalogue) -> dict[bytes, Known]:
    """What this content knows of the files that wait; they wait no longer."""
    layout, stats = source.layout, source.stats
    matches = []
    for number, entry in enumerate(layout.entries):
        record = record_at(stats, number)
        if number in stats.wrong:
            continue
        if record in waiting and entry.size and _had_settled(mtime_of(record), stats.hashed):
            del waiting[record]
            matches.append((record, entry.file_id, entry.size > layout.chunk_sizes[number]))
    if not matches:
        return {}
    listed = _lists_of(source, catalogue, any(many for _, _, many in matches))
    return {record: Known(file, listed.get(file, b"")) for record, file, many in matches if file in listed or not many}


def _lists_of(source: SharedFiles, catalogue: Catalogue, wanted: bool) -> dict[ContentId, bytes]:
    """Digest lists by file id; none if the catalogue lost them."""
    content = source.content.id
    try:
        if source.layout.kind == FILE:
            return {content: catalogue.manifest(content, content)}
        return catalogue.digest_lists(content) if wanted else {}
    except ShoalError:
        return {}


def _had_settled(mtime: int, hashed: int) -> bool:
    """Whether a change after the hashing would have given the file a later time than this."""
    return mtime < hashed - (FINE if mtime % _SECOND else COARSE)
