"""PeerNode: the whole protocol of a peer, as one object without I/O.

    effects = node.handle(event, now)
    deadline = node.next_deadline()
    effects = node.on_deadline(now)

It only wires the parts: neighbours (links), trackers, haves, downloads, uploads, reputation,
commands, reports.  The service (sockets, disk) and the simulator drive the same object.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from bus.boundary import (
    ContentId,
    DialFailed,
    LinkBlocked,
    LinkId,
    LinkLost,
    LinkUp,
    LinkWritable,
    Misbehaved,
    PeerId,
    Received,
)
from bus.errors import RemoteProtocolError
from bus.events import ReputationChanged, SwarmHasChanged, TransferRemoved
from bus.messages import (
    Cancel,
    Closed,
    Credit,
    Data,
    Have,
    Hello,
    Message,
    Open,
    Opened,
    Ping,
    Pong,
    Refused,
    Rejected,
    Swarm,
    SwarmChanged,
    SwarmPeer,
    Want,
    WantManifest,
)
from peer.core.choker import CHOKERS
from peer.core.commands import Commands
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.haves import Haves
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    Command,
    ContentAdded,
    CoreEffect,
    CoreEvent,
    DataRemoved,
    DownloadRecord,
    Finished,
    KeepReputation,
    KnownContent,
    ManifestParsed,
    ManifestRejected,
    PartRead,
    Prepared,
    ReadFailed,
    Stored,
    StoreFailed,
    Verified,
)
from peer.core.neighbours import MAX_ERRORS, Neighbour, Neighbours
from peer.core.reports import Reports
from peer.core.reputation import SUCCESSFUL_DOWNLOAD, ReputationBook, Standing
from peer.core.settings import NodeSettings, TrackerAddress
from peer.core.shelf import Shelf
from peer.core.trackers import Trackers
from peer.core.turn import Turn
from peer.core.uploads import Uploads

LOOK_EVERY: Final = 30.0
"""Seconds between queries for more sources of a running download."""
LOOK_AGAIN: Final = 5.0
"""The same while it has no source."""
INTRODUCE_AFTER: Final = 5.0
"""A seed dials a leecher that a push named and that has not linked by then."""
LINK_REPORT: Final = 1.0
CHECK_AGAIN: Final = 600.0
"""A rejected chunk is hashed again at most once in so many seconds."""


class PeerNode:
    """One peer's protocol."""

    def __init__(
        self,
        settings: NodeSettings,
        rng: random.Random,
        now: float,
        wall: float,
        contents: Iterable[KnownContent] = (),
        downloads: Iterable[DownloadRecord] = (),
        standings: dict[PeerId, Standing] | None = None,
        run_before: float = 0.0,
    ) -> None:
        """`run_before` is the running time of all earlier runs, seconds; `wall` the wall clock at `now`."""
        self.settings = settings
        self.turn = turn = Turn(rng, now, wall)
        self._run_offset = run_before - now
        self.reputation = ReputationBook(settings.reputation, standings or {})
        self.shelf = Shelf(turn)
        self.neighbours = Neighbours(settings, turn)
        self.haves = Haves(turn, self.shelf)
        self.reports = Reports(settings, turn, self.neighbours)
        self.trackers = Trackers(settings, turn, self.shelf, self._on_swarm, self._on_push, self._on_reached)
        self.uploads = Uploads(
            settings, turn, self.shelf, self.neighbours, CHOKERS["round-robin"](), self._score, self._refused
        )
        self.downloads = Downloads(
            settings,
            turn,
            self.shelf,
            self.neighbours,
            self.haves,
            self._record,
            self._refused,
            self._download_changed,
            self.trackers.offers_changed,
        )
        self.commands = Commands(self)
        self._introduce: dict[PeerId, list[ContentId]] = {}
        self._introduce_to: dict[PeerId, tuple[str, ...]] = {}
        self._checked: dict[tuple[ContentId, int], float] = {}
        self._on_message: dict[type[Message], Callable[[Neighbour, Message], None]] = self._message_table()
        self._on_timer = self._timer_table()
        self._on_event: dict[type, Callable[..., None]] = self._event_table()
        self._start(list(contents), list(downloads))

    def _start(self, contents: list[KnownContent], downloads: list[DownloadRecord]) -> None:
        for content in contents:
            self.put_whole(content)
        for record in downloads:
            self.start_download(record)
        for peer in self.reputation.known():
            self._publish_standing(peer, "")
        self.turn.timers.set(("links",), self.turn.now + LINK_REPORT)

    # -- the three calls --

    def handle(self, event: CoreEvent, now: float) -> list[CoreEffect]:
        """Take in one event; returns the effects it has, in order."""
        self.turn.now = now
        self._on_event[type(event)](event)
        return self.turn.take_effects()

    def next_deadline(self) -> float | None:
        """When `on_deadline` is to be called."""
        return self.turn.timers.next()

    def on_deadline(self, now: float) -> list[CoreEffect]:
        """Time passed."""
        self.turn.now = now
        for key in self.turn.timers.pop_due(now):
            self._on_timer[key[0]](*key[1:])
        return self.turn.take_effects()

    def start_effects(self) -> list[CoreEffect]:
        """The effects of construction: dials, and events about what is there."""
        return self.turn.take_effects()

    def stop(self, now: float) -> list[CoreEffect]:
        """Say good-bye: end streams, leave the trackers, keep all records."""
        self.turn.now = now
        self.downloads.stop()
        for link in list(self.neighbours.by_link):
            self.uploads.close(link, "closing")
        self.trackers.leave()
        return self.turn.take_effects()

    def _timer_table(self) -> dict[object, Callable[..., None]]:
        """What each timer does, by the first word of its key; the rest of the key are the arguments."""
        downloads, uploads, trackers = self.downloads, self.uploads, self.trackers
        return {
            "ping": self._ping_due,
            "haves": self._haves_due,
            "report": lambda: self.reports.progress_due(downloads, uploads),
            "links": self._links_due,
            "send": uploads.pump,
            "choke": uploads.rotate,
            "credit": downloads.credit_due,
            "stall": downloads.stalls_due,
            "keep": downloads.keep_due,
            "look": self._look,
            "introduce": self._introduce_due,
            "announce": trackers.announce_due,
            "renew": trackers.renew_due,
            "tracker_dial": trackers.dial_due,
            "tracker_ping": trackers.ping_due,
            "tracker_request": trackers.request_due,
            "search": self.commands.search_due,
        }

    def _ping_due(self, link: LinkId) -> None:
        if reason := self.neighbours.ping_due(link):
            self.turn.hang_up(link)
            self._link_lost(LinkLost(link, reason))

    def _haves_due(self) -> None:
        self.haves.flush({c: o.layout.all_chunks for c, o in self.shelf.offers.items() if o.layout})

    def _links_due(self) -> None:
        self.neighbours.report_progress()
        self.turn.timers.set(("links",), self.turn.now + LINK_REPORT)

    # -- links --

    def _event_table(self) -> dict[type, Callable[..., None]]:
        downloads, uploads = self.downloads, self.uploads
        return {
            LinkUp: self._link_up,
            LinkLost: self._link_lost,
            DialFailed: self._dial_failed,
            LinkBlocked: self._link_blocked,
            LinkWritable: self._link_writable,
            Received: self._received,
            Misbehaved: self._misbehaved,
            Command: lambda e: self.commands.handle(e.token, e.message),
            ContentAdded: lambda e: self._content_added(e.content),
            PartRead: uploads.on_part_read,
            ReadFailed: self._read_failed,
            Stored: downloads.on_stored,
            StoreFailed: downloads.on_store_failed,
            ManifestParsed: downloads.on_manifest_parsed,
            ManifestRejected: downloads.on_manifest_rejected,
            Prepared: downloads.on_prepared,
            Finished: self._finished,
            Verified: self._verified,
            ChunkChecked: self._chunk_checked,
            DataRemoved: lambda e: self.commands.removed(e.content, e.error),
        }

    def _message_table(self) -> dict[type[Message], Callable[[Neighbour, Message], None]]:
        downloads, uploads = self.downloads, self.uploads
        table: dict[type, Callable[..., None]] = {
            Have: self._on_have,
            Open: uploads.on_open,
            Credit: uploads.on_credit,
            Want: uploads.on_want,
            WantManifest: uploads.on_want_manifest,
            Cancel: uploads.on_cancel,
            Opened: downloads.on_opened,
            Refused: downloads.on_refused,
            Rejected: self._on_rejected,
            Closed: self._on_closed,
            Ping: lambda neighbour, message: self.turn.send(neighbour.link, Pong(message.nonce)),
            Pong: lambda neighbour, message: None,
        }
        return table

    def _link_up(self, event: LinkUp) -> None:
        if event.channel == "tracker":
            self.trackers.up(event.link, event.peer)
        else:
            self.neighbours.up(event)

    def _link_lost(self, event: LinkLost) -> None:
        if self.trackers.owns(event.link):
            self.trackers.lost(event.link, event.reason)
            return
        self.uploads.link_lost(event.link)
        self.haves.link_lost(event.link)
        neighbour = self.neighbours.lost(event.link, event.reason)
        self.downloads.link_lost(event.link)
        if neighbour is not None:
            self._look_soon(neighbour.peer)

    def _look_soon(self, peer: PeerId) -> None:
        """A source was lost: its downloads look for it, or others, once it may be dialled again."""
        for content, download in self.downloads.active.items():
            if peer in download.candidates:
                at = max(self.turn.now + 1.0, self.neighbours.may_dial_at(peer))
                self.turn.timers.set_earlier(("look", content), at)

    def _dial_failed(self, event: DialFailed) -> None:
        if event.channel == "tracker":
            self.trackers.dial_failed(event)
        else:
            self.neighbours.dial_failed(event)
            self._look_soon(event.peer)

    def _link_blocked(self, event: LinkBlocked) -> None:
        if neighbour := self.neighbours.by_link.get(event.link):
            neighbour.blocked = True

    def _link_writable(self, event: LinkWritable) -> None:
        if neighbour := self.neighbours.by_link.get(event.link):
            neighbour.blocked = False
            self.uploads.pump()

    def _misbehaved(self, event: Misbehaved) -> None:
        if neighbour := self.neighbours.by_link.get(event.link):
            self._count_error(neighbour)

    def _received(self, event: Received) -> None:
        if self.trackers.owns(event.link):
            self.trackers.received(event.link, event.message)
            return
        neighbour = self.neighbours.by_link.get(event.link)
        if neighbour is None:
            return
        neighbour.heard = self.turn.now
        try:
            self._dispatch(neighbour, event)
        except RemoteProtocolError:
            self._count_error(neighbour)

    def _dispatch(self, neighbour: Neighbour, event: Received) -> None:
        message = event.message
        if isinstance(message, Data):
            self.downloads.on_data(neighbour, message, event.payload, event.payload_size)
        elif isinstance(message, Hello):
            self._hello(neighbour, message)
        elif not neighbour.ready:
            raise RemoteProtocolError(f"{type(message).__name__} before hello")
        else:
            self._on_message[type(message)](neighbour, message)

    def _count_error(self, neighbour: Neighbour) -> None:
        """A stream whose order is broken cannot go on; a link that errs three times neither."""
        neighbour.errors += 1
        if neighbour.errors >= MAX_ERRORS:
            self.turn.hang_up(neighbour.link)
            self._link_lost(LinkLost(neighbour.link, "too many protocol errors"))
        else:
            self.uploads.close(neighbour.link, "protocol")
            self.downloads.close_broken(neighbour.link)

    def _hello(self, neighbour: Neighbour, message: Hello) -> None:
        extra = self.neighbours.greeted(neighbour, message)
        if extra is not None:
            self.turn.hang_up(extra)
            self._link_lost(LinkLost(extra, "another link to the same peer stays"))
        neighbour = self.neighbours.by_peer[neighbour.peer]
        for download in self.downloads.active.values():
            if neighbour.peer in download.candidates or download.state is DownloadState.MANIFEST:
                self.downloads.greet(neighbour, download)
        for content in self._introduce.pop(neighbour.peer, []):
            self.haves.tell(neighbour.link, content)

    def _on_closed(self, neighbour: Neighbour, message: Closed) -> None:
        # The downloader's parity says whose stream it is.
        ours = bool(message.stream % 2) == neighbour.dialled
        if ours:
            self.downloads.on_closed(neighbour, message)
        else:
            self.uploads.on_closed(neighbour, message.stream, message.reason)

    # -- have-maps --

    def _on_have(self, neighbour: Neighbour, message: Have) -> None:
        mask, interested = self.haves.received(neighbour.link, message)
        content = message.content
        download = self.downloads.active.get(content)
        if download is not None and download.state is not DownloadState.PAUSED:
            self.downloads.on_map(neighbour, download, mask)
        offer = self.shelf.offers.get(content)
        if not interested:
            return
        self.haves.tell(neighbour.link, content)
        if offer is None or not offer.complete or offer.layout is None or mask != offer.layout.all_chunks:
            return
        if self.uploads.served.pop((content, neighbour.peer), False):
            self._record(neighbour.peer, SUCCESSFUL_DOWNLOAD, content, offer.layout.size)

    def _on_rejected(self, neighbour: Neighbour, message: Rejected) -> None:
        """A downloader got a bad chunk from us: look at our copy, if we sent it and not too often."""
        key = (message.content, message.chunk)
        offer = self.shelf.offers.get(message.content)
        if offer is None or not offer.complete or not self.uploads.served.get((message.content, neighbour.peer)):
            return
        if self.turn.now - self._checked.get(key, -CHECK_AGAIN) < CHECK_AGAIN:
            return
        self._checked[key] = self.turn.now
        self.turn.add(CheckChunk(message.content, message.chunk))

    def _chunk_checked(self, event: ChunkChecked) -> None:
        if not event.good:
            self._damaged(event.content, f"chunk {event.chunk} is not what was hashed")

    def _read_failed(self, event: ReadFailed) -> None:
        content = self.uploads.on_read_failed(event)
        if content is not None and content not in self.downloads.active:
            self._damaged(content, event.message)

    def _damaged(self, content: ContentId, message: str) -> None:
        """What we offered whole is not what was hashed: offer it no longer, and say so."""
        known = self.shelf.known(content)
        if known is not None:
            self.withdraw(content, message)
            self.reports.damaged(known, message)
            self.shelf.set_damaged(known, message)

    def _verified(self, event: Verified) -> None:
        if download := self.downloads.active.get(event.content):
            self.downloads.verified(download, event.held)
        elif event.message:
            self._damaged(event.content, event.message)
        elif (known := self.shelf.known(event.content)) is not None:
            self.put_whole(known)

    # -- contents --

    def put_whole(self, content: KnownContent) -> None:
        """Offer a content we have whole."""
        self.shelf.put_whole(content)
        if content.downloaded:
            self.reports.known(content)
        if not content.paused:
            self.trackers.watch(content.id)
            self.haves.changed(content.id)
        self.trackers.offers_changed()

    def withdraw(self, content: ContentId, reason: str) -> None:
        """Offer a content no longer."""
        self.shelf.drop(content, reason)
        self.uploads.withdraw(content)
        self.haves.withdrawn(content)
        self.trackers.unwatch(content)
        self.trackers.offers_changed()

    def forget(self, content: ContentId, *, data: bool) -> None:
        """Drop an item for good."""
        if download := self.downloads.active.get(content):
            self.downloads.remove(download)
        known = self.shelf.known(content)
        self.withdraw(content, "removed")
        self.reports.removed(content)
        if download is not None or (known is not None and known.downloaded):
            self.turn.publish(TransferRemoved(content, data))
        self.commands.remove_item(content, data=data)

    def _content_added(self, content: KnownContent) -> None:
        if download := self.downloads.active.get(content.id):
            self.downloads.remove(download)
            self.turn.publish(TransferRemoved(content.id, False))
        self.put_whole(content)

    def start_download(self, record: DownloadRecord) -> None:
        """Begin, or go on with, a download."""
        for endpoint, key in record.trackers:
            self.trackers.add(TrackerAddress(endpoint, key))
        download = self.downloads.start(record)
        self.trackers.watch(record.id)
        self._look(record.id)
        self._download_changed(download)

    def _finished(self, event: Finished) -> None:
        content = event.content
        download = self.downloads.active.pop(content.id, None)
        self.shelf.put_whole(content)
        if download is not None:
            self.reports.finished(download, content, self.downloads)
        self.haves.changed(content.id)
        self.trackers.offers_changed()

    def _download_changed(self, download: Download) -> None:
        if download.state is not DownloadState.REMOVED:
            self.reports.download_changed(download, self.downloads)

    # -- swarms --

    def _on_reached(self) -> None:
        for content in self.downloads.active:
            self.trackers.query(content)
        self.commands.tracker_reached()

    def _on_swarm(self, swarm: Swarm) -> None:
        self.turn.publish(SwarmHasChanged(swarm.content, swarm.seeds, swarm.leechers))
        if download := self.downloads.active.get(swarm.content):
            self._meet(download, swarm.peers)

    def _on_push(self, push: SwarmChanged) -> None:
        self.turn.publish(SwarmHasChanged(push.content, push.seeds, push.leechers))
        if download := self.downloads.active.get(push.content):
            self._meet(download, push.joined)
        elif push.content in self.shelf.offers:
            for member in push.joined:
                if not member.complete and not self.neighbours.connected(member.peer):
                    self._introduce.setdefault(member.peer, []).append(push.content)
                    self._introduce_to[member.peer] = tuple(member.endpoints)
                    self.turn.timers.set_earlier(("introduce", member.peer), self.turn.now + INTRODUCE_AFTER)

    def _introduce_due(self, peer: PeerId) -> None:
        """A leecher named in a push has not linked: perhaps it cannot dial us."""
        endpoints = self._introduce_to.pop(peer, ())
        if not self.neighbours.connected(peer) and not self._refused(peer):
            self.neighbours.dial(peer, endpoints)
        elif peer in self.neighbours.by_peer:
            self._introduce.pop(peer, None)

    def _meet(self, download: Download, members: list[SwarmPeer]) -> None:
        """A tracker named members of a download's swarm: dial the best of them."""
        for member in members:
            if member.peer != self.settings.peer:
                download.candidates[member.peer] = tuple(member.endpoints)
        self._dial_candidates(download)

    def _dial_candidates(self, download: Download) -> None:
        if download.state is DownloadState.PAUSED:
            return
        ranked = sorted(download.candidates, key=lambda peer: -self._score(peer))
        for peer in ranked:
            if len(download.maps) >= self.settings.links_per_content:
                return
            if self._refused(peer):
                continue
            if (neighbour := self.neighbours.by_peer.get(peer)) is not None:
                self.downloads.greet(neighbour, download)
            else:
                self.neighbours.dial(peer, download.candidates[peer])

    def _look(self, content: ContentId) -> None:
        """Ask for sources and dial known ones again."""
        download = self.downloads.active.get(content)
        if download is None:
            return
        pause = LOOK_EVERY if any(download.maps.values()) else LOOK_AGAIN
        self.turn.timers.set(("look", content), self.turn.now + pause)
        if download.state not in (DownloadState.PAUSED, DownloadState.FAILED):
            self.trackers.query(content)
            self._dial_candidates(download)

    # -- reputation --

    @property
    def running_time(self) -> float:
        """Seconds this peer has been running in all its runs."""
        return self._run_offset + self.turn.now

    def _score(self, peer: PeerId) -> float:
        return self.reputation.score(peer, self.running_time)

    def _refused(self, peer: PeerId) -> bool:
        return self.reputation.refused(peer, self.running_time)

    def _record(self, peer: PeerId, kind: str, content: ContentId, size: int) -> None:
        changes = self.reputation.record(peer, kind, self.running_time)
        standing = self.reputation.standing(peer)
        assert standing is not None
        for change in changes:
            self.turn.add(
                KeepReputation(peer, change.type, content, size, change.change, change.score, standing.banned_until)
            )
        self._publish_standing(peer, kind)

    def _publish_standing(self, peer: PeerId, cause: str) -> None:
        standing = self.reputation.standing(peer)
        if standing is not None:
            flags = self.reputation.flags(peer, self.running_time)
            self.turn.publish(ReputationChanged(peer, round(self._score(peer), 6), flags, dict(standing.events), cause))
