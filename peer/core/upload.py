"""The uploader's side of one stream: what is wanted, what is being read, what may be sent.

    IDLE --open--> WAITING --slot--> OPEN --closed--> IDLE; from WAITING, closed leads to IDLE too

Wants are queued in order.  `next_read` cuts the queue into data messages, at most
`MAX_READS` of them being read ahead; what was read is sent in that order, within the credit
at that moment.  A refusal waits for none of them: a have-map that is told after it must not overtake it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any, Final, NamedTuple

from msgspec import Struct

from bus.boundary import ContentId, LinkId, PeerId
from bus.errors import RemoteProtocolError
from bus.messages import RefusalReason, Refused, Want, WantManifest
from peer.core.bitmap import checked_mask, chunks_in, contains, mask_of_chunks, ranges_of
from peer.core.credit import SendWindow
from peer.core.interface import Part
from peer.core.layout import Layout
from peer.core.rates import Meter

MAX_READS: Final = 8
"""Data messages read ahead of sending on one stream: hides a disk's latency, bounds memory."""
MAX_QUEUED_WANTS: Final = 1024
MAX_QUEUED_CHUNKS: Final = 2**18
"""What one queue takes; an honest downloader has at most 64 wants of 4,096 chunks out."""
WANT_LIMIT: Final = 2**14
"""Chunks in one want or cancel; an honest want has at most 4,096."""
MANIFEST_SLICE: Final = 256 * 1024
MAX_PARTS: Final = 4096
SMALLEST_MESSAGE: Final = 16 * 1024
MESSAGE_SECONDS: Final = 0.1
"""A data message is about 0.1 s of the stream's rate, 1 MiB from 10 MiB/s on.  Less would shrink messages when the
processors are busy, which makes them busier (one seed to four leechers: 75 KiB on average, half the rate)."""
LIMITED_MESSAGE: Final = 128 * 1024
LIMITED_SECONDS: Final = 1 / 16
"""Under a rate limit a message is a sixteenth of a second of it, up to 128 KiB, the chunk of a small file: a swarm of
20 such peers on 2 cores has no time for more messages."""
LIMITED_SECONDS_MOST: Final = 0.01
"""Beyond that, 10 ms of it: a limit is smooth."""
FIRST_RATE: Final = 100 * 2**20
FIRST_SECONDS: Final = 0.5
"""Bytes a second that a stream is taken for at first: a message then holds all that one want asks for, and what is
wanted of a source that has given nothing yet is little (FLIGHT_MIN of peer/core/asking.py)."""


NOTHING: Final[deque[Any]] = deque(maxlen=0)
"""The queues of a stream without a slot: most links of a large swarm, and an empty deque takes 624 bytes."""


class UploadState(Enum):
    IDLE = "idle"
    WAITING = "waiting"
    OPEN = "open"


TRANSITIONS: Final[dict[UploadState, dict[str, UploadState]]] = {
    UploadState.IDLE: {"open": UploadState.WAITING},
    UploadState.WAITING: {"grant": UploadState.OPEN, "close": UploadState.IDLE},
    UploadState.OPEN: {"close": UploadState.IDLE},
}


class _Wanted(Struct):
    """One want and the chunks of it not yet cut into messages."""

    number: int
    content: ContentId
    chunks: deque[int]
    offset: int = 0
    """In the first chunk: where the next part begins."""
    manifest: str = ""


class Reading(Struct):
    """A data message that is being read, or was read and waits for its turn."""

    job: int
    want: int
    content: ContentId
    parts: tuple[Part, ...]
    size: int
    manifest: str = ""
    payload: object = None
    done: bool = False
    total: int = 0
    whole: int = 0
    """Chunks whose last byte is in this message (bitmask)."""
    ends_chunk: bool = True
    """The message ends where a chunk ends (or a slice of a manifest)."""


class ReadRequest(NamedTuple):
    """The next data message to read."""

    want: int
    content: ContentId
    parts: tuple[Part, ...]
    size: int
    manifest: str
    whole: int = 0
    """Chunks whose last byte is among the parts (bitmask)."""
    ends_chunk: bool = True


class Upload:
    """One stream towards a downloader."""

    __slots__ = (
        "_turn",
        "granted_at",
        "hastened",
        "last_useful",
        "link",
        "meter",
        "optimistic",
        "peer",
        "pipeline",
        "queue",
        "reading_bytes",
        "state",
        "stream",
        "window",
    )

    def __init__(self, link: LinkId, peer: PeerId) -> None:
        self.link = link
        self.peer = peer
        self.state = UploadState.IDLE
        self.stream = 0
        self.window = SendWindow(0)
        self.queue: deque[_Wanted] = NOTHING
        self.pipeline: deque[Reading] = NOTHING
        """Data messages in sending order."""
        self.reading_bytes = 0
        self.granted_at = 0.0
        self.hastened = (0, -inf)
        """The last stream whose manifest went first, and when that was."""
        self.optimistic = False
        """It has the optimistic slot."""
        self.last_useful = 0.0
        """When the stream last had a want or moved a byte."""
        self.meter = Meter(0.0)
        self._turn: ContentId = ""
        """Whose turn it was, where contents at their limits take turns."""

    def __repr__(self) -> str:
        return f"<Upload to {self.peer[:8]} stream {self.stream} {self.state.value} {len(self.queue)} wants>"

    # -- life cycle --

    def _step(self, event: str) -> None:
        row = TRANSITIONS[self.state]
        if event not in row:
            raise RemoteProtocolError(f"{event} for a stream that is {self.state.value}")
        self.state = row[event]

    def open(self, stream: int) -> None:
        """The downloader asks for a slot.  Streams rise, so that nothing old is taken for new."""
        if stream <= self.stream:
            raise RemoteProtocolError(f"stream {stream} is not above {self.stream}")
        self._step("open")
        self.stream = stream

    def grant(self, cap: int, now: float, optimistic: bool = False) -> None:
        """The stream gets a slot; `cap` bounds the bytes sent and not consumed."""
        self._step("grant")
        self.optimistic = optimistic
        self.window = SendWindow(cap)
        self.queue, self.pipeline = deque(), deque()
        self.granted_at = self.last_useful = now
        self.meter = Meter(now)

    def close(self) -> list[Reading]:
        """End the stream; returns the reads under way, whose answers are to be dropped."""
        self._step("close")
        reads = list(self.pipeline)
        self.queue = self.pipeline = NOTHING
        self.reading_bytes = 0
        return reads

    # -- wants --

    def want(self, message: Want, offered: int, held: int, chunks: int) -> list[Refused]:
        """Queue a want for chunks in `offered` (bitmask) of a content of `chunks` chunks; the rest is refused.

        What is `held` and not offered to this peer was offered until a moment ago (super-seeding).
        """
        mask = checked_mask(message.ranges, chunks, WANT_LIMIT)
        self._check_room(mask.bit_count())
        missing = mask & ~offered
        if granted := mask & offered:
            self.queue.append(_Wanted(message.want, message.content, deque(chunks_in(granted))))
        refused: list[tuple[int, RefusalReason]] = [(missing & held, "withdrawn"), (missing & ~held, "not_held")]
        return [self._refusal(message.want, chunks, reason) for chunks, reason in refused if chunks]

    def want_manifest(self, message: WantManifest) -> None:
        self._check_room()
        self.queue.append(_Wanted(message.want, message.content, deque(), manifest=message.manifest))

    def _check_room(self, chunks: int = 0) -> None:
        queued = chunks + sum([len(wanted.chunks) for wanted in self.queue])
        if len(self.queue) >= MAX_QUEUED_WANTS or queued > MAX_QUEUED_CHUNKS:
            raise RemoteProtocolError(f"more than {MAX_QUEUED_WANTS} wants or {MAX_QUEUED_CHUNKS} chunks on one stream")

    def cancel(self, want: int, mask: int) -> Refused | None:
        """Take chunks out of a want: they are refused, but for what is read and not put back (`unread`)."""
        for wanted in self.queue:
            if wanted.number == want:
                gone = mask & mask_of_chunks(wanted.chunks)
                self._drop(wanted, gone)
                return self._refusal(want, gone, "cancelled") if gone or wanted.manifest else None
        return None

    def withdraw(self, content: ContentId) -> list[Refused]:
        """Refuse everything queued of a content that is no longer offered."""
        gone = [wanted for wanted in self.queue if wanted.content == content]
        self.queue = deque(wanted for wanted in self.queue if wanted.content != content)
        return [self._refusal(wanted.number, mask_of_chunks(wanted.chunks), "withdrawn") for wanted in gone]

    def queued(self, content: ContentId) -> int:
        """Chunks of a content that were wanted and are not sent yet (bitmask)."""
        chunks = [chunk for wanted in self.queue if wanted.content == content for chunk in wanted.chunks]
        for entry in self.pipeline:
            if entry.content == content and not entry.manifest:
                chunks += [chunk for chunk, _, _ in entry.parts]
        return mask_of_chunks(chunks)

    def waits_for_us(self, content: ContentId) -> bool:
        """Whether something of a content (its manifest, too) may be sent: if nothing moves, it is because of us."""
        ready = any(entry.content == content for entry in self.pipeline)
        return ready or (self.window.available > 0 and any(wanted.content == content for wanted in self.queue))

    def _drop(self, wanted: _Wanted, gone: int) -> None:
        is_gone = contains(gone)
        if wanted.chunks and is_gone(wanted.chunks[0]):
            wanted.offset = 0
        wanted.chunks = deque(chunk for chunk in wanted.chunks if not is_gone(chunk))
        if not wanted.chunks:
            self.queue.remove(wanted)

    def _refusal(self, want: int, mask: int, reason: RefusalReason) -> Refused:
        return Refused(self.stream, want, ranges_of(mask), reason)

    # -- reading --

    def message_size(self, limit: int, rate_limit: int, now: float, smallest: int = SMALLEST_MESSAGE) -> int:
        """Bytes of the next data message, from `smallest` up to `limit`."""
        measured = self.meter.rate(now)
        if now - self.granted_at < FIRST_SECONDS:
            measured = max(measured, FIRST_RATE)
        size = min(limit, int(measured * MESSAGE_SECONDS))
        if rate_limit:
            # Streams share the limit by turns: each is slow, and its chunk goes at the whole limit while it lasts.
            least = min(LIMITED_MESSAGE, int(rate_limit * LIMITED_SECONDS))
            size = max(least, min(size, int(rate_limit * LIMITED_SECONDS_MOST)))
        return max(smallest, size)

    def may_read(self) -> bool:
        """Whether another data message should be read now."""
        return bool(self.queue) and self.window.available > self.reading_bytes and len(self.pipeline) < MAX_READS

    def next_read(self, size: int, layout: Layout | None) -> ReadRequest:
        """Cut the next data message of at most `size` bytes, within the credit left."""
        room = min(size, self.window.available - self.reading_bytes)
        wanted = self.queue[0]
        if wanted.manifest:
            length = min(room, MANIFEST_SLICE)
            return ReadRequest(wanted.number, wanted.content, ((0, wanted.offset, length),), length, wanted.manifest)
        if layout is None:
            raise ValueError(f"no layout for {wanted.content}")
        parts: list[Part] = []
        whole: list[int] = []
        chunks, offset, taken = wanted.chunks, wanted.offset, 0
        while chunks and taken < room and len(parts) < MAX_PARTS:
            chunk = chunks[0]
            rest = layout.length_of(chunk) - offset
            length = min(rest, room - taken)
            # Each message ends a chunk where it can: then it may be another stream's turn.
            if parts and length < rest:
                break
            parts.append((chunk, offset, length))
            taken += length
            offset += length
            if length == rest:
                chunks.popleft()
                offset = 0
                whole.append(chunk)
        wanted.offset = offset
        if not chunks:
            self.queue.popleft()
        return ReadRequest(wanted.number, wanted.content, tuple(parts), taken, "", mask_of_chunks(whole), offset == 0)

    def turn_to(self, may_go: Callable[[ContentId], bool]) -> bool:
        """Let the contents whose limits allow it take turns; False if none does.  What one wants stays in order."""
        contents = dict.fromkeys(wanted.content for wanted in self.queue)
        if self._turn in contents and len(contents) > 1:
            del contents[self._turn]
            contents[self._turn] = None
        self._turn = next((content for content in contents if may_go(content)), "")
        first = next((wanted for wanted in self.queue if wanted.content == self._turn), None)
        if first is not None:
            self.queue.remove(first)
            self.queue.appendleft(first)
        return first is not None

    def unread(self) -> list[Reading]:
        """Put back what is read ahead and not sent, to be cut anew; returns the reads to forget.

        What stands before a slice of a manifest stays: nothing may overtake that.
        """
        back: list[Reading] = []
        while self.pipeline and not self.pipeline[-1].manifest:
            back.append(entry := self.pipeline.pop())
            self.reading_bytes -= entry.size
            wanted, chunks = self._rest_of(entry), [chunk for chunk, _, _ in entry.parts]
            again = chunks[:-1] if wanted.chunks and wanted.chunks[0] == chunks[-1] else chunks
            wanted.chunks.extendleft(reversed(again))
            wanted.offset = entry.parts[0][1]
        return back

    def _rest_of(self, entry: Reading) -> _Wanted:
        """What is queued of a read's want, wherever turns have put it; of nothing, an empty one that comes first."""
        for wanted in self.queue:
            if (wanted.number, wanted.content, wanted.manifest) == (entry.want, entry.content, ""):
                return wanted
        self.queue.appendleft(rest := _Wanted(entry.want, entry.content, deque()))
        return rest

    def reads(self, want: int, mask: int) -> bool:
        """Whether some of these chunks of a want are read ahead and not sent."""
        return any(
            entry.want == want and not entry.manifest and mask & mask_of_chunks([chunk for chunk, _, _ in entry.parts])
            for entry in self.pipeline
        )

    def reading(self, job: int, request: ReadRequest) -> None:
        """A read was asked for."""
        want, content, parts, size, manifest, whole, ends = request
        self.pipeline.append(Reading(job, want, content, parts, size, manifest, whole=whole, ends_chunk=ends))
        self.reading_bytes += size
        if manifest:
            # One slice at a time: its answer says how long the manifest is.
            self.queue.popleft()

    def read_done(self, job: int, payload: object, size: int, total: int) -> None:
        """Bytes of a read arrived; a manifest's first slice tells how much is left to read."""
        entry = self._entry(job)
        if entry is None:
            return
        self.reading_bytes += size - entry.size
        entry.size, entry.payload, entry.done, entry.total = size, payload, True, total
        if entry.manifest:
            ((_, offset, _),) = entry.parts
            entry.parts = ((0, offset, size),)
            if offset + size < total:
                rest = _Wanted(entry.want, entry.content, deque(), offset=offset + size, manifest=entry.manifest)
                self.queue.appendleft(rest)

    def read_failed(self, job: int, reason: RefusalReason) -> tuple[Reading, Refused]:
        """A read failed: returns it, and the refusal of its chunks."""
        entry = next(entry for entry in self.pipeline if entry.job == job)
        self.pipeline.remove(entry)
        self.reading_bytes -= entry.size
        mask = 0 if entry.manifest else mask_of_chunks([chunk for chunk, _, _ in entry.parts])
        for wanted in self.queue:
            if wanted.number == entry.want:
                self._drop(wanted, mask)
                break
        return entry, self._refusal(entry.want, mask, reason)

    def _entry(self, job: int) -> Reading | None:
        return next((entry for entry in self.pipeline if entry.job == job), None)

    # -- sending --

    def ready(self) -> Reading | None:
        """The next message to send, if it is complete."""
        return self.pipeline[0] if self.pipeline and self.pipeline[0].done else None

    def sent(self, now: float) -> int:
        """The head of the pipeline goes out: returns its stream position."""
        head = self.pipeline.popleft()
        self.last_useful = now
        self.reading_bytes -= head.size
        self.meter.add(head.size, now)
        return self.window.take(head.size)

    def check_invariants(self) -> None:
        self.window.check_invariants()
        assert self.reading_bytes == sum(entry.size for entry in self.pipeline)
        assert self.reading_bytes <= max(self.window.available, 0) or self.state is not UploadState.OPEN
