"""The download engine: every content being fetched, from all its sources at once.

    tracker names peers -> dial -> have-maps -> open -> opened -> wants and credit -> data
    -> stored -> held: announced, served -> complete -> finished

A chunk is asked of one source at a time.  Wants in flight cover about half a second of the
source's rate, so a slow source never holds much at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bus.boundary import ContentId, LinkId, PeerId
from bus.events import ChunkRejected, StreamClosed, StreamOpened
from bus.messages import (
    Closed,
    CloseReason,
    Credit,
    Data,
    Open,
    Opened,
    Refused,
    Rejected,
    Want,
    WantManifest,
)
from peer.core.bitmap import chunks_in, mask_of, ranges_of
from peer.core.download import Download, DownloadState
from peer.core.haves import Haves
from peer.core.interface import (
    DownloadRecord,
    Finish,
    Forget,
    KeepDownload,
    ManifestParsed,
    ManifestRejected,
    Prepare,
    Prepared,
    Store,
    Stored,
    StoreFailed,
    StoreManifest,
    VerifyData,
)
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.picker import PICKERS
from peer.core.rates import Meter, TokenBucket
from peer.core.reputation import CORRUPTED_DATA, REFUSED_UPLOAD, SUCCESSFUL_UPLOAD, TIMED_OUT
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.source import Arrived, Asked, Source, SourceState
from peer.core.turn import Turn

WANT_BYTES: Final = 2**20
"""Bytes of one want, at least one chunk: the answer to one is about one data message."""
FLIGHT_SECONDS: Final = 0.5
FLIGHT_MIN: Final = 512 * 1024
"""Wants in flight: half a second of the source's rate, at least 512 KiB."""
STALL_CHECK: Final = 5.0
KEEP_EVERY: Final = 10.0
"""Seconds between writes of a running download's counters."""
TIMEOUT_LONGEST: Final = 300.0
"""Seconds; a source may be silent for at most so long, however slow it was."""
REOPEN_AFTER: Final = 30.0
"""Seconds until a source that refused or timed out is asked again."""
EXCUSED: Final = ("cancelled", "withdrawn", "closing")
"""Reasons to refuse a chunk that cost no reputation."""


class _Job(Struct):
    source: Source
    stream: int
    content: ContentId
    size: int


class Downloads:
    """The download side of a peer."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        neighbours: Neighbours,
        haves: Haves,
        record: Callable[[PeerId, str, ContentId, int], None],
        refused: Callable[[PeerId], bool],
        on_change: Callable[[Download], None],
        on_offer: Callable[[], None],
    ) -> None:
        """`record` notes a reputation event; `on_change` says that a download's state changed."""
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._neighbours = neighbours
        self._haves = haves
        self._record = record
        self._refused = refused
        self._on_change = on_change
        self._on_offer = on_offer
        self._picker = PICKERS[settings.picker]()
        self.active: dict[ContentId, Download] = {}
        self.sources: dict[LinkId, Source] = {}
        self._jobs: dict[int, _Job] = {}
        self._not_before: dict[LinkId, float] = {}
        self.bucket = TokenBucket(settings.limit_down, turn.now)
        self.meter = Meter(turn.now)

    # -- life of a download --

    def start(self, record: DownloadRecord) -> Download:
        """Begin, or go on with, a download."""
        download = self.active[record.id] = Download(record, self._turn.now)
        if not record.paused:
            self._prepare(download)
        return download

    def _prepare(self, download: Download) -> None:
        """Let the shell look at what is on disk; without a manifest there it answers that there is none."""
        download.active_since = download.moved_at = self._turn.now
        self._shelf.put_partial(download.record.id, download.record.name, download.layout, download.held)
        self._on_offer()
        self._turn.add(KeepDownload(download.record))
        if download.state is DownloadState.MANIFEST and download.record.path:
            download.step("parsed")
        if download.state is DownloadState.PREPARING:
            self._turn.add(Prepare(download.record))
        for neighbour in list(self._neighbours.by_peer.values()):
            self.greet(neighbour, download)
        self._turn.timers.set_earlier(("stall",), self._turn.now + STALL_CHECK)
        self._turn.timers.set_earlier(("keep",), self._turn.now + KEEP_EVERY)

    def pause(self, download: Download) -> None:
        """Stop fetching and offering."""
        self._stop(download, DownloadState.PAUSED)

    def fail(self, download: Download, code: str, message: str) -> None:
        """Stop with an error; resume tries again."""
        download.error, download.error_code = message, code
        self._stop(download, DownloadState.FAILED)

    def _stop(self, download: Download, state: DownloadState) -> None:
        content = download.record.id
        download.record = replace(download.updated_record(self._turn.now), paused=state is DownloadState.PAUSED)
        download.state = state
        download.active_since = self._turn.now
        self._release(download)
        self._shelf.drop(content, state.value)
        self._haves.withdrawn(content)
        self._on_offer()
        if state is not DownloadState.REMOVED:
            self._turn.add(KeepDownload(download.record))
        self._on_change(download)

    def _release(self, download: Download) -> None:
        """Ask nothing more for a download: streams that serve nothing else are closed."""
        content = download.record.id
        for link in list(download.maps):
            source = self.sources.get(link)
            if source is None or source.state is SourceState.IDLE:
                continue
            if any(asked.content == content for asked in source.asked.values()) or not self._useful(source):
                self._close(source, "done")
                self.pump(source)
        download.asked = 0

    def resume(self, download: Download) -> None:
        """Go on after a pause or an error."""
        download.record = replace(download.record, paused=False)
        download.error = download.error_code = ""
        download.step("resume")
        if not download.record.path:
            download.state = DownloadState.MANIFEST
        self._prepare(download)
        self._on_change(download)

    def remove(self, download: Download) -> None:
        self._stop(download, DownloadState.REMOVED)
        del self.active[download.record.id]

    def verify(self, download: Download) -> None:
        """Hash what is on disk again."""
        if download.state is DownloadState.FETCHING:
            self._release(download)
        download.step("verify")
        self._turn.add(VerifyData(download.record.id))
        self._on_change(download)

    def verified(self, download: Download, held: int) -> None:
        """The answer to `verify`: only what matches counts."""
        layout = download.layout
        if download.state is not DownloadState.PREPARING or layout is None:
            return
        lists = tuple(download.lists.items())
        record = download.record
        self.on_prepared(Prepared(record.id, record.name, layout, record.path, held, download.wanted, lists))

    # -- sources --

    def greet(self, neighbour: Neighbour, download: Download) -> None:
        """Show a linked peer our interest in a download."""
        if not self._refused(neighbour.peer) and download.state is not DownloadState.PAUSED:
            self._haves.tell(neighbour.link, download.record.id)
            known = self._haves.theirs(neighbour.link, download.record.id)
            if known is not None:
                self.on_map(neighbour, download, known)

    def on_map(self, neighbour: Neighbour, download: Download, mask: int) -> None:
        """A linked peer said what it offers of a download."""
        download.set_map(neighbour.link, mask)
        source = self.sources.get(neighbour.link)
        if source is None:
            source = Source(neighbour.link, neighbour.peer, neighbour.dialled, self._turn.now)
            self.sources[neighbour.link] = source
        self.pump(source)

    def link_lost(self, link: LinkId) -> None:
        source = self.sources.pop(link, None)
        self._not_before.pop(link, None)
        if source is not None and source.state is not SourceState.IDLE:
            self._end(source, "link_lost")
        for download in self.active.values():
            if link in download.maps:
                download.drop_map(link)
                self._pump_all(download)
                self._on_change(download)

    def _useful(self, source: Source) -> bool:
        """Whether this source has anything that is still missing."""
        return any(
            download.maps.get(source.link)
            and (download.layout is None or download.missing & download.maps[source.link])
            for download in self.active.values()
            if download.state in (DownloadState.FETCHING, DownloadState.MANIFEST)
        )

    def _may_ask(self, source: Source) -> bool:
        return self._not_before.get(source.link, 0.0) <= self._turn.now and not self._refused(source.peer)

    def on_opened(self, neighbour: Neighbour, message: Opened) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is SourceState.IDLE:
            return
        source.opened(self._window(), self._turn.now)
        self._turn.publish(StreamOpened(source.peer, source.stream, "down"))
        self.pump(source)

    def on_closed(self, neighbour: Neighbour, message: Closed) -> None:
        """The uploader ended the stream."""
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is SourceState.IDLE:
            return
        if message.reason in ("reputation", "closing", "protocol"):
            self._not_before[source.link] = self._turn.now + REOPEN_AFTER
        self._end(source, message.reason)
        self.pump(source)

    def close_broken(self, link: LinkId) -> None:
        """The other side broke the protocol on this link: the stream ends, and is opened anew later."""
        source = self.sources.get(link)
        if source is not None and source.state is not SourceState.IDLE:
            self._not_before[link] = self._turn.now + REOPEN_AFTER
            self._close(source, "protocol")

    def _close(self, source: Source, reason: CloseReason) -> None:
        """End the stream and tell the uploader."""
        self._turn.send(source.link, Closed(source.stream, source.window.received, reason))
        self._end(source, reason)

    def _end(self, source: Source, reason: str) -> None:
        was_open = source.state is SourceState.OPEN
        stream, received = source.stream, source.window.received if was_open else 0
        freed: dict[ContentId, bool] = {}
        for asked in source.close():
            self._free(source, asked, asked.mask)
            freed[asked.content] = True
        self._score_rest(source)
        if was_open:
            self._turn.publish(StreamClosed(source.peer, stream, "down", reason, received))
        for content in freed:
            if download := self.active.get(content):
                self._pump_all(download, but=source)

    def _free(self, source: Source, asked: Asked, mask: int) -> None:
        """Chunks asked of a source will not come: others may be asked."""
        download = self.active.get(asked.content)
        if download is None:
            return
        if asked.manifest:
            download.lists_asked.pop(asked.manifest, None)
            return
        download.asked &= ~mask
        partial = tuple(chunk for chunk in asked.progress if mask >> chunk & 1)
        if partial:
            self._turn.add(Forget(asked.content, partial))

    # -- asking --

    def _window(self) -> int:
        """Each stream's share of the process's receive memory."""
        streams = sum(1 for source in self.sources.values() if source.state is SourceState.OPEN)
        share = self._settings.window_total // max(1, streams)
        return max(2 * 16 * 1024, min(self._settings.window, share))

    def _flight(self, source: Source) -> int:
        """Bytes of wants to keep outstanding."""
        rate = source.meter.rate(self._turn.now) if source.meter.total else 0.0
        return min(source.window.window, max(FLIGHT_MIN, int(rate * FLIGHT_SECONDS)))

    def pump(self, source: Source) -> None:
        """Open the stream if that is useful; keep enough wants and credit out."""
        if source.state is SourceState.IDLE and self._may_ask(source) and self._useful(source):
            self._turn.send(source.link, Open(source.open()))
        if source.state is not SourceState.OPEN:
            return
        source.window.window = self._window()
        flight = self._flight(source)
        while source.unreceived < flight and self._ask_next(source):
            pass
        self._credit(source)

    def _pump_all(self, download: Download, but: Source | None = None) -> None:
        """Chunks became free: every source of the download may take some."""
        for link in list(download.maps):
            source = self.sources.get(link)
            if source is not None and source is not but:
                self.pump(source)

    def _ask_next(self, source: Source) -> bool:
        """Send one want; False if this source has nothing for us now."""
        return any(self._ask_of(source, download) for download in self.active.values())

    def _ask_of(self, source: Source, download: Download) -> bool:
        """Send one want for this download; False if the source has nothing for it now."""
        if not download.maps.get(source.link):
            return False
        if download.state is DownloadState.MANIFEST:
            return self._ask_manifest(source, download, download.record.id)
        if download.state is DownloadState.FETCHING:
            return self._ask_list(source, download) or self._ask_chunks(source, download)
        return False

    def _ask_manifest(self, source: Source, download: Download, manifest: str) -> bool:
        """One source at a time is asked for a manifest, so that a wrong hash has one culprit."""
        if manifest in download.lists_asked:
            return False
        download.lists_asked[manifest] = source.link
        want = source.ask_manifest(download.record.id, manifest, self._turn.now)
        self._turn.send(source.link, WantManifest(source.stream, want, download.record.id, manifest))
        return True

    def _ask_list(self, source: Source, download: Download) -> bool:
        for manifest, chunks in download.lists.items():
            if chunks & download.maps[source.link] and self._ask_manifest(source, download, manifest):
                return True
        return False

    def _ask_chunks(self, source: Source, download: Download) -> bool:
        mask, size = download.pick(source.link, WANT_BYTES, self._picker, self._turn.rng)
        if not mask or download.layout is None:
            return False
        want = source.ask(download.record.id, download.layout, mask, size, self._turn.now)
        self._turn.send(source.link, Want(source.stream, want, download.record.id, ranges_of(mask)))
        return True

    def _credit(self, source: Source) -> None:
        """Announce a new limit if it is worth a message and the rate limit allows."""
        limit = source.window.next_limit(source.unreceived)
        if limit is None:
            return
        if self.bucket.rate:
            if not self.bucket.ready(self._turn.now):
                self._turn.timers.set_earlier(("credit",), self.bucket.ready_at(self._turn.now))
                return
            limit = min(limit, source.window.limit + max(16 * 1024, self.bucket.rate // 20))
            self.bucket.take(limit - source.window.limit, self._turn.now)
            self._turn.timers.set_earlier(("credit",), self.bucket.ready_at(self._turn.now))
        if source.window.limit == source.window.received:
            source.moved_at = self._turn.now  # It could not send before: its time starts now.
        source.window.announce(limit)
        self._turn.send(source.link, Credit(source.stream, limit, source.window.consumed))

    def credit_due(self) -> None:
        """The download limit lets more in."""
        for source in list(self.sources.values()):
            if source.state is SourceState.OPEN:
                self._credit(source)

    # -- data --

    def on_data(self, neighbour: Neighbour, message: Data, payload: object, size: int) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is not SourceState.OPEN:
            return
        now = self._turn.now
        arrived = source.receive(message, size, now)
        self.meter.add(size, now)
        self._neighbours.traffic[source.peer].down.add(size, now)
        download = self.active.get(arrived.asked.content) if arrived.asked else None
        if download is None or not arrived.useful:
            source.window.consume(size)
        else:
            self._store(source, download, arrived, message, payload, size)
        if download is not None:
            download.duplicate_bytes += size - arrived.useful
            download.moved_at = now
        self.pump(source)

    def _store(
        self, source: Source, download: Download, arrived: Arrived, message: Data, payload: object, size: int
    ) -> None:
        job = self._turn.new_job()
        content = download.record.id
        self._jobs[job] = _Job(source, source.stream, content, size)
        assert arrived.asked is not None
        if arrived.asked.manifest:
            ((_, offset, length),) = arrived.parts
            self._turn.add(StoreManifest(job, content, arrived.asked.manifest, offset, length, message.size, payload))
        else:
            download.meter.add(arrived.useful, self._turn.now)
            self._turn.add(Store(job, content, arrived.parts, payload))

    def on_stored(self, event: Stored) -> None:
        job = self._jobs.pop(event.job, None)
        if job is None:
            return
        download = self.active.get(job.content)
        if download is not None and download.layout is not None:
            for chunk in event.held:
                self._hold(download, job.source, chunk)
            for chunk in event.rejected:
                self._reject(download, job.source, chunk)
            if event.held:
                self._offer(download)
        self._consumed(job)
        if download is not None and event.rejected:
            self._pump_all(download)

    def _consumed(self, job: _Job) -> None:
        source = job.source
        if source.state is SourceState.OPEN and source.stream == job.stream:
            source.window.consume(job.size)
            self.pump(source)

    def _hold(self, download: Download, source: Source, chunk: int) -> None:
        assert download.layout is not None
        bit = 1 << chunk
        download.asked &= ~bit
        if download.held & bit:
            return
        download.held |= bit
        size = download.layout.length_of(chunk)
        download.from_peer[source.peer] = download.from_peer.get(source.peer, 0) + size
        source.unscored += size
        while source.unscored >= self._settings.reputation.upload_unit:
            source.unscored -= self._settings.reputation.upload_unit
            self._record(source.peer, SUCCESSFUL_UPLOAD, download.record.id, self._settings.reputation.upload_unit)

    def _score_rest(self, source: Source) -> None:
        """A stream ended: what it gave beyond whole units counts once."""
        if source.unscored:
            self._record(source.peer, SUCCESSFUL_UPLOAD, "", source.unscored)
            source.unscored = 0

    def _reject(self, download: Download, source: Source, chunk: int) -> None:
        assert download.layout is not None
        content = download.record.id
        download.asked &= ~(1 << chunk)
        download.rejected_bytes += download.layout.length_of(chunk)
        self._turn.publish(ChunkRejected(content, chunk, source.peer))
        self._record(source.peer, CORRUPTED_DATA, content, download.layout.length_of(chunk))
        if source.link in self.sources:
            self._turn.send(source.link, Rejected(content, chunk))
            download.set_map(source.link, self._haves.clear(source.link, content, chunk))
            if self._refused(source.peer) and source.state is not SourceState.IDLE:
                self._close(source, "reputation")

    def _offer(self, download: Download) -> None:
        """Serve and announce what was just verified; finish when nothing is missing."""
        content = download.record.id
        if offer := self._shelf.offers.get(content):
            offer.held = download.held
            self._haves.changed(content)
        self._on_change(download)
        self._check_complete(download)

    def _check_complete(self, download: Download) -> None:
        if download.state is DownloadState.FETCHING and not download.missing:
            download.step("complete")
            self._release(download)
            self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
            self._turn.add(Finish(download.record.id))
            self._on_change(download)

    def on_store_failed(self, event: StoreFailed) -> None:
        if job := self._jobs.pop(event.job, None):
            self._consumed(job)
        if (download := self.active.get(event.content)) and download.state is not DownloadState.FAILED:
            self.fail(download, event.code, event.message)

    def on_manifest_parsed(self, event: ManifestParsed) -> None:
        download = self.active.get(event.content)
        if download is None:
            return
        if event.manifest == event.content and download.state is DownloadState.MANIFEST:
            download.lists_asked.clear()
            download.step("parsed")
            self._turn.add(Prepare(download.record))
        else:
            download.list_known(event.manifest)
            self._pump_all(download)

    def on_manifest_rejected(self, event: ManifestRejected) -> None:
        """A wrong hash has one culprit: the source it was asked of."""
        download = self.active.get(event.content)
        link = download.lists_asked.pop(event.manifest, None) if download else None
        source = self.sources.get(link) if link is not None else None
        if download is None or source is None:
            return
        self._record(source.peer, CORRUPTED_DATA, event.content, 0)
        download.set_map(source.link, 0)
        self._not_before[source.link] = self._turn.now + REOPEN_AFTER
        if source.state is not SourceState.IDLE:
            self._close(source, "reputation")
        self._pump_all(download)

    def on_prepared(self, event: Prepared) -> None:
        download = self.active.get(event.content)
        if download is None or download.state is not DownloadState.PREPARING:
            return
        download.record = replace(download.record, name=event.name, path=event.path)
        download.prepared(event)
        download.moved_at = self._turn.now
        self._shelf.put_partial(event.content, event.name, event.layout, event.held)
        self._on_offer()
        self._haves.changed(event.content)
        self._turn.add(KeepDownload(download.record))
        self._on_change(download)
        self._check_complete(download)
        self._pump_all(download)

    def on_refused(self, neighbour: Neighbour, message: Refused) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is not SourceState.OPEN:
            return
        settled = source.refused(message.want, mask_of(message.ranges))
        if settled is None:
            return
        asked, gone = settled
        self._free(source, asked, gone)
        download = self.active.get(asked.content)
        if message.reason == "cancelled" or download is None:
            return
        if message.reason not in EXCUSED:
            self._record(source.peer, REFUSED_UPLOAD, asked.content, 0)
        for chunk in chunks_in(gone):
            download.set_map(source.link, self._haves.clear(source.link, asked.content, chunk))
        if asked.manifest:
            download.set_map(source.link, 0)
        self._pump_all(download)

    # -- timers --

    def stalls_due(self) -> None:
        """Give up on sources that had credit and sent nothing for too long; show downloads that stall."""
        now = self._turn.now
        for source in list(self.sources.values()):
            if source.state is SourceState.OPEN and source.unreceived and source.window.limit > source.window.received:
                expected = min(source.unreceived, WANT_BYTES) / max(source.pace, 1024.0)
                if now - source.moved_at >= max(self._settings.chunk_timeout, min(4 * expected, TIMEOUT_LONGEST)):
                    self._record(source.peer, TIMED_OUT, "", 0)
                    self._not_before[source.link] = now + REOPEN_AFTER
                    self._close(source, "idle")
            elif source.state is SourceState.IDLE:
                self.pump(source)
        for download in self.active.values():
            self._on_change(download)
        if self.active:
            self._turn.timers.set_earlier(("stall",), now + STALL_CHECK)

    def keep_due(self) -> None:
        """Write the counters of running downloads."""
        for download in self.active.values():
            if download.state is DownloadState.FETCHING:
                self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
        if self.active:
            self._turn.timers.set_earlier(("keep",), self._turn.now + KEEP_EVERY)

    def stop(self) -> None:
        """The process stops: end all streams, keep all records."""
        for source in self.sources.values():
            if source.state is not SourceState.IDLE:
                self._close(source, "closing")
        for download in self.active.values():
            self._turn.add(KeepDownload(download.updated_record(self._turn.now)))
