"""PeerNode: the whole protocol of a peer, as one object without I/O.

    effects = node.handle(event, now)
    deadline = node.next_deadline()
    effects = node.on_deadline(now)

It only wires the parts.  The service (sockets, disk) and the simulator drive the same object.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from bus import messages as sent
from bus.boundary import (
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
from peer.core.choker import CHOKERS
from peer.core.commands import Commands
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.haves import Haves
from peer.core.interface import (
    ChunkChecked,
    Command,
    ContentAdded,
    CoreEffect,
    CoreEvent,
    DataRemoved,
    DownloadRecord,
    Finished,
    KnownContent,
    ManifestParsed,
    ManifestRejected,
    PartRead,
    Prepared,
    ReadFailed,
    ReplyWhenAnnounced,
    Stored,
    StoreFailed,
    Verified,
)
from peer.core.library import Library
from peer.core.neighbours import MAX_ERRORS, Neighbour, Neighbours
from peer.core.opinions import Opinions
from peer.core.reports import Reports
from peer.core.reputation import Standing
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.swarms import Swarms
from peer.core.trackers import Trackers
from peer.core.turn import Turn
from peer.core.uploads import Uploads

LINK_REPORT: Final = 1.0


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
        self.opinions = Opinions(settings.reputation, standings or {}, run_before, turn)
        self.shelf = Shelf(turn)
        self.neighbours = Neighbours(settings, turn)
        self.haves = Haves(turn, self.shelf)
        self.reports = Reports(settings, turn, self.neighbours)
        self.trackers = Trackers(
            settings,
            turn,
            self.shelf,
            self._swarm_listed,
            self._swarm_changed,
            self._on_reached,
        )
        self.uploads = Uploads(
            settings,
            turn,
            self.shelf,
            self.neighbours,
            CHOKERS["round-robin"](),
            self.opinions.score,
            self.opinions.refused,
        )
        self.downloads = Downloads(
            settings,
            turn,
            self.shelf,
            self.neighbours,
            self.haves,
            self.opinions.record,
            self.opinions.refused,
            self._download_changed,
            self.trackers.offers_changed,
        )
        self.fetching = self.downloads.fetching
        self.library = Library(
            turn,
            self.shelf,
            self.haves,
            self.trackers,
            self.uploads,
            self.downloads,
            self.reports,
            self._download_started,
            self.opinions.record,
        )
        self.commands = Commands(settings, turn, self.shelf, self.trackers, self.downloads, self.library)
        self.swarms = Swarms(
            settings,
            turn,
            self.shelf,
            self.neighbours,
            self.trackers,
            self.downloads,
            self.opinions.score,
            self.opinions.refused,
        )
        self._on_message: dict[type[sent.Message], Callable[[Neighbour, sent.Message], None]] = self._message_table()
        self._on_timer = self._timer_table()
        self._on_event: dict[type, Callable[..., None]] = self._event_table()
        self._start(list(contents), list(downloads))

    def _start(self, contents: list[KnownContent], downloads: list[DownloadRecord]) -> None:
        for record in downloads:
            if record.finished:
                self.reports.remember(record)
        for content in contents:
            self.library.put_known(content)
        for record in downloads:
            if not record.finished:
                self.library.start_download(record)
        self.opinions.publish_all()
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
        fetching, uploads, trackers = self.fetching, self.uploads, self.trackers
        return {
            "ping": self._ping_due,
            "haves": self._haves_due,
            "report": lambda: self.reports.progress_due(self.downloads, uploads),
            "links": self._links_due,
            "send": uploads.pump,
            "choke": uploads.rotate,
            "credit": fetching.credit_due,
            "stall": fetching.stalls_due,
            "keep": self.downloads.keep_due,
            "forgive": fetching.forgive_due,
            "look": self.swarms.look,
            "introduce": self.swarms.introduce_due,
            "announce": trackers.announce_due,
            "renew": trackers.renew_due,
            "tracker_dial": trackers.dial_due,
            "tracker_ping": trackers.ping_due,
            "tracker_request": trackers.request_due,
            "search": self.commands.search_due,
            "settle": self.commands.settle_due,
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
            LinkBlocked: self._link_flow,
            LinkWritable: self._link_flow,
            Received: self._received,
            Misbehaved: self._misbehaved,
            Command: lambda e: self.commands.handle(e.token, e.message),
            ReplyWhenAnnounced: self.commands.reply_when_announced,
            ContentAdded: lambda e: self.library.content_added(e.content),
            PartRead: uploads.on_part_read,
            ReadFailed: self.library.read_failed,
            Stored: downloads.on_stored,
            StoreFailed: downloads.on_store_failed,
            ManifestParsed: downloads.on_manifest_parsed,
            ManifestRejected: downloads.on_manifest_rejected,
            Prepared: downloads.on_prepared,
            Finished: self.library.finished,
            Verified: self.library.verified,
            ChunkChecked: self._chunk_checked,
            DataRemoved: lambda e: self.commands.removed(e.content, e.error),
        }

    def _message_table(self) -> dict[type[sent.Message], Callable[[Neighbour, sent.Message], None]]:
        fetching, uploads = self.fetching, self.uploads
        table: dict[type, Callable[..., None]] = {
            sent.Have: self.library.on_have,
            sent.Open: uploads.on_open,
            sent.Credit: uploads.on_credit,
            sent.Want: uploads.on_want,
            sent.WantManifest: uploads.on_want_manifest,
            sent.Cancel: uploads.on_cancel,
            sent.Opened: fetching.on_opened,
            sent.Refused: fetching.on_refused,
            sent.Rejected: self.library.on_rejected,
            sent.Closed: self._on_closed,
            sent.Ping: lambda neighbour, message: self.turn.send(neighbour.link, sent.Pong(message.nonce)),
            sent.Pong: lambda neighbour, message: None,
        }
        return table

    def _link_up(self, event: LinkUp) -> None:
        (self.trackers if event.channel == "tracker" else self.neighbours).up(event)

    def _link_lost(self, event: LinkLost) -> None:
        if self.trackers.owns(event.link):
            self.trackers.lost(event.link, event.reason)
            self.commands.look_settled()
            return
        self.uploads.link_lost(event.link)
        self.haves.link_lost(event.link)
        neighbour = self.neighbours.lost(event.link, event.reason)
        self.fetching.link_lost(event.link)
        if neighbour is not None:
            self.swarms.look_soon(neighbour.peer)

    def _dial_failed(self, event: DialFailed) -> None:
        if event.channel == "tracker":
            self.trackers.dial_failed(event)
        else:
            self.neighbours.dial_failed(event)
            self.swarms.dial_failed(event)

    def _link_flow(self, event: LinkBlocked | LinkWritable) -> None:
        if neighbour := self.neighbours.by_link.get(event.link):
            neighbour.blocked = isinstance(event, LinkBlocked)
            self.uploads.pump()

    def _misbehaved(self, event: Misbehaved) -> None:
        if neighbour := self.neighbours.by_link.get(event.link):
            self._count_error(neighbour)
        elif self.trackers.owns(event.link):
            self.trackers.misbehaved(event.link, event.reason)

    def _received(self, event: Received) -> None:
        if self.trackers.owns(event.link):
            try:
                self.trackers.received(event.link, event.message)
            except RemoteProtocolError as error:
                self.trackers.misbehaved(event.link, str(error))
            self.commands.look_settled()
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
        if isinstance(message, sent.Hello):
            self._hello(neighbour, message)
        elif not neighbour.ready:
            raise RemoteProtocolError(f"{type(message).__name__} before hello")
        elif isinstance(message, sent.Data):
            self.fetching.on_data(neighbour, message, event.payload, event.payload_size)
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
            self.fetching.close_broken(neighbour.link)

    def _hello(self, neighbour: Neighbour, message: sent.Hello) -> None:
        extra = self.neighbours.greeted(neighbour, message)
        if extra is not None:
            self.turn.hang_up(extra)
            self._link_lost(LinkLost(extra, "another link to the same peer stays"))
        neighbour = self.neighbours.by_peer[neighbour.peer]
        for download in self.downloads.active.values():
            if neighbour.peer in download.candidates or download.state is DownloadState.MANIFEST:
                self.fetching.greet(neighbour, download)
        for content in self.swarms.introduced(neighbour.peer):
            self.haves.tell(neighbour.link, content)

    def _on_closed(self, neighbour: Neighbour, message: sent.Closed) -> None:
        # The downloader's parity says whose stream it is.
        ours = bool(message.stream % 2) == neighbour.dialled
        if ours:
            self.fetching.on_closed(neighbour, message)
        else:
            self.uploads.on_closed(neighbour, message.stream, message.reason)

    # -- callbacks of the parts --

    def _download_started(self, record: DownloadRecord) -> None:
        self.swarms.look(record.id)
        self._download_changed(self.downloads.active[record.id])

    def _download_changed(self, download: Download) -> None:
        if download.state is not DownloadState.REMOVED:
            self.reports.download_changed(download, self.downloads)

    def _chunk_checked(self, event: ChunkChecked) -> None:
        self.library.chunk_checked(event)
        self.commands.again.checked(event)

    def _swarm_listed(self, swarm: sent.Swarm) -> None:
        self.swarms.listed(swarm)

    def _swarm_changed(self, push: sent.SwarmChanged) -> None:
        self.swarms.changed(push)

    def _on_reached(self) -> None:
        self.swarms.tracker_reached()
        self.commands.tracker_reached()
