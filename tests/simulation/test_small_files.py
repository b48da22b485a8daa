"""A fetch of many small files costs a few messages, jobs and events, never one for each file."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bus.boundary import Send
from experiments.sim.swarm import SimulatedSwarm, SwarmScenario
from experiments.sim.world import Host, HostRates

KIB = 2**10
MIB = 2**20
FILES = 1000


def effects_of(swarm: SimulatedSwarm) -> Counter[str]:
    """How many effects of each kind all cores have from now on: of messages, what they say."""
    counted: Counter[str] = Counter()
    carry_out = swarm.world.carry_out

    def count(host: Host, effects: list[Any]) -> None:
        for effect in effects:
            what = effect.message if isinstance(effect, Send) else effect
            counted[type(what).__name__] += 1
        carry_out(host, effects)

    swarm.world.carry_out = count  # type: ignore[method-assign]
    return counted


# Measured: 16 wants, 17 data messages, 22 events; at 0.5 MiB/s, for 8 s, 47, 101 and 97.
@pytest.mark.parametrize(("rate", "wants", "messages", "events"), [(10 * MIB, 40, 40, 50), (MIB // 2, 80, 150, 150)])
def test_a_thousand_files_take_a_few_wants_messages_jobs_and_events(
    rate: int, wants: int, messages: int, events: int
) -> None:
    rates = HostRates(up=rate)
    swarm = SimulatedSwarm(SwarmScenario(1, 0, rates, rates, latency=0.002, tree=(4 * KIB,) * FILES, seed=3))
    counted = effects_of(swarm)
    assert swarm.run(30.0)
    assert 0 < counted["Want"] <= wants, counted
    for kind in ("Data", "Read", "Store"):
        assert 0 < counted[kind] <= messages, counted
    for kind in ("Credit", "Have", "Announce", "Forget", "KeepDownload", "KeepReputation"):
        assert counted[kind] <= 20, counted
    assert 0 < counted["Publish"] <= events, counted
