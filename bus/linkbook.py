"""The links of a process, whoever dialled: their numbers, what waits to be sent, what arrives.

Sending never waits.  A ROUTER that cannot take a message says EAGAIN (ROUTER_MANDATORY); the
message then stays here, the core hears LinkBlocked, and the link is tried again at the end of
every turn and at least every 20 ms, until all is out and the core hears LinkWritable.

When a pipe drains, libzmq wakes the socket's ZMQ_FD; the reactor watches that, so a blocked
link costs nothing while it waits (polling POLLOUT would spin: it is true for a ROUTER as soon
as any one connection takes a message).
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import zmq

from bus.boundary import (
    LinkBlocked,
    LinkEvent,
    LinkId,
    LinkLost,
    LinkUp,
    LinkWritable,
    Misbehaved,
    PeerId,
    Received,
)
from bus.codec import MAX_FRAMES, decode, encode, number_of
from bus.errors import RemoteProtocolError
from bus.messages import CLIENT, SERVER, Channel, Message
from bus.reactor import CONTROL, DATA, TRACKER, Reactor
from bus.tap import WireStream

MAX_WAITING: Final = 1000
"""Messages that wait for one link; a core that gives more to a blocked link loses it."""
FAREWELL: Final = 1.0
"""Seconds that a blocked link has, after a HangUp, to send what it was given before."""
RETRY: Final = 0.02
"""Seconds between attempts to send on a blocked link, if nothing wakes the loop before."""
PRIORITIES: Final[dict[Channel, int]] = {"control": CONTROL, "tracker": TRACKER, "data": DATA}

_ZERO_COPY: Final = 2**16
"""Bytes from which a payload is handed over instead of copied; below, the bookkeeping costs more."""
_MORE: Final = int(zmq.SNDMORE | zmq.DONTWAIT)
_LAST: Final = int(zmq.DONTWAIT)

ZmqSocket = zmq.Socket[bytes]


class Owner(Protocol):
    """The side of a link that has its socket."""

    def drop(self, link: Link) -> None:
        """End the connection of a link that the book has forgotten."""


class Link:
    """One connection to one proved peer id."""

    __slots__ = ("blocked", "channel", "id", "owner", "peer", "route", "sender", "socket", "waiting")

    def __init__(
        self, number: LinkId, owner: Owner, socket: ZmqSocket, channel: Channel, peer: PeerId, route: bytes = b""
    ) -> None:
        self.id = number
        self.owner = owner
        self.socket = socket
        self.channel: Channel = channel
        self.peer = peer
        self.route = route
        """Routing id on a ROUTER, empty on a DEALER."""
        self.sender = CLIENT if route else SERVER
        """What the other side is."""
        self.waiting: deque[tuple[list[bytes], memoryview | None]] = deque()
        self.blocked = False


class LinkBook:
    """See the module's head.

    Args:
        reactor: in whose thread everything happens.
        on_event: hears every event of every link.
        wire: gets a record of every message, while somebody watches.
    """

    def __init__(self, reactor: Reactor, on_event: Callable[[LinkEvent], object], wire: WireStream | None) -> None:
        self.reactor = reactor
        self.on_event = on_event
        self.links: dict[LinkId, Link] = {}
        self.unknown_messages = 0
        """Messages with a number that this version does not know."""
        self._wire = wire
        self._numbers = itertools.count(1)
        self._blocked: dict[LinkId, Link] = {}
        reactor.on_turn(self._retry)
        reactor.wake_for(lambda: reactor.now + RETRY if self._blocked else None)

    # --- coming and going -----------------------------------------------------------------------

    def next_id(self) -> LinkId:
        """A number that no link of this process had before."""
        return LinkId(next(self._numbers))

    def open(self, link: Link, address: str) -> None:
        """Report a new connection up; `address` is the other side's host."""
        self.links[link.id] = link
        self.note(link.channel, link.peer, f"up {address}")
        self.on_event(LinkUp(link.id, link.channel, link.peer, address, dialled=not link.route))

    def lose(self, link: Link, reason: str) -> None:
        """End a link, and report it lost unless we hung up before."""
        known = self.links.pop(link.id, None)
        self._end(link)
        if known is not None:
            self.note(link.channel, link.peer, f"lost {reason}")
            self.on_event(LinkLost(link.id, reason))

    def hang_up(self, link: Link) -> None:
        """End a link, without LinkLost; what it was given before has a second to leave."""
        del self.links[link.id]
        self.note(link.channel, link.peer, "hung up")
        if link.blocked:
            self.reactor.call_later(FAREWELL, lambda: self._end(link))
        else:
            self._end(link)

    def close(self) -> None:
        """Forget all links; their owners close the sockets."""
        for link in self._blocked.values():
            with contextlib.suppress(zmq.ZMQError):
                self._flush(link)
        self._blocked.clear()
        self.links.clear()

    def _end(self, link: Link) -> None:
        self._blocked.pop(link.id, None)
        link.waiting.clear()
        link.owner.drop(link)

    def note(self, channel: Channel, peer: PeerId, text: str) -> None:
        """Tell whoever watches the wire that a connection changed."""
        if self._wire is not None and self._wire.active:
            self._wire.connection(channel, peer, text)

    # --- receiving ------------------------------------------------------------------------------

    def receive(self, link: Link, frames: list[bytes | zmq.Frame]) -> None:
        """Decode what arrived on a link: header and body as bytes, then perhaps a payload."""
        if link.id not in self.links:
            return  # we hung up, and our last words are still on their way
        try:
            message = decode(frames, link.channel, link.sender)
        except RemoteProtocolError as error:
            self.note(link.channel, link.peer, f"misbehaved {error}")
            self.on_event(Misbehaved(link.id, str(error)))
            return
        if message is None:
            self.unknown_messages += 1
            return
        payload = frames[2].buffer if len(frames) > 2 and isinstance(frames[2], zmq.Frame) else None
        size = 0 if payload is None else payload.nbytes
        if self._wire is not None and self._wire.active:
            self._record("in", link, message, len(frames[0]) + len(frames[1]) + size)
        self.on_event(Received(link.id, message, payload, size))

    # --- proofs, on a connection that is no link yet ----------------------------------------------

    def read_proof(self, link: Link, frames: list[bytes | zmq.Frame]) -> Message:
        """Decode a message that came before its link is open.

        Raises:
            RemoteProtocolError: it is none of those that may come then.
        """
        message = decode(frames, "proof", link.sender)
        if message is None:
            raise RemoteProtocolError("a message of an unknown number before the proof")
        if self._wire is not None and self._wire.active:
            self._record("in", link, message, len(frames[0]) + len(frames[1]))
        return message

    def send_proof(self, link: Link, message: Message) -> bool:
        """Send a message before its link is open; False if the connection does not take it, and is to be ended."""
        frames = encode(message)
        if self._wire is not None and self._wire.active:
            self._record("out", link, message, sum(map(len, frames)))
        link.socket.get(zmq.EVENTS)  # takes the news that what was sent before has left
        try:
            return self._put(link, frames, None)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False

    # --- sending --------------------------------------------------------------------------------

    def send(self, link: Link, message: Message, payload: object) -> None:
        """Send a message, or keep it until the link takes it."""
        frames = encode(message)
        view = None if payload is None else memoryview(payload)  # type: ignore[arg-type]  # a buffer, by contract
        if self._wire is not None and self._wire.active:
            self._record("out", link, message, sum(map(len, frames)) + (view.nbytes if view is not None else 0))
        if link.blocked:
            link.waiting.append((frames, view))
            if len(link.waiting) > MAX_WAITING:
                self.lose(link, f"overflow: more than {MAX_WAITING} messages wait to be sent")
            return
        try:
            if self._put(link, frames, view):
                return
            # The refusal may be old news: sending looks at what the other side has read only once a millisecond.
            link.socket.get(zmq.EVENTS)
            if self._put(link, frames, view):
                return
        except zmq.ZMQError as error:
            self._unsendable(link, error)
            return
        link.waiting.append((frames, view))
        link.blocked = True
        self._blocked[link.id] = link
        self.on_event(LinkBlocked(link.id))

    def _flush(self, link: Link) -> bool:
        """Send what waits as far as it goes; True if nothing is left."""
        waiting = link.waiting
        while waiting:
            frames, view = waiting[0]
            if not self._put(link, frames, view):
                return False
            waiting.popleft()
        return True

    def _retry(self) -> None:
        if not self._blocked:
            return
        by_socket: dict[ZmqSocket, list[Link]] = {}
        for link in self._blocked.values():
            by_socket.setdefault(link.socket, []).append(link)
        for socket, links in by_socket.items():
            self._look(socket)  # takes the news about drained pipes
            for link in links:
                self._retry_one(link)
            self._look(socket)

    def _look(self, socket: ZmqSocket) -> None:
        """Take all news of a socket that no blocked link before it closed; what arrived must not lie unseen then."""
        if not socket.closed and int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
            self.reactor.touch(socket)

    def _retry_one(self, link: Link) -> None:
        if link.id not in self._blocked:
            return  # what the link before it led to ended this one
        try:
            writable = self._flush(link)
        except zmq.ZMQError as error:
            self._unsendable(link, error)
            return
        if not writable:
            return
        del self._blocked[link.id]
        link.blocked = False
        if link.id in self.links:
            self.on_event(LinkWritable(link.id))
        else:
            self._end(link)

    def _put(self, link: Link, frames: list[bytes], payload: memoryview | None) -> bool:
        """Give libzmq one message, whole or not at all; False if the connection takes none now."""
        send = link.socket.send
        try:
            # Only the first frame can be refused.
            if link.route:
                send(link.route, _MORE)
            send(frames[0], _MORE)
        except zmq.Again:
            return False
        if payload is None:
            send(frames[1], _LAST)
        else:
            send(frames[1], _MORE)
            send(payload, _LAST, copy=payload.nbytes < _ZERO_COPY)
        self.reactor.touch(link.socket)
        return True

    def _unsendable(self, link: Link, error: zmq.ZMQError) -> None:
        if error.errno != zmq.EHOSTUNREACH:
            raise error
        self.lose(link, "the connection is gone")

    def _record(self, direction: str, link: Link, message: Message, size: int) -> None:
        assert self._wire is not None
        stream, position = getattr(message, "stream", 0), getattr(message, "position", 0)
        self._wire.record(direction, link.channel, number_of(message), link.peer, size, stream, position)


def receive_frames(socket: ZmqSocket, first: zmq.Frame, *, keep_first: bool = False) -> list[bytes | zmq.Frame]:
    """The rest of a message whose first frame is here: header and body copied out, what follows left where it is.

    Of a message with too many frames only as many are kept as it takes to see that.

    Args:
        socket: where the first frame came from.
        first: the routing id on a ROUTER, the header on a DEALER.
        keep_first: the first frame belongs to the message (DEALER).
    """
    frames: list[bytes | zmq.Frame] = [first.bytes] if keep_first else []
    frame = first
    while frame.more:
        frame = socket.recv(_LAST, copy=False)
        if len(frames) < 2:
            frames.append(frame.bytes)
        elif len(frames) <= MAX_FRAMES:
            frames.append(frame)
    return frames
