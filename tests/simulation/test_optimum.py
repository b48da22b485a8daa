"""The bound meter in whole swarms: from what peers tell one another to the share that a download reports."""

from __future__ import annotations

import pytest

from bus.boundary import Received, Send
from bus.events import TransferCompleted
from bus.messages import Capacity
from experiments.sim.swarm import SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.capacity import REMEMBERED

MIB = 2**20
FAST = HostRates(up=100 * MIB)


def capped(leechers: int, size: int, up: int, seed_up: int, down: int = 0) -> SimulatedSwarm:
    """A swarm on a fast network whose peers are limited."""
    scenario = SwarmScenario(leechers, size, FAST, FAST, latency=0.002, seed=3)
    swarm = SimulatedSwarm(SwarmScenario(0, size, FAST, FAST, latency=0.002, seed=3))
    swarm.scenario = scenario
    swarm.nodes[peer_id(0)].limits.set("up", seed_up, 0.0)
    for number in range(1, leechers + 1):
        swarm.add_peer(number, {"limit_up": up, "limit_down": down})
    return swarm


def test_a_capped_swarm_reports_the_computed_bound_and_its_share_of_it() -> None:
    size, count, up = 32 * MIB, 8, 2 * MIB
    swarm = capped(count, size, up, up)
    assert swarm.run(300.0)
    bound = max(size / up, count * size / (up + count * up))
    for number in range(1, count + 1):
        result = swarm.results[peer_id(number)]
        assert isinstance(result, TransferCompleted)
        assert result.optimum_seconds == pytest.approx(bound, rel=1e-6)
        assert result.optimum_share == pytest.approx(min(1.0, bound / result.seconds), rel=1e-3)
        assert 0.7 < bound / result.seconds <= 1.01


def test_a_slow_receiver_is_what_decides() -> None:
    swarm = capped(1, 8 * MIB, MIB, 10 * MIB, down=MIB)
    assert swarm.run(60.0)
    result = swarm.results[peer_id(1)]
    assert result.optimum_seconds == pytest.approx(8.0)
    assert 0.9 < result.optimum_share <= 1.01


def test_a_running_download_is_measured_by_the_bytes_so_far() -> None:
    swarm = capped(1, 64 * MIB, MIB, 4 * MIB)
    swarm.world.run(8.0, lambda: False)
    running = swarm.results[peer_id(1)]
    assert 0 < running.bytes_done < running.size
    assert running.optimum_seconds == pytest.approx(16.0)
    assert running.optimum_share == pytest.approx(16.0 * running.bytes_done / running.size / running.seconds, rel=1e-2)
    assert 0.85 < running.optimum_share <= 1.01


def test_without_limits_the_highest_measured_rate_is_told() -> None:
    rates = HostRates(up=4 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, rates, rates, latency=0.002, seed=3))
    swarm.world.run(10.0, lambda: False)
    running = swarm.results[peer_id(1)]
    assert running.optimum_seconds == pytest.approx(16.0, rel=0.3)
    assert swarm.nodes[peer_id(0)].capacities.ours().up == pytest.approx(4 * MIB, rel=0.3)
    assert swarm.run(60.0)
    swarm.world.run(swarm.world.now + REMEMBERED + 20.0, lambda: False)
    assert swarm.nodes[peer_id(0)].capacities.ours().up < 1000


def test_a_source_can_do_at_least_what_it_did() -> None:
    rates = HostRates(up=16 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, rates, rates, latency=0.002, seed=3))
    assert swarm.world.run(20.0, lambda: swarm.finished(1))  # before a second measurement was told
    assert 0.5 < swarm.results[peer_id(1)].optimum_share <= 1.0


def test_nothing_is_claimed_of_a_swarm_whose_rates_are_not_known() -> None:
    swarm = capped(3, 4 * MIB, 0, 4 * MIB)
    swarm.world.run(0.3, lambda: False)
    running = swarm.results[peer_id(1)]
    assert (running.optimum_seconds, running.optimum_share) == (0.0, 0.0)


def test_a_peer_tells_only_what_changed_by_a_tenth_and_at_most_every_five_seconds() -> None:
    swarm = capped(1, 64 * MIB, MIB, MIB)
    swarm.world.run(2.0, lambda: False)
    node, told = swarm.nodes[peer_id(0)], []
    for second in range(1, 31):
        now = 10.0 + second
        rate = MIB + MIB // 50 * second if second <= 20 else MIB
        node.limits.set("up", rate, now)
        node.turn.now = now
        node.capacities.sample(0.0)
        sent = [effect.message for effect in node.turn.take_effects() if isinstance(effect, Send)]
        told += [(second, message.up) for message in sent if isinstance(message, Capacity)]
    assert told == [(6, MIB + MIB // 50 * 6), (12, MIB + MIB // 50 * 12), (19, MIB + MIB // 50 * 19), (24, MIB)]


def test_what_a_peer_says_decides_nothing() -> None:
    swarm = capped(1, 8 * MIB, MIB, 4 * MIB)
    swarm.world.run(1.0, lambda: False)
    node = swarm.nodes[peer_id(1)]
    link = node.neighbours.by_peer[peer_id(0)].link
    assert node.handle(Received(link, Capacity(1, 1), None, 0), swarm.world.now) == []
    assert swarm.run(10.0)
