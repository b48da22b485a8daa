"""Processes killed in the middle of a transfer: nothing verified is lost, everything goes on by itself."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.kit.payload import MIB, differences, random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Loose, Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SIZE = 128 * MIB
WINDOW = 8 * MIB
SLOW = {"SHOAL__LIMITS__UP": "32 MiB/s"}


def test_a_downloader_killed_at_half_goes_on_by_itself_and_wastes_at_most_a_window(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Swarm(tmp_path, environ=SLOW) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) >= 0.5, within=30)
        old = swarm.kill("south")
        swarm.restarted("south", old)
        with Remote(swarm.peer("south")) as south, Remote(swarm.peer("north")) as north:
            eventually(lambda: south.complete(content), within=60)
            assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""
            assert SIZE <= north.sent_to(swarm.peer("south").id) <= SIZE + WINDOW


def test_a_downloader_stopped_politely_at_half_goes_on_after_its_start(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Loose(tmp_path, environ=SLOW) as swarm:
        swarm.start_tracker()
        with Remote(swarm.start_peer("north")) as north:
            content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
            with Remote(swarm.start_peer("south")) as south:
                south.get(content)
                eventually(lambda: south.progress(content) >= 0.5, within=30)
            assert swarm.kill("south", signal.SIGTERM) == 0
            again = swarm.start_peer("south")
            with Remote(again) as south:
                eventually(lambda: south.progress(content) >= 0.5, within=10)
                eventually(lambda: south.complete(content), within=60)
            assert differences(sample, Path(again.download_dir) / sample.name) == ""
            assert SIZE <= north.sent_to(again.id) <= SIZE + WINDOW


def test_an_uploader_killed_at_half_comes_back_and_the_download_goes_on(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Swarm(tmp_path, environ=SLOW) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) >= 0.5, within=30)
            swarm.restarted("north", swarm.kill("north"))
            eventually(lambda: south.complete(content), within=60)
        assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""


def test_a_download_outlives_the_tracker_which_comes_back_and_knows_its_swarms(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Loose(tmp_path, environ=SLOW, peers=("north", "south", "east")) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
        with Remote(swarm.start_peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) >= 0.3, within=30)
            swarm.kill("tracker")
            eventually(lambda: south.complete(content), within=60)
        swarm.kill("north")
        swarm.kill("south")
        swarm.start_tracker()
        swarm.start_peer("east")
        # North and south are gone and cannot have registered again: this is the tracker's memory.
        rows = eventually(lambda: swarm.cli("search", "sample", peer="east").data, within=10)
        assert [(row["id"], row["seeds"] + row["leechers"]) for row in rows] == [(content, 2)]


def test_a_paused_download_stays_paused_over_a_restart(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Swarm(tmp_path, environ=SLOW) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) > 0.1, within=30)
        swarm.cli("pause", content, peer="south")
        swarm.restarted("south", swarm.kill("south"))
        row = swarm.cli("ls", peer="south").data[0]
        assert row["state"] == "paused"
        swarm.cli("resume", content, peer="south")
        with Remote(swarm.peer("south")) as south:
            eventually(lambda: south.complete(content), within=60)
