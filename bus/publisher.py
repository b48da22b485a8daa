"""A process's event stream, and the snapshots of the state that a peer's events add up to.

Each stream (the first word of a type) counts its own events, so that whoever subscribes to a
whole word can judge what was lost; a heartbeat says where every stream stands, so that silence
is proof too.  The subscriber's side of it is `bus/follow.py`.

Source: ZeroMQ guide, chapter 5, "Clone"; the epoch is ours, since a restart starts at 0 again.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from typing import Final, NamedTuple

import msgspec
import zmq

from bus.codec import encode_event, rows_of
from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.events import BY_TYPE, Event, PeerHeartbeat, TrackerHeartbeat
from bus.messages import Snapshot, SnapshotPage
from bus.reactor import CONTROL, Reactor
from bus.sockets import bind, make_socket
from bus.state import PublishedState
from bus.tap import Subscriptions

PAGE_SIZE: Final = 256 * 1024
"""Bytes of one page's rows; a single longer row has a page of its own."""
SNAPSHOTS_KEPT: Final = 8
SNAPSHOT_LIFE: Final = 10.0
"""Seconds after its last page was asked for."""
_EAGER: Final = 0.1
"""Seconds between heartbeats that are sent early because somebody new subscribed."""

Rows = list[tuple[str, dict[str, object]]]


class _Kept(NamedTuple):
    """One immutable copy of the state, cut in pages."""

    pages: list[Rows]
    seqs: dict[str, int]


class Publisher:
    """See the module's head.  Everything happens in the reactor's thread.

    Args:
        reactor: the loop.
        context: of this process.
        endpoint: ipc, in the data directory.
        source: id of this peer or tracker.
        heartbeat: seconds between heartbeats.
        heartbeat_event: the event they are.
    """

    def __init__(
        self,
        reactor: Reactor,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        source: str,
        heartbeat: float,
        heartbeat_event: type[PeerHeartbeat] | type[TrackerHeartbeat],
    ) -> None:
        self.epoch = secrets.randbits(63)
        """New at each start; 63 bits, so that every language's signed integer holds it."""
        self.seqs: dict[str, int] = {}
        """The newest number of every stream that has one."""
        self._reactor = reactor
        self._source = source
        self._heartbeat_event = heartbeat_event
        self._last_heartbeat = -_EAGER
        self._socket = make_socket(context, "publisher")
        self._subscriptions = Subscriptions(self._socket)
        bind(self._socket, endpoint)
        reactor.add(self._socket, self._drain, CONTROL)
        self._timer = reactor.every(heartbeat, self._beat)

    def await_subscriber(self, seconds: float) -> None:
        """Wait until somebody subscribes, so long at most: who heard an earlier run then hears this one from its first
        event on.  To be called before the reactor runs and before anything is published."""
        if self._socket.poll(round(seconds * 1000)):
            self._drain()

    def publish(self, event: Event) -> None:
        """Number an event, and send it to whoever subscribes."""
        stream = BY_TYPE[type(event)].stream
        seq = self.seqs[stream] = self.seqs.get(stream, 0) + 1
        if self._subscriptions.any:
            # Never waits: an XPUB drops what a slow subscriber has no room for, and the subscriber sees the gap.
            self._socket.send_multipart(encode_event(event, self.epoch, seq, time.time(), self._source))
            self._reactor.touch(self._socket)

    def close(self) -> None:
        self._timer.cancel()
        self._reactor.remove(self._socket)
        self._socket.close()

    def _beat(self) -> None:
        self._last_heartbeat = self._reactor.now
        stream = BY_TYPE[self._heartbeat_event].stream
        self.publish(self._heartbeat_event({**self.seqs, stream: self.seqs.get(stream, 0) + 1}))

    def _drain(self) -> bool:
        # Whoever subscribes waits for a heartbeat first; it need not wait for the next regular one.
        if self._subscriptions.drain() and self._reactor.now - self._last_heartbeat >= _EAGER:
            self._beat()
        return False


class PeerPublisher(Publisher):
    """A peer's: folds what it publishes into the state, of which it gives snapshots."""

    def __init__(
        self,
        reactor: Reactor,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        source: str,
        heartbeat: float,
    ) -> None:
        super().__init__(reactor, context, endpoint, source, heartbeat, PeerHeartbeat)
        self.state = PublishedState()
        self._kept: OrderedDict[int, tuple[_Kept, float]] = OrderedDict()

    def publish(self, event: Event) -> None:
        """Number an event, fold it into the state, and send it to whoever subscribes."""
        self.state.apply(event)
        super().publish(event)

    def answer(self, request: Snapshot) -> SnapshotPage:
        """One page of a snapshot; a request for snapshot 0 makes a new one.

        Raises:
            ShoalError: ERR_NOT_FOUND, that snapshot or page is no more, or never was.
        """
        number = request.snapshot or self._keep(request.sections)
        self._forget_old()
        kept, _ = self._kept.get(number, (None, 0.0))
        if kept is None or request.page >= len(kept.pages):
            raise ShoalError(
                ERR_NOT_FOUND,
                f"page {request.page} of snapshot {number} is not kept for over {SNAPSHOT_LIFE:g} s; ask for a new one",
            )
        self._kept[number] = (kept, self._reactor.now)
        self._kept.move_to_end(number)
        last = request.page == len(kept.pages) - 1
        rows = kept.pages[request.page]
        return SnapshotPage(request.request, number, request.page, last, self.epoch, kept.seqs, rows)

    def _keep(self, sections: list[str]) -> int:
        number = secrets.randbits(62) + 1
        self._kept[number] = (_Kept(_pages(rows_of(self.state.rows(sections))), dict(self.seqs)), self._reactor.now)
        while len(self._kept) > SNAPSHOTS_KEPT:
            self._kept.popitem(last=False)
        return number

    def _forget_old(self) -> None:
        while self._kept:
            number, (_, asked) = next(iter(self._kept.items()))
            if self._reactor.now - asked < SNAPSHOT_LIFE:
                return
            del self._kept[number]


def _pages(rows: Rows) -> list[Rows]:
    """Rows in pages of at most PAGE_SIZE encoded bytes; at least one page, perhaps empty."""
    pages: list[Rows] = [[]]
    size = 0
    for row in rows:
        length = len(msgspec.msgpack.encode(row))
        if size + length > PAGE_SIZE and pages[-1]:
            pages.append([])
            size = 0
        pages[-1].append(row)
        size += length
    return pages
