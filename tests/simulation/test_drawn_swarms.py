"""Whole swarms of drawn size, rates and manners: every honest peer gets the content, and hardly a byte comes twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from tests.simulation.test_stealing import check_owners

KIB = 2**10
MIB = 2**20
LIMIT = 600.0
"""Virtual seconds, many times what the slowest of these needs."""


class Drawn(Struct):
    """A swarm and what happens in it."""

    scenario: SwarmScenario
    later: dict[int, float]
    """Leechers that come later, and when."""
    vanishing: dict[int, float]
    """Leechers that vanish, and when."""
    free_riders: tuple[int, ...]
    seeds: int


def draw(seed: int, leechers: int) -> Drawn:
    """The swarm of a seed."""
    rng = random.Random(seed)
    tree = tuple(rng.choice([0, 1, 4 * KIB, 100_000, 300_000, MIB]) for _ in range(rng.randrange(1, 12)))
    scenario = SwarmScenario(
        leechers=leechers,
        size=rng.choice([1, 128 * KIB, MIB + 1, 2 * MIB]),
        seed_rates=HostRates(up=rng.choice([0, MIB, 8 * MIB])),
        leecher_rates=HostRates(up=rng.choice([0, 2 * MIB]), down=rng.choice([0, 4 * MIB])),
        latency=rng.choice([0.0005, 0.01, 0.08]),
        corrupters=rng.choice([0, 0, 1, leechers // 10]),
        upload_slots=rng.choice([2, 4, 8]),
        limits_up=tuple(rng.choice([256 * KIB, MIB, 4 * MIB]) for _ in range(rng.randrange(1, 5))),
        tree=rng.choice([(), tree]),
        seed=seed,
    )
    honest = list(range(scenario.corrupters + 1, leechers + 1))
    rng.shuffle(honest)
    few = max(1, leechers // 8)
    return Drawn(
        scenario,
        later={number: rng.uniform(0.5, 5) for number in honest[:few]},
        vanishing={number: rng.uniform(0.5, 5) for number in honest[few : 2 * few]},
        free_riders=tuple(honest[2 * few : 3 * few]),
        seeds=rng.choice([1, 1, 2, 3]),
    )


class DrawnSwarm:
    """Joins, vanishings and free riders in a simulated swarm; invariants are looked at now and then."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        scenario = drawn.scenario
        self.swarm = SimulatedSwarm(replace(scenario, leechers=0))
        self.swarm.scenario = scenario
        for extra in range(1, drawn.seeds):
            self.swarm.add_peer(scenario.leechers + extra, complete=True)
        for number in range(1, scenario.leechers + 1):
            if number not in drawn.later:
                self.join(number)
        for number, at in drawn.later.items():
            self.swarm.world.at(at, lambda number=number: self.join(number))
        for number, at in drawn.vanishing.items():
            self.swarm.world.at(at, lambda number=number: self.vanish(number))
        self.staying = [
            number for number in range(scenario.corrupters + 1, scenario.leechers + 1) if number not in drawn.vanishing
        ]
        self.looks = 0

    def join(self, number: int) -> None:
        self.swarm.add_peer(number, {"upload_slots": 0} if number in self.drawn.free_riders else None)

    def vanish(self, number: int) -> None:
        self.swarm.world.remove(self.swarm.world.hosts[peer_id(number)])

    def done(self) -> bool:
        self.looks += 1
        if self.looks % 500 == 0:
            self.check()
        return all(self.swarm.finished(number) for number in self.staying)

    def check(self) -> None:
        for number in self.staying:
            if peer_id(number) in self.swarm.nodes:
                check_owners(self.swarm, number)
        for node in self.swarm.nodes.values():
            if seed := node.uploads.seeding._seeds.get(CONTENT):
                seed.check_invariants()


# Seeds of swarms of these sizes; what each draws is printed when it fails.
@pytest.mark.parametrize(("seed", "leechers"), [(1, 3), (2, 5), (3, 8), (4, 8), (5, 12), (6, 16), (7, 24), (8, 49)])
def test_all_honest_peers_of_a_drawn_swarm_finish(seed: int, leechers: int) -> None:
    check_all_finish(draw(seed, leechers), 128 * KIB)


@given(seed=st.integers(9, 2**32), leechers=st.integers(3, 30))
@settings(max_examples=5, deadline=None)
def test_all_honest_peers_of_any_swarm_finish(seed: int, leechers: int) -> None:
    # Of 210 swarms five had more than one chunk for each peer, none more than two.
    check_all_finish(draw(seed, leechers), 3 * 128 * KIB)


def check_all_finish(drawn: Drawn, taken_over: int) -> None:
    """Play a swarm: who stays ends with all of it, and little comes twice.

    Args:
        drawn: the swarm.
        taken_over: bytes for each peer that may have come of chunks when others took them over.
    """
    swarm = DrawnSwarm(drawn)
    finished = swarm.swarm.world.run(LIMIT, swarm.done)
    missing = [number for number in swarm.staying if not swarm.swarm.finished(number)]
    assert finished, f"{missing} of {drawn} did not finish"
    swarm.check()
    # A hundredth, and what is taken over when most of it had come: these contents are small.
    results = [swarm.swarm.results[peer_id(number)] for number in swarm.staying]
    twice = sum(result.duplicate_bytes for result in results)
    assert twice <= len(results) * (0.01 * swarm.swarm.layout.size + taken_over), drawn
    for result in results:
        assert sum(row.bytes for row in result.sources) == swarm.swarm.layout.size
