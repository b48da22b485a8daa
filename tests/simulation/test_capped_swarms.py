"""Swarms whose peers limit their own upload, on a network without limits, against what is possible at best.

The figures are below what was measured, and above what plain rarest first without super-seeding reaches.
"""

from __future__ import annotations

from math import floor, log2
from statistics import median

import pytest

from experiments.sim.swarm import SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates

KIB = 2**10
MIB = 2**20
RATE = 2 * MIB
FREE = HostRates()


def swarm_of(leechers: int, size: int, limits_up: tuple[int, ...], seed: int = 1) -> SimulatedSwarm:
    swarm = SimulatedSwarm(SwarmScenario(leechers, size, FREE, FREE, latency=0.0005, limits_up=limits_up, seed=seed))
    assert swarm.run(200.0)
    return swarm


def seconds(swarm: SimulatedSwarm) -> list[float]:
    return sorted(result.seconds for result in swarm.results.values())


def duplicates(swarm: SimulatedSwarm) -> float:
    """Bytes that came twice, as a share of all."""
    twice = sum(result.duplicate_bytes for result in swarm.results.values())
    return twice / swarm.layout.size / swarm.scenario.leechers


@pytest.fixture(scope="module")
def ten() -> SimulatedSwarm:
    """128 chunks, so that one is 0.8% of the time."""
    return swarm_of(10, 16 * MIB, (RATE,))


def test_the_last_of_ten_equal_peers_ends_near_the_bound(ten: SimulatedSwarm) -> None:
    # Each chunk must be forwarded log2(N) times after its first copy.
    bound = ten.layout.size / RATE * (1 + floor(log2(10)) / ten.layout.chunks)
    assert bound / seconds(ten)[-1] >= 0.90


def test_equal_peers_end_together(ten: SimulatedSwarm) -> None:
    assert seconds(ten)[-1] / median(seconds(ten)) <= 1.15


def test_the_seed_of_ten_sends_little_more_than_the_content(ten: SimulatedSwarm) -> None:
    assert ten.nodes[peer_id(0)].uploads.sending.meter.total <= 1.12 * ten.layout.size


def test_hardly_a_byte_comes_twice(ten: SimulatedSwarm) -> None:
    assert duplicates(ten) <= 0.01


def test_peers_of_rates_one_to_four_come_near_what_water_would() -> None:
    rates = (4 * MIB, MIB, 4 * MIB, MIB)
    swarm = swarm_of(8, 16 * MIB, rates)
    up = [rates[number % len(rates)] for number in range(9)]
    bound = swarm.layout.size * max(1 / up[0], 8 / sum(up))
    assert bound / seconds(swarm)[-1] >= 0.85
    assert duplicates(swarm) <= 0.01
