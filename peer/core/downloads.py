"""The downloads of this peer: their lives from the first manifest to the finished file.

    MANIFEST -> PREPARING -> FETCHING -> FINISHING -> a known content

Fetching from sources is peer/core/fetching.py; here is what comes of it: chunks held are
offered and announced at once, wrong ones are charged to who sent them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_DISK_FULL
from bus.events import ChunkRejected
from bus.messages import Rejected
from peer.core.bitmap import Range, mask_of_chunks
from peer.core.download import Download, DownloadState
from peer.core.fetching import STALL_CHECK, Fetching
from peer.core.haves import Haves
from peer.core.interface import (
    Finish,
    KeepDownload,
    ManifestParsed,
    ManifestRejected,
    Prepare,
    Prepared,
    Stored,
    StoreFailed,
    VerifyData,
)
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbours
from peer.core.opinions import Opinions
from peer.core.records import DownloadRecord
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.source import Source, SourceState
from peer.core.source_choice import SourceChoice
from peer.core.standing import CORRUPTED_DATA, SUCCESSFUL_UPLOAD
from peer.core.turn import Turn

KEEP_EVERY: Final = 2.0
"""Seconds between writes of a running download's counters."""
SPACE_EVERY: Final = 30.0
"""Seconds between looks at a disk that was full."""


class Downloads:
    """The download side of a peer."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        limits: RateLimits,
        neighbours: Neighbours,
        haves: Haves,
        opinions: Opinions,
        choice: SourceChoice,
        on_change: Callable[[Download], None],
        on_offer: Callable[[], None],
    ) -> None:
        """`choice` orders sources; `on_change` says that a download's state changed."""
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._neighbours = neighbours
        self._haves = haves
        self._opinions = opinions
        self._record = opinions.record
        self.changed = on_change
        self._on_offer = on_offer
        self.active: dict[ContentId, Download] = {}
        self.fetched: dict[ContentId, Download] = {}
        """Those, and previews (previews.py): all that sources are asked for."""
        self.fetching = Fetching(settings, turn, limits, neighbours, haves, self.fetched, opinions, choice, on_change)

    # -- life of a download --

    def start(self, record: DownloadRecord) -> Download:
        """Begin, or go on with, a download."""
        download = self.active[record.id] = self.fetched[record.id] = Download(record, self._turn.now)
        if not record.paused:
            self._prepare(download)
        elif record.path:
            self._look_at_disk(download)  # it stays paused; what it holds is to be known
        return download

    def _prepare(self, download: Download) -> None:
        """Let the shell look at what is on disk; without a manifest there it answers that there is none."""
        download.active_since = download.moved_at = self._turn.now
        self._shelf.put_partial(download.record.id, download.record.name, download.layout, download.held)
        self._on_offer()
        self._turn.add(KeepDownload(download.record))
        self._note_part(download.record)
        if download.state is DownloadState.MANIFEST and download.record.path:
            download.step("parsed")
        if download.state is DownloadState.PREPARING:
            self._look_at_disk(download)
        self._haves.begin(download.record.id)
        for neighbour in list(self._neighbours.by_peer.values()):
            self.fetching.greet(neighbour, download)
        self._turn.timers.set_earlier(("stall",), self._turn.now + STALL_CHECK)
        self._turn.timers.set_earlier(("keep",), self._turn.now + KEEP_EVERY)

    def _note_part(self, record: DownloadRecord) -> None:
        """Seeds are told whether we want all of it."""
        self._haves.parts.pop(record.id, None)
        if record.only or record.left_out:
            self._haves.parts[record.id] = True

    def _look_at_disk(self, download: Download) -> None:
        download.preparing += 1
        self._turn.add(Prepare(download.record))

    def _is_newest(self, download: Download) -> bool:
        """Whether an answer about the disk is the one to the newest question."""
        download.preparing = max(0, download.preparing - 1)
        return download.preparing == 0 and download.state is DownloadState.PREPARING

    def pause(self, download: Download) -> None:
        """Stop fetching and offering."""
        self._stop(download, DownloadState.PAUSED)

    def fail(self, download: Download, code: str, message: str) -> None:
        """Stop with an error; resume tries again, and so do we when a disk that was full has room."""
        download.error, download.error_code = message, code
        self._stop(download, DownloadState.FAILED)
        if code == ERR_DISK_FULL:
            self._turn.timers.set_earlier(("space",), self._turn.now + SPACE_EVERY)

    def _stop(self, download: Download, state: DownloadState) -> None:
        content = download.record.id
        # One that fails while it is verified stays paused.
        paused = download.record.paused or state is DownloadState.PAUSED
        download.record = replace(download.updated_record(self._turn.now), paused=paused)
        download.state = state
        download.active_since = self._turn.now
        self.release(download)
        self._shelf.drop(content)
        self._haves.withdrawn(content)
        self._on_offer()
        if state is not DownloadState.REMOVED:
            self._turn.add(KeepDownload(download.record))
        self.changed(download)

    def release(self, download: Download) -> None:
        """Ask nothing more for a download that fetches no longer: streams that serve nothing else are closed."""
        content = download.record.id
        for link in list(download.maps):
            source = self.fetching.sources.get(link)
            if source is None or source.state is SourceState.IDLE:
                continue
            if any(asked.content == content for asked in source.asked.values()) or not self.fetching.useful(source):
                self.fetching.close(source, "done")
                self.fetching.pump(source)
        download.asked = 0

    def resume(self, download: Download) -> None:
        """Go on after a pause or an error; one that is being verified goes on when that is done."""
        download.record = replace(download.record, paused=False)
        if download.state is DownloadState.PREPARING:
            self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
            return
        download.error = download.error_code = ""
        download.step("resume")
        if not download.record.path:
            download.state = DownloadState.MANIFEST
        self._prepare(download)
        self.changed(download)

    def remove(self, download: Download) -> None:
        self._stop(download, DownloadState.REMOVED)
        self.drop(download.record.id)

    def drop(self, content: ContentId) -> None:
        """It is a download no longer."""
        del self.active[content], self.fetched[content]

    def change(self, download: Download, record: DownloadRecord) -> None:
        """How it is fetched from now on (priorities and order); what was asked for already still comes."""
        if record == download.record:
            return
        download.record = record
        download.arrange()
        self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
        self.changed(download)

    def narrow(self, download: Download, left_out: tuple[Range, ...]) -> None:
        """Want less of a tree than before: what is on its way of the rest is cancelled, what is held of it stays."""
        dropped = download.narrow(left_out)
        self._note_part(download.record)
        self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
        self.fetching.drop(download, dropped)
        self.changed(download)
        self._check_complete(download)
        self.fetching.pump_all(download)

    def widen(self, download: Download, record: DownloadRecord) -> None:
        """Want more of a tree than before; what is held stays.  One that stopped stays so."""
        now = self._turn.now
        download.record = replace(download.updated_record(now), only=record.only, left_out=record.left_out)
        download.active_since = now
        self._note_part(download.record)
        self._turn.add(KeepDownload(download.record))
        download.widened = download.state is DownloadState.PREPARING
        if download.state is DownloadState.FETCHING:
            self._look_again(download)

    def _look_again(self, download: Download) -> None:
        """Let the shell open the files for what is wanted now."""
        download.step("widen")
        self.release(download)
        download.widened = False
        self._look_at_disk(download)
        self.changed(download)

    def verify(self, download: Download) -> None:
        """Hash what is on disk again."""
        download.step("verify")
        self.release(download)
        download.error = download.error_code = ""
        download.preparing += 1
        self._turn.add(VerifyData(download.record.id))
        self.changed(download)

    def verified(self, download: Download, held: int) -> None:
        """The answer to `verify`: only what matches counts."""
        layout = download.layout
        if not self._is_newest(download) or layout is None:
            return
        lists, record = tuple(download.lists.items()), download.record
        found = Prepared(record.id, record.name, layout, record.path, held, download.wanted, lists)
        if record.id in self._shelf.offers:
            self._prepared(found)
            return
        self._described(download, found)
        if not record.paused:
            self.resume(download)

    def _described(self, download: Download, found: Prepared) -> None:
        """What a paused download holds is known."""
        download.state = DownloadState.PREPARING
        download.prepared(found)
        download.state = DownloadState.PAUSED
        self.changed(download)

    # -- what came --

    def on_stored(self, event: Stored) -> None:
        job = self.fetching.jobs.pop(event.job, None)
        if job is None:
            return
        download = self.active.get(job.content)
        if download is not None and download.layout is not None:
            if event.held:
                self._hold(download, job.source, mask_of_chunks(event.held))
            for chunk in event.rejected:
                self._reject(download, job.source, chunk)
            if event.held:
                self._offer(download)
        self.fetching.consumed(job)
        if download is not None and event.rejected:
            self.fetching.pump_all(download)

    def _hold(self, download: Download, source: Source, chunks: int) -> None:
        size = download.hold(chunks)
        if not size:
            return
        download.from_peer[source.peer] = download.from_peer.get(source.peer, 0) + size
        source.unscored += size
        unit = self._settings.reputation.upload_unit
        # The first good bytes ever count at once: they make a newcomer known, and must outlive a crash.
        while source.unscored >= unit or (source.unscored and self._opinions.newcomer(source.peer)):
            counted = min(unit, source.unscored)
            source.unscored -= counted
            self._record(source.peer, SUCCESSFUL_UPLOAD, download.record.id, counted)

    def _reject(self, download: Download, source: Source, chunk: int) -> None:
        assert download.layout is not None
        content = download.record.id
        download.asked &= ~(1 << chunk)
        download.rejected_bytes += download.layout.length_of(chunk)
        self._turn.publish(ChunkRejected(content, chunk, source.peer))
        self._record(source.peer, CORRUPTED_DATA, content, download.layout.length_of(chunk))
        if not self._opinions.book.model.bans:
            download.wrong_from[source.peer] = download.wrong_from.get(source.peer, 0) | 1 << chunk
        if source.link in self.fetching.sources:
            self._turn.send(source.link, Rejected(content, chunk))
            self.fetching.avoid(source, download, 1 << chunk)
            if self._opinions.refused(source.peer) and source.state is not SourceState.IDLE:
                self.fetching.close(source, "reputation")

    def _offer(self, download: Download) -> None:
        """Serve and announce what was just verified; finish when nothing is missing."""
        content = download.record.id
        if offer := self._shelf.offers.get(content):
            offer.held = download.held
            self._haves.changed(content)
        self.changed(download)
        self._check_complete(download)

    def _check_complete(self, download: Download) -> None:
        if download.state is DownloadState.FETCHING and not download.missing:
            download.step("complete")
            self.release(download)
            self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
            self._turn.add(Finish(download.record.id))
            self.changed(download)

    def on_store_failed(self, event: StoreFailed) -> None:
        if job := self.fetching.jobs.pop(event.job, None):
            self.fetching.consumed(job)
        download = self.active.get(event.content)
        if download is None:
            return
        if not event.job:
            download.preparing = max(0, download.preparing - 1)
        if event.kind:
            download.kind, download.size = event.kind, event.size
            self.changed(download)
        if download.state not in (DownloadState.FAILED, DownloadState.PAUSED):
            self.fail(download, event.code, event.message)

    def on_manifest_parsed(self, event: ManifestParsed) -> None:
        download = self.active.get(event.content)
        if download is None:
            return
        if event.manifest == event.content and download.state is DownloadState.MANIFEST:
            download.lists_asked.clear()
            download.step("parsed")
            self._look_at_disk(download)
        else:
            download.list_known(event.manifest)
            self.fetching.pump_all(download)

    def on_manifest_rejected(self, event: ManifestRejected) -> None:
        """A wrong hash has one culprit: the source it was asked of."""
        download = self.fetched.get(event.content)
        culprit = download.list_free(event.manifest) if download else None
        if download is None or culprit is None:
            return
        link, peer = culprit
        self._record(peer, CORRUPTED_DATA, event.content, 0)
        if source := self.fetching.sources.get(link):
            download.set_map(link, 0)
            self.fetching.rest(source)
            if source.state is not SourceState.IDLE:
                self.fetching.close(source, "reputation")
        self.fetching.pump_all(download)

    def on_prepared(self, event: Prepared) -> None:
        download = self.active.get(event.content)
        if download is not None and self._is_newest(download):
            self._prepared(event)
        elif download is not None and not download.preparing and download.state is DownloadState.PAUSED:
            self._described(download, event)

    def _prepared(self, event: Prepared) -> None:
        """What is on disk is known: fetch the rest."""
        download = self.active[event.content]
        download.record = replace(download.record, name=event.name, path=event.path)
        download.prepared(event)
        download.moved_at = self._turn.now
        self._shelf.put_partial(event.content, event.name, event.layout, event.held)
        self._on_offer()
        self._haves.changed(event.content)
        self._turn.add(KeepDownload(download.record))
        if download.widened:
            self._look_again(download)
            return
        self.changed(download)
        self._check_complete(download)
        self.fetching.pump_all(download)

    # -- timers --

    def keep_due(self) -> None:
        """Write the counters of running downloads."""
        for download in self.active.values():
            if download.state is DownloadState.FETCHING:
                self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
        if self.active:
            self._turn.timers.set_earlier(("keep",), self._turn.now + KEEP_EVERY)

    def stop(self) -> None:
        """The process stops: end all streams, keep all records."""
        self.fetching.stopping = True
        for source in self.fetching.sources.values():
            if source.state is not SourceState.IDLE:
                self.fetching.close(source, "closing")
        for download in self.active.values():
            self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
