"""One file from one real peer to another, measured from outside."""

from __future__ import annotations

import filecmp
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ERR_TIMEOUT, ShoalError
from bus.messages import Done, Get, SearchContents, SearchResults, Shared, SharePath
from bus.ready import PeerUp
from bus.tap import EventTap
from experiments.bench.usage import Usage, spent, usage_of
from experiments.fleet import Fleet

LONGEST: Final = 600.0
"""Seconds that one transfer may take."""
_ANNOUNCED: Final = 15.0
"""Seconds within which the tracker must know what was shared."""
_LOOK: Final = 0.1


class Transferred(Struct, frozen=True):
    """One run."""

    seconds: float
    """From the request until `transfer.completed` is heard; the file then lies under its name."""
    sender: Usage
    receiver: Usage
    tracker: Usage


def transfer(source: Path, base_dir: Path) -> Transferred:
    """Start a tracker and two peers, share `source` at one and fetch it at the other.

    Args:
        source: the file.
        base_dir: for all state of these processes and the fetched file; the caller removes it.

    Raises:
        ShoalError: it failed, took too long, or the fetched file differs.
    """
    with Fleet(base_dir, 2) as fleet:
        north, south = fleet.peers
        content = fleet.ask(north, SharePath(0, str(source)), Shared).id
        _await_seed(fleet, south, content)
        pids = (north.pid, south.pid, fleet.tracker.pid)
        with EventTap(fleet.context, south.events, ("heartbeat", "transfer")) as tap:
            _await(tap, "heartbeat", content)  # the subscription stands
            before = [usage_of(pid) for pid in pids]
            begin = time.monotonic()
            fleet.ask(south, Get(0, content), Done)
            path = _await(tap, "transfer.completed", content)
            seconds = time.monotonic() - begin
            used = [spent(earlier, usage_of(pid)) for earlier, pid in zip(before, pids, strict=True)]
    if not filecmp.cmp(source, path, shallow=False):
        raise ShoalError(ERR_INTEGRITY, f"{path} is not the file that was shared")
    return Transferred(round(seconds, 4), *used)


def _await_seed(fleet: Fleet, peer: PeerUp, content: str) -> None:
    deadline = time.monotonic() + _ANNOUNCED
    while not any(found.seeds for found in fleet.ask(peer, SearchContents(0, content), SearchResults).results):
        if time.monotonic() > deadline:
            raise ShoalError(ERR_TIMEOUT, f"the tracker does not list what was shared within {_ANNOUNCED:g} s")
        time.sleep(_LOOK)


def _await(tap: EventTap, topic: str, content: str) -> str:
    """Wait for an event of this topic; the path in it, if it is about the content."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        for envelope in tap.poll(_LOOK):
            about = envelope.data.get("id", content) == content
            if envelope.type == "transfer.failed" and about:
                raise ShoalError(ERR_FAILURE, f"the transfer failed: {envelope.data.get('error')}")
            if envelope.type.startswith(topic) and about:
                return str(envelope.data.get("path", ""))
    raise ShoalError(ERR_TIMEOUT, f"no {topic} within {LONGEST:g} s")
