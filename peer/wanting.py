"""What is to be fetched of a content, and what must be known before it can be."""

from __future__ import annotations

import contextlib

from bus.errors import ERR_NOT_FOUND, ShoalError
from peer.catalogue import Catalogue
from peer.core.bitmap import Range
from peer.core.layout import Layout
from peer.core.records import DownloadRecord
from peer.core.selection import wanted_chunks
from peer.files import shown
from peer.manifest import Manifest, parse, parse_digest_list
from peer.temporary import TemporaryFiles


def manifests_of(
    catalogue: Catalogue, content: str, parsed: Manifest | None = None
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest (`parsed`, if that is at hand), and the digests by file id of the lists that are here and right."""
    manifest = parsed or parse(catalogue.manifest(content, content), content, checked=True)
    lists: dict[str, bytes] = {}
    kept = catalogue.digest_lists(content)
    described = {entry.file_id: entry for entry in manifest.layout.entries} if kept else {}
    for file, raw in kept.items():
        with contextlib.suppress(ShoalError):  # a damaged one is fetched again
            if file in described:
                lists[file] = parse_digest_list(raw, described[file])
    return manifest, lists


def wanted_by(layout: Layout, record: DownloadRecord) -> int:
    """Bitmask of the chunks to fetch in all."""
    try:
        return wanted_chunks(layout, record)
    except KeyError as error:
        raise ShoalError(ERR_NOT_FOUND, f"{shown(str(error.args[0]))} is not in this content; list its files") from None


def missing_lists(download: TemporaryFiles) -> tuple[tuple[str, tuple[Range, ...]], ...]:
    """(file id, its chunks) of the files whose digest lists are still to be fetched."""
    if download.is_file:
        return ()
    missing: dict[str, list[Range]] = {}
    for number, entry in enumerate(download.layout.entries):
        if entry.size <= download.layout.chunk_sizes[number] or entry.file_id in download.lists:
            continue
        chunks = download.layout.chunks_of(number)
        if download.wanted.count(chunks):
            missing.setdefault(entry.file_id, []).append((chunks.start, len(chunks)))
    return tuple((file, tuple(ranges)) for file, ranges in missing.items())
