"""Which members of a swarm an asker is told of: a random sample that fits the answer.

Random, so that no peer is everybody's first choice; bounded, so that an answer costs the
tracker the same whatever the swarm's size and no small question has a large answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from bus.boundary import ContentId, PeerId
from bus.messages import SwarmPeer
from tracker.core.addresses import Place
from tracker.core.leases import Lease
from tracker.core.swarms import Swarm

HEAD_BYTES: Final = 1400
"""Of a Swarm message around its peers: field names, the id, a name of 255 four-byte characters."""
PEER_BYTES: Final = 100
"""Of a SwarmPeer around its endpoints: field names and the id."""
SPARE: Final = 14
"""Members looked at beyond those wanted, for the asker itself and for those it cannot dial."""


def sample_swarm(
    swarm: Swarm, asker: PeerId, place: Place, rng: Random, most_peers: int, most_bytes: int
) -> list[SwarmPeer]:
    """Random members that `asker` can dial, itself left out; at most so many, and so many bytes of message."""
    members = swarm.members
    looked_at = min(len(members), most_peers + SPARE)
    return _fitting(swarm.content, rng.sample(members, looked_at), asker, place, most_peers, most_bytes - HEAD_BYTES)


def sample_joined(
    swarm: Swarm, joined: list[Lease], asker: PeerId, place: Place, rng: Random, most_peers: int
) -> list[SwarmPeer]:
    """Random ones of the members that joined lately."""
    looked_at = min(len(joined), most_peers + SPARE)
    return _fitting(swarm.content, rng.sample(joined, looked_at), asker, place, most_peers, most_peers * 1024)


def _fitting(
    content: ContentId, members: Iterable[Lease], asker: PeerId, place: Place, most_peers: int, room: int
) -> list[SwarmPeer]:
    found: list[SwarmPeer] = []
    for lease in members:
        if lease.peer == asker:
            continue
        listed = lease.listed_for(content, place)
        if listed is None:
            continue
        room -= PEER_BYTES + sum(len(endpoint) + 3 for endpoint in listed.endpoints)
        if room < 0:
            break
        found.append(listed)
        if len(found) == most_peers:
            break
    return found
