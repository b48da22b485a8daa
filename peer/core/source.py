"""The downloader's side of one stream: what is asked of one source, and what came.

    IDLE --open--> WAITING --opened--> OPEN --closed--> IDLE
       \\_____________ closed _________/

Every chunk of a want is answered once: by all its bytes, by refused, or by the stream's end.
Bytes nobody asked for are counted and consumed, and never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bus.boundary import ContentId, LinkId, PeerId
from bus.errors import RemoteProtocolError
from bus.messages import MAX_MANIFEST, Data
from peer.core.bitmap import chunks_in, contains, mask_of_chunks
from peer.core.credit import ReceiveWindow
from peer.core.interface import Part
from peer.core.layout import Layout
from peer.core.rates import Meter


class SourceState(Enum):
    IDLE = "idle"
    WAITING = "waiting"
    OPEN = "open"


TRANSITIONS: Final[dict[SourceState, dict[str, SourceState]]] = {
    SourceState.IDLE: {"open": SourceState.WAITING},
    SourceState.WAITING: {"opened": SourceState.OPEN, "close": SourceState.IDLE},
    SourceState.OPEN: {"close": SourceState.IDLE},
}

SMOOTHING: Final = 0.25
"""Weight of the newest want in the time that wants take."""
TELLING: Final = 256 * 1024
"""Bytes of a manifest that tell how fast its source is; fewer may all have waited in buffers, or be a limit's burst."""
SKIP: Final = -1
"""Chunk number of a part whose bytes are to be passed over."""


class Asked(Struct):
    """One outstanding want."""

    content: ContentId
    layout: Layout | None
    mask: int
    """Chunks not fully received."""
    progress: dict[int, int]
    """Bytes received of chunks that have begun."""
    unreceived: int
    """Bytes to come."""
    manifest: str = ""
    size: int = 0
    """Length of the manifest, 0 while unknown."""
    since: float = 0.0
    """When it was asked for."""
    paid: bool = False
    """The limit of its content was charged when it was asked for, so that credit for it is not."""


class Arrived(NamedTuple):
    """What a data message brought: parts to store (unasked ones as SKIP), or a slice of a manifest."""

    asked: Asked | None
    parts: tuple[Part, ...]
    useful: int
    """Bytes that were asked for."""


class Source:
    """One stream from an uploader, over one link."""

    __slots__ = (
        "_unreceived_of",
        "asked",
        "given_up",
        "link",
        "looked_at",
        "manifest_rate",
        "meter",
        "moved_at",
        "next_stream",
        "pace",
        "peer",
        "refund",
        "state",
        "stream",
        "unreceived",
        "unscored",
        "want_seconds",
        "wants",
        "window",
    )

    def __init__(
        self,
        link: LinkId,
        peer: PeerId,
        dialled: bool,
        now: float,
        refund: Callable[[ContentId, int], None] = lambda _content, _size: None,
    ) -> None:
        """`refund` is told of the bytes of a content that were charged when they were asked for and will not come."""
        self.refund = refund
        self.link = link
        self.peer = peer
        self.state = SourceState.IDLE
        self.stream = 0
        self.next_stream = 1 if dialled else 2
        self.window = ReceiveWindow(0)
        self.wants = 0
        """Number of the newest want of this stream."""
        self.asked: dict[int, Asked] = {}
        self.given_up: dict[int, ContentId] = {}
        """Wants of this stream of which another source took over something: what still comes of it is duplicate."""
        self.unreceived = 0
        self._unreceived_of: dict[ContentId, int] = {}
        self.meter = Meter(now)
        self.moved_at = now
        """When a byte last came, or was first waited for; of a slot, since when it is waited for."""
        self.pace = 0.0
        """Bytes a second when a byte last came."""
        self.want_seconds = 0.0
        """How long a want took from being asked for to its last byte, smoothed; 0 until one was answered."""
        self.manifest_rate = 0.0
        """Bytes a second at which a large manifest came, from being asked for to its last byte; 0 if none did."""
        self.looked_at = now
        """When it last looked for work to take over from a slower source."""
        self.unscored = 0
        """Verified bytes not yet counted as SUCCESSFUL_UPLOAD."""

    def __repr__(self) -> str:
        return f"<Source {self.peer[:8]} stream {self.stream} {self.state.value} {self.unreceived} bytes to come>"

    # -- life cycle --

    def _step(self, event: str) -> None:
        row = TRANSITIONS[self.state]
        if event not in row:
            raise RemoteProtocolError(f"{event} for a stream that is {self.state.value}")
        self.state = row[event]

    def open(self) -> int:
        """Ask for a slot; returns the new stream's number."""
        self._step("open")
        self.stream = self.next_stream
        self.next_stream += 2
        return self.stream

    def opened(self, window: int, now: float) -> None:
        self._step("opened")
        self.window = ReceiveWindow(window)
        self.wants = 0
        self.moved_at = now
        self.meter = Meter(now)

    def close(self) -> list[Asked]:
        """End the stream; returns what was still asked for."""
        self._step("close")
        asked = list(self.asked.values())
        for one in asked:
            if one.paid:
                self.refund(one.content, one.unreceived)
        self.asked.clear()
        self.given_up.clear()
        self.unreceived = 0
        self._unreceived_of.clear()
        return asked

    # -- wants --

    def ask(self, content: ContentId, layout: Layout, mask: int, size: int, now: float) -> int:
        """Note a want for chunks of `size` bytes in all; returns its number."""
        return self._ask(Asked(content, layout, mask, {}, size), now)

    def ask_manifest(self, content: ContentId, manifest: str, now: float) -> int:
        """Note a want for a manifest, whose length is unknown: it counts as a whole window."""
        return self._ask(Asked(content, None, 0, {}, self.window.window, manifest), now)

    def _ask(self, asked: Asked, now: float) -> int:
        if not self.unreceived:
            self.moved_at = now
        self.wants += 1
        asked.since = now
        self.asked[self.wants] = asked
        self._expect(asked.content, asked.unreceived)
        return self.wants

    def _expect(self, content: ContentId, size: int) -> None:
        """Count bytes to come of a content (less than 0: they came, or will not)."""
        self.unreceived += size
        self._unreceived_of[content] = self._unreceived_of.get(content, 0) + size

    def next_to_cover(self) -> Asked | None:
        """The want of the first bytes that credit does not cover yet; wants are answered in order."""
        covered = self.window.limit - self.window.received
        found = None
        for asked in self.asked.values():
            if covered < 0:
                break
            found = asked
            covered -= asked.unreceived
        return found

    def wants_only(self, content: ContentId) -> bool:
        """Whether nothing is wanted of any other content."""
        return self.unreceived == self.unreceived_of(content)

    def contents(self) -> list[ContentId]:
        """The contents of which bytes are to come."""
        return [content for content, size in self._unreceived_of.items() if size]

    def unreceived_of(self, content: ContentId) -> int:
        """Bytes to come of one content."""
        return self._unreceived_of.get(content, 0)

    def give_up(self, want: int, chunk: int) -> int:
        """A chunk is asked of another source instead; returns the bytes of it that had come, now for nothing."""
        asked = self.asked[want]
        begun = asked.progress.get(chunk, 0)
        self.given_up[want] = asked.content
        self._settle(want, asked, 1 << chunk)
        return begun

    def refused(self, want: int, mask: int) -> tuple[Asked, int] | None:
        """The uploader refused chunks (all of them if `mask` is 0) of a want; returns it, as it was, and the chunks."""
        asked = self.asked.get(want)
        if asked is None:
            return None
        gone = asked.mask & mask if mask else asked.mask
        before = replace(asked, progress=dict(asked.progress))
        self._settle(want, asked, gone)
        return before, gone

    def _settle(self, want: int, asked: Asked, gone: int) -> None:
        """Take chunks out of a want; a want with nothing left is done."""
        if asked.layout is not None:
            for chunk in chunks_in(gone):
                rest = asked.layout.length_of(chunk) - asked.progress.pop(chunk, 0)
                asked.unreceived -= rest
                self._expect(asked.content, -rest)
                if asked.paid:
                    self.refund(asked.content, rest)
        asked.mask &= ~gone
        if not asked.mask:
            self._expect(asked.content, -asked.unreceived)
            del self.asked[want]

    # -- data --

    def receive(self, data: Data, size: int, now: float) -> Arrived:
        """Account for a data message of `size` payload bytes.

        Raises:
            RemoteProtocolError: out of order, beyond the limit, or parts that do not add up.
        """
        if sum([length for _, _, length in data.parts]) != size:
            raise RemoteProtocolError(f"the parts of a data message do not add up to its {size} bytes")
        self.window.receive(data.position, size)
        self.meter.add(size, now)
        asked = self.asked.get(data.want)
        if asked is None:
            return Arrived(None, (), 0)
        receive = self._receive_manifest if asked.manifest else self._receive_chunks
        arrived = receive(data, size, asked, now)
        if arrived.useful:
            self.moved_at = now
            self.pace = self.meter.rate(now)
        return arrived

    def _answered(self, want: int, now: float) -> None:
        """The last byte of a want came."""
        took = now - self.asked.pop(want).since
        self.want_seconds += (took - self.want_seconds) * (SMOOTHING if self.want_seconds else 1.0)

    def _receive_chunks(self, data: Data, size: int, asked: Asked, now: float) -> Arrived:
        parts, done, useful = tuple(data.parts), self._all_whole(data, asked), size
        if not done:
            parts, done, useful = self._receive_parts(data, asked)
        asked.mask &= ~done
        asked.unreceived -= useful
        self._expect(asked.content, -useful)
        if not asked.mask:
            self._answered(data.want, now)
        return Arrived(asked, parts if useful else (), useful)

    @staticmethod
    def _all_whole(data: Data, asked: Asked) -> int:
        """The chunks of a message that is wanted chunks, each whole, as most are: one look instead of many; else 0."""
        chunks = [chunk for chunk, _, _ in data.parts]
        if asked.progress or max(chunks) >= asked.mask.bit_length() or len(set(chunks)) < len(chunks):
            return 0
        mask = mask_of_chunks(chunks)
        assert asked.layout is not None
        return mask if not mask & ~asked.mask and data.parts == asked.layout.whole(chunks) else 0

    @staticmethod
    def _receive_parts(data: Data, asked: Asked) -> tuple[tuple[Part, ...], int, int]:
        """(what to store, chunks (bitmask) that are whole now, bytes that were asked for)"""
        layout = asked.layout
        assert layout is not None
        is_wanted, wholes = contains(asked.mask), []
        # All parts first: one that is wrong must not leave those before it half noted.
        for chunk, offset, length in data.parts:
            whole = layout.length_of(chunk) if is_wanted(chunk) else 0
            if whole and offset + length > whole:
                raise RemoteProtocolError(f"chunk {chunk} has {whole} bytes, not {offset + length}")
            wholes.append(whole)
        parts: list[Part] = []
        done: dict[int, bool] = {}
        progress, useful = asked.progress, 0
        for part, whole in zip(data.parts, wholes, strict=True):
            chunk, offset, length = part
            if not whole or chunk in done or offset != progress.get(chunk, 0):
                parts.append((SKIP, 0, length))
                continue
            parts.append(part)
            useful += length
            if offset + length == whole:
                done[chunk] = True
                progress.pop(chunk, None)
            else:
                progress[chunk] = offset + length
        return tuple(parts), mask_of_chunks(done), useful

    def _receive_manifest(self, data: Data, size: int, asked: Asked, now: float) -> Arrived:
        (_, offset, length), *more = data.parts
        known = asked.progress.get(0, 0)
        if more or offset != known or not offset + length <= data.size <= MAX_MANIFEST:
            raise RemoteProtocolError(f"manifest bytes from {offset} of {data.size}, expected from {known}")
        if asked.size and asked.size != data.size:
            raise RemoteProtocolError(f"a manifest of {asked.size} bytes became one of {data.size}")
        asked.size = data.size
        asked.progress[0] = offset + length
        rest = data.size - offset - length
        self._expect(asked.content, rest - asked.unreceived)
        asked.unreceived = rest
        if not rest:
            del self.asked[data.want]
            if data.size >= TELLING:
                self.manifest_rate = data.size / max(now - asked.since, 0.001)
        return Arrived(asked, tuple(data.parts), size)

    def check_invariants(self) -> None:
        self.window.check_invariants()
        assert self.unreceived == sum(asked.unreceived for asked in self.asked.values())
        for content, size in self._unreceived_of.items():
            assert size == sum(asked.unreceived for asked in self.asked.values() if asked.content == content)


class Job(Struct):
    """Bytes on their way to the disk."""

    source: Source
    stream: int
    content: ContentId
    size: int
