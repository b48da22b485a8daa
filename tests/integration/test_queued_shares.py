"""Shares given at once: one is hashed after the other, and whoever waits is told so."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bus.boundary import LinkId, Received, Send
from bus.events import ContentHashing
from bus.messages import Progress, SharePath
from peer import control
from peer.control import Control
from peer.core.interface import ReplyWhenAnnounced
from peer.files import FileOps
from peer.reputation_store import ReputationStore
from tests.kit.control_peer import ControlPeer
from tests.kit.storing import Disk
from tests.kit.waiting import eventually


class SlowDisk(FileOps):
    """Reads only once it may."""

    def __init__(self) -> None:
        self.may_read = threading.Event()

    def read_into(self, number: int, view: memoryview, offset: int) -> int:
        assert self.may_read.wait(20)
        return super().read_into(number, view, offset)


def test_a_share_whose_turn_has_not_come_is_queued_and_keeps_its_asker_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "WAITS_STILL", 0.05)
    files = SlowDisk()
    sent: list[Send] = []
    fed: list[Any] = []
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(os.urandom(5))
    with Disk(tmp_path, "north", files) as disk, ControlPeer(tmp_path) as peer:
        reputation = ReputationStore(tmp_path / "reputation.db")
        answering = Control(peer._reactor, disk.storage, peer.publisher, reputation, (), sent.append, fed.append)

        def shown() -> dict[str, tuple[bool, int]]:
            rows = peer.publisher.state.of(ContentHashing, "hashing")
            return {row.name: (row.waiting, row.bytes_done) for row in rows}

        def share() -> None:
            for number, name in enumerate(("first", "second")):
                answering.received(Received(LinkId(number), SharePath(7, str(tmp_path / name))))

        peer.call(share)
        eventually(lambda: shown() == {"first": (False, 0), "second": (True, 0)}, within=10)
        told = eventually(lambda: [one for one in sent if one.link == 1][2:], within=10)
        assert {type(one.message) for one in told} == {Progress}  # again and again: it is not given up
        files.may_read.set()
        eventually(lambda: len(fed) == 2, within=10)
        assert all(isinstance(event, ReplyWhenAnnounced) for event in fed)
        assert shown() == {}
        reputation.close()
