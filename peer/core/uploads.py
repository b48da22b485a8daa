"""All streams out: who has a slot, and what is asked of us.

What is read and sent when is peer/core/sending.py; what a lone seed offers is peer/core/seeding.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bus.boundary import ContentId, LinkId, PeerId
from bus.errors import RemoteProtocolError
from bus.events import StreamClosed, StreamOpened, StreamRefused
from bus.messages import (
    MAX_CHUNKS,
    Cancel,
    Closed,
    CloseReason,
    Credit,
    Open,
    Opened,
    Refused,
    Want,
    WantManifest,
)
from peer.core.alltime import AllTime
from peer.core.bitmap import checked_mask
from peer.core.choker import Slot, Standing, UploadChoker, Waiting
from peer.core.footing import Footing
from peer.core.haves import SLOW_SECONDS, Haves
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.seeding import Seeding
from peer.core.sending import Sending
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.standing import TOOK_DATA
from peer.core.turn import Turn
from peer.core.upload import WANT_LIMIT, Upload, UploadState

SEND_CAP: Final = 64 * 2**20
"""Most bytes sent and not consumed on one stream, whatever credit says (an offer of 2^63 is clamped)."""
NEWS_BYTES: Final = 2**20
"""Who knows of so much more than it takes in the time between slow news is not in a hurry to hear of more."""
CHOKE_EVERY: Final = 1.0
"""Seconds between looks at the slots while somebody waits."""


class Uploads:
    """The upload side of a peer."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        limits: RateLimits,
        neighbours: Neighbours,
        haves: Haves,
        choker: UploadChoker,
        score: Callable[[PeerId], float],
        refused: Callable[[PeerId], bool],
        footing: Callable[[PeerId], Footing],
        record: Callable[[PeerId, str, ContentId, int], None],
        uploaded: Mapping[ContentId, int],
    ) -> None:
        """`footing` is that of a peer as far as its gifts to us tell; `record` notes a reputation event.

        `uploaded` is how many bytes of each content went out in earlier runs.
        """
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._neighbours = neighbours
        self._haves = haves
        self._choker = choker
        self._score = score
        self._refused = refused
        self._footing_of = footing
        self._record = record
        self._uploads: dict[LinkId, Upload] = {}
        self._waiting: dict[LinkId, float] = {}
        self._scored: dict[LinkId, int] = {}
        """Positions of streams up to which TOOK_DATA was counted."""
        self._open: dict[LinkId, Upload] = {}
        haves.may_ask, haves.asks_soon = self._open, self._asks_soon
        self.seeding = Seeding(turn, shelf, haves, self._open)
        self.all_time = AllTime(turn, uploaded)
        self.sending = Sending(settings, turn, shelf, limits, neighbours, self.all_time, self._open, self.seeding.sent)

    # -- messages --

    def on_open(self, neighbour: Neighbour, message: Open) -> None:
        # The downloader numbers streams odd if it dialled, even if we did.
        if bool(message.stream % 2) == neighbour.dialled:
            raise RemoteProtocolError(f"stream {message.stream} has the wrong parity")
        upload = self._uploads.setdefault(neighbour.link, Upload(neighbour.link, neighbour.peer))
        upload.open(message.stream)
        # Who may not dial us asks over a link that we dialled, to fetch from it ourselves.
        only = self._settings.only
        admitted = only is None or neighbour.peer in only
        if not admitted or self._refused(neighbour.peer):
            reason: CloseReason = "reputation" if admitted else "access"
            upload.close()
            self._turn.send(neighbour.link, Closed(message.stream, 0, reason))
            self._turn.publish(StreamRefused(neighbour.peer, reason))
            return
        self._waiting[neighbour.link] = self._turn.now
        if len(self._open) < self._settings.upload_slots:
            self.rotate()
        else:
            # Somebody's turn may be over; who asks looks at all of them together, once a second.
            self._turn.timers.set_earlier(("choke",), self._turn.now + CHOKE_EVERY)

    def on_credit(self, neighbour: Neighbour, message: Credit) -> None:
        if upload := self._current(neighbour, message.stream):
            upload.window.grant(message.limit, message.consumed)
            self.sending.read_ahead(upload)

    def on_want(self, neighbour: Neighbour, message: Want) -> None:
        if upload := self._current(neighbour, message.stream):
            offer = self._shelf.offers.get(message.content)
            if offer is None or offer.layout is None:
                # It may have been offered a moment ago, so this is no broken promise.
                self._turn.send(neighbour.link, Refused(message.stream, message.want, [], "withdrawn"))
                return
            offered = self._haves.shown(neighbour.link, message.content)
            for refusal in upload.want(message, offered, offer.held, offer.layout.chunks):
                self._turn.send(neighbour.link, refusal)
            upload.last_useful = self._turn.now
            self.sending.read_ahead(upload)

    def on_want_manifest(self, neighbour: Neighbour, message: WantManifest) -> None:
        if upload := self._current(neighbour, message.stream):
            offer = self._shelf.offers.get(message.content)
            if offer is None or offer.layout is None:
                self._turn.send(neighbour.link, Refused(message.stream, message.want, [], "withdrawn"))
                return
            if message.manifest != message.content and not offer.layout.has_list(message.manifest):
                self._turn.send(neighbour.link, Refused(message.stream, message.want, [], "not_held"))
                return
            upload.want_manifest(message)
            upload.last_useful = self._turn.now
            self.sending.read_ahead(upload)

    def on_cancel(self, neighbour: Neighbour, message: Cancel) -> None:
        if upload := self._current(neighbour, message.stream):
            self.sending.cancel(upload, message.want, checked_mask(message.ranges, MAX_CHUNKS, WANT_LIMIT))

    def on_closed(self, neighbour: Neighbour, stream: int, reason: str) -> None:
        """The downloader ended its stream."""
        upload = self._uploads.get(neighbour.link)
        current = upload is not None and upload.stream == stream and upload.state is not UploadState.IDLE
        if upload is not None and current and self._end(upload, reason):
            self.rotate()
            self.sending.pump()

    def _current(self, neighbour: Neighbour, stream: int) -> Upload | None:
        """The open upload a message is for; messages of any other stream are dropped."""
        upload = self._open.get(neighbour.link)
        return upload if upload is not None and upload.stream == stream else None

    def _asks_soon(self, link: LinkId, size: int) -> bool:
        """Whether a downloader with a slot may ask for so many bytes before it hears the slow news."""
        if size < NEWS_BYTES:
            return True
        return size < NEWS_BYTES + 2 * SLOW_SECONDS * self._open[link].meter.rate(self._turn.now)

    # -- slots --

    @property
    def slots_used(self) -> int:
        return len(self._open)

    def serves(self, link: LinkId) -> bool:
        """Whether somebody has a slot over this link, or waits for one."""
        return link in self._open or link in self._waiting

    def waiting_for(self, content: ContentId) -> list[LinkId]:
        """Who asked for this content, lacks some of it, and has no slot; who waits longest first."""
        return [
            link
            for link in self._waiting
            if content in self._haves.interested_in(link) and not self._haves.is_seed(link, content)
        ]

    def rotate(self) -> None:
        """Hand out free slots; while somebody waits, end a turn that is over."""
        now = self._turn.now
        if self._waiting and len(self._open) >= self._settings.upload_slots:
            link = self._choker.next_out([self._slot(upload) for upload in self._open.values()], self._queue(), now)
            if link is not None:
                self.close(link, "choked")
        while self._waiting and len(self._open) < self._settings.upload_slots:
            optimistic = self._next_is_optimistic()
            link = self._choker.next_in(list(self._queue()), optimistic, self._turn.rng)
            self._grant(self._uploads[link], optimistic)
        if self._open or self._waiting:
            self._turn.timers.set_earlier(("choke",), now + CHOKE_EVERY)

    def choke_due(self) -> None:
        """Look at the slots, and weigh who has one as it stands now."""
        for link in [*self._open, *self._waiting]:
            if self._refused(self._uploads[link].peer):  # since it asked
                self.close(link, "reputation")
        self.rotate()
        for upload in self._open.values():
            self._score_taken(upload, self._settings.reputation.upload_unit)
            self.sending.queue.weigh(upload.link, self._score(upload.peer), self._footing(upload))

    def _queue(self) -> Iterator[Waiting]:
        for link, since in self._waiting.items():
            yield Waiting(link, self._standing(self._uploads[link]), since)

    def _slot(self, upload: Upload) -> Slot:
        # Who could be sent something and waits for our limit, or for others' turns, makes use of its slot.
        ours = (upload.pipeline or upload.may_read()) and not self._neighbours.by_link[upload.link].blocked
        useful = self._turn.now if ours else upload.last_useful
        return Slot(upload.link, self._standing(upload), upload.granted_at, useful, upload.optimistic)

    def _standing(self, upload: Upload) -> Standing:
        peer = upload.peer
        gives = self._neighbours.rate_from(peer) if self._choker.by_rate else 0.0
        return Standing(self._score(peer), gives, self._footing(upload))

    def _footing(self, upload: Upload) -> Footing:
        """What a peer gave us counts; else what it gave others of what we gave to it alone."""
        footing = self._footing_of(upload.peer)
        if footing is not Footing.NEWCOMER:
            return footing
        if self.seeding.keeps_all(upload.link):
            return Footing.FREE_RIDER
        return Footing.KNOWN if self.seeding.passes_on(upload.link) else footing

    def _next_is_optimistic(self) -> bool:
        """The last free slot, if it is not the only one there is."""
        slots = self._settings.upload_slots
        taken = any(upload.optimistic for upload in self._open.values())
        return slots > 1 and len(self._open) == slots - 1 and not taken

    def _score_taken(self, upload: Upload, least: int) -> None:
        """Count what it took since the last time, if that is `least` bytes."""
        taken = upload.window.sent - self._scored.get(upload.link, 0)
        if taken >= least:
            self._scored[upload.link] = upload.window.sent
            self._record(upload.peer, TOOK_DATA, "", taken)

    def _grant(self, upload: Upload, optimistic: bool) -> None:
        del self._waiting[upload.link]
        upload.grant(SEND_CAP, self._turn.now, optimistic)
        self.sending.begin(upload, self._score(upload.peer), self._footing(upload))
        self._turn.send(upload.link, Opened(upload.stream))
        self._turn.publish(StreamOpened(upload.peer, upload.stream, "up"))
        self.seeding.opened(upload)
        self._haves.retell_all(upload.link)

    def close(self, link: LinkId, reason: CloseReason) -> None:
        """End the stream to a downloader and tell it."""
        upload = self._uploads.get(link)
        if upload is not None and upload.state is not UploadState.IDLE:
            self._turn.send(link, Closed(upload.stream, upload.window.sent, reason))
            self._end(upload, reason)
            self.sending.pump()

    def _end(self, upload: Upload, reason: str) -> bool:
        """End a stream; whether a slot is free now."""
        self._waiting.pop(upload.link, None)
        was_open = self.sending.end(upload)
        if was_open:
            self._score_taken(upload, 1)
            self._scored.pop(upload.link, None)
            self._turn.publish(StreamClosed(upload.peer, upload.stream, "up", reason, upload.window.sent))
            self.seeding.ended(upload.link)
        return was_open

    def stop(self) -> None:
        """The process stops: end all streams, keep what was counted."""
        for link in list(self._neighbours.by_link):
            self.close(link, "closing")
        self.all_time.keep()

    def link_lost(self, link: LinkId) -> None:
        """A stream dies with its link."""
        upload = self._uploads.pop(link, None)
        if upload is not None and upload.state is not UploadState.IDLE and self._end(upload, "link_lost"):
            self.rotate()
            self.sending.pump()
