"""Which members of a swarm an asker is told of: a random sample that fits the answer.

Random, so that no peer is everybody's first choice; bounded, so that an answer costs the
tracker the same whatever the swarm's size and no small question has a large answer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import Final, TypeVar

from bus.boundary import PeerId
from bus.messages import SwarmPeer
from tracker.core.addresses import Place
from tracker.core.leases import Lease, size_of
from tracker.core.swarms import Swarm

HEAD_BYTES: Final = 1400
"""Of a Swarm message around its peers: field names, the id, a name of 255 four-byte characters."""
SPARE: Final = 14
"""Members looked at beyond those wanted, for the asker itself and for those it cannot dial."""

T = TypeVar("T")


def pick(population: Sequence[T], count: int, rng: Random) -> list[T]:
    """At most `count` different ones, in random order: as `Random.sample`, in a third of its time.

    It draws until it has enough, so `count` should be well below the population where that is large.
    """
    random, size = rng.random, len(population)
    if size <= 2 * count:
        return sorted(population, key=lambda _: random())[:count]
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        drawn[int(random() * size)] = None
    return [population[index] for index in drawn]


def sample_swarm(
    swarm: Swarm, asker: Lease | None, place: Place, rng: Random, most_peers: int, most_bytes: int
) -> list[SwarmPeer]:
    """Random members that can be dialled from `place`, `asker` left out; at most so many, and so many bytes of message.

    In the swarm's order from a random member on: who comes first is anybody.
    """
    members, seeds = swarm.members, swarm.seeds
    if len(members) > most_peers + SPARE:
        positions = sorted(pick(range(len(members)), most_peers + SPARE, rng))
        members, seeds = [members[position] for position in positions], bisect_left(positions, seeds)
    address, zone = place.address, place.zone
    # What `listed_for` does, without the call where the answer is kept: most of what a query costs is spent here.
    told = [
        lease.as_seed.get(address) or lease.as_seed.get(zone) or lease.listed_for(place, True)
        for lease in members[:seeds]
        if lease is not asker
    ]
    told += [
        lease.as_leecher.get(address) or lease.as_leecher.get(zone) or lease.listed_for(place, False)
        for lease in members[seeds:]
        if lease is not asker
    ]
    found = [one for one in told if one is not None]
    first = int(rng.random() * len(found))
    found = found[first:] + found[:first]
    room = most_bytes - HEAD_BYTES
    if sum([lease.size for lease in members]) > room:
        found = _fitting(found, room)
    return found[:most_peers]


def listed(
    members: Iterable[tuple[Lease, bool]], asker: PeerId, place: Place, most_peers: int, most_bytes: int
) -> list[SwarmPeer]:
    """The first of these, and whether they are seeds, that `asker` can dial, itself left out.

    At most so many, and so many bytes of message.
    """
    told = [lease.listed_for(place, seed) for lease, seed in members if lease.peer != asker]
    return _fitting([one for one in told if one is not None], most_bytes)[:most_peers]


def _fitting(peers: list[SwarmPeer], room: int) -> list[SwarmPeer]:
    """The first of these that take so many bytes of a message."""
    sizes = accumulate(size_of(peer) for peer in peers)
    return [peer for peer, size in zip(peers, sizes, strict=True) if size <= room]
