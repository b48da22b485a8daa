"""Whole swarms on the production cores, in virtual time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from experiments.sim.swarm import SwarmResult, SwarmScenario, simulate
from experiments.sim.world import HostRates

MIB = 2**20
SMALL = SwarmScenario(leechers=20, size=16 * MIB, seed=7)


@pytest.fixture(scope="module")
def twenty() -> SwarmResult:
    return simulate(SMALL)


def test_twenty_peers_all_finish(twenty: SwarmResult) -> None:
    assert twenty.finished
    assert len(twenty.peers) == 20


def test_leechers_serve_one_another(twenty: SwarmResult) -> None:
    seed = f"{100:064x}"
    from_seed = sum(peer.by_source.get(seed, 0) for peer in twenty.peers)
    assert from_seed < 0.4 * 20 * SMALL.size


def test_hardly_a_byte_is_fetched_twice(twenty: SwarmResult) -> None:
    assert [sum(peer.by_source.values()) for peer in twenty.peers] == [SMALL.size] * 20
    # What a slow source still sends of a chunk that another took over.
    assert sum(peer.duplicate_bytes for peer in twenty.peers) <= 0.01 * 20 * SMALL.size


def test_a_swarm_is_faster_than_its_seed_alone_could_be(twenty: SwarmResult) -> None:
    alone = 20 * SMALL.size / SMALL.seed_rates.up
    assert twenty.seconds < alone / 8


def test_the_same_seed_gives_the_same_trace_in_a_process_with_another_hash_seed() -> None:
    program = (
        "import json; from experiments.sim.swarm import *;"
        "r = simulate(SwarmScenario(leechers=6, size=4 * 2**20, corrupters=1, seed=11));"
        "print(json.dumps([r.trace, r.seconds]))"
    )
    traces = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert traces[0] == traces[1]


def test_another_seed_gives_another_trace() -> None:
    one, two = (simulate(SwarmScenario(leechers=3, size=2 * MIB, seed=seed)).trace for seed in (1, 2))
    assert one != two


def test_honest_peers_finish_among_corrupters_and_score_them_down() -> None:
    result = simulate(SwarmScenario(leechers=8, size=8 * MIB, corrupters=2, seed=5))
    bad = {f"{101:064x}", f"{102:064x}"}
    assert result.finished
    for peer in result.peers:
        if peer.name not in bad:
            assert all(peer.by_source.get(name, 0) == 0 for name in bad)


def test_a_window_grows_until_a_source_far_away_is_as_fast_as_its_uplink() -> None:
    rates = HostRates(up=8 * MIB)
    # With the configured window alone a stream would carry 1.25 MiB/s: 51 s.
    window = {"window": 256 * 1024, "window_total": 32 * MIB}
    result = simulate(SwarmScenario(1, 64 * MIB, rates, rates, latency=0.1, seed=5, settings=window))
    assert result.finished
    assert result.seconds < 16.0


def test_a_fast_network_is_no_different_but_faster() -> None:
    fast = HostRates(up=1000 * MIB)
    result = simulate(
        SwarmScenario(leechers=4, size=64 * MIB, seed_rates=fast, leecher_rates=fast, latency=0.0005, seed=3)
    )
    assert result.finished
    assert result.seconds < 3
