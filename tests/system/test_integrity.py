"""A peer whose disk flips bits: nothing wrong is kept, served or announced, and it is told from the good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.payload import MIB, differences, flip_bits, random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Loose, Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SIZE = 64 * MIB
SLOW = {"SHOAL__LIMITS__UP": "16 MiB/s"}


def test_flipped_bits_are_rejected_and_the_download_completes_from_another_source(tmp_path: Path) -> None:
    good = random_file(tmp_path / "sample.bin", SIZE)
    (tmp_path / "rotten").mkdir()
    bad = tmp_path / "rotten" / "sample.bin"
    bad.write_bytes(good.read_bytes())
    with Swarm(tmp_path, peers=("north", "east", "south"), environ=SLOW) as swarm:
        content = swarm.cli("share", str(good), peer="north").data[0]["id"]
        assert swarm.cli("share", str(bad), peer="east").data[0]["id"] == content
        flip_bits(bad, every=64 * 1024)
        result = swarm.cli("get", content, peer="south").data
        south, north, east = (swarm.peer(name) for name in ("south", "north", "east"))
        assert differences(good, Path(south.download_dir) / good.name) == ""
        given = {row["peer"]: row["bytes"] for row in result["sources"]}
        assert given.get(east.id, 0) == 0
        assert given[north.id] == SIZE
        with Remote(south) as remote:
            assert remote.score(east.id) < 0.3
            assert remote.score(north.id) > 0.5
            row = remote.transfer(content)
            assert row is not None
            assert row.rejected_bytes > 0
        explained = swarm.cli("reputation", "--explain", east.id, peer="south").data
        assert "CORRUPTED_DATA" in {event["type"] for event in explained}
        # The seed was told, looked at its own copy, and offers it no longer.
        eventually(lambda: swarm.cli("ls", peer="east").data[0]["state"] == "error", within=10)


def test_a_changed_file_is_withdrawn_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Swarm(tmp_path, environ=SLOW) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        sample.write_bytes(b"x" * SIZE)
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: swarm.cli("ls", peer="north").data[0]["state"] == "error", within=20)
            row = south.transfer(content)
            assert row is not None
            assert row.bytes_done == 0
            assert south.score(swarm.peer("north").id) == 0.5, "one changed file is no crime"


def test_verify_finds_damage_in_what_is_shared(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", 4 * MIB)
    with Swarm(tmp_path, peers=("north",)) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        swarm.cli("verify", content)
        assert swarm.cli("ls").data[0]["state"] == "seeding"
        flip_bits(sample, every=MIB)
        swarm.cli("verify", content, expect=None)
        row = eventually(lambda: [r for r in swarm.cli("ls").data if r["state"] == "error"], within=10)[0]
        assert row["error"]


def test_a_damaged_temporary_file_is_repaired_by_verify(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Loose(tmp_path, environ=SLOW) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
        ready = swarm.start_peer("south")
        with Remote(ready) as south:
            south.get(content)
            eventually(lambda: south.progress(content) > 0.5, within=30)
            swarm.cli("pause", content, peer="south")
            partial = next(Path(ready.download_dir).glob(".*.shoal"))
            flip_bits(partial, every=16 * MIB)
            swarm.cli("verify", content, peer="south")
            swarm.cli("resume", content, peer="south", expect=None)
            eventually(lambda: south.complete(content), within=30)
        assert differences(sample, Path(ready.download_dir) / sample.name) == ""
