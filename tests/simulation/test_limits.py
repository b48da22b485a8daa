"""Rate limits through whole peers, in virtual time: exact within 5% over every 10 s."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from bus.messages import Pause, Resume
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, content_id, peer_id
from experiments.sim.world import HostRates
from peer.core.interface import Command
from peer.core.limits import Direction

KIB = 2**10
MIB = 2**20
RATES = (64 * KIB, 2 * MIB, 100 * MIB)
FAST = HostRates(up=1000 * MIB)


def received(swarm: SimulatedSwarm, number: int) -> int:
    return swarm.nodes[peer_id(number)].downloads.fetching.meter.total


def limit(swarm: SimulatedSwarm, number: int, direction: Direction, rate: int, content: str = "") -> None:
    swarm.nodes[peer_id(number)].limits.set(direction, rate, swarm.world.now, content)


def off_by(swarm: SimulatedSwarm, rate: int, stretches: int = 2) -> float:
    """How far the first leecher's bytes are from the limit at worst, over stretches of 10 s."""
    worst = 0.0
    for _ in range(stretches):
        before = received(swarm, 1)
        swarm.world.run(swarm.world.now + 10.0, lambda: False)
        worst = max(worst, abs(received(swarm, 1) - before - 10 * rate) / (10 * rate))
    return worst


def limited_from_the_start(direction: Direction, rate: int) -> SimulatedSwarm:
    swarm = SimulatedSwarm(SwarmScenario(1, max(MIB, 22 * rate), FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 1 if direction == "down" else 0, direction, rate)
    assert swarm.world.run(60.0, lambda: received(swarm, 1) > 0)
    return swarm


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_limit_is_exact(direction: Direction, rate: int) -> None:
    assert off_by(limited_from_the_start(direction, rate), rate) < 0.05


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_limit_of_one_content_is_exact(direction: Direction) -> None:
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 1 if direction == "down" else 0, direction, 2 * MIB, CONTENT)
    assert swarm.world.run(60.0, lambda: received(swarm, 1) > 0)
    assert off_by(swarm, 2 * MIB) < 0.05


def test_a_download_limit_is_kept_over_several_sources() -> None:
    swarm = SimulatedSwarm(SwarmScenario(4, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 1, "down", MIB)
    assert swarm.world.run(60.0, lambda: all(swarm.finished(n) for n in (2, 3, 4)))
    assert off_by(swarm, MIB) < 0.05


def test_sources_under_a_download_limit_take_turns() -> None:
    swarm = SimulatedSwarm(SwarmScenario(4, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 1, "down", 256 * KIB)
    assert swarm.world.run(60.0, lambda: all(swarm.finished(n) for n in (2, 3, 4)))
    node = swarm.nodes[peer_id(1)]

    def given() -> list[int]:
        return [node.neighbours.traffic[peer_id(n)].down.total for n in (0, 2, 3, 4)]

    before = given()
    swarm.world.run(swarm.world.now + 20.0, lambda: False)
    shares = [after - first for first, after in zip(before, given(), strict=True)]
    assert min(shares) > 0.8 * max(shares)


def test_a_source_that_stops_sending_does_not_take_the_others_share() -> None:
    swarm = SimulatedSwarm(SwarmScenario(2, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 1, "down", MIB)
    assert swarm.world.run(60.0, lambda: swarm.finished(2))
    limit(swarm, 2, "up", 1)
    swarm.world.run(swarm.world.now + 1.0, lambda: False)
    assert off_by(swarm, MIB, stretches=1) < 0.05


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_content_at_its_limit_does_not_slow_down_another_from_the_same_source(direction: Direction) -> None:
    rates = HostRates(up=16 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 256 * MIB, rates, rates, latency=0.002, contents=2, seed=3))
    limit(swarm, 1 if direction == "down" else 0, direction, MIB, CONTENT)
    swarm.world.run(2.0, lambda: False)
    downloads = swarm.nodes[peer_id(1)].downloads.active
    limited, free = (downloads[content_id(n)].meter for n in (0, 1))
    before = limited.total, free.total
    swarm.world.run(12.0, lambda: False)
    assert limited.total - before[0] == pytest.approx(10 * MIB, rel=0.05)
    assert free.total - before[1] > 0.9 * 10 * 15 * MIB


def test_what_never_comes_is_not_charged_to_a_contents_own_limit() -> None:
    rates = HostRates(up=16 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 256 * MIB, rates, rates, latency=0.002, contents=2, seed=3))
    limit(swarm, 1, "down", MIB, CONTENT)
    swarm.world.run(2.0, lambda: False)
    limited = swarm.nodes[peer_id(1)].downloads.active[CONTENT].meter
    before, uploads = limited.total, swarm.nodes[peer_id(0)].uploads
    for _ in range(40):
        swarm.world.run(swarm.world.now + 0.25, lambda: False)
        for link in list(uploads._open):
            uploads.close(link, "choked")
        swarm.world.carry_out(swarm.world.hosts[peer_id(0)], swarm.nodes[peer_id(0)].turn.take_effects())
    # What is saved up while a stream is opened anew is bounded, and some chunks have half come.
    assert 9 * MIB < limited.total - before < 10.5 * MIB


def test_what_is_read_again_is_charged_once_to_its_contents_own_limit() -> None:
    rates = HostRates(up=20 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, rates, rates, latency=0.002, seed=3))
    limit(swarm, 0, "up", MIB)
    limit(swarm, 0, "up", 9 * MIB // 8, CONTENT)  # so that what was read waits for the limit of all
    uploads = swarm.nodes[peer_id(0)].uploads
    assert swarm.world.run(5.0, lambda: uploads.sending.meter.total > MIB and uploads.sending.reading_bytes > 0)
    (upload,) = uploads._uploads.values()
    waiting = upload.reading_bytes
    for _ in range(10):
        uploads.sending.limits_changed()
    assert upload.reading_bytes == waiting


@pytest.mark.parametrize("rate", [64 * KIB, MIB])
def test_what_was_read_for_a_higher_upload_limit_goes_out_in_small_messages(rate: int) -> None:
    rates = HostRates(up=20 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 600 * MIB, rates, rates, latency=0.002, seed=3))
    assert swarm.world.run(5.0, lambda: received(swarm, 1) > 20 * MIB)
    uploads = swarm.nodes[peer_id(0)].uploads
    limit(swarm, 0, "up", rate)
    uploads.sending.limits_changed()
    sent = uploads.sending.meter.total
    swarm.world.run(swarm.world.now + 10.0, lambda: False)
    assert uploads.sending.meter.total - sent == pytest.approx(10 * rate, rel=0.05)
    assert swarm.nodes[peer_id(1)].downloads.active[CONTENT].duplicate_bytes == 0


@pytest.mark.parametrize("pause", [0.05, 0.2, 1.0])
def test_a_share_that_is_paused_and_resumed_while_it_waits_for_its_limit_is_fetched_to_its_end(pause: float) -> None:
    swarm = SimulatedSwarm(SwarmScenario(1, MIB, FAST, FAST, latency=0.002, seed=3))
    limit(swarm, 0, "up", 100 * KIB)
    assert swarm.world.run(10.0, lambda: received(swarm, 1) > 300 * KIB)
    seed = swarm.world.hosts[peer_id(0)]
    swarm.world.feed(seed, Command((LinkId(0), 1), Pause(1, CONTENT)))
    swarm.world.run(swarm.world.now + pause, lambda: False)
    swarm.world.feed(seed, Command((LinkId(0), 2), Resume(2, CONTENT)))
    assert swarm.run(swarm.world.now + 20.0)
