"""Scenarios with cheats and failures on real processes, and on threads of this one."""

from __future__ import annotations

from typing import TypeVar

import pytest

from bus.codec import event_of
from bus.errors import ShoalError
from bus.events import ChunkRejected, Envelope, Event, PeerStarted, TransferCompleted
from experiments.runner import BACKENDS
from experiments.scenario import scenario_of
from peer.core.interface import Stored
from peer.core.node import PeerNode
from tests.kit.scenes import envelopes_in
from tests.kit.waiting import eventually
from tests.system.test_experiment import processes_at

E = TypeVar("E", bound=Event)

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def of(recorded: list[Envelope], kind: type[E]) -> list[E]:
    return [event for envelope in recorded if isinstance(event := event_of(envelope), kind)]


def test_real_cheats_are_found_out_and_whoever_is_killed_comes_back(tmp_path):
    scenario = scenario_of(
        {
            "content": {"size": "6 MiB"},
            "groups": {
                "seed": {"peers": 1, "complete": True, "up": "3 MiB/s"},
                "good": {"peers": 2, "up": "2 MiB/s"},
                "corrupt": {"peers": 1, "up": "2 MiB/s", "behaviour": "corrupter"},
                "free": {"peers": 1, "behaviour": "free-rider"},
            },
            "failures": [
                {"at": "500 ms", "do": "kill", "peers": ["good-2"], "lasts": "500 ms"},
                {"at": "1 s", "do": "pause", "peers": ["good-1"], "lasts": "500 ms"},
                {"at": "500 ms", "do": "cap", "group": "seed", "rate": "1 MiB/s", "lasts": "500 ms"},
            ],
            "timeout": "1 min",
        }
    )
    recording = BACKENDS["processes"](scenario, 1, "cheats", tmp_path)
    recorded = envelopes_in(tmp_path)
    cast = {member.name: member for member in recording.cast}
    assert set(recording.lost.values()) == {0}
    assert recording.shaped_by == "Shoal's own limits"
    assert len(of(recorded["good-2"], PeerStarted)) == 1  # the first is over before the tap listens
    for name in ("good-1", "good-2"):
        (completed,) = of(recorded[name], TransferCompleted)
        given = {row.peer: row.bytes for row in completed.sources}
        assert given.get(cast["free-1"].ids[0], 0) == 0
        assert given.get(cast["corrupt-1"].ids[0], 0) == 0
    culprits = {event.peer for name in ("good-1", "good-2") for event in of(recorded[name], ChunkRejected)}
    assert culprits == {cast["corrupt-1"].ids[0]}
    assert not (tmp_path / "state").exists()
    assert eventually(lambda: not processes_at(tmp_path), within=30)


def test_what_a_peer_sends_is_corrupted_or_late_when_a_scenario_says_so(tmp_path):
    scenario = scenario_of(
        {
            "content": {"size": "2 MiB"},
            "groups": {
                "seed": {"peers": 1, "complete": True},
                "struck": {"peers": 1, "complete": True},
                "good": {"peers": 2, "arrival": {"at": "1 s"}},
            },
            "failures": [
                {"at": 0, "do": "corrupt", "group": "struck"},
                {"at": 0, "do": "delay", "group": "seed", "delay": "700 ms"},
            ],
            "timeout": "1 min",
        }
    )
    recording = BACKENDS["processes"](scenario, 1, "struck", tmp_path)
    recorded = envelopes_in(tmp_path)
    cast = {member.name: member.ids[0] for member in recording.cast}
    rejected = {event.peer for name in ("good-1", "good-2") for event in of(recorded[name], ChunkRejected)}
    assert rejected == {cast["struck-1"]}
    for name in ("good-1", "good-2"):
        first = next(row.time for row in recorded[name] if row.type == "transfer.started")
        last = next(row.time for row in recorded[name] if row.type == "transfer.completed")
        # What is right came from the seed alone: its greeting, its slot and its bytes, each 0.7 s late.
        assert last - first > 2.0


def test_threads_of_one_process_are_a_swarm_too(tmp_path):
    scenario = scenario_of(
        {
            "content": {"tree": [{"files": 5, "size": "4 KiB"}, {"files": 1, "size": "2 MiB"}]},
            "groups": {
                "seed": {"peers": 1, "complete": True, "up": "2 MiB/s"},
                "good": {"peers": 2, "latency": "5 ms"},
                "churning": {"peers": 1, "leave": {"session": "1 s", "pause": "200 ms"}},
            },
            "failures": [{"at": "300 ms", "do": "partition", "peers": ["good-1"], "lasts": "500 ms"}],
            "timeout": "1 min",
        }
    )
    recording = BACKENDS["inproc"](scenario, 1, "threads", tmp_path)
    assert set(recording.lost.values()) == {0}
    assert recording.shaped_by == "Shoal's own limits, and each sender delays its messages"
    completed = {name: of(events, TransferCompleted) for name, events in envelopes_in(tmp_path).items()}
    assert {name for name, events in completed.items() if events} == {"good-1", "good-2", "churning-1"}


def test_a_thread_that_ends_by_a_mistake_ends_the_run_and_leaves_its_log(tmp_path, monkeypatch):
    handle = PeerNode.handle

    def mistaken(core, event, now):
        if isinstance(event, Stored):
            raise RuntimeError("a mistake")
        return handle(core, event, now)

    monkeypatch.setattr(PeerNode, "handle", mistaken)
    groups = {"seed": {"peers": 1, "complete": True}, "good": {"peers": 1}}
    scenario = scenario_of({"content": {"size": "2 MiB"}, "groups": groups, "timeout": "1 min"})
    with pytest.raises(ShoalError) as raised:
        BACKENDS["inproc"](scenario, 1, "mistaken", tmp_path)
    told = "ERR_FAILURE: the thread of good-1 ended: RuntimeError('a mistake'); see logs/good-1.log"
    assert str(raised.value) == told  # and not, after a minute, that not all downloads have ended
    assert "in mistaken" in (tmp_path / "logs" / "good-1.log").read_text()
    assert not (tmp_path / "state").exists()
