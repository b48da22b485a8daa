"""Policies by name, compared and mixed inside one swarm."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.sim.swarm import SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.choker import CHOKERS
from peer.core.picker import PICKERS
from peer.core.scoring import MODELS
from peer.core.settings import ReputationSettings
from peer.core.source_choice import SOURCE_CHOICES
from peer.core.standing import CORRUPTED_DATA, TOOK_DATA

MIB = 2**20
SMALL_UNIT = MIB
RATES = HostRates(up=4 * MIB)


def policies(number: int) -> dict[str, Any]:
    """Every policy of every kind, each at some peer."""

    def one(named: dict[str, Any]) -> str:
        return list(named)[number % len(named)]

    reputation = ReputationSettings(model=one(MODELS), upload_unit=SMALL_UNIT)
    return {
        "picker": one(PICKERS),
        "choker": one(CHOKERS),
        "source_choice": one(SOURCE_CHOICES),
        "reputation": reputation,
        "upload_slots": 3,
    }


def mixed(seed: int) -> SimulatedSwarm:
    """A seed and 11 leechers, no two of the same policies, and 1 corrupter."""
    swarm = SimulatedSwarm(SwarmScenario(0, 8 * MIB, RATES, RATES, seed=seed))
    swarm.scenario = SwarmScenario(12, 8 * MIB, RATES, RATES, corrupters=1, seed=seed)
    for number in range(1, 13):
        swarm.add_peer(number, policies(number))
    return swarm


def test_a_swarm_of_all_policies_at_once_finishes_and_every_score_is_explained() -> None:
    swarm = mixed(1)
    assert swarm.run(120.0)
    models = set()
    for node in swarm.nodes.values():
        models.add(node.settings.reputation.model)
        for peer in node.opinions.book.known():
            assert 0.0 <= node.opinions.score(peer) <= 1.0
    assert models == set(MODELS)


def test_the_same_seed_gives_the_same_trace_whatever_the_policies() -> None:
    traces = []
    for _ in range(2):
        swarm = mixed(2)
        swarm.run(120.0)
        traces.append(swarm.world.trace)
    assert traces[0] == traces[1]


def test_without_bans_a_corrupter_is_never_asked_again_for_a_chunk_it_spoiled() -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 4 * MIB, RATES, RATES))
    swarm.scenario = SwarmScenario(3, 4 * MIB, HostRates(up=MIB // 4), RATES, corrupters=1)
    for number in range(1, 4):
        swarm.add_peer(number, {"reputation": ReputationSettings(model="none")})
    assert swarm.run(600.0)
    for number in (2, 3):
        standing = swarm.nodes[peer_id(number)].opinions.book.standing(peer_id(1))
        if standing is not None:
            assert standing.score == 0.5
            assert standing.events[CORRUPTED_DATA] <= swarm.layout.chunks
    spoiled = sum(swarm.results[peer_id(number)].rejected_bytes for number in (2, 3))
    assert 0 < spoiled <= 2 * 4 * MIB


@pytest.mark.parametrize("model", ["smoothing", "tit-for-tat"])
def test_what_a_leecher_took_counts_only_in_tit_for_tat(model: str) -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 4 * MIB, RATES, RATES))
    swarm.scenario = SwarmScenario(1, 4 * MIB, RATES, RATES)
    swarm.add_peer(2, {"reputation": ReputationSettings(model=model, upload_unit=SMALL_UNIT)}, complete=True)
    swarm.add_peer(1)
    assert swarm.run(60.0)
    swarm.world.run(swarm.world.now + 20.0, lambda: False)
    book = swarm.nodes[peer_id(2)].opinions.book
    standing = book.standing(peer_id(1))
    taken = standing.events.get(TOOK_DATA, 0) if standing else 0
    assert (taken > 0) == (model == "tit-for-tat")
    assert (book.score(peer_id(1), swarm.nodes[peer_id(2)].opinions.running_time) < 0.5) == (model == "tit-for-tat")


@pytest.mark.parametrize("choker", ["none", "round-robin"])
def test_only_without_choking_a_busy_slot_never_changes_hands(choker: str) -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 64 * MIB, RATES, RATES))
    seed = peer_id(9)
    swarm.add_peer(9, {"choker": choker, "upload_slots": 1}, complete=True)
    swarm.world.hosts.pop(peer_id(0))
    for number in range(1, 4):
        swarm.add_peer(number)
    swarm.world.run(14.0, lambda: False)
    served = [peer for peer, traffic in swarm.nodes[seed].neighbours.traffic.items() if traffic.up.total]
    assert (len(served) == 1) == (choker == "none")
