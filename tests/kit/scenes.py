"""Small scenarios played in the simulator, and what their recordings tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus.codec import event_of
from bus.events import Envelope, Event, TransferCompleted
from experiments.backends import simulated
from experiments.scenario import scenario_of

GOOD = 5
MIB = 2**20


def envelopes_in(folder: Path) -> dict[str, list[Envelope]]:
    """What was recorded: process -> its events."""
    decoder = msgspec.json.Decoder(Envelope)
    return {path.stem: decoder.decode_lines(path.read_bytes()) for path in (folder / "events").glob("*.jsonl")}


class Scene:
    """One run that is over."""

    def __init__(self, tree: Mapping[str, Any], folder: Path, seed: int = 1) -> None:
        scenario = scenario_of(tree)
        self.recording = simulated.record(scenario, seed, "scene", folder)
        self.recorded = envelopes_in(folder)
        self.names = {peer_id: member.name for member in self.recording.cast for peer_id in member.ids}
        self.size = scenario.content.bytes

    def events(self, kind: type[Event], group: str = "") -> Iterator[tuple[str, float, Any]]:
        """(peer, time, event) of a kind, of the peers of a group, or all."""
        for name, envelopes in self.recorded.items():
            for envelope in envelopes if name.startswith(group) else ():
                event = event_of(envelope)
                if isinstance(event, kind):
                    yield name, envelope.time, event

    def completed(self, group: str) -> dict[str, float]:
        """Peer -> when it had everything."""
        return {name: time for name, time, _ in self.events(TransferCompleted, group)}

    def given(self, source: str, taker: str) -> int:
        """Verified bytes that the peers of one group had from those of another, as the takers count them."""
        return sum(
            row.bytes
            for name, _, event in self.events(TransferCompleted, taker)
            for row in event.sources
            if self.names[row.peer].startswith(source) and name != self.names[row.peer]
        )


def scene(
    folder: Path,
    behaviour: str = "honest",
    /,
    *,
    bad: Mapping[str, Any] | None = None,
    good: Mapping[str, Any] | None = None,
    seed: int = 1,
    **more: Any,
) -> Scene:
    """One seed, `GOOD` honest peers and two `bad` ones of that behaviour, with more keys of these and the scenario."""
    groups = {
        "seed": {"peers": 1, "complete": True, "up": "2 MiB/s"},
        "good": {"peers": GOOD, "up": "1 MiB/s", **(good or {})},
        "bad": {"peers": 2, "up": "1 MiB/s", "behaviour": behaviour, **(bad or {})},
    }
    tree = {"content": {"size": "4 MiB"}, "groups": groups, "backend": "sim", "timeout": "5 min", **more}
    return Scene(tree, folder, seed)
