"""Fetching: every download from all its sources at once.

    have-maps -> open -> opened -> wants and credit -> data -> store
    -> closed, by either side: what was asked for is free for others

What is asked of which source is peer/core/asking.py, how much credit it gets peer/core/granting.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from bus.boundary import ContentId, LinkId, PeerId
from bus.events import StreamClosed, StreamOpened
from bus.messages import (
    MAX_CHUNKS,
    Closed,
    CloseReason,
    Data,
    Open,
    Opened,
    Refused,
)
from peer.core.asking import Asking
from peer.core.bitmap import checked_mask
from peer.core.download import Download, DownloadState
from peer.core.granting import Granting
from peer.core.haves import Haves
from peer.core.interface import (
    Forget,
    Store,
    StoreManifest,
)
from peer.core.lateness import holds_up_manifest, is_late
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.opinions import Opinions
from peer.core.priority import busy_with, waits_its_turn
from peer.core.rates import Meter
from peer.core.settings import NodeSettings
from peer.core.source import Arrived, Asked, Job, Source, SourceState
from peer.core.source_choice import SourceChoice
from peer.core.standing import REFUSED_UPLOAD, SUCCESSFUL_UPLOAD, TIMED_OUT
from peer.core.turn import Turn

STALL_CHECK: Final = 5.0
PATIENCE: Final = 2.0
"""Seconds for which a peer that takes from us, and never gave, may let us wait for a slot."""
REOPEN_AFTER: Final = 30.0
"""Seconds until a source that refused or timed out is asked again."""
EXCUSED: Final = ("cancelled", "withdrawn", "closing")
"""Reasons to refuse a chunk that cost no reputation."""


class Fetching:
    """The streams towards this peer."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        limits: RateLimits,
        neighbours: Neighbours,
        haves: Haves,
        active: dict[ContentId, Download],
        opinions: Opinions,
        choice: SourceChoice,
        on_change: Callable[[Download], None],
    ) -> None:
        """`active` are the downloads, by content; whoever owns them changes the map."""
        self._settings = settings
        self._turn = turn
        self._neighbours = neighbours
        self._haves = haves
        self._active = active
        self._record = opinions.record
        self._refused = opinions.refused
        self._choice = choice
        self._on_change = on_change
        self._not_before: dict[LinkId, float] = {}
        self.sources: dict[LinkId, Source] = {}
        self.jobs: dict[int, Job] = {}
        self.stopping = False
        """Set when the process stops: nothing is asked for any more."""
        self.granting = Granting(turn, limits, self.sources.get)
        self.asking = Asking(settings, turn, neighbours, self.granting, active, self.sources)
        self.meter = Meter(turn.now)

    # -- have-maps --

    def greet(self, neighbour: Neighbour, download: Download) -> None:
        """Show a linked peer our interest in a download."""
        if not self._refused(neighbour.peer) and not download.stopped:
            self._haves.ask(neighbour.link, download.record.id)
            known = self._haves.theirs(neighbour.link, download.record.id)
            if known is not None:
                self.on_map(neighbour, download, known)

    def on_map(self, neighbour: Neighbour, download: Download, mask: int) -> None:
        """A linked peer said what it offers of a download."""
        link = neighbour.link
        news = download.set_map(link, mask)
        download.seeds.pop(link, None)
        if self._haves.is_seed(link, download.record.id):
            download.seeds[link] = True
        if download.wrong_from and (wrong := download.wrong_from.get(neighbour.peer)):
            download.avoided[link] = download.avoided.get(link, 0) | wrong
        source = self.sources.get(link)
        if source is None:
            source = Source(link, neighbour.peer, neighbour.dialled, self._turn.now, self.granting.refund)
            self.sources[link] = source
            self.pump(source)
        elif self._gains(source, download, news):
            self.pump(source)

    def _gains(self, source: Source, download: Download, news: int) -> bool:
        """Whether chunks that a source offers now, and did not before, can change what is asked of it."""
        if source.state is SourceState.WAITING:
            return False
        if download.layout is None:
            return True
        wanted = news & download.missing
        if source.state is SourceState.IDLE:
            return bool(wanted) or self._haves.is_seed(source.link, download.record.id)
        if download.lists_open:
            return bool(wanted)
        open_chunks = download.open_chunks
        if wanted & open_chunks:
            return True
        # Who has nothing to do may take over what others hold up, once all is asked for.
        return bool(wanted) and not open_chunks and not source.unreceived

    def link_lost(self, link: LinkId) -> None:
        source = self.sources.pop(link, None)
        self._not_before.pop(link, None)
        if source is not None and source.state is not SourceState.IDLE:
            self._end(source, "link_lost")
        for download in self._active.values():
            if link in download.maps:
                download.drop_map(link)
                self.pump_all(download)
                self._on_change(download)

    # -- life of a stream --

    def on_opened(self, neighbour: Neighbour, message: Opened) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is SourceState.IDLE:
            return
        source.opened(self.asking.window(source), self._turn.now)
        self.asking.streams += 1
        self._turn.publish(StreamOpened(source.peer, source.stream, "down"))
        self._neighbours.measure(neighbour)
        self.pump(source)

    def on_closed(self, neighbour: Neighbour, message: Closed) -> None:
        """The uploader ended the stream."""
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is SourceState.IDLE:
            return
        if message.reason in ("reputation", "access", "closing", "protocol"):
            self._not_before[source.link] = self._turn.now + REOPEN_AFTER
        self.granting.give_back(source)
        self._end(source, message.reason)
        self.pump(source)

    def close_broken(self, link: LinkId) -> None:
        """The other side broke the protocol on this link: the stream ends, and is opened anew later."""
        source = self.sources.get(link)
        if source is not None and source.state is not SourceState.IDLE:
            self._not_before[link] = self._turn.now + REOPEN_AFTER
            self.close(source, "protocol")

    def close(self, source: Source, reason: CloseReason) -> None:
        """End the stream and tell the uploader."""
        self._turn.send(source.link, Closed(source.stream, source.window.received, reason))
        self._end(source, reason)

    def _end(self, source: Source, reason: str) -> None:
        was_open = source.state is SourceState.OPEN
        self.asking.streams -= was_open
        stream, received = source.stream, source.window.received if was_open else 0
        freed: dict[ContentId, bool] = {}
        for asked in source.close():
            self.free(source, asked, asked.mask)
            freed[asked.content] = True
        self._score_rest(source)
        if was_open:
            self._turn.publish(StreamClosed(source.peer, stream, "down", reason, received))
        for content in freed:
            if download := self._active.get(content):
                self.pump_all(download, but=source)

    def free(self, source: Source, asked: Asked, mask: int) -> None:
        """Chunks asked of a source will not come: others may be asked."""
        download = self._active.get(asked.content)
        if download is None:
            return
        if asked.manifest:
            download.list_free(asked.manifest)
            return
        download.asked &= ~mask
        partial = tuple(chunk for chunk in asked.progress if mask >> chunk & 1)
        if partial:
            self._turn.add(Forget(asked.content, partial))

    def _score_rest(self, source: Source) -> None:
        """A stream ended: what it gave beyond whole units counts once."""
        if source.unscored:
            self._record(source.peer, SUCCESSFUL_UPLOAD, "", source.unscored)
            source.unscored = 0

    def drop(self, download: Download, chunks: int) -> None:
        """These chunks are wanted no more; a stream that serves nothing else is closed."""
        for link in list(download.maps):
            source = self.sources.get(link)
            if source is None or source.state is SourceState.IDLE:
                continue
            self.asking.cancel(source, download, chunks)
            if download.state is DownloadState.FETCHING and not self.useful(source):
                self.close(source, "done")

    def rest(self, source: Source) -> None:
        """Ask nothing of a source for a while."""
        self._not_before[source.link] = self._turn.now + REOPEN_AFTER

    def _fresh(self) -> Iterator[Source]:
        """Sources with an open stream that never had to rest."""
        for link, source in self.sources.items():
            if source.state is SourceState.OPEN and link not in self._not_before:
                yield source

    def useful(self, source: Source) -> bool:
        """Whether this source has anything that is still missing."""
        link = source.link
        for download in self._active.values():
            if download.state is not DownloadState.FETCHING and download.state is not DownloadState.MANIFEST:
                continue
            if self._haves.is_seed(link, download.record.id):
                return True
            offered = download.maps.get(link)
            if offered and (download.layout is None or offered & download.missing):
                return True
        return False

    def needs(self, link: LinkId) -> bool:
        """Whether something comes over this link, or could."""
        source = self.sources.get(link)
        return source is not None and (source.state is not SourceState.IDLE or self.useful(source))

    def kept_waiting(self, peer: PeerId) -> bool:
        """Whether a peer has let us wait for a slot for long, with something that we lack."""
        neighbour = self._neighbours.by_peer.get(peer)
        source = self.sources.get(neighbour.link) if neighbour else None
        waiting = source is not None and source.state is SourceState.WAITING
        return source is not None and waiting and self._turn.now - source.moved_at >= PATIENCE and self.useful(source)

    def rests_until(self, link: LinkId) -> float:
        """When a source may be asked again."""
        return self._not_before.get(link, 0.0)

    def _may_ask(self, source: Source) -> bool:
        return self.rests_until(source.link) <= self._turn.now and not self._refused(source.peer)

    # -- asking --

    def pump(self, source: Source) -> None:
        """Open the stream if that is useful; keep enough wants and credit out."""
        if self.stopping:
            return
        if source.state is SourceState.OPEN:
            self.asking.fill(source)
            self.granting.ask(source)
        elif source.state is SourceState.IDLE and self.useful(source) and self._may_ask(source):
            source.moved_at = self._turn.now
            self._turn.send(source.link, Open(source.open()))

    def pump_all(self, download: Download, but: Source | None = None) -> None:
        """Chunks became free: every source of the download may take some."""
        sources = [source for link in download.maps if (source := self.sources.get(link)) and source is not but]
        for source in sorted(sources, key=lambda source: self._choice.rank(source.peer), reverse=True):
            self.pump(source)

    def ask_due(self) -> None:
        """Limits may have changed, or one holds no longer back what it kept from being asked for."""
        for source in list(self.sources.values()):
            self.pump(source)

    # -- what comes --

    def on_data(self, neighbour: Neighbour, message: Data, payload: object, size: int) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is not SourceState.OPEN:
            return
        now = self._turn.now
        arrived = source.receive(message, size, now)
        self.meter.add(size, now)
        self._neighbours.traffic[source.peer].down.add(size, now)
        content = arrived.asked.content if arrived.asked else source.given_up.get(message.want, "")
        download = self._active.get(content)
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
        self.jobs[job] = Job(source, source.stream, content, size)
        assert arrived.asked is not None
        if arrived.asked.manifest:
            ((_, offset, length),) = arrived.parts
            manifest, keep = arrived.asked.manifest, not download.preview
            self._turn.add(StoreManifest(job, content, manifest, offset, length, message.size, payload, keep))
        else:
            download.meter.add(arrived.useful, self._turn.now)
            self._turn.add(Store(job, content, arrived.parts, payload))

    def consumed(self, job: Job) -> None:
        source = job.source
        if source.state is SourceState.OPEN and source.stream == job.stream:
            source.window.consume(job.size)
            self.granting.ask(source)

    def on_refused(self, neighbour: Neighbour, message: Refused) -> None:
        source = self.sources.get(neighbour.link)
        if source is None or source.stream != message.stream or source.state is not SourceState.OPEN:
            return
        if message.want not in source.asked:
            return
        settled = source.refused(message.want, checked_mask(message.ranges, MAX_CHUNKS, MAX_CHUNKS))
        if settled is None:
            return
        asked, gone = settled
        self.free(source, asked, gone)
        download = self._active.get(asked.content)
        if message.reason == "cancelled" or download is None:
            return
        if message.reason not in EXCUSED:
            self._record(source.peer, REFUSED_UPLOAD, asked.content, 0)
        if asked.manifest:
            download.set_map(source.link, 0)
        elif message.reason == "unreadable":
            self.avoid(source, download, gone)
        else:
            download.set_map(source.link, self._haves.clear(source.link, asked.content, gone))
        self.pump_all(download)

    def avoid(self, source: Source, download: Download, chunks: int) -> None:
        """Ask these chunks of others for a while: this source sent them wrong, or could not read them."""
        download.avoided[source.link] = download.avoided.get(source.link, 0) | chunks
        key = ("forgive", download.record.id, source.link)
        self._turn.timers.set(key, self._turn.now + REOPEN_AFTER)

    # -- timers --

    def stalls_due(self) -> None:
        """Give up on sources that had credit and sent nothing for too long; show downloads that stall."""
        now = self._turn.now
        for source in list(self.sources.values()):
            if source.state is SourceState.OPEN and source.unreceived and source.window.limit > source.window.received:
                if is_late(source, self._settings.chunk_timeout, now):
                    self._record(source.peer, TIMED_OUT, "", 0)
                    self.rest(source)
                    self.close(source, "idle")
                elif holds_up_manifest(source, self._fresh(), self._active, now):
                    self.rest(source)
                    self.close(source, "idle")
                elif now - source.moved_at >= STALL_CHECK:
                    self.granting.repeat(source)
            else:
                self.pump(source)
        busy = {link: busy_with(source, self._active) for link, source in self.sources.items()}
        for download in self._active.values():
            download.waits = waits_its_turn(download, self.sources, busy)
            self._on_change(download)
        if self._active:
            self._turn.timers.set_earlier(("stall",), now + STALL_CHECK)

    def forgive_due(self, content: ContentId, link: LinkId) -> None:
        """A source that sent a bad chunk may be asked for it again: it has had time to look at its copy."""
        if download := self._active.get(content):
            download.avoided.pop(link, None)
            if source := self.sources.get(link):
                if wrong := download.wrong_from.get(source.peer):
                    download.avoided[link] = wrong
                self.pump(source)
