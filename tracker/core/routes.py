"""Which of a peer's links speaks for it, when a key is used twice.

The lease belongs to the proved peer id; the link that may change it is its route.  When
another link of the same id wants to, the old one is asked for a sign of life.  If it answers,
somebody runs a copy of the key and the newcomer is refused; if not, the connection was dead
without our knowing, and the newcomer takes the route.  Until then its requests are held.

    none ──claim──▶ held by A ──claim by B──▶ A asked ──pong of A──▶ held by A, B refused
                                                 └──5 s, or A's link lost──▶ held by B
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from msgspec import Struct

from bus.boundary import LinkId, PeerId
from bus.messages import Announce, Leave, Register, Renew
from tracker.core.staging import Staging

LeaseMessage = Register | Announce | Renew | Leave

MAX_HELD: Final = 8
"""Requests of a newcomer that are kept while the older link is asked; a peer has one or two in flight."""


class Request(Struct, frozen=True):
    """A message that changes a lease; of a register, the last page and what was staged."""

    message: LeaseMessage
    staging: Staging | None = None


class Refused(Struct, frozen=True):
    """A newcomer that did not get the route, and the requests that it has to be told of."""

    link: LinkId
    requests: tuple[Request, ...]


class Granted(Struct, frozen=True):
    """A link has the route; these requests were held for it. `old` is the silent link it was taken from."""

    link: LinkId
    requests: tuple[Request, ...]
    old: LinkId | None = None


class Asked(Struct, frozen=True):
    """The request is held. Ping `old` with `nonce` if that is not 0, and tell `displaced` that it is out."""

    old: LinkId
    nonce: int
    displaced: Refused | None = None


class _Route:
    __slots__ = ("held", "link", "newcomer", "nonce")

    def __init__(self, link: LinkId) -> None:
        self.link = link
        self.newcomer: LinkId | None = None
        self.nonce = 0
        self.held: list[Request] = []

    def refuse_newcomer(self) -> Refused | None:
        if self.newcomer is None:
            return None
        refused = Refused(self.newcomer, tuple(self.held))
        self.newcomer, self.nonce, self.held = None, 0, []
        return refused


class Routes:
    """The route of every peer that has one."""

    __slots__ = ("_rng", "_routes")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._routes: dict[PeerId, _Route] = {}

    def claim(self, peer: PeerId, link: LinkId, request: Request) -> Granted | Asked | Refused:
        """A link wants to change the peer's lease."""
        route = self._routes.get(peer)
        if route is None:
            self._routes[peer] = _Route(link)
            return Granted(link, (request,))
        if route.link == link:
            return Granted(link, (request,))
        if route.newcomer == link:
            if len(route.held) >= MAX_HELD:
                return Refused(link, (request,))
            route.held.append(request)
            return Asked(route.link, 0)
        nonce = 0
        displaced = None
        if route.newcomer is None:
            nonce = route.nonce = self._rng.randrange(1, 2**63)
        else:
            # The newest wins the newcomer's place, but the question to the old link stays the one that was asked:
            # else a peer that dials again and again would never be let in.
            displaced = Refused(route.newcomer, tuple(route.held))
        route.newcomer, route.held = link, [request]
        return Asked(route.link, nonce, displaced)

    def answered(self, peer: PeerId, link: LinkId, nonce: int) -> Refused | None:
        """The old link gave a sign of life."""
        route = self._routes.get(peer)
        if route is None or route.link != link or route.nonce != nonce:
            return None
        return route.refuse_newcomer()

    def silent(self, peer: PeerId, nonce: int) -> Granted | None:
        """The time for the answer to this question is over."""
        route = self._routes.get(peer)
        if route is None or route.newcomer is None or route.nonce != nonce:
            return None
        return self._hand_over(peer, route.newcomer, route.held, route.link)

    def lost(self, peer: PeerId, link: LinkId) -> Granted | None:
        """A link of the peer is gone."""
        route = self._routes.get(peer)
        if route is None:
            return None
        if route.newcomer == link:
            route.refuse_newcomer()
        if route.link != link:
            return None
        if route.newcomer is not None:
            return self._hand_over(peer, route.newcomer, route.held, None)
        del self._routes[peer]
        return None

    def holds(self, peer: PeerId, link: LinkId) -> bool:
        route = self._routes.get(peer)
        return route is not None and route.link == link

    def _hand_over(self, peer: PeerId, link: LinkId, held: Sequence[Request], old: LinkId | None) -> Granted:
        self._routes[peer] = _Route(link)
        return Granted(link, tuple(held), old)

    def check_invariants(self, live: Sequence[LinkId]) -> None:
        """Raises AssertionError if a route or newcomer is no live link; for tests."""
        alive = dict.fromkeys(live)
        for route in self._routes.values():
            assert route.link in alive
            assert route.newcomer is None or route.newcomer in alive
            assert (route.newcomer is None) == (not route.held) == (route.nonce == 0)
            assert len(route.held) <= MAX_HELD
