"""The simulated world: virtual time, and a network between the cores.

Bandwidth: every host has an uplink and a downlink.  A message takes its size over the uplink
rate in the sender's queue, the latency of the path, then its size over the downlink rate in
the receiver's queue (store and forward; streams share by taking turns at the sender, as the
core makes them).  A link whose unsent bytes exceed `LINK_BUFFER` blocks, as a socket's does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Protocol

from msgspec import Struct

from bus.boundary import (
    Dial,
    DialFailed,
    HangUp,
    LinkBlocked,
    LinkId,
    LinkLost,
    LinkUp,
    LinkWritable,
    Received,
    Send,
)
from bus.messages import Data

LINK_BUFFER: Final = 2 * 2**20
"""Bytes a link takes before it blocks: about what kernel and socket buffers hold."""
MESSAGE_BYTES: Final = 100
"""Bytes of a message without its payload, encryption included."""


class Core(Protocol):
    """Any core; see bus/boundary.py."""

    def handle(self, event: Any, now: float) -> list[Any]: ...

    def next_deadline(self) -> float | None: ...

    def on_deadline(self, now: float) -> list[Any]: ...


class HostRates(Struct, frozen=True):
    """Bytes a second; 0 is no limit."""

    up: float = 0.0
    down: float = 0.0


class _Pipe(Struct):
    """One direction of a link."""

    to_host: str
    to_link: LinkId
    twin: LinkId
    queued: int = 0
    blocked: bool = False


class Host:
    """One core and its place in the network."""

    def __init__(self, name: str, core: Core, rates: HostRates, perform: Callable[[Host, Any], None]) -> None:
        self.name = name
        self.core = core
        self.rates = rates
        self.perform = perform
        """Carries out the effects that are not about links."""
        self.up_free = 0.0
        self.down_free = 0.0
        self.armed = 0.0
        """Earliest deadline call in the heap, 0 if none."""
        self.address = ""


class World:
    """Hosts, links, and the event heap."""

    def __init__(self, latency: float) -> None:
        """`latency` of every path, one way, seconds."""
        self.now = 0.0
        self.latency = latency
        self.hosts: dict[str, Host] = {}
        self.events = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._links = count(1)
        self._pipes: dict[LinkId, _Pipe] = {}
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """Hash of every effect so far, in order, with its time."""
        return self._trace.hexdigest()

    def add(self, host: Host, effects: list[Any]) -> None:
        """A host joins; `effects` are those of its core's start."""
        number = len(self.hosts)
        host.address = f"10.0.{number // 250}.{number % 250 + 1}"
        self.hosts[host.name] = host
        self._carry_out(host, effects)

    def at(self, delay: float, call: Callable[[], None]) -> None:
        """Run `call` after `delay` seconds."""
        heappush(self._heap, (self.now + delay, next(self._order), call))

    def run(self, until: float, done: Callable[[], bool]) -> bool:
        """Run until `done` or the time is over; returns whether it was done."""
        while self._heap and not done():
            if self._heap[0][0] > until:
                self.now = until
                return False
            self.now, _, call = heappop(self._heap)
            self.events += 1
            call()
        return done()

    def feed(self, host: Host, event: Any) -> None:
        """Let a host's core handle an event now."""
        self._carry_out(host, host.core.handle(event, self.now))

    # -- effects --

    def _carry_out(self, host: Host, effects: list[Any]) -> None:
        for effect in effects:
            self._note(host, effect)
            match effect:
                case Send():
                    self._send(host, effect)
                case Dial():
                    self.at(1.5 * self.latency, lambda effect=effect: self._dial(host, effect))  # type: ignore[misc]
                case HangUp():
                    self.cut(effect.link)
                case _:
                    host.perform(host, effect)
        self._arm(host)

    def _note(self, host: Host, effect: Any) -> None:
        text = repr(effect.message) if isinstance(effect, Send) else repr(effect)
        self._trace.update(f"{self.now:.9f} {host.name} {text}\n".encode())

    def _arm(self, host: Host) -> None:
        deadline = host.core.next_deadline()
        if deadline is not None and (not host.armed or deadline < host.armed):
            host.armed = deadline
            self.at(max(0.0, deadline - self.now), lambda: self._deadline(host, deadline))

    def _deadline(self, host: Host, armed: float) -> None:
        if host.armed == armed and self.hosts.get(host.name) is host:
            host.armed = 0.0
            self._carry_out(host, host.core.on_deadline(self.now))

    # -- links --

    def _dial(self, host: Host, dial: Dial) -> None:
        other = self.hosts.get(dial.peer)
        if other is None or not dial.endpoints:
            self.feed(host, DialFailed(dial.channel, dial.peer, "nobody is there"))
            return
        mine, theirs = LinkId(next(self._links)), LinkId(next(self._links))
        self._pipes[mine] = _Pipe(other.name, theirs, theirs)
        self._pipes[theirs] = _Pipe(host.name, mine, mine)
        self.feed(other, LinkUp(theirs, dial.channel, host.name, host.address, False))
        self.feed(host, LinkUp(mine, dial.channel, other.name, other.address, True))

    def cut(self, link: LinkId) -> None:
        """End a link; the other side learns of it."""
        pipe = self._pipes.pop(link, None)
        if pipe is not None:
            self.at(self.latency, lambda: self._lost(pipe))

    def _lost(self, pipe: _Pipe) -> None:
        if self._pipes.pop(pipe.to_link, None) and (host := self.hosts.get(pipe.to_host)):
            self.feed(host, LinkLost(pipe.to_link, "the other side closed it"))

    def remove(self, host: Host) -> None:
        """A host vanishes, as by kill -9."""
        del self.hosts[host.name]
        for link, pipe in list(self._pipes.items()):
            if self._pipes.get(pipe.twin) and self._pipes[pipe.twin].to_host == host.name:
                self.at(self.latency, lambda pipe=pipe: self._lost(pipe))  # type: ignore[misc]
            if pipe.to_host == host.name:
                self.at(self.latency, lambda link=link: self._lost_here(link))  # type: ignore[misc]

    def _lost_here(self, link: LinkId) -> None:
        pipe = self._pipes.pop(link, None)
        twin = self._pipes.pop(pipe.twin, None) if pipe else None
        if twin is not None and (host := self.hosts.get(twin.to_host)):
            self.feed(host, LinkLost(link, "the other side vanished"))

    def _send(self, host: Host, send: Send) -> None:
        pipe = self._pipes.get(send.link)
        if pipe is None:
            return
        size = MESSAGE_BYTES
        if isinstance(send.message, Data):
            size += sum(length for _, _, length in send.message.parts)
        start = max(self.now, host.up_free)
        host.up_free = start + (size / host.rates.up if host.rates.up else 0.0)
        pipe.queued += size
        if pipe.queued > LINK_BUFFER and not pipe.blocked:
            pipe.blocked = True
            self.at(0.0, lambda: self.feed(host, LinkBlocked(send.link)))
        self.at(host.up_free - self.now, lambda: self._sent(host, send, pipe, size))

    def _sent(self, host: Host, send: Send, pipe: _Pipe, size: int) -> None:
        pipe.queued -= size
        if pipe.blocked and pipe.queued <= LINK_BUFFER // 2:
            pipe.blocked = False
            if send.link in self._pipes:
                self.feed(host, LinkWritable(send.link))
        self.at(self.latency, lambda: self._arrive(send, pipe, size))

    def _arrive(self, send: Send, pipe: _Pipe, size: int) -> None:
        host = self.hosts.get(pipe.to_host)
        if host is None:
            return
        start = max(self.now, host.down_free)
        host.down_free = start + (size / host.rates.down if host.rates.down else 0.0)
        self.at(host.down_free - self.now, lambda: self._deliver(host, send, pipe, size))

    def _deliver(self, host: Host, send: Send, pipe: _Pipe, size: int) -> None:
        if pipe.to_link in self._pipes and self.hosts.get(host.name) is host:
            payload_size = size - MESSAGE_BYTES
            self.feed(host, Received(pipe.to_link, send.message, send.payload, payload_size))
