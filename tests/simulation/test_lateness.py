"""Slow sources, in whole swarms: who sends as fast as it can is not given up."""

from __future__ import annotations

import pytest

from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.standing import TIMED_OUT

KIB = 2**10
MIB = 2**20
GIB = 2**30


@pytest.mark.parametrize(
    ("size", "leechers", "rate", "seconds"), [(32 * GIB, 1, 40 * KIB, 1000), (2 * GIB, 8, 256 * KIB, 200)]
)
def test_a_slow_source_is_not_given_up_for_its_large_chunks(size: int, leechers: int, rate: int, seconds: int) -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers, size, HostRates(), HostRates(), limits_up=(rate,), seed=3))
    swarm.world.run(float(seconds), lambda: False)
    blamed = [
        standing
        for node in swarm.nodes.values()
        for standing in node.opinions.book._standings.values()
        if TIMED_OUT in standing.events
    ]
    assert blamed == []
    assert any(swarm.nodes[peer_id(1 + n)].downloads.active[CONTENT].held for n in range(leechers))
