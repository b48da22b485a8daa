"""All streams of a peer together."""

from __future__ import annotations

import pytest

from experiments.sim.swarm import SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates

MIB = 2**20
LEECHERS = 4


def test_streams_share_a_limited_rate_evenly() -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=LEECHERS, size=64 * MIB, seed_rates=fast, leecher_rates=fast))
    seed = swarm.nodes[peer_id(0)]
    seed.limits.set("up", 2 * MIB, swarm.world.now)
    leechers = [peer_id(number) for number in range(1, LEECHERS + 1)]

    def sent() -> list[int]:
        return [seed.neighbours.traffic[peer].up.total if peer in seed.neighbours.traffic else 0 for peer in leechers]

    assert swarm.world.run(30.0, lambda: sum(sent()) >= 8 * MIB)
    assert max(sent()) < 1.5 * min(sent())


@pytest.mark.parametrize(("listed", "gets_it"), [(0, False), (1, True)])
def test_over_a_link_that_stands_only_listed_peers_fetch_from_a_private_one(listed: int, gets_it: bool) -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=0, size=2 * MIB, seed_rates=fast, leecher_rates=fast))
    only = frozenset([peer_id(2)] if listed else [peer_id(7)])
    swarm.add_peer(1, {"only": only})
    assert swarm.world.run(60.0, lambda: swarm.finished(1)), "a private peer fetches from anybody"
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    swarm.add_peer(2)
    assert swarm.world.run(swarm.world.now + 60, lambda: swarm.finished(2)) is gets_it
    uploads = swarm.nodes[peer_id(1)].neighbours.traffic[peer_id(2)].up.total
    assert (uploads > 0) is gets_it
