"""All streams out: who has a slot, what is read next, what is sent next.

Reading ahead is bounded by the credit of each stream and by one budget for the process;
sending is bounded by the credit and the rate limit at that moment.  Streams take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bus.boundary import ContentId, LinkId
from bus.errors import RemoteProtocolError
from bus.events import StreamClosed, StreamOpened, StreamRefused, UploadEnded, UploadProgress
from bus.messages import (
    MAX_CHUNKS,
    Cancel,
    Closed,
    CloseReason,
    Credit,
    Data,
    Open,
    Opened,
    RefusalReason,
    Refused,
    Want,
    WantManifest,
)
from peer.core.bitmap import checked_mask, mask_of
from peer.core.choker import Slot, UploadChoker, Waiting
from peer.core.interface import PartRead, Read, ReadFailed, ReadManifest
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.rates import Meter
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.turn import Turn
from peer.core.upload import WANT_LIMIT, Reading, ReadRequest, Upload, UploadState

SEND_CAP: Final = 64 * 2**20
"""Most bytes sent and not consumed on one stream, whatever credit says (an offer of 2^63 is clamped)."""
LEAST_SHARE: Final = 2 * 2**20
"""Bytes that each stream may read ahead, however many there are."""
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
        choker: UploadChoker,
        score: Callable[[str], float],
        refused: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._limits = limits
        self._neighbours = neighbours
        self._choker = choker
        self._score = score
        self._refused = refused
        self._uploads: dict[LinkId, Upload] = {}
        self._waiting: dict[LinkId, float] = {}
        self._open: dict[LinkId, Upload] = {}
        self._jobs: dict[int, Upload] = {}
        self._reading_bytes = 0
        self._sent: dict[tuple[ContentId, str], Meter] = {}
        self.served: dict[tuple[ContentId, str], int] = {}
        """Chunks of a content of which a peer got bytes from us, until it has finished the content."""
        self._unreported: dict[tuple[ContentId, str], bool] = {}
        self.meter = Meter(turn.now)

    # -- messages --

    def on_open(self, neighbour: Neighbour, message: Open) -> None:
        # The downloader numbers streams odd if it dialled, even if we did.
        if bool(message.stream % 2) == neighbour.dialled:
            raise RemoteProtocolError(f"stream {message.stream} has the wrong parity")
        upload = self._uploads.setdefault(neighbour.link, Upload(neighbour.link, neighbour.peer))
        upload.open(message.stream)
        if self._refused(neighbour.peer):
            upload.close()
            self._turn.send(neighbour.link, Closed(message.stream, 0, "reputation"))
            self._turn.publish(StreamRefused(neighbour.peer, "reputation"))
            return
        self._waiting[neighbour.link] = self._turn.now
        self.rotate()

    def on_credit(self, neighbour: Neighbour, message: Credit) -> None:
        if upload := self._current(neighbour, message.stream):
            upload.window.grant(message.limit, message.consumed)
            self.pump()

    def on_want(self, neighbour: Neighbour, message: Want) -> None:
        if upload := self._current(neighbour, message.stream):
            offer = self._shelf.offers.get(message.content)
            if offer is None or offer.layout is None:
                # It may have been offered a moment ago, so this is no broken promise.
                self._turn.send(neighbour.link, Refused(message.stream, message.want, [], "withdrawn"))
                return
            for refusal in upload.want(message, offer.held, offer.layout.chunks):
                self._turn.send(neighbour.link, refusal)
            upload.last_useful = self._turn.now
            self.pump()

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
            self.pump()

    def on_cancel(self, neighbour: Neighbour, message: Cancel) -> None:
        if upload := self._current(neighbour, message.stream):
            upload.cancel(message.want, checked_mask(message.ranges, MAX_CHUNKS, WANT_LIMIT))
            self.pump()

    def on_closed(self, neighbour: Neighbour, stream: int, reason: str) -> None:
        """The downloader ended its stream."""
        upload = self._uploads.get(neighbour.link)
        if upload is not None and upload.stream == stream and upload.state is not UploadState.IDLE:
            self._end(upload, reason)
            self.rotate()
            self.pump()

    def _current(self, neighbour: Neighbour, stream: int) -> Upload | None:
        """The open upload a message is for; messages of any other stream are dropped."""
        upload = self._open.get(neighbour.link)
        return upload if upload is not None and upload.stream == stream else None

    # -- slots --

    def rotate(self) -> None:
        """Hand out free slots; while somebody waits, end a turn that is over."""
        now = self._turn.now
        if self._waiting and len(self._open) >= self._settings.upload_slots:
            slots = [Slot(u.link, self._score(u.peer), u.granted_at, u.last_useful) for u in self._open.values()]
            link = self._choker.next_out(slots, now)
            if link is not None:
                self.close(link, "choked")
        while self._waiting and len(self._open) < self._settings.upload_slots:
            waiting = [Waiting(k, self._score(self._uploads[k].peer), since) for k, since in self._waiting.items()]
            self._grant(self._uploads[self._choker.next_in(waiting)])
        if self._waiting:
            self._turn.timers.set_earlier(("choke",), now + CHOKE_EVERY)

    def _grant(self, upload: Upload) -> None:
        del self._waiting[upload.link]
        upload.grant(SEND_CAP, self._turn.now)
        self._open[upload.link] = upload
        self._turn.send(upload.link, Opened(upload.stream))
        self._turn.publish(StreamOpened(upload.peer, upload.stream, "up"))

    def close(self, link: LinkId, reason: CloseReason) -> None:
        """End the stream to a downloader and tell it."""
        upload = self._uploads.get(link)
        if upload is not None and upload.state is not UploadState.IDLE:
            self._turn.send(link, Closed(upload.stream, upload.window.sent, reason))
            self._end(upload, reason)
            self.pump()

    def _end(self, upload: Upload, reason: str) -> None:
        was_open = self._open.pop(upload.link, None) is not None
        self._waiting.pop(upload.link, None)
        for read in upload.close():
            self._reading_bytes -= read.size
            self._jobs.pop(read.job, None)
        if was_open:
            self._turn.publish(StreamClosed(upload.peer, upload.stream, "up", reason, upload.window.sent))
            for key in [key for key in self._sent if key[1] == upload.peer]:
                self._turn.publish(UploadEnded(*key, self._sent[key].total))
                del self._sent[key]
                self._unreported.pop(key, None)

    def link_lost(self, link: LinkId) -> None:
        """A stream dies with its link."""
        upload = self._uploads.pop(link, None)
        if upload is not None and upload.state is not UploadState.IDLE:
            self._end(upload, "link_lost")
            self.rotate()
            self.pump()

    def withdraw(self, content: ContentId) -> None:
        """Refuse what is queued of a content that is no longer offered."""
        for upload in self._open.values():
            upload.withdraw(content)
        self.pump()

    # -- reading and sending --

    def pump(self) -> None:
        """Send what is ready and may go, then read ahead."""
        self._send_ready()
        progress = True
        while progress:
            progress = False
            for upload in self._open.values():
                if self._may_read(upload):
                    self._read(upload)
                    progress = True
        # What turned out to be withdrawn is refused now: no read will come that sends it.
        self._send_ready()

    def _may_read(self, upload: Upload) -> bool:
        """Whether to read ahead for a stream: it can send, and neither it nor all together hold too much."""
        budget = self._settings.upload_budget
        share = max(LEAST_SHARE, budget // max(1, len(self._open)))
        return (
            self._reading_bytes < budget
            and upload.reading_bytes < share
            and not self._neighbours.by_link[upload.link].blocked
            and upload.may_read()
            and self._limit_lets_read(upload)
        )

    def _limit_lets_read(self, upload: Upload) -> bool:
        """Whether some content that is wanted is not at its own limit; what is wanted of it comes first then.

        A content's own limit is kept where it is read: what waits to be sent would hold back the others.
        """
        if not self._limits.of_contents:
            return True
        now = self._turn.now
        if upload.turn_to(lambda content: self._limits.own_ready_at("up", content, now) <= now):
            return True
        at = min(self._limits.own_ready_at("up", wanted.content, now) for wanted in upload.queue)
        self._turn.timers.set_earlier(("send",), at)
        return False

    def _read(self, upload: Upload) -> None:
        wanted = upload.queue[0]
        limit = self._limits.rate_of("up", wanted.content)
        size = upload.message_size(self._settings.data_message_max, limit, self._turn.now)
        offer = self._shelf.offers.get(wanted.content)
        if offer is None:
            upload.withdraw(wanted.content)
            return
        request = upload.next_read(size, offer.layout)
        job = self._turn.new_job()
        upload.reading(job, request)
        self._limits.take_own("up", request.content, request.size, self._turn.now)
        self._jobs[job] = upload
        self._reading_bytes += request.size
        self._turn.add(_read_effect(job, request))

    def limits_changed(self) -> None:
        """What was read ahead in messages of the old limit's size is read again in those of the new one's."""
        for upload in self._open.values():
            for read in upload.unread():
                self._reading_bytes -= read.size
                self._jobs.pop(read.job, None)
        self.pump()

    def on_part_read(self, event: PartRead) -> None:
        upload = self._jobs.pop(event.job, None)
        if upload is None:
            return
        before = upload.reading_bytes
        upload.read_done(event.job, event.payload, event.size, event.total)
        self._reading_bytes += upload.reading_bytes - before
        self.pump()

    def on_read_failed(self, event: ReadFailed) -> ContentId | None:
        """Refuse what a failed read was for; returns the content to withdraw, if its file is not what was hashed."""
        upload = self._jobs.pop(event.job, None)
        if upload is None:
            return None
        entry = next(e for e in upload.pipeline if isinstance(e, Reading) and e.job == event.job)
        before = upload.reading_bytes
        reason: RefusalReason = "withdrawn" if event.changed else "unreadable"
        upload.read_failed(event.job, reason)
        self._reading_bytes += upload.reading_bytes - before
        self.pump()
        return entry.content if event.changed and not entry.manifest else None

    def _send_ready(self) -> None:
        """One message a stream and round; who was served goes to the end of the line, so that a limit is shared."""
        waiting = True
        while waiting:
            waiting = False
            for link in list(self._open):
                upload = self._open[link]
                head = upload.ready()
                if head is None or self._neighbours.by_link[link].blocked:
                    continue
                if isinstance(head, Reading) and not self._limits.ready("up", "", self._turn.now):
                    self._turn.timers.set_earlier(("send",), self._limits.ready_at("up", "", self._turn.now))
                    continue
                self._send(upload, head)
                self._open[link] = self._open.pop(link)
                waiting = True

    def _send(self, upload: Upload, head: Reading | Refused) -> None:
        now = self._turn.now
        position = upload.sent(now)
        if isinstance(head, Refused):
            self._turn.send(upload.link, head)
            return
        self._reading_bytes -= head.size
        self._limits.take("up", "", head.size, now)
        self.meter.add(head.size, now)
        self._neighbours.traffic[upload.peer].up.add(head.size, now)
        key = (head.content, upload.peer)
        self._sent.setdefault(key, Meter(now)).add(head.size, now)
        self._unreported[key] = True
        if not head.manifest:
            self.served[key] = self.served.get(key, 0) | mask_of([(chunk, 1) for chunk, _, _ in head.parts])
        self._turn.timers.set_earlier(("report",), now + self._settings.progress_interval)
        parts = list(head.parts)
        self._turn.send(upload.link, Data(upload.stream, position, head.want, parts, head.total), head.payload)

    # -- reports --

    def report_progress(self) -> None:
        """Publish the uploads that moved since the last report."""
        for content, peer in self._unreported:
            meter = self._sent[content, peer]
            self._turn.publish(UploadProgress(content, peer, meter.total, round(meter.rate(self._turn.now), 1)))
        self._unreported.clear()


def _read_effect(job: int, request: ReadRequest) -> Read | ReadManifest:
    if request.manifest:
        ((_, offset, length),) = request.parts
        return ReadManifest(job, request.content, request.manifest, offset, length)
    return Read(job, request.content, request.parts)
