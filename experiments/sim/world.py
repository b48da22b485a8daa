"""The simulated world: virtual time, a network between the cores, and what may go wrong with it.

    world = World(latency=0.01)
    world.on_publish = lambda host, event: ...        # what the cores publish, at world.now
    host = Host(name, core, HostRates(up=2 * MIB), disk.perform)
    world.add(host, core.start_effects())
    world.at(3.0, world.pause, host)                  # failures are calls, made at their time
    world.run(until=600.0, done=lambda: ...)

How messages travel is experiments/sim/network.py.  Everything is decided by the order of the
agenda (experiments/sim/agenda.py), so the same calls give the same trace in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop
from itertools import count
from math import inf
from typing import Any, Final, Protocol

from msgspec import Struct

from bus.boundary import Dial, DialFailed, HangUp, LinkId, LinkLost, LinkUp, Publish, Send
from bus.events import Event
from experiments.sim.agenda import Agenda
from experiments.sim.network import Network, Pipe, Uplink
from experiments.sim.trace import Trace

DIAL_SECONDS: Final = 2.0
"""How long a dial takes to fail when the other side cannot be reached at all."""
LONGEST_TURN: Final = 1.0
"""What a core sees of a time in which its process did not run, as bus/driver.py has it."""


class Core(Protocol):
    """Any core; see bus/boundary.py."""

    def handle(self, event: Any, now: float) -> list[Any]: ...

    def next_deadline(self) -> float | None: ...

    def on_deadline(self, now: float) -> list[Any]: ...


class HostRates(Struct, frozen=True):
    """Bytes a second; 0 is no limit."""

    up: float = 0.0
    down: float = 0.0


class Host:
    """One core and its place in the network."""

    __slots__ = (
        "address", "armed", "core", "corrupt", "delay", "down_free", "lag", "links", "name", "number", "paused_at",
        "perform", "rates", "uplink", "waiting",
    )  # fmt: skip

    def __init__(
        self, name: str, core: Core, rates: HostRates, perform: Callable[[Host, Any], None], delay: float = 0.0
    ) -> None:
        """`delay`: seconds that every message from or to this host takes beyond the world's latency."""
        self.name = name
        self.core = core
        self.rates = rates
        self.perform = perform
        """Carries out the effects that are neither about links nor published."""
        self.delay = delay
        self.corrupt = False
        """Chunks that it sends have a flipped bit."""
        self.links: dict[LinkId, Pipe] = {}
        """What it sends on each of its links."""
        self.uplink = Uplink()
        self.down_free = 0.0
        """When its downlink is through with what has come so far."""
        self.armed = inf
        """When the earliest deadline call on the agenda is due, infinite if there is none."""
        self.lag = 0.0
        """How far its core's clock is behind the world's, because it was paused."""
        self.paused_at = -1.0
        self.waiting: list[Any] = []
        """Events that came while it was paused."""
        self.address = ""
        self.number = 0

    def __repr__(self) -> str:
        return f"<Host {self.name[-8:]} {len(self.links)} links{' paused' if self.paused_at >= 0 else ''}>"


class World:
    """Hosts, links, and the agenda."""

    def __init__(self, latency: float, *, trace: bool = True) -> None:
        """`latency` of every path, one way, seconds; without `trace` no effect is hashed, which is faster."""
        self.now = 0.0
        self.latency = latency
        self.hosts: dict[str, Host] = {}
        self.events = 0
        """Events of the agenda so far."""
        self.handled = 0
        """Calls of cores so far."""
        self.on_publish: Callable[[Host, Event], None] | None = None
        """Hears of every published event, at the virtual time `now`."""
        self._agenda = Agenda()
        self.at_time: Callable[[float, Callable[..., None], tuple[Any, ...]], None] = self._agenda.add
        """`at_time(when, call, args)` runs `call(*args)` at a time that is not over."""
        self._numbers = count()
        self._links = count(1)
        self._trace = Trace() if trace else None
        self._network = Network(self)

    @property
    def trace(self) -> str:
        """Hash of every effect so far, in order, with its time; empty if none is made."""
        return self._trace.digest() if self._trace else ""

    def add(self, host: Host, effects: list[Any]) -> None:
        """A host joins; `effects` are those of its core's start."""
        number = host.number = next(self._numbers)
        host.address = f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
        self.hosts[host.name] = host
        self.carry_out(host, effects)

    def at(self, delay: float, call: Callable[..., None], *args: Any) -> None:
        """Run `call(*args)` after `delay` seconds."""
        self.at_time(self.now + delay, call, args)

    def run(self, until: float, done: Callable[[], object]) -> bool:
        """Run until `done`, which is asked after every event, or the time is over; returns whether it was done."""
        agenda = self._agenda
        while not done():
            due = agenda.now_due
            if not due:
                if not agenda.next_slice():
                    return False
                due = agenda.now_due
            if due[0][0] > until:
                self.now = until
                return False
            self.now, _, call, args = heappop(due)
            self.events += 1
            call(*args)
        return True

    def feed(self, host: Host, event: Any) -> None:
        """Let a host's core handle an event now, or when it goes on after a pause."""
        if host.paused_at >= 0:
            host.waiting.append(event)
            return
        self.handled += 1
        core = host.core
        if effects := core.handle(event, self.now - host.lag):
            self.carry_out(host, effects)
        elif (deadline := core.next_deadline()) is not None and deadline + host.lag < host.armed:
            self._arm(host, deadline)

    def carry_out(self, host: Host, effects: list[Any]) -> None:
        """Do what a core decided."""
        if self._trace is not None:
            self._trace.note(self.now, host.number, effects)
        links, send = host.links, self._network.send
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                if pipe := links.get(effect.link):
                    send(host, pipe, effect)
            elif kind is Publish:
                if self.on_publish is not None:
                    self.on_publish(host, effect.event)
            elif kind is Dial:
                self._start_dial(host, effect)
            elif kind is HangUp:
                self._hang_up(host, effect.link)
            else:
                host.perform(host, effect)
        if (deadline := host.core.next_deadline()) is not None and deadline + host.lag < host.armed:
            self._arm(host, deadline)

    def _arm(self, host: Host, deadline: float) -> None:
        """See to it that a core is called at its next deadline, which nothing on the agenda does yet."""
        when = host.armed = deadline + host.lag
        self.at_time(max(self.now, when), self._deadline, (host, when, deadline))

    def _deadline(self, host: Host, when: float, deadline: float) -> None:
        if host.armed != when or self.hosts.get(host.name) is not host or host.paused_at >= 0:
            return
        host.armed = inf
        self.handled += 1
        # The lag, added and taken off, must not leave the core a hair before its deadline.
        self.carry_out(host, host.core.on_deadline(max(deadline, self.now - host.lag)))

    # -- links --

    def _start_dial(self, host: Host, dial: Dial) -> None:
        other = self.hosts.get(dial.peer)
        if other is None or not dial.endpoints:
            self.at(1.5 * self.latency, self._dial_failed, host, dial)
        elif self._network.parted(host, other) or other.paused_at >= 0:
            self.at(DIAL_SECONDS, self._dial_failed, host, dial)
        else:
            self.at(1.5 * self._network.latency(host, other), self._dial, host, dial)

    def _dial_failed(self, host: Host, dial: Dial) -> None:
        if self.hosts.get(host.name) is host:
            self.feed(host, DialFailed(dial.channel, dial.peer, "nobody is there"))

    def _dial(self, host: Host, dial: Dial) -> None:
        other = self.hosts.get(dial.peer)
        if other is None:
            self._dial_failed(host, dial)
        elif self.hosts.get(host.name) is host:
            mine, theirs = LinkId(next(self._links)), LinkId(next(self._links))
            there, back = Pipe(other, mine, theirs), Pipe(host, theirs, mine)
            host.links[mine], other.links[theirs] = there, back
            self.feed(other, LinkUp(theirs, dial.channel, host.name, host.address, False))
            self.feed(host, LinkUp(mine, dial.channel, other.name, other.address, True))

    def cut(self, link: LinkId) -> None:
        """End a link from the side that knows it by this number; the other side learns of it, this one does not."""
        for host in self.hosts.values():
            if link in host.links:
                self._hang_up(host, link)
                return

    def _hang_up(self, host: Host, link: LinkId) -> None:
        if pipe := host.links.pop(link, None):
            pipe.drop()
            self.at(self._network.latency(host, pipe.to), self._lost, host, pipe, "the other side closed it")

    def _lost(self, host: Host, pipe: Pipe, reason: str) -> None:
        """The other end of a link learns that this one is gone."""
        other = pipe.to
        if self._network.hold(host, other, self._lost, (host, pipe, reason)):
            return
        if (back := other.links.pop(pipe.far, None)) and self.hosts.get(other.name) is other:
            back.drop()
            self.feed(other, LinkLost(pipe.far, reason))

    # -- what may happen to hosts --

    def remove(self, host: Host) -> None:
        """A host vanishes, as by kill -9."""
        del self.hosts[host.name]
        for pipe in host.links.values():
            pipe.drop()
            self.at(self._network.latency(host, pipe.to), self._lost, host, pipe, "the other side vanished")
        host.links.clear()

    def pause(self, host: Host) -> None:
        """A host stops, as by SIGSTOP: nothing reaches its core until `resume`; what it has sent goes out."""
        if host.paused_at < 0:
            host.paused_at = self.now

    def resume(self, host: Host) -> None:
        """A paused host goes on: its core takes what came meanwhile, and its clock stood still."""
        if host.paused_at < 0:
            return
        host.lag += max(0.0, self.now - host.paused_at - LONGEST_TURN)
        host.paused_at, host.armed = -1.0, inf
        waiting, host.waiting = host.waiting, []
        for event in waiting:
            self.feed(host, event)
        self.carry_out(host, [])

    def corrupt(self, host: Host, *, on: bool = True) -> None:
        """Every chunk that a host sends from now on has a flipped bit; `on=False` ends that."""
        host.corrupt = on

    # -- what may happen to the network --

    def partition(self, one: Iterable[Host], other: Iterable[Host]) -> None:
        """Nothing passes between two groups of hosts until `heal`: what is sent waits, dials fail after 2 s.

        Links are lost when the cores have heard nothing for too long.  Several partitions add up.
        """
        self._network.part(one, other)

    def heal(self) -> None:
        """End all partitions: what waited arrives, in order."""
        self._network.heal()

    def delay(self, host: Host, seconds: float) -> None:
        """Every message from or to a host takes so much longer than the world's latency, from now on."""
        host.delay = seconds

    def cap(self, host: Host, up: float, down: float) -> None:
        """A host's rates from now on, bytes a second, 0 is no limit; a message that is going out keeps its rate."""
        host.rates = HostRates(up, down)
