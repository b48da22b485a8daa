"""The subscriber's side of an event stream: after any loss, the same state as if nothing was lost.

    subscribe, hear anything    so the subscription works
    ask for a snapshot          keep the events that come meanwhile
    snapshot                    take it, then the kept events that are newer
    next number in the epoch    take it
    an older number             drop it: known
    a gap, or a heartbeat that tells of one, or another epoch
                                ask again

No sockets, no clock: envelopes and pages in, events and the next request out.

Source: ZeroMQ guide, chapter 5, "Clone".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Final

from bus.codec import events_of
from bus.errors import RemoteProtocolError
from bus.events import Envelope, Event, PeerHeartbeat, TrackerHeartbeat
from bus.messages import Snapshot, SnapshotPage
from bus.state import PublishedState

HEARTBEATS: Final = "heartbeat"
"""The stream that tells where the others stand."""
MAX_KEPT: Final = 10_000
"""Events kept while a snapshot is on its way; with more the oldest go, and that shows as a gap."""


class Follower:
    """Follows one publisher.

    Args:
        streams: the streams (first words of topics) that are subscribed to whole; empty means all.  Only these are
            judged and applied.
        sections: of the snapshot; empty means all.
    """

    def __init__(self, streams: Collection[str] = (), sections: Collection[str] = ()) -> None:
        self.state = PublishedState()
        self.gaps = 0
        """How often events were missed."""
        self.resyncs = 0
        """How often the state was replaced by a snapshot: a view made of single events must then be made anew."""
        self.unreadable = 0
        """Events of types that this version does not know, or knows otherwise; they are passed over."""
        self.epoch = 0
        """Of the state; 0 before the first snapshot."""
        self.in_sync = False
        """The state is the publisher's, as far as it has been heard."""
        self._streams = frozenset(streams)
        self._sections = list(sections)
        self._seqs: dict[str, int] = {}
        self._kept: deque[Envelope] = deque(maxlen=MAX_KEPT)
        self._heard = False
        self._asked: Snapshot | None = None
        """The request under way."""
        self._snapshot = 0
        self._page = 0
        """What to ask for next."""
        self._rows: list[tuple[str, dict[str, object]]] = []

    def feed(self, envelope: Envelope) -> list[Event]:
        """Take an event as it arrived; returns the events that are new by it."""
        self._heard = True
        if not self.in_sync:
            self._kept.append(envelope)
            return []
        return self._take(envelope)

    def next_request(self) -> Snapshot | None:
        """The request to send now, or None; to be asked after everything that is fed.  Its number is the sender's."""
        if self.in_sync or not self._heard or self._asked is not None:
            return None
        if self._page == 0:
            self._rows = []
        self._asked = Snapshot(0, self._snapshot, self._page, self._sections)
        return self._asked

    def on_failure(self) -> None:
        """The request was not answered, or with an error: `next_request` gives another."""
        self._asked = None
        self._snapshot = self._page = 0

    def on_snapshot(self, page: SnapshotPage) -> list[Event]:
        """Take a page that answers the request; returns the events after the snapshot that are new by it.

        The state is replaced when the last page is taken, which `resyncs` counts.
        """
        asked = self._asked
        if asked is None or page.page != asked.page or (asked.snapshot and page.snapshot != asked.snapshot):
            return []  # of a request that was given up
        self._asked = None
        self._rows += page.rows
        if not page.last:
            self._snapshot, self._page = page.snapshot, page.page + 1
            return []
        self._replace(page)
        kept, self._kept = self._kept, deque(maxlen=MAX_KEPT)
        if kept and kept[-1].epoch != self.epoch:
            # Either the publisher started again since, or these are an old one's last words: a new snapshot tells, and
            # as it is made after they came, it holds all they say.
            self.in_sync = False
            return []
        applied = []
        for envelope in kept:
            if self.in_sync and envelope.epoch == self.epoch:
                applied += self._take(envelope)
        return applied

    def _replace(self, page: SnapshotPage) -> None:
        self.state = PublishedState()
        for row in self._rows:
            event = self._read(*row)
            if event is not None:
                self.state.apply(event)
        self.epoch, self._seqs = page.epoch, dict(page.seqs)
        self._rows = []
        self._snapshot = self._page = 0
        self.in_sync = True
        self.resyncs += 1

    def _read(self, topic: str, fields: dict[str, object]) -> Event | None:
        try:
            read = events_of([(topic, fields)])
        except RemoteProtocolError:
            read = []
        if not read:
            self.unreadable += 1
            return None
        return read[0]

    def _take(self, envelope: Envelope) -> list[Event]:
        """Judge one event while in sync.

        Where it shows a loss it is dropped: the snapshot that is asked for after it holds what it says.
        """
        stream = envelope.type.split(".", 1)[0]
        is_heartbeat = stream == HEARTBEATS
        if self._streams and stream not in self._streams and not is_heartbeat:
            return []
        if envelope.epoch != self.epoch:
            self.in_sync = False
            return []
        known = self._seqs.get(stream, 0)
        if envelope.seq <= known:
            return []
        event = self._read(envelope.type, envelope.data)
        if isinstance(event, PeerHeartbeat | TrackerHeartbeat):
            # Judged by what it tells, not by its own number: a lost heartbeat loses nothing.
            lost = any(seq > self._seqs.get(name, 0) for name, seq in event.seqs.items() if self._judged(name))
        else:
            lost = envelope.seq != known + 1
        if lost:
            self.gaps += 1
            self.in_sync = False
            return []
        self._seqs[stream] = envelope.seq
        if event is None:
            return []
        self.state.apply(event)
        return [event]

    def _judged(self, stream: str) -> bool:
        return stream != HEARTBEATS and (not self._streams or stream in self._streams)
