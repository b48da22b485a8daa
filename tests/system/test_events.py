"""Watching: the tap sees every event of a transfer, and whoever joins late ends with the same state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.payload import MIB, random_file
from tests.kit.swarm import SHOAL, Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Each test has a downloader of its own, which has never been linked to north before."""
    with Swarm(
        tmp_path_factory.mktemp("events"), peers=("north", "south", "east"), environ={"SHOAL__LIMITS__UP": "16 MiB/s"}
    ) as running:
        yield running


def lines(path: Path) -> list[dict[str, Any]]:
    """The envelopes a tap has written so far; a line being written does not count."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_the_tap_prints_every_event_of_a_transfer(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", 16 * MIB)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    out = tmp_path / "tap.jsonl"
    with out.open("w") as file:
        tap = subprocess.Popen(
            [SHOAL, *swarm.options, "--json", "--peer", "south", "tap"],
            stdout=file, env=swarm.environ, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        eventually(lambda: lines(out), within=20)
        swarm.cli("get", content, peer="south")
        eventually(lambda: any(row["type"] == "transfer.completed" for row in lines(out)), within=10)
    finally:
        tap.terminate()
        tap.wait()
    rows = lines(out)
    types = {row["type"] for row in rows}
    assert {
        "transfer.started",
        "transfer.progress",
        "transfer.completed",
        "link.up",
        "stream.opened",
        "stream.closed",
        "reputation.changed",
        "swarm.changed",
        "heartbeat.peer",
    } <= types
    assert {row["epoch"] for row in rows} == {rows[0]["epoch"]}
    numbers = [row["seq"] for row in rows if row["type"].startswith("transfer.")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "an event is missing"


def test_the_wire_tap_prints_a_header_of_every_message(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", 4 * MIB, seed=2)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    out = tmp_path / "wire.jsonl"
    with out.open("w") as file:
        tap = subprocess.Popen(
            [SHOAL, *swarm.options, "--json", "--peer", "east", "tap", "--wire"],
            stdout=file, env=swarm.environ, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        eventually(lambda: len(swarm.cli("status", peer="east").data) and lines(out), within=20)
        swarm.cli("get", content, peer="east")
        eventually(lambda: any(row["message"] == "Closed" for row in lines(out)), within=10)
    finally:
        tap.terminate()
        tap.wait()
    rows = lines(out)
    assert {"Hello", "Have", "Open", "Opened", "Want", "Credit", "Data"} <= {row["message"] for row in rows}
    data = [row for row in rows if row["message"] == "Data"]
    assert sum(row["bytes"] for row in data) >= 4 * MIB
    assert all(row["peer"] == swarm.peer("north").id for row in data)
