"""Hashing again what is on the disk: a content offered whole, or what a download holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ShoalError
from peer.catalogue import Catalogue
from peer.catalogue_rows import Stats
from peer.chunkset import ChunkSet
from peer.contents import Contents
from peer.core.bitmap import chunks_in, mask_of, ranges_of
from peer.core.interface import CoreEvent, FilesLooked, Prepared, StoreFailed, Verified
from peer.core.layout import Layout
from peer.descriptors import Descriptor
from peer.files import READ, shown
from peer.hashing import Hasher, changed_while_hashed
from peer.lifecycle import Lifecycle
from peer.manifest import DIGEST_SIZE, FILE, chunk_is_right, parse_digest_list
from peer.preparing import Disk
from peer.shared import ABSENT, RECORD_SIZE, SharedFiles, record_at, record_of
from peer.temporary import TemporaryFiles
from peer.workers import Workers, attempt

_NO_LONGER: Final = "; it is offered no longer"


class Verifier:
    """Has contents hashed in one thread, and what follows from it done in the thread of their lives."""

    def __init__(
        self,
        disk: Disk,
        contents: Contents,
        life: Lifecycle,
        hasher: Hasher,
        life_thread: Workers,
        hash_thread: Workers,
        post: Callable[[CoreEvent], None],
    ) -> None:
        self._disk = disk
        self._contents = contents
        self._life = life
        self._hasher = hasher
        self._life_thread = life_thread
        self._hash_thread = hash_thread
        self._post = post

    def verify(self, content: ContentId) -> None:
        """Answered by Verified; by StoreFailed if a download's files cannot be opened."""
        if content in self._contents.shared:
            self._hash_thread.submit(lambda: self._verify_shared(content))
        else:
            self._life_thread.submit(lambda: self._reopen(content))

    def look(self, source: SharedFiles) -> None:
        """Answered by FilesLooked."""
        self._hash_thread.submit(lambda: self._look(source))

    def _look(self, source: SharedFiles) -> None:
        def first() -> ShoalError | None:
            return next((error for _, error in source.changed()), None)

        error = attempt(first, lambda error: error, source.content.path)
        if self._contents.shared.get(source.content.id) is source:
            self._post(FilesLooked(source.content.id, f"{error.message}{_NO_LONGER}" if error else ""))

    def _verify_shared(self, content: ContentId) -> None:
        source = self._contents.shared.get(content)
        if source is None:
            self._post(Verified(content, 0, f"content {content[:16]} was removed"))
            return
        path = source.content.path
        found = attempt(lambda: verify_shared(self._disk, source, self._hasher), lambda error: error, path)
        if isinstance(found, ShoalError):
            self._post(Verified(content, 0, found.message))
        elif found.verified.message and source.content.downloaded:
            self._life_thread.submit(lambda: self._mend(source, found))
        elif found.stats is None:
            self._post(found.verified)
        else:
            self._life_thread.submit(lambda: self._refresh(source, found.verified, found.stats or source.stats))

    def _refresh(self, source: SharedFiles, verified: Verified, stats: Stats) -> None:
        def refresh() -> str:
            self._life.refresh(verified.content, source, stats)
            return verified.message

        message = attempt(refresh, lambda error: error.message, source.content.path)
        self._post(Verified(verified.content, verified.held, message))

    def _mend(self, source: SharedFiles, found: Outcome) -> None:
        """What is wrong of a finished download is fetched again, if that can be done where it lies."""
        verified = found.verified
        message = verified.message.removesuffix(_NO_LONGER) + "; they are fetched again"

        def failed(error: ShoalError) -> Verified:
            self._life.keep_wrong(source, found.stats.wrong if found.stats else ())
            return replace(verified, message=f"{verified.message}: {error.message}")

        self._post(
            attempt(
                lambda: self._life.reopen_finished(source, verified.held, message),
                failed,
                source.content.path,
            )
        )

    def _reopen(self, content: ContentId) -> None:
        """A download that failed is opened anew first, so that it takes bytes again."""
        kept = attempt(lambda: self._disk.catalogue.download(content), lambda error: None, content[:16])
        if kept is None:
            self._post(Verified(content, 0, f"download {content[:16]} is not here"))
            return
        opened = attempt(
            lambda: self._life.reopen(kept.record),
            lambda error: StoreFailed(content, 0, error.code, error.message),
            kept.record.directory,
        )
        if not isinstance(opened, Prepared):
            self._post(opened)
            return
        download = self._contents.downloads[content]
        self._hash_thread.submit(lambda: self._verify_download(download))

    def _verify_download(self, download: TemporaryFiles) -> None:
        verified = attempt(
            lambda: verify_download(self._disk, download, self._hasher),
            lambda error: Verified(download.content, download.held.mask, error.message),
            download.path,
        )
        self._post(verified)


class Outcome(NamedTuple):
    """What verifying found."""

    verified: Verified
    stats: Stats | None
    """What is known of the files now, if that is more than before."""


def verify_shared(disk: Disk, source: SharedFiles, hasher: Hasher) -> Outcome:
    """Hash all files of a content offered whole.

    A file that was touched, or copied back, but has the same bytes is the same content.  Of a content that was
    found damaged only the files are hashed that do not look like those that were hashed, if there are any.
    """
    layout, began = source.layout, time.time_ns()
    records = bytearray(source.stats.records)
    changed = [entry for entry, _ in source.changed()] if source.damaged else []
    spans = [layout.chunks_of(entry) for entry in changed] or [range(layout.chunks)]
    before: dict[int, bytes] = {}
    too_long: set[int] = set()
    """The last chunks of files that go on after their end."""

    def opened(entry: int) -> int:
        if record_at(source.stats, entry) == ABSENT:
            raise FileNotFoundError  # never fetched: what lies there is somebody else's
        number = disk.files.open(source.path_of(entry), READ)
        before.setdefault(entry, record_of(disk.files.status(number)))
        return number

    def use(entry: int) -> Descriptor:
        return disk.open_files.take(source, entry, lambda: opened(entry), passing=True)

    def looked(entry: int, number: int) -> None:
        status = disk.files.status(number)
        record = record_of(status)
        if record != before[entry]:  # what was read of it first may be different by now
            raise changed_while_hashed(shown(source.path_of(entry)), "verify")
        records[entry * RECORD_SIZE : (entry + 1) * RECORD_SIZE] = record
        if status.st_size > layout.entries[entry].size:
            too_long.add(layout.chunks_of(entry)[-1])

    digests = hasher.hash(
        layout,
        spans,
        use,
        looked=looked,
        missing=lambda entry, error: None,
        cancelled=lambda: source.cancelled,
    )
    lists = _lists(disk.catalogue, source)
    wrong = [
        chunk for span in spans for chunk in span if chunk in too_long or not _is_right(layout, chunk, digests, lists)
    ]
    # What was never fetched (a part of a tree was wanted) is not there to be right or wrong.
    differing = [chunk for chunk in wrong if record_at(source.stats, layout.entry_of(chunk)) != ABSENT]
    held = ChunkSet(layout.chunks, layout.all_chunks & ~_never_fetched(source))
    held.remove_all(wrong)
    if differing:
        stats = replace(source.stats, wrong=tuple(dict.fromkeys(layout.entry_of(chunk) for chunk in differing)))
        return Outcome(Verified(source.content.id, held.mask, _differs(source, differing)), stats)
    hashed = source.stats.hashed if changed else began
    stats = replace(source.stats, records=bytes(records), hashed=hashed, wrong=())
    known_better = stats.records != source.stats.records or source.damaged
    return Outcome(Verified(source.content.id, held.mask, ""), stats if known_better else None)


def _never_fetched(source: SharedFiles) -> int:
    """Chunks of the entries that are not there, because a part of a tree was wanted."""
    absent = [n for n, entry in enumerate(source.layout.entries) if entry.size and record_at(source.stats, n) == ABSENT]
    return mask_of((chunks.start, len(chunks)) for chunks in map(source.layout.chunks_of, absent))


def verify_download(disk: Disk, download: TemporaryFiles, hasher: Hasher) -> Verified:
    """Hash the chunks that a download holds; those that are wrong are held no more."""
    layout = download.layout
    mask = download.held.mask
    spans = [range(first, first + count) for first, count in ranges_of(mask)]
    digests = hasher.hash(layout, spans, download.use, missing=lambda entry, error: None)
    held = list(chunks_in(mask))
    wrong = []
    for chunk in held:
        digest = bytes(digests[chunk * DIGEST_SIZE : (chunk + 1) * DIGEST_SIZE])
        if not download.is_right(chunk, layout.entry_of(chunk), digest):
            wrong.append(chunk)
    message = ""
    if wrong:
        disk.catalogue.keep_bits(download.content, download.unset(wrong))
        where = shown(download.where(layout.entry_of(wrong[0])))
        message = f"{len(wrong):,} of {len(held):,} chunks do not match, the first in {where}; they are fetched again"
    return Verified(download.content, download.held.mask, message)


def _lists(catalogue: Catalogue, source: SharedFiles) -> dict[str, bytes]:
    """Digests by file id, of every file that has a digest list."""
    content, layout = source.content.id, source.layout
    if layout.kind == FILE:
        return {content: parse_digest_list(catalogue.manifest(content, content), layout.entries[0])}
    described = {entry.file_id: entry for entry in layout.entries}
    kept = catalogue.digest_lists(content)
    return {file: parse_digest_list(raw, described[file]) for file, raw in kept.items() if file in described}


def _is_right(layout: Layout, chunk: int, digests: bytearray, lists: dict[str, bytes]) -> bool:
    number = layout.entry_of(chunk)
    entry = layout.entries[number]
    digest = bytes(digests[chunk * DIGEST_SIZE : (chunk + 1) * DIGEST_SIZE])
    listed = lists.get(entry.file_id)
    if listed is None:
        return entry.size <= layout.chunk_sizes[number] and chunk_is_right(entry, digest, None)
    at = (chunk - layout.starts[number]) * DIGEST_SIZE
    return chunk_is_right(entry, digest, listed[at : at + DIGEST_SIZE])


def _differs(source: SharedFiles, chunks: list[int]) -> str:
    where = shown(source.path_of(source.layout.entry_of(chunks[0])))
    count = f"{len(chunks):,} of {source.layout.chunks:,} chunks"
    return f"{count} of {source.content.name} do not match, the first in {where}{_NO_LONGER}"
