"""Work taken from slow sources, in whole swarms: the fast ones decide when a download ends, and nothing comes twice."""

from __future__ import annotations

import pytest

from experiments.sim.disk import MANIFEST_HEADER
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.download import DownloadState
from peer.core.source import Source

KIB = 2**10
MIB = 2**20
RATE = 4 * MIB
FREE = HostRates()
LEECHER = 1


def swarm_of(rates: tuple[int, ...], size: int = 16 * MIB) -> SimulatedSwarm:
    """One leecher and a seed for each upload limit."""
    scenario = SwarmScenario(0, size, FREE, FREE, latency=0.005, limits_up=rates[:1], seed=3)
    swarm = SimulatedSwarm(scenario)
    for number, rate in enumerate(rates[1:], LEECHER + 1):
        swarm.add_peer(number, {"limit_up": rate}, complete=True)
    swarm.add_peer(LEECHER)
    return swarm


def check_owners(swarm: SimulatedSwarm, number: int) -> None:
    """No chunk is asked of two sources, and what a download counts as asked is that and what is being stored."""
    downloads = swarm.nodes[peer_id(number)].downloads
    download = downloads.active.get(CONTENT)
    if download is None or download.state is not DownloadState.FETCHING:
        return
    download.check_invariants()
    asked = 0
    for source in downloads.fetching.sources.values():
        source.check_invariants()
        for want in source.asked.values():
            assert not want.mask & asked, "a chunk is asked of two sources"
            asked |= want.mask
    assert not asked & download.held
    assert not asked & ~download.asked
    storing = download.asked & ~asked
    jobs = [job for job in downloads.fetching.jobs.values() if job.content == CONTENT]
    assert bool(storing) <= bool(jobs), "a chunk is taken for asked that nobody will bring"
    assert storing.bit_count() <= len(jobs) * (MIB // (128 * KIB) + 1)


def finish(swarm: SimulatedSwarm, limit: float = 100.0) -> float:
    """Seconds until the leecher has it all; who owns which chunk is looked at after every event."""

    def done() -> bool:
        check_owners(swarm, LEECHER)
        return swarm.finished(LEECHER)

    assert swarm.world.run(limit, done)
    return swarm.results[peer_id(LEECHER)].seconds


def duplicates(swarm: SimulatedSwarm) -> float:
    """What came twice, in contents."""
    return swarm.results[peer_id(LEECHER)].duplicate_bytes / swarm.layout.size


def given(swarm: SimulatedSwarm) -> dict[str, int]:
    return {row.peer: row.bytes for row in swarm.results[peer_id(LEECHER)].sources}


@pytest.mark.parametrize("slow", [16 * KIB, 64 * KIB, 256 * KIB])
def test_a_slow_seed_among_three_holds_up_nothing(slow: int) -> None:
    swarm = swarm_of((RATE, RATE, slow))
    assert finish(swarm) < 1.15 * swarm.layout.size / (2 * RATE + slow) + 0.5
    assert duplicates(swarm) <= 0.01


def test_two_slow_seeds_do_not_take_the_only_chunk_from_each_other_for_ever() -> None:
    swarm = swarm_of((32 * KIB, 32 * KIB), size=128 * KIB)
    assert finish(swarm) < 5  # of one alone it takes 4
    assert duplicates(swarm) <= 0.25


def test_seeds_that_all_become_slow_near_the_end_do_not_take_the_last_chunks_from_each_other_for_ever() -> None:
    swarm = swarm_of((RATE, RATE, RATE), size=4 * MIB)
    download = swarm.nodes[peer_id(LEECHER)].downloads.active[CONTENT]
    assert swarm.world.run(10.0, lambda: download.held_bytes > 0.8 * swarm.layout.size)
    began, missing = swarm.world.now, swarm.layout.size - download.held_bytes
    for number in (0, 2, 3):
        swarm.nodes[peer_id(number)].limits.set("up", 32 * KIB, began)
    finish(swarm)
    assert swarm.world.now - began < 1.25 * missing / (3 * 32 * KIB)
    assert duplicates(swarm) <= 0.02


@pytest.mark.parametrize("number", [2, 3])
def test_a_seed_that_falls_silent_near_the_end_holds_up_nothing(number: int) -> None:
    swarm = swarm_of((RATE, RATE, RATE))
    download = swarm.nodes[peer_id(LEECHER)].downloads.active[CONTENT]
    assert swarm.world.run(10.0, lambda: download.held_bytes > 0.9 * swarm.layout.size)
    silent = swarm.nodes[peer_id(number)]
    silent.limits.set("up", 1, swarm.world.now)
    assert finish(swarm) < 1.1 * swarm.layout.size / (2 * RATE) + 1.0
    assert duplicates(swarm) <= 0.01


def test_a_seed_whose_link_is_dead_holds_up_nothing() -> None:
    swarm = swarm_of((RATE, RATE, RATE))
    download = swarm.nodes[peer_id(LEECHER)].downloads.active[CONTENT]
    assert swarm.world.run(10.0, lambda: download.held_bytes > 0.9 * swarm.layout.size)
    dead = swarm.world.hosts[peer_id(2)]
    dead.core.handle = lambda event, now: []  # type: ignore[method-assign]
    dead.core.on_deadline = lambda now: []  # type: ignore[method-assign]
    dead.core.next_deadline = lambda: None  # type: ignore[method-assign]
    assert finish(swarm) < 1.1 * swarm.layout.size / (2 * RATE) + 1.0


def test_what_was_read_of_a_chunk_taken_over_and_waits_for_the_limit_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give_up, came = Source.give_up, list[int]()

    def counted(source: Source, want: int, chunk: int) -> int:
        came.append(give_up(source, want, chunk))
        return came[-1]

    monkeypatch.setattr(Source, "give_up", counted)
    swarm = swarm_of((RATE, 128 * KIB, 128 * KIB), size=2 * MIB)
    assert finish(swarm) < 0.65
    duplicate = swarm.results[peer_id(LEECHER)].duplicate_bytes
    # What had come of it is thrown away, and counted; a message of each slow one may be on its way.
    assert 0 < sum(came) <= duplicate <= sum(came) + 2 * 16 * KIB


def test_every_byte_that_came_for_nothing_is_counted() -> None:
    swarm = swarm_of((RATE, 256 * KIB, 256 * KIB), size=2 * MIB)
    finish(swarm)
    swarm.world.run(swarm.world.now + 1.0, lambda: False)
    received = swarm.nodes[peer_id(LEECHER)].downloads.fetching.meter.total
    manifest = MANIFEST_HEADER + 32 * swarm.layout.chunks
    assert received == swarm.layout.size + manifest + swarm.results[peer_id(LEECHER)].duplicate_bytes


def test_nothing_is_taken_over_among_equals() -> None:
    swarm = swarm_of((RATE, RATE, RATE))
    seconds = finish(swarm)
    assert duplicates(swarm) == 0
    assert seconds < 1.1 * swarm.layout.size / (3 * RATE) + 0.3
    assert min(given(swarm).values()) > 0.9 * max(given(swarm).values())


def test_sources_give_by_their_rates() -> None:
    swarm = swarm_of((MIB, 2 * MIB, 4 * MIB), size=28 * MIB)
    seconds = finish(swarm)
    parts = [given(swarm)[peer_id(number)] / (4 * MIB) for number in (0, 2, 3)]
    assert parts == [pytest.approx(share, rel=0.1) for share in (1, 2, 4)]
    assert seconds < 4.6
    assert duplicates(swarm) <= 0.01


def test_a_limited_leecher_robs_nobody() -> None:
    swarm = swarm_of((RATE, RATE, RATE), size=4 * MIB)
    swarm.nodes[peer_id(LEECHER)].limits.set("down", MIB, 0.0)
    assert finish(swarm) < 1.1 * 4 + 0.5
    assert duplicates(swarm) == 0


def test_the_owner_of_every_chunk_is_known_in_a_swarm_of_unequal_peers() -> None:
    rates = (2 * MIB, MIB, 64 * KIB, 4 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(4, 4 * MIB, FREE, FREE, latency=0.005, limits_up=rates, seed=3))

    def done() -> bool:
        for number in range(1, 5):
            check_owners(swarm, number)
        return swarm.all_finished()

    assert swarm.world.run(60.0, done)
    assert sum(result.duplicate_bytes for result in swarm.results.values()) <= 0.01 * 4 * swarm.layout.size
