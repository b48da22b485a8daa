"""What keeps large swarms cheap: chunks as single messages, links that stay few, no progress that nobody hears."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from math import inf
from pathlib import Path

import pytest

from bus.boundary import Received
from bus.events import Event, LinkProgress, TransferCompleted, TransferProgress, UploadProgress
from bus.messages import Data, Have, Ping
from experiments.runner import run
from experiments.scenario import scenario_of
from experiments.sim.swarm import SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import Host

KIB = 2**10
PEERS = 60
CHUNKS = 32


class Crowd:
    """A flash crowd, and what was sent and published in it."""

    def __init__(self, settings: dict[str, object]) -> None:
        scenario = SwarmScenario(leechers=PEERS, size=CHUNKS * 128 * KIB, settings=settings, seed=3)
        self.swarm = SimulatedSwarm(scenario)
        self.received: Counter[type] = Counter()
        self.published: Counter[type] = Counter()
        world = self.swarm.world
        feed, publish = world.feed, world.on_publish
        assert publish is not None

        def counted(host: Host, event: object) -> None:
            if isinstance(event, Received):
                self.received[type(event.message)] += 1
            feed(host, event)

        def heard(host: Host, event: Event) -> None:
            self.published[type(event)] += 1
            publish(host, event)

        world.feed, world.on_publish = counted, heard  # type: ignore[method-assign]

    def linked(self) -> list[int]:
        return [len(self.swarm.nodes[peer_id(number)].neighbours.by_link) for number in range(1, PEERS + 1)]

    def dialled(self) -> list[int]:
        nodes = [self.swarm.nodes[peer_id(number)] for number in range(1, PEERS + 1)]
        return [sum(1 for n in node.neighbours.by_link.values() if n.dialled) for node in nodes]


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    crowd = Crowd({"data_message_min": 128 * KIB, "progress_interval": inf})
    assert crowd.swarm.run(600.0)
    return crowd


def test_a_chunk_is_one_message_where_the_smallest_message_is_a_chunk(crowd: Crowd) -> None:
    fetched = PEERS * CHUNKS
    # Besides, one for each manifest, and a few that a stream's end cut short.
    assert fetched <= crowd.received[Data] <= fetched + PEERS + 0.05 * fetched


def test_the_summary_of_more_than_50_simulated_peers_says_that_messages_have_whole_chunks(tmp_path: Path) -> None:
    said = {}
    for leechers in (49, 50):
        groups = {"seed": {"peers": 1, "complete": True}, "leecher": {"peers": leechers}}
        scenario = scenario_of({"content": {"size": "128 KiB"}, "groups": groups, "backend": "sim"})
        said[leechers + 1] = run(scenario, "many", tmp_path / str(leechers), report=False).shaped_by
    assert said == {
        50: "Shoal's own limits, simulated", 51: "Shoal's own limits, simulated, in messages of whole chunks",
    }  # fmt: skip


def test_a_chunk_costs_few_calls_of_cores(crowd: Crowd) -> None:
    """Half of the links' messages are those of their beginning, so that contents of more chunks cost less."""
    assert crowd.swarm.world.handled <= 22 * PEERS * CHUNKS
    assert crowd.received[Have] <= 8 * PEERS * CHUNKS


def test_without_an_interval_no_progress_is_published(crowd: Crowd) -> None:
    assert not crowd.published[LinkProgress]
    assert not crowd.published[UploadProgress]
    assert crowd.published[TransferCompleted] == PEERS
    # Only where a state changed: it begins, it waits for sources, it moves, it verifies.
    assert crowd.published[TransferProgress] <= 8 * PEERS


def test_a_flash_crowd_dials_half_of_its_links_at_first_and_never_more_than_all(crowd: Crowd) -> None:
    young = Crowd({})
    young.swarm.world.run(0.3, lambda: False)
    assert max(young.dialled()) <= 15
    assert max(crowd.dialled()) <= 30


def test_who_has_two_thirds_of_its_links_dials_no_more(crowd: Crowd) -> None:
    linked = crowd.linked()
    assert min(linked) >= 20
    assert sum(linked) / PEERS <= 34  # 36 if all went on up to 30, for those are linked by others too


def test_most_links_of_a_crowd_are_never_pinged(crowd: Crowd) -> None:
    # The way is measured where a stream opens; who says anything needs no ping.
    assert crowd.received[Ping] < 0.7 * sum(crowd.linked())


def test_what_a_measurement_prints_names_the_budget_beside_each_number_that_has_one() -> None:
    command = [sys.executable, "-P", "-m", "experiments.sim", "--peers", "3", "--chunks", "2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = dict(line.split(maxsplit=1) for line in printed.splitlines()[1:])
    assert re.search(r" [0-9.]+ a chunk \(budget 12\), [0-9.]+ us each \(budget 10 us\);", rows["calls"])
    assert re.search(r"; \d+ KiB an idle peer \(budget 200 KiB\)$", rows["memory"])
