"""Sharing in place: look, hash what is not known, make the manifest; nothing is copied, and nothing half shared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from peer.catalogue_rows import Stats
from peer.core.layout import Entry, Layout
from peer.core.records import KnownContent
from peer.descriptors import Descriptor, OpenFiles
from peer.files import READ, FileOps, shown
from peer.hashing import Hasher, Hashing, Progress, ShortFileError, changed_while_hashed
from peer.manifest import DIGEST_SIZE, FILE, TREE, file_id, file_layout, file_manifest, tree_id, tree_manifest
from peer.shared import RECORD_SIZE, SharedFiles, record_of
from peer.unchanged import Known
from peer.walking import Found, look, unreadable


class Hashed(NamedTuple):
    """A content ready to be kept and offered."""

    content: KnownContent
    stats: Stats
    raw: bytes
    """The manifest."""
    lists: list[tuple[str, bytes]]
    """(file id, digest list) of the files of a tree that have one."""
    skipped: tuple[str, ...]
    hashed_files: int
    """Files that were hashed: those that were not known."""
    hashed_bytes: int


def hash_path(
    files: FileOps,
    open_files: OpenFiles,
    hasher: Hasher,
    path: str,
    name: str,
    upload: bool,
    report: Callable[[Hashing], None],
    known_files: Callable[[Found], Mapping[int, Known]] = lambda found: {},
) -> Hashed:
    """Hash a file or folder.

    Args:
        known_files: tells which entries need no hashing.

    Raises:
        ShoalError: it cannot be shared, and which file is the reason.
    """
    began = time.time_ns()
    found = look(files, path, name)
    found = found._replace(stats=replace(found.stats, hashed=began))
    known = known_files(found)
    # Only to know the paths: the ids are what is about to be computed.
    draft = SharedFiles(
        KnownContent("", found.name, found.layout, found.path, upload, False, 0.0), found.stats, files, open_files
    )

    def use(entry: int) -> Descriptor:
        return open_files.take(draft, entry, lambda: files.open(draft.path_of(entry), READ), passing=True)

    def looked(entry: int, number: int) -> None:
        before = found.stats.records[entry * RECORD_SIZE : (entry + 1) * RECORD_SIZE]
        if record_of(files.status(number)) != before:
            raise changed_while_hashed(shown(draft.path_of(entry)))

    def missing(entry: int, error: OSError) -> None:
        if isinstance(error, ShortFileError):
            raise changed_while_hashed(shown(draft.path_of(entry)))
        raise unreadable(draft.path_of(entry), error)

    progress = Progress(found.name, found.layout, report, known)
    anew = [number for number, entry in enumerate(found.layout.entries) if entry.size and number not in known]
    spans = (found.layout.chunks_of(number) for number in anew)
    digests = hasher.hash(found.layout, spans, use, looked=looked, missing=missing, hashed=progress.hashed)
    hashed_bytes = sum(found.layout.entries[number].size for number in anew)
    return _put_together(found, digests, known, upload)._replace(hashed_files=len(anew), hashed_bytes=hashed_bytes)


def _put_together(found: Found, digests: bytearray, known: Mapping[int, Known], upload: bool) -> Hashed:
    layout, raw, lists = found.layout, b"", []
    entries = []
    for number, entry in enumerate(layout.entries):
        if entry.directory:
            entries.append(entry)
            continue
        if file := known.get(number):
            identity, raw = file
        else:
            chunks = layout.chunks_of(number)
            raw = file_manifest(entry.size, digests[chunks.start * DIGEST_SIZE : chunks.stop * DIGEST_SIZE])
            identity = file_id(raw)
        entries.append(Entry(entry.path, entry.size, entry.executable, identity))
        if entry.size > layout.chunk_sizes[number]:
            lists.append((identity, raw))
    if layout.kind == FILE:
        identity = entries[0].file_id
        final = file_layout(identity, layout.size)
        lists = []
    else:
        raw = tree_manifest(entries)
        identity = tree_id(raw)
        final = Layout(TREE, entries)
    content = KnownContent(identity, found.name, final, found.path, upload, False, time.time())
    return Hashed(content, found.stats, raw, lists, found.skipped, 0, 0)
