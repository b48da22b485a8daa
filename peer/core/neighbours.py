"""The links to other peers: hello, pings, dialling with back-off, one link per pair.

A neighbour is a link that stands; it is ready once hello has passed both ways.  Two peers
that dialled each other keep one link: the lower id closes the link it dialled.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from bus.boundary import Dial, DialFailed, LinkId, LinkUp, PeerId
from bus.events import LinkIsLost, LinkIsUp, LinkProgress
from bus.messages import Hello, Ping, Pong
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
REMEMBERED = 10_000
"""Peers of which the traffic, or failed dials, are remembered after their links are gone."""
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
        self.pinged_at = -1.0
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


class Neighbours:
    """All links of this peer and the dials under way."""

    def __init__(self, settings: NodeSettings, turn: Turn) -> None:
        self._settings = settings
        self._turn = turn
        self.by_link: dict[LinkId, Neighbour] = {}
        self.by_peer: dict[PeerId, Neighbour] = {}
        """The ready neighbour to use for each peer."""
        self.traffic: dict[PeerId, Traffic] = {}
        self.dialling: dict[PeerId, bool] = {}
        """Dials under way."""
        self._links_of: dict[PeerId, int] = {}
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
        if peer == self._settings.peer or not endpoints or self.connected(peer):
            return False
        if self.may_dial_at(peer) > self._turn.now:
            return False
        dialled = sum(1 for neighbour in self.by_link.values() if neighbour.dialled)
        if dialled + len(self.dialling) >= self._settings.links:
            return False
        self.dialling[peer] = True
        self._turn.add(Dial("data", peer, endpoints))
        return True

    def may_dial_at(self, peer: PeerId) -> float:
        attempts = self._attempts.get(peer)
        return attempts.not_before if attempts else 0.0

    def dial_failed(self, event: DialFailed) -> None:
        self.dialling.pop(event.peer, None)
        self._back_off(event.peer)

    def _back_off(self, peer: PeerId) -> None:
        attempts = self._attempts[peer] = self._attempts.pop(peer, _Attempts())
        self._forget_oldest(self._attempts)
        pause = min(DIAL_AGAIN_FIRST * 2**attempts.failures, DIAL_AGAIN_LONGEST)
        attempts.failures += 1
        attempts.not_before = self._turn.now + pause * (0.5 + 0.5 * self._turn.rng.random())

    def _forget_oldest(self, remembered: dict[PeerId, Any]) -> None:
        """Keep a map of peers, the newest last, from growing for ever; those that are linked stay."""
        if len(remembered) > REMEMBERED:
            gone = next((peer for peer in remembered if peer not in self.by_peer), None)
            if gone is not None:
                del remembered[gone]

    # -- links --

    def up(self, event: LinkUp) -> None:
        """A link stands: greet, unless there are too many."""
        if event.dialled:
            self.dialling.pop(event.peer, None)
        else:
            accepted = [neighbour for neighbour in self.by_link.values() if not neighbour.dialled]
            of_peer = sum(1 for neighbour in accepted if neighbour.peer == event.peer)
            if of_peer >= LINKS_PER_PEER or len(accepted) >= max(1, self._settings.links):
                self._turn.hang_up(event.link)
                return
        self.by_link[event.link] = Neighbour(event, self._turn.now)
        self._links_of[event.peer] = self._links_of.get(event.peer, 0) + 1
        self._turn.send(event.link, Hello(self._settings.software, self._settings.name))
        self._turn.timers.set(("ping", event.link), self._turn.now + self._settings.idle_ping)

    def greeted(self, neighbour: Neighbour, hello: Hello) -> LinkId | None:
        """Hello arrived; returns the link that must go because another to the same peer stays."""
        first = not neighbour.ready
        neighbour.ready = True
        neighbour.name = hello.name
        self._attempts.pop(neighbour.peer, None)
        if not first:
            return None
        self.traffic[neighbour.peer] = self.traffic.pop(neighbour.peer, Traffic(self._turn.now))
        self._ping(neighbour)
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
        self._links_of[neighbour.peer] -= 1
        if not self._links_of[neighbour.peer]:
            del self._links_of[neighbour.peer]
        self._turn.timers.clear(("ping", link))
        if self.by_peer.get(neighbour.peer) is neighbour:
            del self.by_peer[neighbour.peer]
            spare = next((n for n in self.by_link.values() if n.peer == neighbour.peer and n.ready), None)
            if spare is not None:
                self.by_peer[spare.peer] = spare
            else:
                self._publish(LinkIsLost, neighbour, reason)
                self.traffic[neighbour.peer] = self.traffic.pop(neighbour.peer)
                self._forget_oldest(self.traffic)
        if not neighbour.ready:
            self._back_off(neighbour.peer)
        return neighbour

    def ping_due(self, link: LinkId) -> str | None:
        """Ping if nothing was heard; a reason to give the link up if it has been silent for too long."""
        neighbour = self.by_link.get(link)
        if neighbour is None:
            return None
        if not neighbour.ready and self._turn.now - neighbour.since >= HELLO_SECONDS:
            return f"no hello within {HELLO_SECONDS:.0f} s"
        silence = self._turn.now - neighbour.heard
        if silence >= self._settings.link_timeout:
            return f"heard nothing for {silence:.0f} s"
        self._turn.timers.set(("ping", link), self._turn.now + self._settings.idle_ping)
        if silence > 0.5 * self._settings.idle_ping or not neighbour.round_trip:
            self._ping(neighbour)
        return None

    def _ping(self, neighbour: Neighbour) -> None:
        neighbour.pinged_at = self._turn.now
        self._turn.send(neighbour.link, Ping(_nonce(self._turn.now)))

    def ponged(self, neighbour: Neighbour, pong: Pong) -> None:
        """A ping came back: it took a round trip and whatever it waited behind, so the shortest counts."""
        if pong.nonce == _nonce(neighbour.pinged_at):
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
