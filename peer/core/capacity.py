"""How fast peers say they are, and the bound that follows for each download (optimum.py).

A peer tells its neighbours what it can send: its limit, or else the highest rate at which it sent
in the last minute; and its download limit.  A measured download rate is not told: it says how fast the
others sent.  What a peer says informs this meter and decides nothing, so a lie costs a wrong figure.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from bus.boundary import LinkId
from bus.messages import Capacity
from peer.core.download import Download
from peer.core.haves import Haves
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.optimum import Member, minimum_seconds
from peer.core.turn import Turn

REMEMBERED: Final = 60.0
"""Seconds for which a measured rate counts."""
TELL_EVERY: Final = 5.0
"""Seconds at least between two messages to a neighbour."""
NOT_TOLD: Final = (-TELL_EVERY, Capacity(0, 0))
CHANGE: Final = 0.1
"""Share by which a rate must change to be told again."""


class Capacities:
    """What we told the neighbours, and what they told us."""

    def __init__(self, turn: Turn, limits: RateLimits, neighbours: Neighbours, haves: Haves) -> None:
        self._turn = turn
        self._limits = limits
        self._neighbours = neighbours
        self._haves = haves
        self._measured: deque[tuple[float, int]] = deque()
        """(when, rate): falling rates, so that the first is the highest of the last minute."""
        self._told: dict[LinkId, tuple[float, Capacity]] = {}
        """When a neighbour was told what."""
        self._theirs: dict[LinkId, Capacity] = {}

    def ours(self) -> Capacity:
        """What we say of ourselves."""
        measured = self._measured[0][1] if self._measured else 0
        return Capacity(self._limits.own_rate("up") or measured, self._limits.own_rate("down"))

    def sample(self, rate: float) -> None:
        """The rate at which we send now; called about once a second."""
        now = self._turn.now
        while self._measured and self._measured[-1][1] <= rate:
            self._measured.pop()
        self._measured.append((now, int(rate)))
        while self._measured[0][0] < now - REMEMBERED:
            self._measured.popleft()
        ours = self.ours()
        for neighbour in self._neighbours.by_peer.values():
            self._tell(neighbour, ours)

    def tell(self, neighbour: Neighbour) -> None:
        """Tell a neighbour what we can, if that is news."""
        self._tell(neighbour, self.ours())

    def _tell(self, neighbour: Neighbour, ours: Capacity) -> None:
        at, told = self._told.get(neighbour.link, NOT_TOLD)
        if self._turn.now - at >= TELL_EVERY and (_differs(told.up, ours.up) or _differs(told.down, ours.down)):
            self._told[neighbour.link] = (self._turn.now, ours)
            self._turn.send(neighbour.link, ours)

    def received(self, neighbour: Neighbour, message: Capacity) -> None:
        self._theirs[neighbour.link] = message

    def link_lost(self, link: LinkId) -> None:
        self._told.pop(link, None)
        self._theirs.pop(link, None)

    def limit(self, download: Download) -> int:
        """Our own download limit that holds for a download, bytes a second; 0: none."""
        return self._limits.rate_of("down", download.record.id)

    def optimum(self, download: Download) -> float | None:
        """The bound for a download in seconds, from what is known now of those that are linked."""
        ours, seconds = self.ours(), download.seconds(self._turn.now)
        members = [Member(ours.up, self.limit(download), False)]
        for link in download.maps:
            if (neighbour := self._neighbours.by_link.get(link)) is not None:
                # Who finishes beside us had the same to fetch: it stays what it was when we met it.
                is_seed = self._haves.is_seed(link, download.record.id)
                is_seed = download.met_as_seed.setdefault(neighbour.peer, is_seed)
                theirs = self._theirs.get(link, Capacity(0, 0))
                # It can do at least what it did: what it measured a while ago may be less.
                seen = download.from_peer.get(neighbour.peer, 0) / seconds if seconds > 1 else 0.0
                members.append(Member(max(theirs.up, seen), theirs.down, is_seed))
        return minimum_seconds(download.size, members)


def _differs(told: int, now: int) -> bool:
    return abs(now - told) > CHANGE * told
