"""Reading and sending for all open streams: what is read ahead, and whose bytes go out next.

Reading ahead is bounded by the credit of each stream and by one budget for the process: a read that was given to
the disk and is not wanted any more counts until it was done, as the disk does it all the same.  Sending is bounded
by the credit and the rate limit at that moment; the fair queue (scheduler.py) says whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bus.boundary import ContentId, LinkId, PeerId
from bus.events import UploadEnded, UploadProgress
from bus.messages import Data, RefusalReason
from peer.core.alltime import AllTime, Uploaded
from peer.core.bitmap import mask_of_chunks
from peer.core.footing import Footing
from peer.core.interface import PartRead, Read, ReadFailed, ReadManifest
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbours
from peer.core.rates import Meter
from peer.core.scheduler import FairQueue
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.turn import Turn
from peer.core.upload import Reading, ReadRequest, Upload

RESTS_AFTER: Final = 3.0
"""Seconds without a byte after which an upload's rate is told to be 0."""
LEAST_SHARE: Final = 2 * 2**20
"""Bytes that each stream may read ahead, however many there are."""
MOST_SERVED: Final = 10_000
"""Peers, by content, of which it is remembered what they got; as many as neighbours.py remembers."""
MANIFEST_FIRST: Final = 256 * 1024
"""Bytes at the beginning of a stream in which a manifest goes before the chunks of all others: its peer can do nothing
before it is here, and at a limit of 125 KiB/s it would wait four seconds.  As much as one turn of the fair queue."""
HASTE_EVERY: Final = 10.0
"""Seconds between two streams of a peer that begin so: else who opens one after the other would keep all others out."""
MOST_DROPPED: Final = 64
"""Reads that the disk is to do for nobody, from which on it gets no more: of small ones the bytes say little."""


class Flow(Meter):
    """What goes out of one content to one peer."""

    __slots__ = ("uploaded",)

    def __init__(self, now: float, uploaded: Uploaded) -> None:
        super().__init__(now)
        self.uploaded = uploaded
        """Of that content, to all peers."""


class Sending:
    """The bytes on their way out."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        limits: RateLimits,
        neighbours: Neighbours,
        all_time: AllTime,
        open_uploads: dict[LinkId, Upload],
        on_sent: Callable[[Upload, ContentId, int], None],
    ) -> None:
        """`open_uploads` are the streams with a slot.

        `on_sent` hears of every message with bytes of chunks, and which chunks (a mask) are whole with it.
        """
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._limits = limits
        self._neighbours = neighbours
        self._all_time = all_time
        self._on_sent = on_sent
        self._open = open_uploads
        self.queue = FairQueue()
        self.jobs: dict[int, Upload] = {}
        self._dropped: dict[int, int] = {}
        """Bytes of reads that the disk has not done yet and nobody waits for."""
        self.reading_bytes = 0
        """Read ahead and not sent, or being read, for somebody or not."""
        self._sent: dict[tuple[ContentId, str], Flow] = {}
        self.served: dict[tuple[ContentId, str], int] = {}
        """Chunks of a content of which a peer got bytes from us, until it has finished the content."""
        self._unreported: dict[tuple[ContentId, str], float] = {}
        """When something was sent last, of those that are not known to rest."""
        self._reported_at = turn.now
        self.meter = Meter(turn.now)

    def rates(self, content: ContentId) -> dict[PeerId, float]:
        """Bytes a second that go out of a content now, by who gets them."""
        now = self._turn.now
        return {
            peer: rate for (of, peer), meter in self._sent.items() if of == content and (rate := meter.rate(now)) >= 1
        }

    def begin(self, upload: Upload, weight: float, footing: Footing) -> None:
        """A stream was opened."""
        self._open[upload.link] = upload
        self.queue.add(upload.link, weight, footing)

    def end(self, upload: Upload) -> bool:
        """A stream ends: its reads are forgotten; returns whether it was open."""
        was_open = self._open.pop(upload.link, None) is not None
        self.queue.remove(upload.link)
        self._drop(upload.close())
        if was_open:
            self._report_ends([key for key in self._sent if key[1] == upload.peer])
        return was_open

    def withdraw(self, content: ContentId) -> None:
        """Refuse what is wanted of a content that is no longer offered."""
        for upload in self._open.values():
            if upload.queued(content):
                self._unread(upload)
            self._refuse(upload, content)
        self.pump()
        self._report_ends([key for key in self._sent if key[0] == content])

    def forget(self, content: ContentId) -> None:
        """A content is gone for good."""
        self.served = {key: chunks for key, chunks in self.served.items() if key[0] != content}

    def pump(self) -> None:
        """Send what is ready and may go, then read ahead."""
        self._send_ready()
        self.read_ahead()

    def read_ahead(self, only: Upload | None = None) -> None:
        """Read what was wanted and has credit; nothing more may be sent before that is in memory.

        Args:
            only: the one stream for which something has changed since the last time; None for all.
        """
        progress = True
        uploads = list(self._open.values()) if only is None else [only]
        while progress:
            progress = False
            for upload in uploads:
                if upload.queue and self._may_read(upload):
                    progress = True
                    self._read(upload)

    # -- reading --

    def _may_read(self, upload: Upload) -> bool:
        """Whether to read ahead for a stream: it can send, and neither it nor all together hold too much."""
        budget = self._settings.upload_budget
        return (
            self.reading_bytes < budget
            and len(self._dropped) < MOST_DROPPED
            and upload.may_read()
            and upload.reading_bytes < max(LEAST_SHARE, budget // len(self._open))
            and not self._neighbours.by_link[upload.link].blocked
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
        """Read the next data message, if its content is still offered."""
        wanted = upload.queue[0]
        limit = self._limits.rate_of("up", wanted.content)
        settings = self._settings
        size = upload.message_size(settings.data_message_max, limit, self._turn.now, settings.data_message_min)
        offer = self._shelf.offers.get(wanted.content)
        if offer is None:
            self._refuse(upload, wanted.content)
            return
        request = upload.next_read(size, offer.layout)
        job = self._turn.new_job()
        upload.reading(job, request)
        self._limits.take_own("up", request.content, request.size, self._turn.now)
        self.jobs[job] = upload
        self.reading_bytes += request.size
        self._turn.add(_read_effect(job, request))

    def _refuse(self, upload: Upload, content: ContentId) -> None:
        for refusal in upload.withdraw(content):
            self._turn.send(upload.link, refusal)

    def limits_changed(self) -> None:
        """What was read ahead in messages of the old limit's size is read again in those of the new one's."""
        for upload in self._open.values():
            self._unread(upload)
        self.pump()

    def cancel(self, upload: Upload, want: int, chunks: int) -> None:
        """Send no more of these chunks: what was read of them and waits for the limit would only come twice."""
        if upload.reads(want, chunks):
            self._unread(upload)
        if refusal := upload.cancel(want, chunks):
            self._turn.send(upload.link, refusal)
        self.pump()

    def _unread(self, upload: Upload) -> None:
        reads = upload.unread()
        for read in reads:
            self._limits.take_own("up", read.content, -read.size, self._turn.now)
        self._drop(reads)

    def _drop(self, reads: list[Reading]) -> None:
        """These are not sent."""
        for read in reads:
            if self.jobs.pop(read.job, None) is None:
                self.reading_bytes -= read.size
            else:
                self._dropped[read.job] = read.size

    def _answered(self, job: int) -> Upload | None:
        """The disk has done a read; returns the stream that waits for it."""
        if dropped := self._dropped.pop(job, 0):
            self.reading_bytes -= dropped
            self.read_ahead()
        return self.jobs.pop(job, None)

    def on_part_read(self, event: PartRead) -> None:
        upload = self._answered(event.job)
        if upload is None:
            return
        before = upload.reading_bytes
        upload.read_done(event.job, event.payload, event.size, event.total)
        self.reading_bytes += upload.reading_bytes - before
        # Else it waits for one before it: nothing may go, or be read, that could not before.
        if (head := upload.ready()) is not None:
            if head.manifest:
                self._hasten(upload)
            if self._limits.own_rate("up"):
                self._send_ready()
            else:
                self._send_all(upload)
            self.read_ahead()

    def _hasten(self, upload: Upload) -> None:
        """Let a manifest that is ready go before the chunks of others, unless this peer had that lately."""
        stream, at = upload.hastened
        if stream != upload.stream:
            if upload.meter.total or self._turn.now - at < HASTE_EVERY:
                return
            upload.hastened = (upload.stream, self._turn.now)
        if upload.meter.total < MANIFEST_FIRST:
            self.queue.put_first(upload.link)

    def on_read_failed(self, event: ReadFailed) -> ContentId | None:
        """Refuse what a failed read was for; returns the content to withdraw, if its file is not what was hashed."""
        upload = self._answered(event.job)
        if upload is None:
            return None
        reason: RefusalReason = "withdrawn" if event.changed else "unreadable"
        entry, refusal = upload.read_failed(event.job, reason)
        self.reading_bytes -= entry.size
        self._turn.send(upload.link, refusal)
        self.pump()
        return entry.content if event.changed and not entry.manifest else None

    # -- sending --

    def _send_ready(self) -> None:
        """Send all that is ready, in the order of the fair queue, until the limit is reached."""
        while (link := self.queue.next(self._is_ready)) is not None:
            if not self._limits.ready("up", "", self._turn.now):
                self._turn.timers.set_earlier(("send",), self._limits.ready_at("up", "", self._turn.now))
                return
            self._send(self._open[link])

    def _send_all(self, upload: Upload) -> None:
        """Send all that is ready of one stream: without a limit nothing of the others has been waiting."""
        while self._is_ready(upload.link):
            self.queue.take_turn(upload.link)
            self._send(upload)

    def _is_ready(self, link: LinkId) -> bool:
        return self._open[link].ready() is not None and not self._neighbours.by_link[link].blocked

    def _send(self, upload: Upload) -> None:
        now = self._turn.now
        head = upload.ready()
        assert head is not None
        position = upload.sent(now)
        self.reading_bytes -= head.size
        self.queue.charge(upload.link, head.size, head.ends_chunk)
        self._limits.take("up", "", head.size, now)
        self.meter.add(head.size, now)
        self._neighbours.traffic[upload.peer].up.add(head.size, now)
        self._count(upload, head)
        parts = list(head.parts)
        self._turn.send(upload.link, Data(upload.stream, position, head.want, parts, head.total), head.payload)
        if not head.manifest:
            self._on_sent(upload, head.content, head.whole)

    def _count(self, upload: Upload, head: Reading) -> None:
        now = self._turn.now
        key = (head.content, upload.peer)
        flow = self._sent.get(key)
        if flow is None:
            flow = self._sent[key] = Flow(now, self._all_time.of(head.content))
        flow.add(head.size, now)
        if not head.manifest:
            mask = head.whole if head.ends_chunk else mask_of_chunks([chunk for chunk, _, _ in head.parts])
            self.served[key] = self.served.pop(key, 0) | mask
            if len(self.served) > MOST_SERVED:
                del self.served[next(iter(self.served))]
        if self._settings.reports_progress:
            self._unreported[key] = now
            if not head.manifest:
                self._all_time.count(flow.uploaded, head.size)
            self._turn.timers.set_earlier(("report",), now + self._settings.progress_interval)

    # -- reports --

    def report_progress(self) -> None:
        """Publish the uploads that moved since the last report, and once those that have come to rest."""
        now = self._turn.now
        for key, moved_at in list(self._unreported.items()):
            meter, rests = self._sent[key], now - moved_at >= RESTS_AFTER
            if moved_at >= self._reported_at or rests:
                self._turn.publish(UploadProgress(*key, meter.total, 0.0 if rests else round(meter.rate(now), 1)))
            if rests:
                del self._unreported[key]
        self._reported_at = now
        if self._unreported:
            self._turn.timers.set_earlier(("report",), now + self._settings.progress_interval)

    def _report_ends(self, keys: list[tuple[ContentId, str]]) -> None:
        for key in keys:
            self._turn.publish(UploadEnded(*key, self._sent[key].total))
            del self._sent[key]
            self._unreported.pop(key, None)


def _read_effect(job: int, request: ReadRequest) -> Read | ReadManifest:
    if request.manifest:
        ((_, offset, length),) = request.parts
        return ReadManifest(job, request.content, request.manifest, offset, length)
    return Read(job, request.content, request.parts)
