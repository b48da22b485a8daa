"""Watching: the stream of message headers a process makes, and the ways to follow a stream.

A wire record is a header only, never a payload: what was sent or received, when, by whom and
how long.  Nothing is made while nobody subscribes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

import msgpack
import msgspec
import zmq

from bus.codec import decode_envelope
from bus.errors import ERR_PROTOCOL, RemoteProtocolError, ShoalError
from bus.events import Envelope
from bus.messages import BY_NUMBER
from bus.reactor import BATCH, CONTROL, Reactor
from bus.sockets import bind, make_socket

ZmqSocket = zmq.Socket[bytes]

WIRE_TOPIC: Final = "wire"


class WireRecord(msgspec.Struct, frozen=True):
    """One message sent or received, or one change of a connection."""

    time: float
    """Wall clock, seconds since 1970."""
    direction: str
    """in, out, or event for a change of a connection."""
    channel: str
    number: int
    """0 for a change of a connection."""
    message: str
    """Name of the message type."""
    peer: str
    bytes: int
    """All frames, routing id and ZeroMQ's own framing left out."""
    stream: int
    position: int
    note: str
    """What happened to the connection, else empty."""


class WireStream:
    """Publishes wire records; free of cost while nobody listens.

    Args:
        reactor: in whose thread everything happens.
        context: of this process.
        endpoint: ipc, in the data directory.
    """

    def __init__(self, reactor: Reactor, context: zmq.Context[ZmqSocket], endpoint: str) -> None:
        self._reactor = reactor
        self._socket = make_socket(context, "publisher")
        self._subscriptions = Subscriptions(self._socket)
        self.active = False
        """True while somebody subscribes: ask before making a record."""
        bind(self._socket, endpoint)
        reactor.add(self._socket, self._drain, CONTROL)

    def record(
        self, direction: str, channel: str, number: int, peer: str, size: int, stream: int = 0, position: int = 0
    ) -> None:
        """Publish one message's header; `direction` is in or out."""
        name = BY_NUMBER[number].type.__name__
        self._publish(WireRecord(time.time(), direction, channel, number, name, peer, size, stream, position, ""))

    def connection(self, channel: str, peer: str, note: str) -> None:
        """Publish a change of a connection."""
        self._publish(WireRecord(time.time(), "event", channel, 0, "", peer, 0, 0, 0, note))

    def close(self) -> None:
        self._reactor.remove(self._socket)
        self._socket.close()

    def _publish(self, record: WireRecord) -> None:
        if self.active:
            self._socket.send_multipart([WIRE_TOPIC.encode(), msgspec.msgpack.encode(record)])
            self._reactor.touch(self._socket)

    def _drain(self) -> bool:
        self._subscriptions.drain()
        self.active = self._subscriptions.any
        return False


class Subscriptions:
    """Who subscribes to an XPUB, as far as it tells: each topic once, however many want it."""

    def __init__(self, socket: ZmqSocket) -> None:
        self._socket = socket
        self._topics: set[bytes] = set()

    @property
    def any(self) -> bool:
        return bool(self._topics)

    def drain(self) -> bool:
        """Read all news; True if somebody subscribed since."""
        came = False
        while True:
            try:
                news = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return came
            if news[:1] == b"\x01":
                self._topics.add(news[1:])
                came = True
            elif news[:1] == b"\x00":
                self._topics.discard(news[1:])


def subscriber(context: zmq.Context[ZmqSocket], endpoint: str, topics: Iterable[str]) -> ZmqSocket:
    """A SUB on some topics (by their first letters; empty means all), connected or trying to."""
    socket = make_socket(context, "subscriber")
    for topic in topics:
        socket.set(zmq.SUBSCRIBE, topic.encode())
    socket.connect(endpoint)
    return socket


class Gaps:
    """What never arrived of whole streams, as their numbers tell."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def before(self, envelope: Envelope) -> int:
        """Events of its stream that are missing between this one and the one before."""
        stream = envelope.type.split(".", 1)[0]
        missed = self.up_to(stream, envelope.epoch, envelope.seq - 1)
        self._last[stream] = (envelope.epoch, envelope.seq)
        return missed

    def up_to(self, stream: str, epoch: int, seq: int) -> int:
        """Events that are missing up to a number; they count as known from now on.  Of a new epoch none is."""
        known_epoch, known = self._last.get(stream, (epoch, seq))
        if epoch != known_epoch:
            known = seq
        self._last[stream] = (epoch, max(seq, known))
        return max(0, seq - known)


class EventTap:
    """A blocking subscriber, for the command line and tests.

    Args:
        context: of this process.
        endpoint: of an event stream, or of a wire stream.
        topics: beginnings of topics; empty means all.
    """

    def __init__(self, context: zmq.Context[ZmqSocket], endpoint: str, topics: Iterable[str] = ("",)) -> None:
        self._socket = subscriber(context, endpoint, topics)
        self._gaps = Gaps()
        self.gaps = 0
        """Events that were published and did not arrive, as far as the numbers tell; for whole streams only."""
        self.malformed = 0

    def poll(self, timeout: float) -> list[Envelope]:
        """The events that have arrived; waits up to `timeout` seconds for the first."""
        envelopes = []
        for frames in self._receive(timeout):
            try:
                envelope = decode_envelope(frames)
            except RemoteProtocolError:
                self.malformed += 1
                continue
            self.gaps += self._gaps.before(envelope)
            envelopes.append(envelope)
        return envelopes

    def poll_wire(self, timeout: float) -> list[WireRecord]:
        """The wire records that have arrived; waits up to `timeout` seconds for the first."""
        return [wire_record(frames) for frames in self._receive(timeout)]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> EventTap:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _receive(self, timeout: float) -> list[list[bytes]]:
        arrived: list[list[bytes]] = []
        if self._socket.poll(max(0, round(timeout * 1000))):
            while len(arrived) < 1000:
                try:
                    arrived.append(self._socket.recv_multipart(zmq.DONTWAIT))
                except zmq.Again:
                    break
        return arrived


def wire_record(frames: list[bytes]) -> WireRecord:
    """The record in the frames of a wire stream.

    Raises:
        ShoalError: ERR_PROTOCOL, the frames are of something else.
    """
    try:
        return msgspec.convert(msgpack.unpackb(frames[1], raw=False, max_ext_len=0), WireRecord)
    except (ValueError, IndexError, TypeError) as error:
        raise ShoalError(ERR_PROTOCOL, f"this is no record of a wire stream: {error}") from None


class Subscription:
    """A subscriber in a reactor: reconnects by itself, and reports every well-formed event.

    Args:
        reactor: in whose thread `on_envelope` is called.
        context: of this process.
        endpoint: of an event stream.
        on_envelope: hears every event.
        topics: beginnings of topics; empty means all.
    """

    def __init__(
        self,
        reactor: Reactor,
        context: zmq.Context[ZmqSocket],
        endpoint: str,
        on_envelope: Callable[[Envelope], object],
        topics: Iterable[str] = ("",),
    ) -> None:
        self._reactor = reactor
        self._socket = subscriber(context, endpoint, topics)
        self._on_envelope = on_envelope
        self.malformed = 0
        reactor.add(self._socket, self._drain, CONTROL)

    def close(self) -> None:
        self._reactor.remove(self._socket)
        self._socket.close()

    def _drain(self) -> bool:
        for _ in range(BATCH):
            if self._socket.closed:
                return False
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return False
            try:
                envelope = decode_envelope(frames)
            except RemoteProtocolError:
                self.malformed += 1
                continue
            self._on_envelope(envelope)
        return True
