"""Sharing in place: look, hash, and make the manifest; nothing is copied, and nothing half shared."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from peer.catalogue_rows import Stats
from peer.core.interface import KnownContent
from peer.core.layout import Entry, Layout
from peer.descriptors import Descriptor, OpenFiles
from peer.files import READ, FileOps, shown
from peer.hashing import Hasher, Hashing, Progress, ShortFileError, changed_while_hashed
from peer.manifest import DIGEST_SIZE, FILE, TREE, file_id, file_layout, file_manifest, tree_id, tree_manifest
from peer.shared import RECORD_SIZE, SharedFiles, record_of
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


def hash_path(
    files: FileOps,
    open_files: OpenFiles,
    hasher: Hasher,
    path: str,
    name: str,
    upload: bool,
    report: Callable[[Hashing], None],
) -> Hashed:
    """Hash a file or folder.

    Raises:
        ShoalError: it cannot be shared, and which file is the reason.
    """
    found = look(files, path, name)
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

    progress = Progress(found.name, found.layout, report)
    digests = hasher.hash(
        found.layout, range(found.layout.chunks), use, looked=looked, missing=missing, hashed=progress.hashed
    )
    return _put_together(found, digests, upload)


def _put_together(found: Found, digests: bytearray, upload: bool) -> Hashed:
    layout, raw, lists = found.layout, b"", []
    entries = []
    for number, entry in enumerate(layout.entries):
        if entry.directory:
            entries.append(entry)
            continue
        chunks = layout.chunks_of(number)
        raw = file_manifest(entry.size, digests[chunks.start * DIGEST_SIZE : chunks.stop * DIGEST_SIZE])
        identity = file_id(raw)
        entries.append(Entry(entry.path, entry.size, entry.executable, identity))
        if len(chunks) > 1:
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
    return Hashed(content, found.stats, raw, lists, found.skipped)
