"""A peer whose disk flips bits: nothing wrong is kept, served or announced, and it is told from the good ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.messages import Pause
from tests.kit.payload import MIB, differences, flip_bits, random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SIZE = 64 * MIB
SLOW = {"SHOAL__LIMITS__UP": "32 MiB/s"}


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """North and south are good peers; east is the one with the rotten disk."""
    with Swarm(tmp_path_factory.mktemp("integrity"), peers=("north", "east", "south"), environ=SLOW) as running:
        yield running


def state_of(swarm: Swarm, peer: str, content: str) -> str:
    return next(str(row["state"]) for row in swarm.cli("ls", peer=peer).data if row["id"] == content)


def test_flipped_bits_are_rejected_and_the_download_completes_from_another_source(swarm: Swarm, tmp_path: Path) -> None:
    good = random_file(tmp_path / "flipped.bin", SIZE, seed=1)
    (tmp_path / "rotten").mkdir()
    bad = tmp_path / "rotten" / good.name
    bad.write_bytes(good.read_bytes())
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
    eventually(lambda: state_of(swarm, "east", content) == "error", within=10)


def test_a_changed_file_is_withdrawn_and_nothing_of_it_is_kept(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "changed.bin", SIZE, seed=2)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    sample.write_bytes(b"x" * SIZE)
    with Remote(swarm.peer("south")) as south:
        before = south.score(swarm.peer("north").id)
        south.get(content)
        eventually(lambda: state_of(swarm, "north", content) == "error", within=20)
        row = south.transfer(content)
        assert row is not None
        assert row.bytes_done == 0
        assert south.score(swarm.peer("north").id) == pytest.approx(before, abs=1e-3), "one changed file is no crime"


def test_verify_finds_damage_in_what_is_shared(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "rotting.bin", 4 * MIB, seed=3)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    swarm.cli("verify", content)
    assert state_of(swarm, "north", content) == "seeding"
    flip_bits(sample, every=MIB)
    swarm.cli("verify", content, expect=None)
    row = eventually(lambda: [r for r in swarm.cli("ls").data if r["state"] == "error"], within=10)[0]
    assert row["error"]


def test_a_damaged_share_is_not_offered_after_a_restart_until_it_was_put_right(swarm: Swarm, tmp_path: Path) -> None:
    damaged = random_file(tmp_path / "damaged share.bin", MIB, seed=6)
    intact = random_file(tmp_path / "intact.bin", MIB, seed=7)
    was = damaged.read_bytes()
    content, other = (row["id"] for row in swarm.cli("share", str(damaged), str(intact)).data)
    damaged.write_bytes(was[: MIB // 2])
    swarm.restarted("north", swarm.kill("north"))
    eventually(lambda: state_of(swarm, "north", content) == "error", within=10)
    eventually(lambda: state_of(swarm, "north", other) == "seeding", within=10)
    eventually(lambda: swarm.cli("search", other).data, within=20)
    assert not swarm.cli("search", content, expect=None).data, "it is announced"
    damaged.write_bytes(was)
    swarm.cli("verify", content)
    eventually(lambda: state_of(swarm, "north", content) == "seeding", within=10)
    eventually(lambda: swarm.cli("search", content, expect=None).data, within=10)


def test_verify_fetches_again_what_is_damaged_of_a_finished_download(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "finished.bin", 8 * MIB, seed=5)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    got = Path(swarm.cli("get", content, peer="south").data["path"])
    flip_bits(got, every=3 * MIB)
    assert differences(sample, got)
    swarm.cli("verify", content, peer="south")
    eventually(lambda: got.exists() and differences(sample, got) == "", within=30)
    with Remote(swarm.peer("south")) as south:
        eventually(lambda: south.complete(content), within=10)
        row = south.transfer(content)
        assert row is not None
        assert 8 * MIB < sum(source.bytes for source in row.sources) < 10 * MIB, "only what was damaged"


def test_a_damaged_temporary_file_is_repaired_by_verify(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "damaged.bin", SIZE, seed=4)
    content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
    downloads = Path(swarm.peer("south").download_dir)
    with Remote(swarm.peer("south")) as south:
        south.get(content)
        eventually(lambda: south.progress(content) > 0.5, within=30)
        south.call(Pause(0, content))
        partial = next(downloads.glob(f".{sample.name}*.shoal"))
        flip_bits(partial, every=16 * MIB)
        swarm.cli("verify", content, peer="south")
        swarm.cli("resume", content, peer="south", expect=None)
        eventually(lambda: south.complete(content), within=30)
    assert differences(sample, downloads / sample.name) == ""
