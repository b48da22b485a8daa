"""The tracker's links: who is on each, when it was last heard, and when to give it up.

Any message counts as life.  A link that we sent nothing on for `ping_after` is pinged, so
that the other side hears us too; one that was silent for `hang_up_after` is hung up, and its
lease stays.  One timer a link, which looks when it fires and sets itself again.
"""

from __future__ import annotations

from collections.abc import Callable

from bus.boundary import LinkId, PeerId
from tracker.core.addresses import Place
from tracker.core.interface import Limits
from tracker.core.staging import Staging
from tracker.core.timers import Timers
from tracker.core.watches import Pace


class Link:
    """One connection to one proved peer id."""

    __slots__ = ("blocked", "heard", "id", "offences", "pace", "peer", "place", "sent", "staging", "watched")

    def __init__(self, link: LinkId, peer: PeerId, place: Place, pace: Pace, now: float) -> None:
        self.id = link
        self.peer = peer
        self.place = place
        self.pace = pace
        self.heard = now
        self.sent = now
        self.blocked = False
        self.offences = 0
        self.staging: Staging | None = None
        self.watched: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<Link {self.id} {self.peer[:8]} {self.place.address} heard {self.heard:.1f} sent {self.sent:.1f}>"


class Links:
    """All links and their liveness; pings and hangs up through the functions it is given."""

    __slots__ = ("_by_id", "_limits", "_on_idle", "_on_silent", "_timers")

    def __init__(
        self,
        limits: Limits,
        timers: Timers,
        on_idle: Callable[[Link], None],
        on_silent: Callable[[Link, float], None],
    ) -> None:
        self._limits = limits
        self._timers = timers
        self._on_idle = on_idle
        self._on_silent = on_silent
        self._by_id: dict[LinkId, Link] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, link: LinkId) -> Link | None:
        return self._by_id.get(link)

    def ids(self) -> list[LinkId]:
        return list(self._by_id)

    def add(self, link: LinkId, peer: PeerId, place: Place, now: float) -> None:
        one = self._by_id[link] = Link(link, peer, place, Pace(self._limits), now)
        self._timers.at(now + self._limits.ping_after, self._look, one)

    def remove(self, link: Link) -> None:
        del self._by_id[link.id]

    def _look(self, link: Link, now: float) -> None:
        if self._by_id.get(link.id) is not link:
            return
        limits = self._limits
        # The same sums as in the timer below: what fires at a time must find that time to have come.
        if now >= link.heard + limits.hang_up_after:
            self._on_silent(link, now)
            return
        if now >= link.sent + limits.ping_after:
            if not link.blocked:
                self._on_idle(link)
            link.sent = now
        self._timers.at(min(link.heard + limits.hang_up_after, link.sent + limits.ping_after), self._look, link)
