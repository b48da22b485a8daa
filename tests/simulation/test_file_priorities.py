"""Files of a tree that are wanted first, through whole peers in virtual time."""

from __future__ import annotations

import random

import pytest

from bus.boundary import LinkId
from bus.errors import ERR_NOT_FOUND, ERR_STATE, ERR_USAGE
from bus.messages import ChangeDownload, ControlFailed, Done, Get, Message, Priority
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.download import Download
from peer.core.interface import Command, KeepDownload, Reply

MIB = 2**20
RATES = HostRates(up=4 * MIB)
LEVELS: tuple[Priority, ...] = ("high", "normal", "low")


def swarm_of(leechers: int = 1, tree: tuple[int, ...] = (8 * MIB,) * 4, seed: int = 3) -> SimulatedSwarm:
    swarm = SimulatedSwarm(SwarmScenario(leechers, 0, RATES, RATES, tree=tree, latency=0.002, seed=seed))
    assert swarm.world.run(30.0, lambda: all(download_of(swarm, n + 1).layout for n in range(leechers)))
    return swarm


def download_of(swarm: SimulatedSwarm, number: int = 1) -> Download:
    return swarm.nodes[peer_id(number)].downloads.active[CONTENT]


def ask(swarm: SimulatedSwarm, message: Message, number: int = 1) -> tuple[Message, list[KeepDownload]]:
    """The answer, and what is kept."""
    name = peer_id(number)
    effects = swarm.nodes[name].handle(Command((LinkId(0), 1), message), swarm.world.now)
    swarm.world.carry_out(swarm.world.hosts[name], effects)
    (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
    return reply, [effect for effect in effects if isinstance(effect, KeepDownload)]


def here(swarm: SimulatedSwarm) -> list[float]:
    """How much of each file is here, 1 being all of it."""
    layout, held = swarm.layout, download_of(swarm).held
    masks = [layout.mask_of([entry.path]) for entry in layout.entries]
    return [(held & mask).bit_count() / mask.bit_count() for mask in masks]


def test_a_file_set_high_while_it_runs_is_complete_first_and_a_low_one_begins_last() -> None:
    swarm = swarm_of()
    assert ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["00002"]))[0] == Done(0, CONTENT)
    ask(swarm, ChangeDownload(0, CONTENT, "low", paths=["00000"]))
    already = here(swarm)
    assert swarm.world.run(60.0, lambda: here(swarm)[2] == 1.0)
    assert max(here(swarm)[n] - already[n] for n in (0, 1, 3)) < 0.2
    assert swarm.world.run(60.0, lambda: here(swarm)[1] == here(swarm)[3] == 1.0)
    assert here(swarm)[0] - already[0] < 0.2
    assert swarm.run(60.0)


def test_what_is_set_is_kept_before_it_is_answered_and_nothing_is_kept_of_no_change() -> None:
    swarm = swarm_of()
    _, kept = ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["00002", "00001"]))
    assert kept[0].record.file_priorities == (("00001", "high"), ("00002", "high"))
    assert (kept[0].record.priority, kept[0].record.sequential) == ("normal", False)
    assert ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["00002"]))[1] == []


def test_priority_of_all_of_it_and_of_files_and_its_order_are_set_apart_from_each_other() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeDownload(0, CONTENT, "low"))
    ask(swarm, ChangeDownload(0, CONTENT, "high", "sequential", ["00001"]))
    ask(swarm, Get(0, CONTENT, sequential=True))
    record = download_of(swarm).record
    assert (record.priority, record.sequential, record.file_priorities) == ("low", True, (("00001", "high"),))
    assert swarm.world.run(60.0, lambda: here(swarm)[1] == 1.0)
    assert here(swarm)[3] < 0.5


@pytest.mark.parametrize(
    ("message", "number", "code"),
    [
        (ChangeDownload(0, CONTENT, "high", paths=["nowhere"]), 1, ERR_NOT_FOUND),
        (ChangeDownload(0, CONTENT, order="sequential", paths=["00001"]), 1, ERR_USAGE),
        (ChangeDownload(0, CONTENT, "high", paths=["00001"]), 0, ERR_STATE),
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(message: ChangeDownload, number: int, code: str) -> None:
    swarm = swarm_of()
    reply, kept = ask(swarm, message, number)
    assert isinstance(reply, ControlFailed)
    assert (reply.code, kept) == (code, [])


def test_a_content_that_is_one_file_has_no_files_to_set() -> None:
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, RATES, RATES, seed=3))
    assert swarm.world.run(30.0, lambda: bool(download_of(swarm).held))
    reply, _ = ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["film"]))
    assert isinstance(reply, ControlFailed)
    assert reply.code == ERR_USAGE


@pytest.mark.parametrize("seed", range(4))
def test_whatever_each_of_many_peers_wants_first_all_of_them_end_with_all_of_it(seed: int) -> None:
    rng = random.Random(seed)
    tree = tuple(rng.choice([40_000, 300_000, MIB, 3 * MIB + 1]) for _ in range(12))
    swarm = swarm_of(leechers=6, tree=tree, seed=seed)
    for number in range(1, 7):
        for level in LEVELS:
            paths = [f"{n:05}" for n in rng.sample(range(12), 5)]
            ask(swarm, ChangeDownload(0, CONTENT, level, paths=paths), number)
    assert swarm.run(swarm.world.now + 120.0)
    assert all(swarm.results[peer_id(number)].bytes_done == sum(tree) for number in range(1, 7))
