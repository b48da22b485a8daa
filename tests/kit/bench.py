"""Two or more programs' links in one process: one reactor, real sockets, a ZAP loop, and what each end heard."""

from __future__ import annotations

import select
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import zmq

from bus.auth import ZapLoop
from bus.boundary import Dial, LinkEvent, LinkId, LinkUp, Received, Send
from bus.guard import Room
from bus.identity import Identity, z85_of
from bus.link import Links
from bus.messages import Channel, Hello, Message, TrackerPing
from bus.reactor import Reactor
from bus.sockets import make_context
from bus.tap import WireStream

E = TypeVar("E")

LOOPBACK = Room(exempt=("127.0.0.0/8", "::1/128"))
PATIENCE = 20.0
"""Seconds until something that never comes is given up; much, because other tests run beside."""


class End:
    """One program's links, and every event of theirs in order."""

    def __init__(
        self, bench: Bench, seed: int, hwm: int = 256, wire: WireStream | None = None, *,
        encryption: bool = True, room: Room = LOOPBACK,
    ) -> None:  # fmt: skip
        self.identity = Identity(seed.to_bytes(32, "big"))
        self.events: list[LinkEvent] = []
        self.on_event: Callable[[LinkEvent], object] = self.events.append
        self.links = Links(
            bench.reactor,
            bench.context,
            self.identity,
            self._hear,
            hwm=hwm,
            wire=wire,
            encryption=encryption,
            room=room,
        )
        bench.ends.append(self)

    def _hear(self, event: LinkEvent) -> None:
        self.on_event(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def messages(self) -> list[Message]:
        """The messages received so far."""
        return [event.message for event in self.of(Received)]

    def has_news(self) -> bool:
        """Whether libzmq has told a bound socket of this end something that it has not yet looked at."""
        descriptors = [int(listener._socket.get(zmq.FD)) for listener in self.links._listeners]
        return bool(select.select(descriptors, [], [], 0)[0])

    def send(self, link: LinkId, message: Message, payload: object = None) -> None:
        self.links.perform(Send(link, message, payload))


class Bench:
    """See the module's head.

    Args:
        allowed: asks whether (domain, peer id, address) may connect; by default everybody may.
    """

    def __init__(self, allowed: Callable[[str, str, str], bool] = lambda _domain, _peer, _address: True) -> None:
        self.context = make_context()
        self.reactor = Reactor()
        self.zap = ZapLoop(self.context, allowed)
        self.ends: list[End] = []
        self._wanted: Callable[[], object] | None = None
        self._failure = ""
        self.reactor.on_turn(self._look)

    def __enter__(self) -> Bench:
        self.zap.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self.ends:
            end.links.close(0)
        self.zap.stop()
        self.context.destroy(0)
        self.reactor.close()

    def until(self, predicate: Callable[[], object], within: float = PATIENCE) -> None:
        """Turn the loop until something is true; AssertionError if it is not within so many seconds."""
        self._wanted, self._failure = predicate, ""
        timer = self.reactor.call_later(within, self._fail)
        self.reactor.run()
        timer.cancel()
        heard = [[type(event).__name__ for event in end.events[-20:]] for end in self.ends]
        assert not self._failure, f"not true within {within:g} s; the ends heard last: {heard}"

    def turn_for(self, seconds: float) -> None:
        """Turn the loop for a while, to see that something does not happen."""
        over: list[bool] = []
        self.reactor.call_later(seconds, lambda: over.append(True))
        self.until(lambda: over, within=seconds + 5)

    def link(self, server: End, client: End, channel: Channel = "data", endpoint: str = "") -> tuple[LinkId, LinkId]:
        """Connect two ends and let both say something: (the link at the server, the link at the client)."""
        endpoint = endpoint or server.links.listen(channel, "tcp://127.0.0.1:0")
        before = len(server.of(LinkUp)), len(client.of(LinkUp))
        client.links.perform(Dial(channel, server.identity.peer_id, (endpoint,)))
        self.until(lambda: len(client.of(LinkUp)) > before[1])
        here = client.of(LinkUp)[-1].link
        client.send(here, Hello("test", "client") if channel == "data" else TrackerPing(0))
        self.until(lambda: len(server.of(LinkUp)) > before[0])
        there = server.of(LinkUp)[-1].link
        self.until(lambda: any(event.link == there for event in server.of(Received)))
        return there, here

    def _look(self) -> None:
        if self._wanted is not None and (self._failure or self._wanted()):
            self._wanted = None
            self.reactor.stop()

    def _fail(self) -> None:
        self._failure = "late"


class Stranger:
    """A client that is not ours: any socket type, keys and routing id, and any frames."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        *,
        kind: int = zmq.DEALER,
        server: str = "",
        identity: Identity | None = None,
        routing_id: bytes = b"",
        later: bool = False,
    ) -> None:
        """Connects at once, unless it is to be done `later`."""
        self.socket = context.socket(kind)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RECONNECT_IVL, -1)
        self.socket.set(zmq.RCVHWM, 1)  # who does not read is full soon
        if routing_id:
            self.socket.set(zmq.ROUTING_ID, routing_id)
        if identity is not None:
            self.socket.set(zmq.CURVE_SERVERKEY, z85_of(server))
            self.socket.set(zmq.CURVE_PUBLICKEY, identity.curve_public)
            self.socket.set(zmq.CURVE_SECRETKEY, identity.curve_secret)
        self._endpoint = endpoint
        if not later:
            self.connect()

    def connect(self) -> None:
        self.socket.connect(self._endpoint)

    def say(self, *frames: bytes) -> None:
        """Send, or queue until the handshake is done."""
        self.socket.send_multipart(frames, zmq.DONTWAIT)

    def hear(self) -> list[bytes] | None:
        """The next message, or None if there is none."""
        try:
            return self.socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None

    def close(self, linger: int = 0) -> None:
        self.socket.close(linger)


class Impostor:
    """A server in clear text that is not ours: it answers what a test tells it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"

    def answer(self, *frames: bytes) -> bool:
        """Answer the next message there is with these frames; False if there is none."""
        try:
            route = self.socket.recv_multipart(zmq.DONTWAIT)[0]
        except zmq.Again:
            return False
        self.socket.send_multipart([route, *frames])
        return True

    def close(self) -> None:
        self.socket.close()
