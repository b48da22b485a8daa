"""Which members of a swarm an asker is told of: a random sample that fits the answer.

Random, so that no peer is everybody's first choice; bounded, so that an answer costs the
tracker the same whatever the swarm's size and no small question has a large answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, TypeVar

from bus.boundary import PeerId
from bus.messages import SwarmPeer
from tracker.core.addresses import Place
from tracker.core.leases import Lease
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
    swarm: Swarm, asker: PeerId, place: Place, rng: Random, most_peers: int, most_bytes: int
) -> list[SwarmPeer]:
    """Random members that `asker` can dial, itself left out; at most so many, and so many bytes of message."""
    members, seeds = swarm.members, swarm.seeds
    positions = pick(range(len(members)), most_peers + SPARE, rng)
    candidates = [(members[position], position < seeds) for position in positions]
    return fitting(candidates, asker, place, most_peers, most_bytes - HEAD_BYTES)


def fitting(
    members: Iterable[tuple[Lease, bool]], asker: PeerId, place: Place, most_peers: int, room: int
) -> list[SwarmPeer]:
    """The first of these, and whether they are seeds, that `asker` can dial, itself left out.

    At most so many, and `room` bytes of message.
    """
    found: list[SwarmPeer] = []
    for lease, seed in members:
        listed = lease.listed_for(place)
        if listed is None or lease.peer == asker:
            continue
        room -= listed.size
        if room < 0 or len(found) == most_peers:
            break
        found.append(listed.seed if seed else listed.leecher)
    return found
