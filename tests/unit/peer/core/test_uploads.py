"""All streams of a peer together."""

from __future__ import annotations

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
