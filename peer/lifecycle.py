"""The life of contents and downloads: what is done to each of them in order, by one thread.

manifest collected -> prepared -> (written, elsewhere) -> finished -> removed
hashed for sharing -> adopted -> verified -> removed
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED, ERR_STATE, ShoalError
from peer.catalogue_rows import Stats
from peer.collecting import Collector
from peer.contents import Contents
from peer.core.interface import (
    CheckSpace,
    ContentAdded,
    CoreEvent,
    DataRemoved,
    Finish,
    Finished,
    ManifestParsed,
    ManifestRejected,
    Prepare,
    RemoveItem,
    ReopenContent,
    Reopened,
    ReopenFailed,
    SpaceChecked,
    Stored,
    StoreFailed,
    StoreManifest,
)
from peer.core.records import DownloadRecord, KnownContent
from peer.files import error_of, shown
from peer.manifest import Manifest, kind_of, parse, parse_digest_list
from peer.placing import finish
from peer.preparing import Disk, has_space, prepare
from peer.removing import path_of, remove_content, remove_temporary, remove_upload
from peer.reopening import reopen
from peer.shared import SharedFiles, record_at, same_file
from peer.sharing import Hashed
from peer.syncing import SyncThread
from peer.temporary import TemporaryFiles
from peer.wanting import manifests_of, wanted_by
from peer.workers import attempt
from peer.writing import WritePool


class Lifecycle:
    """Makes, finishes and removes contents and downloads.  Used by one thread."""

    def __init__(
        self,
        disk: Disk,
        contents: Contents,
        writers: WritePool,
        sync: SyncThread,
        uploads: str,
        post: Callable[[CoreEvent], None],
    ) -> None:
        """`uploads`: the folder of what was received through the page."""
        self._disk = disk
        self._contents = contents
        self._writers = writers
        self._sync = sync
        self._uploads = uploads
        self._post = post
        self._collector = Collector()
        self._parsed: Manifest | None = None
        """The manifest that was checked last: usually the one that is to be prepared next."""

    # -- manifests --

    def store_manifest(self, effect: StoreManifest) -> None:
        """Answered by Stored, and when the manifest is whole by ManifestParsed or ManifestRejected."""
        try:
            raw = self._collector.add(effect)
            self._post(Stored(effect.job))
            if raw is not None:
                self._check_manifest(effect, raw)
        except ShoalError as error:
            self._post(Stored(effect.job))
            self._post(ManifestRejected(effect.content, effect.manifest, error.message))

    def _check_manifest(self, effect: StoreManifest, raw: bytes) -> None:
        content, manifest = effect.content, effect.manifest
        download = self._contents.downloads.get(content)
        digests = b""
        if manifest == content:
            kind_of(raw, content)
            try:
                parsed = parse(raw, content)
            except ShoalError as error:  # it is what was asked for: nobody who sent it is to blame
                self._post(StoreFailed(content, 0, error.code, error.message))
                return
            if not effect.keep:
                self._post(ManifestParsed(content, content, parsed.layout))
                return
            self._parsed = parsed
        elif download is None:
            return  # it was closed meanwhile, and asks again when it is opened
        elif (entry := download.described(manifest)) is None:
            raise ShoalError(ERR_STATE, f"no file of content {content[:16]} has a digest list {manifest[:16]}")
        else:
            digests = parse_digest_list(raw, entry)

        def kept(result: object, error: ShoalError | None) -> None:
            if error is not None:
                self._post(StoreFailed(content, 0, error.code, error.message))
                return
            if download is not None and manifest != content:
                download.lists[manifest] = digests
            self._post(ManifestParsed(content, manifest))

        self._disk.catalogue.keep_manifest(content, manifest, raw, kept)

    # -- downloads --

    def prepare(self, effect: Prepare) -> None:
        """Answered by Prepared or StoreFailed."""
        record = effect.record
        event = self._answered(record.id, lambda: self.reopen(record), record.directory)
        if isinstance(event, StoreFailed):
            failed = event
            event = attempt(lambda: self._described(failed, record), lambda error: failed, record.directory)
        self._post(event)

    def _described(self, event: StoreFailed, record: DownloadRecord) -> StoreFailed:
        """With what the manifest says, where it is here."""
        layout = manifests_of(self._disk.catalogue, record.id)[0].layout
        return replace(event, kind=layout.kind, size=layout.bytes_in(wanted_by(layout, record)))

    def reopen(self, record: DownloadRecord) -> CoreEvent:
        """Open a download's temporary files, again if they were open.

        Raises:
            ShoalError, OSError: they cannot be used, or are not needed any more.
        """
        if record.id in self._contents.shared:
            raise ShoalError(ERR_STATE, f"content {record.id[:16]} was shared meanwhile, and need not be fetched")
        self._retire(record.id, keep=True)
        parsed, self._parsed = self._parsed, None
        download, prepared = prepare(self._disk, record, parsed if parsed and parsed.id == record.id else None)
        self._contents.downloads[record.id] = download
        self._sync.touched(download)
        return prepared

    def check_space(self, effect: CheckSpace) -> None:
        """Answered by SpaceChecked."""
        record = effect.record
        enough = attempt(lambda: has_space(self._disk, record), lambda error: False, record.directory)
        self._post(SpaceChecked(record.id, enough))

    def finish(self, effect: Finish) -> None:
        """Answered by Finished or StoreFailed."""
        download = self._contents.downloads.get(effect.content)
        where = download.path if download is not None else effect.content[:16]
        self._post(self._answered(effect.content, lambda: self._finish(effect.content, download), where))

    def _finish(self, content: ContentId, download: TemporaryFiles | None) -> CoreEvent:
        if download is None:
            raise ShoalError(ERR_STATE, f"download {content[:16]} is not open; resume it")
        self._writers.flush()
        self._sync.sync_now(download)
        known, stats = finish(self._disk, download, time.time())
        self._contents.shared[content] = SharedFiles(known, stats, self._disk.files, self._disk.open_files)
        self._retire(content, keep=False)
        return Finished(known)

    def _answered(self, content: ContentId, action: Callable[[], CoreEvent], where: str) -> CoreEvent:
        return attempt(action, lambda error: self._failed(content, error), where)

    def _failed(self, content: ContentId, error: ShoalError) -> CoreEvent:
        download = self._contents.downloads.get(content)
        if download is not None:
            download.fail(error)
        return StoreFailed(content, 0, error.code, error.message)

    def _retire(self, content: ContentId, *, keep: bool) -> None:
        """Close a download's files, once nothing waits to be written; with `keep`, record what is held."""
        download = self._contents.downloads.pop(content, None)
        if download is None:
            return
        self._writers.flush()
        if keep:
            with contextlib.suppress(ShoalError):  # what cannot be synced is not recorded, and hashed again
                self._sync.sync_now(download)
        self._sync.drop(download)
        self._writers.drop(download)
        with download.syncing:  # a sync under way still needs them
            download.close()

    # -- contents --

    def adopt(self, hashed: Hashed) -> KnownContent:
        """Keep and offer what was shared; followed by ContentAdded.

        Raises:
            ShoalError: the catalogue cannot keep it.
        """
        known = self._contents.shared.get(hashed.content.id)
        content = hashed.content
        if known is not None and known.content.path == content.path:
            was = known.content
            content = replace(content, upload=was.upload, downloaded=was.downloaded, added=was.added)
        elif known is not None and (known.content.downloaded or known.content.upload) and self._intact(known):
            # Ours is as good, and Shoal may delete it when it is told to; a second upload has no other use.
            if content.upload:
                self._remove_second(hashed)
            self._post(ContentAdded(known.content))
            return known.content
        self._drop_download(content.id)
        self._disk.catalogue.keep_content(content, hashed.stats, hashed.raw, hashed.lists)
        self._contents.shared[content.id] = self._shared(content, hashed.stats)
        if known is not None:
            known.close()
        self._post(ContentAdded(content))
        return content

    def refresh(self, content: ContentId, source: SharedFiles, stats: Stats) -> None:
        """A content's files were hashed again; take over what is known of them now."""
        if self._contents.shared.get(content) is source:
            self._disk.catalogue.keep_stats(content, stats)
            self._contents.shared[content] = self._shared(source.content, stats)
            source.close()

    def keep_wrong(self, source: SharedFiles, entries: Iterable[int]) -> None:
        """Files were found to have other bytes than were hashed: remember it, whatever they look like."""
        stats = source.stats
        wrong = tuple(sorted({*stats.wrong, *entries}))
        with contextlib.suppress(ShoalError):  # then it is found again the next time somebody reads them
            self.refresh(source.content.id, source, replace(stats, wrong=wrong))

    def reopen_finished(self, source: SharedFiles, held: int, message: str) -> Reopened:
        """A downloaded content has wrong chunks: make it a download that holds the others.

        Raises:
            ShoalError, OSError: it cannot be mended in place.
        """
        content = source.content.id
        if self._contents.shared.get(content) is not source:
            raise ShoalError(ERR_STATE, f"content {content[:16]} was removed")
        record = reopen(self._disk, source, held)
        del self._contents.shared[content]
        source.close()
        return Reopened(record, message)

    def widen(self, effect: ReopenContent) -> None:
        """Answered by Reopened or ReopenFailed."""
        content = effect.content

        def failed(error: ShoalError) -> CoreEvent:
            return ReopenFailed(content, error.code, error.message)

        self._post(attempt(lambda: self._widen(effect), failed, content[:16]))

    def _widen(self, effect: ReopenContent) -> Reopened:
        source = self._contents.shared.get(effect.content)
        kept = self._disk.catalogue.download(effect.content)
        if source is None or kept is None:
            raise ShoalError(ERR_STATE, f"content {effect.content[:16]} was removed")
        # What it holds is not hashed: it must be what was fetched, or what its user made of it would be written over.
        if changed := next(source.changed(), None):
            raise _changed(source, *changed)
        held = wanted_by(source.layout, kept.record)
        reopened = self.reopen_finished(source, held, "more of it is to be fetched")
        record = replace(reopened.record, only=effect.only, left_out=effect.left_out, paused=False)
        return replace(reopened, record=record)

    def remove(self, effect: RemoveItem) -> None:
        """Answered by DataRemoved."""
        error = attempt(lambda: self._remove(effect.content, effect.data), lambda e: e.message, effect.content[:16])
        self._post(DataRemoved(effect.content, error))

    def _remove(self, content: ContentId, data: bool) -> str:
        error = self._drop_download(content, data)
        source = self._contents.shared.pop(content, None)
        if source is not None:
            source.cancelled = True
            source.close()
            if data:
                error = self._delete(source)
        self._disk.catalogue.remove(content)
        return error

    def _delete(self, source: SharedFiles) -> str:
        try:
            return remove_content(self._disk.files, self._disk.open_files, source, self._uploads)
        except OSError as error:
            return f"{shown(source.content.path)} could not be deleted: {error_of(error, source.content.path).message}"
        except ShoalError as error:
            return error.message

    def _drop_download(self, content: ContentId, data: bool = False) -> str:
        """Forget a download that is not finished, and delete its temporary files; one line if something stays."""
        self._collector.drop(content)
        self._parsed = None
        self._retire(content, keep=False)
        kept = self._disk.catalogue.download(content)
        if kept is None or kept.record.finished:
            return ""
        try:
            return remove_temporary(self._disk, kept, data)
        except ShoalError as error:
            return error.message
        except OSError as error:
            return error_of(error, path_of(kept)).message

    def _shared(self, content: KnownContent, stats: Stats) -> SharedFiles:
        return SharedFiles(content, stats, self._disk.files, self._disk.open_files)

    def _intact(self, source: SharedFiles) -> bool:
        """Whether all files still look as they did when they were hashed."""
        try:
            return all(
                same_file(record_at(source.stats, number), self._disk.files.look(source.path_of(number)))
                for number, entry in enumerate(source.layout.entries)
                if not entry.directory
            )
        except OSError:
            return False

    def _remove_second(self, hashed: Hashed) -> None:
        source = self._shared(hashed.content, hashed.stats)
        remove_upload(self._disk.files, self._disk.open_files, source, self._uploads)


def _changed(source: SharedFiles, entry: int, error: ShoalError) -> ShoalError:
    if error.code != ERR_CHANGED:
        return error
    path, name = shown(source.path_of(entry)), source.content.name
    return ShoalError(
        ERR_CHANGED,
        f"{path} is not what was fetched; move it away to keep it, then verify {name}: that fetches it again",
    )
