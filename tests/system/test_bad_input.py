"""Bad input: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.payload import MIB, differences, random_file
from tests.kit.swarm import Finished, Loose, Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """North and south, for all tests that leave them well; what a test shares has bytes and a name of its own."""
    with Swarm(tmp_path_factory.mktemp("bad")) as running:
        yield running


def one_line(done: Finished, code: str) -> str:
    """The one error line of a command, which must have this code and no traceback."""
    text = done.err.strip()
    assert "Traceback" not in text
    assert text.startswith(f"shoal: {code}: "), text
    assert "\n" not in text, text
    return text


def test_unknown_ids_are_not_found(swarm: Swarm) -> None:
    assert "no peer shares" in one_line(swarm.cli("get", "ab" * 32, expect=3), "ERR_NOT_FOUND")
    for command in ("pause", "resume", "verify", "unshare"):
        one_line(swarm.cli(command, "ab" * 32, expect=3), "ERR_NOT_FOUND")
    one_line(swarm.cli("get", "nonsense", expect=2), "ERR_USAGE")


def test_missing_and_unreadable_paths_are_named(swarm: Swarm, tmp_path: Path) -> None:
    before = [row["id"] for row in swarm.cli("ls").data]
    done = swarm.cli("share", str(tmp_path / "absent"), expect=None)
    assert done.code in (1, 2, 3)
    assert str(tmp_path / "absent") in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert [row["id"] for row in swarm.cli("ls").data] == before


def test_a_download_that_does_not_fit_on_the_disk_says_so_and_goes_on_when_it_does(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", 2 * MIB)
    with Loose(tmp_path) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
        swarm.start_peer("south", {"SHOAL__TRANSFER__MIN_FREE_DISK": "500 TiB"})
        line = one_line(swarm.cli("get", content, peer="south", expect=1), "ERR_DISK_FULL")
        assert "free" in line
        row = swarm.cli("ls", peer="south").data[0]
        assert row["state"] == "error"
        swarm.kill("south")
        ready = swarm.start_peer("south")
        swarm.cli("resume", content, peer="south", expect=None)
        swarm.cli("get", content, peer="south")
        assert differences(sample, Path(ready.download_dir) / sample.name) == ""


def test_a_wrong_tracker_key_is_told_from_a_tracker_that_is_away(tmp_path: Path) -> None:
    with Loose(tmp_path, peers=("north",)) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north", {"SHOAL__TRACKER__PUBLIC_KEY": "11" * 32})

        def names_the_key() -> bool:
            return "key" in one_line(swarm.cli("search", "anything", peer="north", expect=4), "ERR_UNREACHABLE")

        eventually(names_the_key, within=30)
        swarm.kill("tracker")
        assert swarm.cli("status", peer="north").data["trackers"][0]["state"] == "lost"


def test_two_peers_on_one_data_directory_are_one_too_many(tmp_path: Path) -> None:
    with Loose(tmp_path, peers=("north",)) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        done = swarm.cli("peer", "north", expect=2, within=20)
        assert "already running" in one_line(done, "ERR_ALREADY_RUNNING")
        swarm.cli("status", peer="north")


def test_an_unknown_key_of_the_configuration_is_named_with_its_nearest(tmp_path: Path) -> None:
    swarm = Loose(tmp_path, peers=("north",))
    swarm.config.write_text("netwrok: {hwm: 3}\n")
    done = swarm.cli("status", expect=2)
    line = one_line(done, "ERR_CONFIG")
    assert "netwrok" in line
    assert "network" in line


def test_a_peer_that_is_not_running_is_unreachable(tmp_path: Path) -> None:
    swarm = Loose(tmp_path, peers=("north",))
    one_line(swarm.cli("status", expect=4, within=30), "ERR_UNREACHABLE")


def test_hostile_names_cross_share_tracker_and_search_unharmed(swarm: Swarm, tmp_path: Path) -> None:
    names = [
        "<img src=x onerror=alert(1)>",
        "$(reboot)",
        "-rf",
        "' OR 1=1 --",
        '"quotes"',
        "%2e%2e%2f",
        "a\\b",
        "n" * 255,
    ]
    paths = []
    for number, name in enumerate(names):
        path = tmp_path / f"{number}" / name
        path.parent.mkdir()
        paths.append(random_file(path, 1000 + number, seed=number))
    shared = {row["id"] for row in swarm.cli("share", *map(str, paths)).data}
    for content in shared:
        swarm.cli("get", content, "-o", str(tmp_path / "to"), peer="south")
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == sorted(names)
    listed = swarm.cli("ls", peer="south").data
    assert sorted(row["name"] for row in listed if row["id"] in shared) == sorted(names)


def test_names_with_control_characters_are_refused_and_nothing_is_shared(swarm: Swarm, tmp_path: Path) -> None:
    bad = tmp_path / "line\nbreak"
    bad.write_text("x")
    before = [row["id"] for row in swarm.cli("ls").data]
    one_line(swarm.cli("share", str(bad), expect=2), "ERR_PATH")
    assert [row["id"] for row in swarm.cli("ls").data] == before


def test_data_that_shoal_did_not_download_is_never_deleted(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "kept.bin", MIB, seed=21)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    swarm.cli("remove", content, "--data", "--yes", expect=1)
    assert sample.exists()
    swarm.cli("get", content, peer="south")
    arrived = Path(swarm.peer("south").download_dir) / sample.name
    swarm.cli("remove", content, "--data", "--yes", peer="south")
    assert not arrived.exists()
    swarm.cli("unshare", content)
    assert sample.exists()
    assert content not in [row["id"] for row in swarm.cli("ls").data]


def test_a_taken_name_gets_a_number_and_nothing_is_overwritten(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "taken.bin", MIB, seed=22)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    downloads = Path(swarm.peer("south").download_dir)
    (downloads / "taken.bin").write_text("mine")
    result = swarm.cli("get", content, peer="south").data
    assert result["path"] == str(downloads / "taken (2).bin")
    assert (downloads / "taken.bin").read_text() == "mine"
    assert differences(sample, downloads / "taken (2).bin") == ""


def test_a_finished_download_whose_file_was_deleted_is_not_called_here(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "deleted.bin", 3 * MIB, seed=23)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    arrived = Path(swarm.cli("get", content, peer="south").data["path"])
    swarm.cli("get", content, peer="south")
    arrived.unlink()
    assert str(arrived) in one_line(swarm.cli("get", content, peer="south", expect=5), "ERR_CHANGED")
    swarm.cli("remove", content, peer="south")
    swarm.cli("get", content, peer="south")
    assert differences(sample, arrived) == ""


def test_a_get_elsewhere_replaces_one_that_never_began_and_is_refused_by_one_that_did(
    swarm: Swarm, tmp_path: Path
) -> None:
    sample = random_file(tmp_path / "elsewhere.bin", 3 * MIB, seed=24)
    (tmp_path / "no folder").write_text("a file")
    content = swarm.cli("share", str(sample)).data[0]["id"]
    swarm.cli("get", content, "-o", str(tmp_path / "no folder"), peer="south", expect=None)
    good = tmp_path / "folder"
    good.mkdir()
    swarm.cli("get", content, "-o", str(good), peer="south")
    assert differences(sample, good / sample.name) == ""
    done = swarm.cli("get", content, "-o", str(tmp_path), peer="south", expect=1)
    assert "here already" in one_line(done, "ERR_STATE")
