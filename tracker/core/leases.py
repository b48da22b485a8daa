"""Leases: what each peer has registered, for how long that is believed, and how many one address may hold.

A lease belongs to a proved peer id, not to a connection: it survives lost links and the
tracker's own restart, and ends when the peer leaves or is silent for too long.  To renew
only moves a number; the timer that finds the lease still good sets itself again.

    households[h] = number of leases seen at h, never over the limit unless h is exempt
"""

from __future__ import annotations

from typing import Final

from bus.boundary import ContentId, PeerId
from bus.errors import ERR_LIMIT, ShoalError
from bus.messages import ContentEntry, SwarmPeer, Version
from tracker.core.addresses import ELSEWHERE, Place, Reach, listed_endpoints

PEER_BYTES: Final = 112
"""Of a SwarmPeer in a message, around its endpoints: field names and the id."""


def size_of(peer: SwarmPeer) -> int:
    """Bytes in a message, at most."""
    return PEER_BYTES + sum(len(endpoint) + 3 for endpoint in peer.endpoints)


class Lease:
    """One peer's registration."""

    __slots__ = ("as_leecher", "as_seed", "contents", "expires", "name", "peer", "reach", "seen", "size", "version")

    def __init__(self, peer: PeerId, seen: Place, reach: Reach) -> None:
        self.peer = peer
        self.name = ""
        self.version = Version(0, 0)
        self.contents: dict[ContentId, ContentEntry] = {}
        self.expires = 0.0
        self.move(seen, reach)

    def __repr__(self) -> str:
        return f"<Lease {self.peer[:8]} {self.seen.address} {len(self.contents)} contents until {self.expires:.1f}>"

    def move(self, seen: Place, reach: Reach) -> None:
        """Note where the peer is now."""
        self.seen = seen
        self.reach = reach
        # What is listed depends on the asker's zone only, save behind one router; so the few answers are kept, by zone
        # or by that router's address.  Two dicts, since most of what a query costs is memory that no cache holds.
        self.as_seed: dict[str, SwarmPeer | None] = {}
        self.as_leecher: dict[str, SwarmPeer | None] = {}
        self.size = PEER_BYTES
        """Bytes in a message, at most, of any of them."""

    def listed_for(self, asker: Place, seed: bool) -> SwarmPeer | None:
        """This peer as `asker` is told of it, or None if it cannot dial it."""
        if asker.zone not in self.as_seed:
            self._list(asker.zone, asker)
            if asker.zone == self.seen.zone == ELSEWHERE:
                self._list(self.seen.address, self.seen)
        listed = self.as_seed if seed else self.as_leecher
        return listed.get(asker.address) or listed[asker.zone]

    def _list(self, key: str, asker: Place) -> None:
        endpoints = list(listed_endpoints(self.reach, self.seen, asker))
        for seed, listed in ((True, self.as_seed), (False, self.as_leecher)):
            peer = SwarmPeer(self.peer, endpoints, seed, self.reach.encrypted)
            listed[key] = peer if endpoints else None
            self.size = max(self.size, size_of(peer))


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
