"""Leases: what each peer has registered, for how long that is believed, and how many one address may hold.

A lease belongs to a proved peer id, not to a connection: it survives lost links and the
tracker's own restart, and ends when the peer leaves or is silent for too long.  To renew
only moves a number; the timer that finds the lease still good sets itself again.

    households[h] = number of leases seen at h, never over the limit unless h is exempt
"""

from __future__ import annotations

from bus.boundary import ContentId, PeerId
from bus.errors import ERR_LIMIT, ShoalError
from bus.messages import ContentEntry, SwarmPeer, Version
from tracker.core.addresses import ELSEWHERE, Place, Reach, listed_endpoints


class Lease:
    """One peer's registration."""

    __slots__ = ("_listed", "contents", "expires", "name", "peer", "reach", "seen", "version")

    def __init__(self, peer: PeerId, seen: Place, reach: Reach) -> None:
        self.peer = peer
        self.name = ""
        self.seen = seen
        self.reach = reach
        self.version = Version(0, 0)
        self.contents: dict[ContentId, ContentEntry] = {}
        self.expires = 0.0
        self._listed: dict[tuple[str, bool], tuple[SwarmPeer, SwarmPeer] | None] = {}

    def __repr__(self) -> str:
        return f"<Lease {self.peer[:8]} {self.seen.address} {len(self.contents)} contents until {self.expires:.1f}>"

    def move(self, seen: Place, reach: Reach) -> None:
        """Note where the peer is now."""
        self.seen = seen
        self.reach = reach
        self._listed = {}

    def listed_for(self, content: ContentId, asker: Place) -> SwarmPeer | None:
        """This member of a swarm as `asker` is told of it; None if it cannot dial it."""
        # What is listed depends on the asker's zone only, save under one router; so the few answers are kept.
        key = (asker.zone, asker.zone == ELSEWHERE and asker.address == self.seen.address)
        if key not in self._listed:
            endpoints = list(listed_endpoints(self.reach, self.seen, asker))
            pair = (SwarmPeer(self.peer, endpoints, complete=False), SwarmPeer(self.peer, endpoints, complete=True))
            self._listed[key] = pair if endpoints else None
        listed = self._listed[key]
        return listed[self.contents[content].complete] if listed is not None else None


class Leases:
    """All leases, and how many each address holds."""

    __slots__ = ("_households", "_limit", "_peers")

    def __init__(self, keys_per_address: int) -> None:
        self._peers: dict[PeerId, Lease] = {}
        self._households: dict[str, int] = {}
        self._limit = keys_per_address

    def __len__(self) -> int:
        return len(self._peers)

    def get(self, peer: PeerId) -> Lease | None:
        return self._peers.get(peer)

    def all(self) -> list[Lease]:
        return list(self._peers.values())

    def open(self, peer: PeerId, seen: Place, reach: Reach) -> Lease:
        """Make a lease, or move the one there is to where the peer is now.

        Raises:
            ShoalError: ERR_LIMIT when that address holds as many keys as one may.
        """
        lease = self._peers.get(peer)
        if lease is not None and lease.seen.household == seen.household:
            lease.move(seen, reach)
            return lease
        held = self._households.get(seen.household, 0)
        if held >= self._limit and not seen.exempt:
            raise ShoalError(
                ERR_LIMIT,
                f"{held} peers are registered from {seen.address}, and this tracker allows {self._limit}: "
                "stop one of them, or let the tracker's limits.exempt_networks name your network",
            )
        if lease is None:
            lease = self._peers[peer] = Lease(peer, seen, reach)
        else:
            self._leave_household(lease)
            lease.move(seen, reach)
        self._households[seen.household] = held + 1
        return lease

    def close(self, lease: Lease) -> None:
        """Forget a lease."""
        del self._peers[lease.peer]
        self._leave_household(lease)

    def _leave_household(self, lease: Lease) -> None:
        left = self._households[lease.seen.household] - 1
        if left:
            self._households[lease.seen.household] = left
        else:
            del self._households[lease.seen.household]

    def check_invariants(self) -> None:
        """Raises AssertionError if the counts disagree with the leases or break the limit; for tests."""
        counted: dict[str, int] = {}
        for lease in self._peers.values():
            counted[lease.seen.household] = counted.get(lease.seen.household, 0) + 1
            assert lease.seen.exempt or counted[lease.seen.household] <= self._limit, lease
        assert counted == self._households
