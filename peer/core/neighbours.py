"""The links to other peers: hello, pings, dialling with back-off, one link per pair.

A neighbour is a link that stands; it is ready once hello has passed both ways.  Two peers
that dialled each other keep one link: the lower id closes the link it dialled.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import inf
from typing import Any

from msgspec import Struct

from bus.boundary import Dial, DialFailed, LinkId, LinkUp, PeerId
from bus.events import LinkIsLost, LinkIsUp, LinkProgress
from bus.messages import Hello, Ping, Pong
from peer.core.pauses import doubled
from peer.core.rates import Meter
from peer.core.settings import NodeSettings
from peer.core.turn import Turn

DIAL_AGAIN_FIRST = 1.0
DIAL_AGAIN_LONGEST = 32.0
"""Seconds; doubled after each failure, with full jitter, as for trackers."""
LINKS_PER_PEER = 2
"""Links accepted of one peer: the one that stands, and one that takes its place after a loss we have not seen."""
HELLO_SECONDS = 10.0
"""A link that has not greeted by then is given up."""
YOUNG_SECONDS = 60.0
"""A link has so long to come to some use before it may have to make room."""
REMEMBERED = 10_000
"""Peers of which the traffic, or failed dials, are remembered after their links are gone."""
LOOKS = 4
"""Looks at all links in the time after which a silent one is pinged: one timer, not one for each link."""
MAX_ERRORS = 3
"""Protocol errors of one link before it is closed."""


class Neighbour:
    """One link to another peer, and what is known of it."""

    __slots__ = (
        "address",
        "blocked",
        "dialled",
        "errors",
        "heard",
        "link",
        "name",
        "peer",
        "pinged_at",
        "ready",
        "round_trip",
        "since",
    )

    def __init__(self, up: LinkUp, now: float) -> None:
        self.link = up.link
        self.peer = up.peer
        self.address = up.address
        self.dialled = up.dialled
        self.name = ""
        self.ready = False
        self.blocked = False
        self.errors = 0
        self.heard = now
        self.since = now
        self.pinged_at = -inf
        self.round_trip = 0.0
        """The shortest seen, seconds; 0 until one was measured."""

    def __repr__(self) -> str:
        way = "dialled" if self.dialled else "accepted"
        return f"<Neighbour {self.peer[:8]} {way} {'ready' if self.ready else 'greeting'}>"


class Traffic:
    """Payload bytes exchanged with one peer since the process started, over all its links."""

    __slots__ = ("down", "up")

    def __init__(self, now: float) -> None:
        self.up = Meter(now)
        self.down = Meter(now)


class _Attempts(Struct):
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""
    """Why the last one led nowhere."""


class Neighbours:
    """All links of this peer and the dials under way."""

    def __init__(
        self, settings: NodeSettings, turn: Turn, barred: Callable[[PeerId], bool] = lambda peer: False
    ) -> None:
        """`barred` tells with whom there is to be no link at all."""
        self._barred = barred
        self._settings = settings
        self._turn = turn
        self.by_link: dict[LinkId, Neighbour] = {}
        self.by_peer: dict[PeerId, Neighbour] = {}
        """The ready neighbour to use for each peer."""
        self.traffic: dict[PeerId, Traffic] = {}
        self.dialling: dict[PeerId, bool] = {}
        """Dials under way."""
        self._links_of: dict[PeerId, int] = {}
        self._dialled = 0
        """Of the links: those that we dialled; the others were accepted."""
        self._attempts: dict[PeerId, _Attempts] = {}

    def rate_from(self, peer: PeerId) -> float:
        """Bytes a second that a peer sends us now."""
        traffic = self.traffic.get(peer)
        return traffic.down.rate(self._turn.now) if traffic else 0.0

    # -- dialling --

    def connected(self, peer: PeerId) -> bool:
        """A link stands or is being made."""
        return peer in self.dialling or peer in self._links_of

    def dial(self, peer: PeerId, endpoints: tuple[str, ...]) -> bool:
        """Dial unless that makes no sense now; True if a dial went out."""
        if peer == self._settings.peer or not endpoints or self.connected(peer) or self._barred(peer):
            return False
        if self.may_dial_at(peer) > self._turn.now:
            return False
        if self._dialled + len(self.dialling) >= self._settings.links:
            return False
        self.dialling[peer] = True
        self._turn.add(Dial("data", peer, endpoints))
        return True

    def may_dial_at(self, peer: PeerId) -> float:
        attempts = self._attempts.get(peer)
        return attempts.not_before if attempts else 0.0

    def dial_failed(self, event: DialFailed) -> None:
        self.dialling.pop(event.peer, None)
        self._back_off(event.peer, event.reason)

    def forgive(self, peer: PeerId) -> None:
        """Whatever failed before: it may be dialled at once."""
        self._attempts.pop(peer, None)

    def why_unreached(self, peer: PeerId) -> str:
        """Why the last dial of a peer led nowhere; empty if none did since it was linked."""
        attempts = self._attempts.get(peer)
        return attempts.reason if attempts else ""

    def _back_off(self, peer: PeerId, reason: str) -> None:
        attempts = self._attempts[peer] = self._attempts.pop(peer, _Attempts())
        self._forget_oldest(self._attempts)
        pause = doubled(DIAL_AGAIN_FIRST, attempts.failures, DIAL_AGAIN_LONGEST)
        attempts.failures += 1
        attempts.reason = reason
        attempts.not_before = self._turn.now + pause * (0.5 + 0.5 * self._turn.rng.random())

    def _forget_oldest(self, remembered: dict[PeerId, Any]) -> None:
        """Keep a map of peers, the newest last, from growing for ever; those that are linked stay."""
        if len(remembered) > REMEMBERED:
            gone = next((peer for peer in remembered if peer not in self.by_peer), None)
            if gone is not None:
                del remembered[gone]

    # -- links --

    def up(self, event: LinkUp) -> None:
        """A link stands: greet, unless the peer is barred or there are too many."""
        if event.dialled:
            self.dialling.pop(event.peer, None)
        if self._barred(event.peer) or not (event.dialled or self._accepts(event.peer)):
            self._turn.hang_up(event.link)
            return
        self._dialled += event.dialled
        self.by_link[event.link] = Neighbour(event, self._turn.now)
        self._links_of[event.peer] = self._links_of.get(event.peer, 0) + 1
        self._turn.send(event.link, Hello(self._settings.software, self._settings.name))
        self._turn.timers.set_earlier(("ping",), self._turn.now + self._settings.idle_ping / LOOKS)

    def _accepts(self, peer: PeerId) -> bool:
        """Whether there is room for one more link that a peer dialled."""
        accepted_of_it = sum(not neighbour.dialled for neighbour in self.links_of(peer))
        accepted = len(self.by_link) - self._dialled
        return accepted_of_it < LINKS_PER_PEER and accepted < max(1, self._settings.links)

    def links_of(self, peer: PeerId) -> list[Neighbour]:
        """A peer's links, greeted or not; most of those asked about have none."""
        if peer not in self._links_of:
            return []
        return [neighbour for neighbour in self.by_link.values() if neighbour.peer == peer]

    def greeted(self, neighbour: Neighbour, hello: Hello) -> LinkId | None:
        """Hello arrived; returns the link that must go because another to the same peer stays."""
        first = not neighbour.ready
        neighbour.ready = True
        neighbour.name = hello.name
        self._attempts.pop(neighbour.peer, None)
        if not first:
            return None
        self.traffic[neighbour.peer] = self.traffic.pop(neighbour.peer, Traffic(self._turn.now))
        other = self.by_peer.get(neighbour.peer)
        self.by_peer[neighbour.peer] = neighbour
        if other is None:
            self._publish(LinkIsUp, neighbour)
            return None
        loser = other
        if other.dialled != neighbour.dialled:
            ours = neighbour if neighbour.dialled else other
            if self._settings.peer > neighbour.peer:
                return None  # The other side closes the link it dialled.
            loser = ours
        if loser is neighbour:
            self.by_peer[neighbour.peer] = other
        return loser.link

    def lost(self, link: LinkId, reason: str) -> Neighbour | None:
        """Forget a link; returns the neighbour it belonged to."""
        neighbour = self.by_link.pop(link, None)
        if neighbour is None:
            return None
        self._dialled -= neighbour.dialled
        self._links_of[neighbour.peer] -= 1
        if not self._links_of[neighbour.peer]:
            del self._links_of[neighbour.peer]
        if self.by_peer.get(neighbour.peer) is neighbour:
            del self.by_peer[neighbour.peer]
            spare = next((other for other in self.links_of(neighbour.peer) if other.ready), None)
            if spare is not None:
                self.by_peer[spare.peer] = spare
            else:
                self._publish(LinkIsLost, neighbour, reason)
                self.traffic[neighbour.peer] = self.traffic.pop(neighbour.peer)
                self._forget_oldest(self.traffic)
        if not neighbour.ready:
            self._back_off(neighbour.peer, reason)
        return neighbour

    def look(self) -> list[tuple[LinkId, str]]:
        """Ping who has said nothing for a while; returns the links that were silent for too long, and why they end."""
        now, idle = self._turn.now, self._settings.idle_ping
        silent: list[tuple[LinkId, str]] = []
        for link, neighbour in self.by_link.items():
            silence = now - neighbour.heard
            if not neighbour.ready and now - neighbour.since >= HELLO_SECONDS:
                silent.append((link, f"no hello within {HELLO_SECONDS:.0f} s"))
            elif silence >= self._settings.link_timeout:
                silent.append((link, f"heard nothing for {silence:.0f} s"))
            elif silence > idle * (1 - 1 / LOOKS) and now - neighbour.pinged_at >= idle:
                self._ping(neighbour)
        if self.by_link:
            self._turn.timers.set_earlier(("ping",), now + idle / LOOKS)
        return silent

    def crowding(self, idle: Callable[[LinkId], bool]) -> list[LinkId]:
        """Links to end so that a tenth of the places stay free for who has something to do: the oldest `idle` ones."""
        most = self._settings.links - max(1, self._settings.links // 10)
        ending: list[LinkId] = []
        for excess, dialled in ((self._dialled - most, True), (len(self.by_link) - self._dialled - most, False)):
            if excess > 0:
                grown = (
                    neighbour.link
                    for neighbour in self.by_link.values()
                    if neighbour.dialled == dialled and self._turn.now - neighbour.since >= YOUNG_SECONDS
                )
                ending += islice(filter(idle, grown), excess)
        return ending

    def measure(self, neighbour: Neighbour) -> None:
        """Find out how long the way there and back is, unless that is known."""
        if not neighbour.round_trip:
            self._ping(neighbour)

    def _ping(self, neighbour: Neighbour) -> None:
        neighbour.pinged_at = self._turn.now
        self._turn.send(neighbour.link, Ping(_nonce(self._turn.now)))

    def ponged(self, neighbour: Neighbour, pong: Pong) -> None:
        """A ping came back: it took a round trip and whatever it waited behind, so the shortest counts."""
        if neighbour.pinged_at >= 0 and pong.nonce == _nonce(neighbour.pinged_at):
            took = self._turn.now - neighbour.pinged_at
            neighbour.round_trip = min(neighbour.round_trip or took, took)

    def report_progress(self) -> None:
        """Publish the rates of every neighbour that moved bytes lately."""
        for peer, neighbour in self.by_peer.items():
            traffic = self.traffic[peer]
            if traffic.up.rate(self._turn.now) >= 1 or traffic.down.rate(self._turn.now) >= 1:
                self._publish(LinkProgress, neighbour)

    def _publish(
        self, kind: type[LinkIsUp | LinkIsLost | LinkProgress], neighbour: Neighbour, reason: str = ""
    ) -> None:
        traffic = self.traffic[neighbour.peer]
        now = self._turn.now
        connected = kind is not LinkIsLost
        self._turn.publish(
            kind(
                peer=neighbour.peer,
                name=neighbour.name,
                address=neighbour.address,
                connected=connected,
                up_rate=_readable(traffic.up.rate(now)) if connected else 0.0,
                down_rate=_readable(traffic.down.rate(now)) if connected else 0.0,
                sent=traffic.up.total,
                received=traffic.down.total,
                reason=reason,
            )
        )


def _nonce(now: float) -> int:
    """Microseconds: tells one ping from another."""
    return int(now * 1e6)


def _readable(rate: float) -> float:
    """Rates under a byte a second are noise of the meter."""
    return round(rate, 1) if rate >= 1 else 0.0
