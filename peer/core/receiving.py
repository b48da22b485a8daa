"""What comes in over links, handed to the parts that it concerns.

Whoever breaks the protocol loses the stream, and the link at the third time.
"""

from __future__ import annotations

from collections.abc import Callable

from bus import messages as sent
from bus.boundary import DialFailed, LinkBlocked, LinkId, LinkLost, LinkUp, LinkWritable, Misbehaved, Received
from bus.errors import RemoteProtocolError
from peer.core.capacity import Capacities
from peer.core.commands import Commands
from peer.core.download import DownloadState
from peer.core.downloads import Downloads
from peer.core.haves import Haves
from peer.core.library import Library
from peer.core.neighbours import MAX_ERRORS, Neighbour, Neighbours
from peer.core.swarms import Swarms
from peer.core.trackers import Trackers
from peer.core.turn import Turn
from peer.core.uploads import Uploads


class Receiving:
    """Link events and messages."""

    def __init__(
        self,
        turn: Turn,
        neighbours: Neighbours,
        haves: Haves,
        trackers: Trackers,
        uploads: Uploads,
        downloads: Downloads,
        library: Library,
        commands: Commands,
        swarms: Swarms,
        capacities: Capacities,
    ) -> None:
        self._turn = turn
        self._neighbours = neighbours
        self._by_link = neighbours.by_link
        self._haves = haves
        self._trackers = trackers
        self._uploads = uploads
        self._downloads = downloads
        self._library = library
        self._commands = commands
        self._swarms = swarms
        self._capacities = capacities
        self._on_message = self._message_table()
        self._on_data: Callable[..., None] = downloads.fetching.on_data

    def ping_due(self) -> None:
        for link, reason in self._neighbours.look():
            self.end_link(link, reason)
        for link in self._neighbours.crowding(self._is_idle):
            self.end_link(link, "it made room: nothing went over it")

    def _is_idle(self, link: LinkId) -> bool:
        """Whether nothing goes over a link either way, nor is waited for."""
        return not self._uploads.serves(link) and not self._downloads.fetching.needs(link)

    def _message_table(self) -> dict[type[sent.Message], Callable[[Neighbour, sent.Message], None]]:
        fetching, uploads = self._downloads.fetching, self._uploads
        table: dict[type, Callable[..., None]] = {
            sent.Hello: self._hello,
            sent.Have: self._library.on_have,
            sent.Open: uploads.on_open,
            sent.Credit: uploads.on_credit,
            sent.Want: uploads.on_want,
            sent.WantManifest: uploads.on_want_manifest,
            sent.Cancel: uploads.on_cancel,
            sent.Opened: fetching.on_opened,
            sent.Refused: fetching.on_refused,
            sent.Rejected: self._library.on_rejected,
            sent.Closed: self._on_closed,
            sent.Ping: lambda neighbour, message: self._turn.send(neighbour.link, sent.Pong(message.nonce)),
            sent.Pong: self._neighbours.ponged,
            sent.Capacity: self._capacities.received,
        }
        return table

    def link_up(self, event: LinkUp) -> None:
        (self._trackers if event.channel == "tracker" else self._neighbours).up(event)

    def link_lost(self, event: LinkLost) -> None:
        if self._trackers.owns(event.link):
            self._trackers.lost(event.link, event.reason)
            self._commands.look_settled()
            return
        self._uploads.link_lost(event.link)
        self._haves.link_lost(event.link)
        self._capacities.link_lost(event.link)
        neighbour = self._neighbours.lost(event.link, event.reason)
        self._downloads.fetching.link_lost(event.link)
        self._uploads.seeding.link_lost(event.link)
        if neighbour is not None:
            self._swarms.look_soon(neighbour.peer)

    def end_link(self, link: LinkId, reason: str) -> None:
        """Hang up; no LinkLost follows, so what it would bring about is done here."""
        self._turn.hang_up(link)
        self.link_lost(LinkLost(link, reason))

    def dial_failed(self, event: DialFailed) -> None:
        if event.channel == "tracker":
            self._trackers.dial_failed(event)
        else:
            self._neighbours.dial_failed(event)
            self._swarms.dial_failed(event)

    def link_flow(self, event: LinkBlocked | LinkWritable) -> None:
        if neighbour := self._neighbours.by_link.get(event.link):
            neighbour.blocked = isinstance(event, LinkBlocked)
            self._uploads.sending.pump()

    def misbehaved(self, event: Misbehaved) -> None:
        if neighbour := self._neighbours.by_link.get(event.link):
            self._count_error(neighbour)
        elif self._trackers.owns(event.link):
            self._trackers.misbehaved(event.link, event.reason)

    def received(self, event: Received) -> None:
        neighbour = self._by_link.get(event.link)
        if neighbour is None:
            if self._trackers.owns(event.link):
                self._from_tracker(event)
            return
        neighbour.heard = self._turn.now
        message = event.message
        kind = type(message)
        try:
            if not neighbour.ready and kind is not sent.Hello:
                raise RemoteProtocolError(f"{kind.__name__} before hello")
            if kind is sent.Data:
                self._on_data(neighbour, message, event.payload, event.payload_size)
            else:
                self._on_message[kind](neighbour, message)
        except RemoteProtocolError:
            self._count_error(neighbour)

    def _from_tracker(self, event: Received) -> None:
        try:
            self._trackers.received(event.link, event.message)
        except RemoteProtocolError as error:
            self._trackers.misbehaved(event.link, str(error))
        self._commands.look_settled()

    def _count_error(self, neighbour: Neighbour) -> None:
        """A stream whose order is broken cannot go on; a link that errs three times neither."""
        neighbour.errors += 1
        if neighbour.errors >= MAX_ERRORS:
            self.end_link(neighbour.link, "too many protocol errors")
        else:
            self._uploads.close(neighbour.link, "protocol")
            self._downloads.fetching.close_broken(neighbour.link)

    def _hello(self, neighbour: Neighbour, message: sent.Hello) -> None:
        extra = self._neighbours.greeted(neighbour, message)
        if extra is not None:
            self.end_link(extra, "another link to the same peer stays")
        neighbour = self._neighbours.by_peer[neighbour.peer]
        self._capacities.tell(neighbour)
        for download in self._downloads.fetched.values():
            if neighbour.peer in download.candidates or download.state is DownloadState.MANIFEST:
                self._downloads.fetching.greet(neighbour, download)
        for content in self._swarms.introduced(neighbour.peer):
            self._haves.tell(neighbour.link, content)

    def _on_closed(self, neighbour: Neighbour, message: sent.Closed) -> None:
        # The downloader's parity says whose stream it is.
        ours = bool(message.stream % 2) == neighbour.dialled
        if ours:
            self._downloads.fetching.on_closed(neighbour, message)
        else:
            self._uploads.on_closed(neighbour, message.stream, message.reason)
