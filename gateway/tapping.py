"""What a page sees of its peer's event stream while it looks at it: the newest events, and counts of all of them.

    bus thread ──hear──▶ Tap: the newest KEPT events of a topic, counts by type, gaps ──take──▶ one frame

Nothing is made for pages that do not look.  A tap keeps so many events at most, whatever comes: of more it drops the
oldest and says how many, so a page that is slow or asleep costs no more than one that is quick.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Struct

from bus.events import Envelope
from bus.follow import HEARTBEATS
from bus.tap import Gaps

KEPT: Final = 200
"""Events at most that one frame carries, and that wait for one page."""
MAX_BODY: Final = 600
"""Characters of an event's fields; what is longer is cut."""
MAX_TOPIC: Final = 64

Topic = Annotated[str, msgspec.Meta(max_length=MAX_TOPIC)]


class Tapping(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page asks for: the events whose type begins so; "" for all."""

    topic: Topic = ""


class TappedEvent(Struct, frozen=True):
    """One event of the peer."""

    type: str
    seq: int
    """Counts up by one in each stream, which is the first word of the type."""
    time: float
    """Seconds since 1970, by the peer's clock."""
    body: str
    """Its fields as JSON, or the first of them."""
    cut: bool
    """Whether something of them is missing."""
    missed: int
    """Events that never arrived, as this one's number shows, or as it tells if it is a heartbeat."""


class TapFrame(Struct, frozen=True):
    """What came since the frame before."""

    events: list[TappedEvent]
    """Of the topic asked for, oldest first."""
    dropped: int
    """Events of that topic, before these, that were too many for one frame."""
    counts: dict[str, int]
    """All events by type, of whatever topic."""
    missed: dict[str, int]
    """Events that never arrived, by stream."""


class Tap:
    """One page's view of the stream.  `hear` and `take` may be called from different threads."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._lock = threading.Lock()
        self._gaps = Gaps()
        self._kept: deque[tuple[Envelope, int]] = deque(maxlen=KEPT)
        self._matching = 0
        self._counts: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def choose(self, topic: str) -> None:
        """Show other events from now on.  What never arrived meanwhile still is found."""
        with self._lock:
            self._topic = topic
            self._kept.clear()
            self._matching = 0

    def hear(self, envelope: Envelope) -> None:
        """Take note of an event."""
        with self._lock:
            self._counts[envelope.type] += 1
            missed = self._gaps.before(envelope)
            if missed:
                self._missed[envelope.type.split(".", 1)[0]] += missed
            elif envelope.type.startswith(HEARTBEATS):
                missed = self._told_by(envelope)
            if envelope.type.startswith(self._topic):
                self._matching += 1
                self._kept.append((envelope, missed))

    def take(self) -> TapFrame | None:
        """What came since the last time; None if nothing did."""
        with self._lock:
            if not self._counts:
                return None
            kept, counts, missed = list(self._kept), dict(self._counts), dict(self._missed)
            dropped = self._matching - len(kept)
            self._kept.clear()
            self._counts.clear()
            self._missed.clear()
            self._matching = 0
        return TapFrame([_tapped(*one) for one in kept], dropped, counts, missed)

    def _told_by(self, heartbeat: Envelope) -> int:
        """A heartbeat says where every stream stands: what is missing at the end of one shows only there."""
        seqs = heartbeat.data.get("seqs")
        if not isinstance(seqs, Mapping):
            return 0
        missed = 0
        for stream, seq in seqs.items():
            if isinstance(stream, str) and isinstance(seq, int) and stream != HEARTBEATS:
                late = self._gaps.up_to(stream, heartbeat.epoch, seq)
                if late:
                    self._missed[stream] += late
                    missed += late
        return missed


def _tapped(envelope: Envelope, missed: int) -> TappedEvent:
    body = msgspec.json.encode(envelope.data).decode()
    return TappedEvent(envelope.type, envelope.seq, envelope.time, body[:MAX_BODY], len(body) > MAX_BODY, missed)
