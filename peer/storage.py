"""The peer's disk: carries out what the core asks of it, in threads, and posts the answers.

    Read, CheckChunk                      reader threads
    Store, Forget                         writer threads, by chunk
    StoreManifest, Prepare, Finish,
    CheckSpace, ReopenContent,
    RemoveItem, and what was shared       one thread, in order: the life of contents and downloads
    share, VerifyData                     one thread, which has others hash for it
    ReadManifest, Keep...                 the catalogue's thread
    sync and record                       a thread of its own

Every effect that has an answer is answered, whatever happens.  The answers come in the order in
which things happened, from several threads, through `post`.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, cast

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import Held, ListHeld, Locate, Located
from bus.places import PeerPlaces
from bus.settings import TransferSettings
from peer.catalogue import Catalogue
from peer.contents import Contents
from peer.core.interface import (
    CheckChunk,
    CheckSpace,
    ChunkChecked,
    CoreEffect,
    CoreEvent,
    Finish,
    Forget,
    KeepDownload,
    KeepLimits,
    KeepPaused,
    KeepUploaded,
    PartRead,
    Prepare,
    Read,
    ReadFailed,
    ReadManifest,
    RemoveItem,
    ReopenContent,
    Store,
    StoreFailed,
    StoreManifest,
    VerifyData,
)
from peer.core.layout import Layout
from peer.core.limit_record import LimitRecord
from peer.core.records import DownloadRecord, KnownContent
from peer.core.sharelink import SCHEME
from peer.descriptors import OpenFiles
from peer.files import FileOps
from peer.hashing import Hasher, Hashing
from peer.held import held
from peer.lifecycle import Lifecycle
from peer.locating import locate
from peer.preparing import Disk
from peer.reading import check_chunk, list_holding, listed_digest, read, read_failed
from peer.shared import SharedFiles
from peer.sharing import Hashed, hash_path
from peer.syncing import IDLE_SECONDS, SyncThread
from peer.temporary import TemporaryFiles
from peer.traffic import Traffic
from peer.unchanged import Known, known_files
from peer.verifying import Verifier
from peer.walking import Found
from peer.workers import Workers, attempt
from peer.writing import WritePool

__all__ = ["Hashing", "Storage"]

log = logging.getLogger(__name__)

READERS: Final = 2
"""Threads that read for uploads: one may wait for the disk while the other has its bytes."""
MANY_PARTS: Final = 16
"""From so many on the parts of one message are small files: one thread reads them, because what is done for each is
mostly done by the interpreter, and two threads wait for one another."""
MOST_HASHERS: Final = 16
"""Threads that hash, at most; else there are as many as processors."""
CLOSE_SECONDS: Final = 3.0
_BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")

Shared = Callable[[Hashed | ShoalError], None]


class Storage:
    """Contents and downloads on this peer's disk."""

    def __init__(
        self,
        places: PeerPlaces,
        settings: TransferSettings,
        catalogue: Catalogue,
        files: FileOps,
        post: Callable[[CoreEvent], None],
        boot: str = "",
    ) -> None:
        """`post` takes answers from any thread; `boot` names this boot of the machine, by default the kernel's name."""
        self._catalogue = catalogue
        self._files = files
        self._post = post
        self._download_dir = str(places.download_dir)
        self._open_files = OpenFiles(files)
        self._contents = Contents()
        self._traffic = Traffic()
        for content, stats in catalogue.contents:
            self._contents.shared[content.id] = SharedFiles(content, stats, files, self._open_files)
        for notice in catalogue.notices:
            log.warning("%s", notice)
        close_idle = partial(self._open_files.close_idle, IDLE_SECONDS)
        self._sync = SyncThread(settings, files, catalogue, self._sync_failed, close_idle)
        self._writers = WritePool(settings.workers, post, self._sync.touched)
        self._hasher = Hasher(min(MOST_HASHERS, len(os.sched_getaffinity(0))), files, self._traffic.busy)
        disk = Disk(catalogue, files, self._open_files, boot or _boot(), settings.min_free_disk)
        self._life = Lifecycle(disk, self._contents, self._writers, self._sync, str(places.uploads_dir), post)
        self._life_thread = Workers("contents")
        self._hash_thread = Workers("hash")
        self._readers = Workers("read", READERS)
        self._small_reader = Workers("read-small")
        self._verifier = Verifier(
            disk, self._contents, self._life, self._hasher, self._life_thread, self._hash_thread, post
        )
        self._unkept: ShoalError | None = None
        """Why what was to be kept last is not; used by the catalogue's thread."""
        self._perform = self._table()

    def load_all(self) -> tuple[list[KnownContent], list[DownloadRecord]]:
        """What the catalogue held when it was opened; finished downloads have `finished` set.

        The contents are unchecked: `look_at_all` has them looked at.
        """
        contents, downloads = self._catalogue.load_all()
        return [replace(content, unchecked=True) for content in contents], downloads

    def look_at_all(self) -> None:
        """Look, in a thread, whether the contents still are what was hashed; each is answered by FilesLooked."""
        for source in sorted(self._contents.shared.values(), key=lambda s: len(s.layout.entries)):
            self._verifier.look(source)

    def load_limits(self) -> list[LimitRecord]:
        """The rate limits that were set while running."""
        return self._catalogue.limits()

    def load_uploaded(self) -> dict[ContentId, int]:
        """Bytes that were ever uploaded, by content."""
        return self._catalogue.uploaded()

    def perform(self, effect: CoreEffect) -> None:
        """Carry out one effect of the core; never blocks."""
        self._perform[type(effect)](effect)

    def share(
        self, path: str, name: str, upload: bool, on_progress: Callable[[Hashing], None], on_done: Shared
    ) -> None:
        """Hash a file or folder and offer it in place.

        Args:
            name: to show instead of its own, or empty.
            upload: it lies in the uploads folder and is Shoal's to delete.
            on_progress, on_done: called in a thread of the storage; `on_done` gets what is offered now, or the reason
                why there is nothing.
        """

        def hash_it() -> None:
            on_progress(Hashing(name or os.path.basename(path), 0, 0, 0, 0))
            hashed = attempt(
                lambda: hash_path(
                    self._files, self._open_files, self._hasher, path, name, upload, on_progress, self._known_files
                ),
                lambda error: error,
                path,
            )
            if isinstance(hashed, ShoalError):
                on_done(hashed)
            else:
                self._life_thread.submit(lambda: adopt(hashed))

        def adopt(hashed: Hashed) -> None:
            content = attempt(lambda: self._life.adopt(hashed), lambda error: error, path)
            on_done(content if isinstance(content, ShoalError) else hashed._replace(content=content))

        self._hash_thread.submit(hash_it)

    def _known_files(self, found: Found) -> dict[int, Known]:
        return known_files(found, list(self._contents.shared.values()), self._catalogue)

    def find(self, content: str) -> tuple[ContentId, str, Layout] | None:
        """Id, name and layout of what is here, named by its id, 8 or more of its first digits, or a link."""
        found = self._contents.find(content.removeprefix(SCHEME).partition("?")[0])
        if found is None:
            return None
        source = found[1]
        name = source.content.name if isinstance(source, SharedFiles) else source.name
        return found[0], name, source.layout

    def locate(self, message: Locate) -> Located:
        """Where a file may be read, and how much of it; raises as `locate` of peer/locating.py does."""
        return locate(self._contents, message)

    def held(self, message: ListHeld) -> Held:
        """How much of each file is here; raises as `held` of peer/held.py does."""
        return held(self._contents, message)

    def manifest_of(self, content: ContentId) -> bytes:
        """The bytes of a content's manifest; waits for the catalogue.

        Raises:
            ShoalError: ERR_NOT_FOUND.
        """
        return self._catalogue.manifest(content, content)

    def disk_free(self) -> int:
        """Bytes free where downloads go by default; 0 if that cannot be told."""
        try:
            return self._files.free_space(self._download_dir)
        except OSError:
            return 0

    def when_kept(self, done: Callable[[ShoalError | None], None]) -> None:
        """Call `done`, in the catalogue's thread, once all that is to be kept so far is kept.

        It gets the error if the last of that could not be kept.
        """
        self._catalogue.when_done(lambda result, error: done(error or self._unkept))

    def _kept(self, result: object, error: ShoalError | None) -> None:
        self._unkept = error

    def close(self) -> bool:
        """Write what waits, sync, record, and close the catalogue; False if a thread did not end within 3 s."""
        deadline = time.monotonic() + CLOSE_SECONDS
        self._hasher.stopping = True
        all_workers = (self._hash_thread, self._readers, self._small_reader, self._life_thread)
        for workers in all_workers:
            workers.close()
        ended = [workers.join(deadline) for workers in all_workers]
        for part in (self._writers, self._sync):
            part.close()
            ended.append(part.join(deadline))
        self._open_files.close()
        self._catalogue.close(max(0.5, deadline - time.monotonic()))
        return all(ended)

    # -- effects --

    def _table(self) -> dict[type, Callable[..., None]]:
        life, thread = self._life, self._life_thread
        return {
            Read: self._submit_read,
            ReadManifest: self._read_manifest,
            Store: self._store,
            StoreManifest: lambda effect: thread.submit(lambda: life.store_manifest(effect)),
            Forget: self._forget,
            Prepare: lambda effect: thread.submit(lambda: life.prepare(effect)),
            Finish: lambda effect: thread.submit(lambda: life.finish(effect)),
            CheckSpace: lambda effect: thread.submit(lambda: life.check_space(effect)),
            ReopenContent: lambda effect: thread.submit(lambda: life.widen(effect)),
            VerifyData: lambda effect: self._verifier.verify(effect.content),
            CheckChunk: lambda effect: self._readers.submit(lambda: self._check_chunk(effect)),
            KeepDownload: self._keep_download,
            KeepPaused: lambda effect: self._catalogue.keep_paused(effect.content, effect.paused, self._kept),
            KeepUploaded: lambda effect: self._catalogue.keep_uploaded(effect.uploaded),
            KeepLimits: lambda effect: self._catalogue.keep_limits(effect.record, self._kept),
            RemoveItem: self._remove,
        }

    def _store(self, effect: Store) -> None:
        download = self._contents.downloads.get(effect.content)
        if download is None:
            reason = f"download {effect.content[:16]} is not open; resume it"
            self._post(StoreFailed(effect.content, effect.job, ERR_STATE, reason))
        else:
            self._traffic.moved(len(effect.payload))  # type: ignore[arg-type]  # a buffer, by contract
            self._writers.store(effect, download)

    def _forget(self, effect: Forget) -> None:
        download = self._contents.downloads.get(effect.content)
        if download is not None:
            self._writers.forget(effect.chunks, download)

    def _remove(self, effect: RemoveItem) -> None:
        source = self._contents.shared.get(effect.content)
        if source is not None:
            source.cancelled = True  # at once: it may be being hashed
        self._life_thread.submit(lambda: self._life.remove(effect))

    def _keep_download(self, effect: KeepDownload) -> None:
        content = effect.record.id
        if download := self._contents.downloads.get(content):
            download.follow(effect.record)

        def kept(result: object, error: ShoalError | None) -> None:
            self._kept(result, error)
            if error is not None:
                self._post(StoreFailed(content, 0, error.code, error.message))

        self._catalogue.keep_download(effect.record, kept)

    def _sync_failed(self, download: TemporaryFiles, error: ShoalError) -> None:
        self._post(StoreFailed(download.content, 0, error.code, error.message))

    # -- reading --

    def _submit_read(self, effect: Read) -> None:
        readers = self._readers if len(effect.parts) < MANY_PARTS else self._small_reader
        readers.submit(lambda: self._read(effect))

    def _read(self, effect: Read) -> None:
        where = effect.content[:16]
        self._post(attempt(lambda: self._read_now(effect), lambda error: read_failed(effect, error), where))

    def _read_now(self, effect: Read) -> PartRead | ReadFailed:
        self._traffic.moved(sum(length for _, _, length in effect.parts))
        source = self._contents.source(effect.content)
        try:
            return read(effect, source)
        except ShoalError:
            # A download may have been finished, or opened anew, in the middle of this.
            if (newer := self._contents.source(effect.content)) is source:
                raise
            return read(effect, newer)

    def _read_manifest(self, effect: ReadManifest) -> None:
        def done(result: object, error: ShoalError | None) -> None:
            if error is not None:
                self._post(ReadFailed(effect.job, False, error.message))
                return
            payload, total = cast("tuple[bytes, int]", result)
            self._post(PartRead(effect.job, payload, len(payload), total))

        self._catalogue.read_manifest(effect.content, effect.manifest, effect.offset, effect.length, done)

    def _check_chunk(self, effect: CheckChunk) -> None:
        def check() -> ChunkChecked:
            source = self._contents.source(effect.content)
            if not isinstance(source, SharedFiles):
                raise ShoalError(ERR_NOT_FOUND, f"content {effect.content[:16]} is not offered whole")
            file = list_holding(source.layout, effect.chunk)
            raw = self._catalogue.manifest(effect.content, file) if file else b""
            listed = listed_digest(source.layout, effect.chunk, raw) if file else None
            checked = check_chunk(effect.content, effect.chunk, source, listed)
            if not checked.good:
                entry = source.layout.entry_of(effect.chunk)
                self._life_thread.submit(lambda: self._life.keep_wrong(source, (entry,)))
            return checked

        bad = ChunkChecked(effect.content, effect.chunk, False)
        self._post(attempt(check, lambda error: bad, effect.content[:16]))


def _boot() -> str:
    try:
        return _BOOT_FILE.read_text().strip()
    except OSError:
        return uuid.uuid4().hex  # none that was ever recorded: only what is recorded counts
