"""A file and a tree from one real peer to another, and to a third from both."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.messages import Held, HeldFile, ListHeld, Pieces, ShowPieces
from tests.kit.payload import MIB, differences, random_file, standard_library
from tests.kit.remote import Remote
from tests.kit.swarm import SHOAL, Loose, Swarm
from tests.kit.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Three peers for all tests with little data, under names of their own."""
    with Swarm(tmp_path_factory.mktemp("transfers"), peers=("north", "south", "east")) as running:
        yield running


def found(swarm: Swarm | Loose, peer: str, word: str) -> str:
    """Id of the one content a search gives, once the tracker lists it."""
    rows = eventually(lambda: swarm.cli("search", word, peer=peer).data, within=10)
    assert len(rows) == 1
    return str(rows[0]["id"])


def row_of(swarm: Swarm, peer: str, content: str) -> dict[str, object]:
    """What a peer lists of a content."""
    return next(row for row in swarm.cli("ls", peer=peer).data if row["id"] == content)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standard_library(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize(("hwm", "size", "cap"), [("256", 1024 * MIB, "51 MiB/s"), ("1", 256 * MIB, "25 MiB/s")])
@pytest.mark.timeout(300)
def test_a_gibibyte_and_a_tree_of_thousands_reach_another_peer_and_a_third_from_both(
    tmp_path: Path, tree: Path, hwm: str, size: int, cap: str
) -> None:
    big = random_file(tmp_path / "big-sample.bin", size)
    with Loose(tmp_path, peers=("north", "south", "east"), environ={"SHOAL__NETWORK__HWM": hwm}) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        south = swarm.start_peer("south")
        shared = swarm.cli("share", str(big), str(tree), peer="north").data
        assert [row["kind"] for row in shared] == ["file", "tree"]
        for word in ("sample", "stdlib"):
            content = found(swarm, "south", word)
            assert swarm.cli("get", content, peer="south").data["duplicate_bytes"] == 0
        fetched = Path(south.download_dir)
        assert differences(big, fetched / big.name) == ""
        assert differences(tree, fetched / "stdlib") == ""

        east = swarm.start_peer("east")
        # Low enough that the caps are what is slow, also where other programs keep the processors busy.
        for peer in ("north", "south"):
            swarm.cli("limit", "--up", cap, peer=peer)
        result = swarm.cli("get", found(swarm, "east", "sample"), peer="east").data
        assert differences(big, Path(east.download_dir) / big.name) == ""
        assert len(result["sources"]) == 2
        assert all(row["bytes"] >= 0.3 * size for row in result["sources"])


def mechanism(endpoint: str) -> str:
    """How the connections of a TCP endpoint are secured, as its greeting says (ZeroMQ RFC 37)."""
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03")  # and no more: it would hang up on another mechanism
        return stream.read(64)[12:32].rstrip(b"\0").decode()


@pytest.mark.parametrize("hwm", [256, 1])
def test_without_encryption_a_file_and_a_tree_arrive_and_only_the_tracker_encrypts(tmp_path: Path, hwm: int) -> None:
    big, tree = random_file(tmp_path / "big.bin", 40 * MIB), tmp_path / "tree"
    tree.mkdir()
    for number in range(20):
        random_file(tree / f"{number}", 30_000)
    settings: dict[str, dict[str, object]] = {"security": {"encryption": False}, "network": {"hwm": hwm}}
    with Swarm(tmp_path, settings=settings) as swarm:
        for row in swarm.cli("share", str(big), str(tree)).data:
            assert swarm.cli("get", row["id"], peer="south").data["duplicate_bytes"] == 0
        south = swarm.peer("south")
        assert differences(big, Path(south.download_dir) / big.name) == ""
        assert differences(tree, Path(south.download_dir) / tree.name) == ""
        assert [mechanism(swarm.peer(name).data) for name in ("north", "south")] == ["NULL", "NULL"]
        assert mechanism(swarm.tracker.endpoint) == "CURVE"


def test_peers_of_which_only_one_encrypts_do_not_link_and_say_why_in_one_line(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", MIB)
    with Loose(tmp_path) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        south = swarm.start_peer("south", {"SHOAL__SECURITY__ENCRYPTION": "false"})
        content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
        command = [SHOAL, *swarm.options, "--peer", "south", "get", content]
        with (tmp_path / "said").open("w") as said:
            waiting = subprocess.Popen(command, env=swarm.environ, stderr=said)
        why = "security.encryption is false here and true at 1 peer of the swarm; make it the same on both sides"
        eventually(lambda: why in (tmp_path / "said").read_text(), within=20)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(10) == 130
        row = swarm.cli("ls", peer="south").data[0]
        assert (row["state"], row["error"]) == ("no_sources", why)
        assert swarm.cli("peers", peer="south").data == []
        # Once it is the same on both sides, the download goes on by itself.
        swarm.kill("south", signal.SIGTERM)
        swarm.start_peer("south")
        eventually(lambda: swarm.cli("ls", peer="south").data[0]["state"] == "seeding", within=40)
        assert differences(sample, Path(south.download_dir) / sample.name) == ""


def test_odd_trees_arrive_as_they_are(swarm: Swarm, tmp_path: Path) -> None:
    tree = tmp_path / "odd"
    (tree / "empty folder").mkdir(parents=True)
    (tree / "deep" / "er" / "and er").mkdir(parents=True)
    names = ["ünïcode", "emoji \N{FISH}", "-dash", "$(shell);`x`", "trailing.", "CON", "back\\slash", "a:b", "x" * 255]
    for name in names:
        (tree / name).write_text(name)
    (tree / "deep" / "er" / "and er" / "empty").touch()
    (tree / "run me").write_text("#!/bin/sh\n")
    (tree / "run me").chmod(0o755)
    random_file(tree / "many chunks", 3 * MIB + 7)
    (tree / "link").symlink_to("run me")
    (tree / "out").symlink_to("/etc/passwd")
    shared = swarm.cli("share", str(tree)).data[0]
    assert any("out" in line for line in shared["skipped"])
    swarm.cli("get", shared["id"], peer="south")
    arrived = Path(swarm.peer("south").download_dir) / "odd"
    (tree / "out").unlink()
    assert differences(tree, arrived) == ""
    assert (arrived / "empty folder").is_dir()
    assert (arrived / "run me").stat().st_mode & 0o111
    assert not (arrived / "many chunks").stat().st_mode & 0o111
    assert not (arrived / "link").is_symlink()


def test_a_part_of_a_tree_can_be_fetched(swarm: Swarm, tmp_path: Path) -> None:
    tree = tmp_path / "parts"
    for folder in ("one", "two"):
        (tree / folder).mkdir(parents=True)
        random_file(tree / folder / "data", 300_000)
    content = swarm.cli("share", str(tree)).data[0]["id"]
    swarm.cli("get", content, "--only", "two", peer="south")
    arrived = Path(swarm.peer("south").download_dir) / "parts"
    assert sorted(p.relative_to(arrived).as_posix() for p in arrived.rglob("*")) == ["two", "two/data"]
    assert differences(tree / "two", arrived / "two") == ""
    assert swarm.cli("get", content, "--only", "two/data", peer="south").data["size"] == 300_000
    with Remote(swarm.peer("south")) as south:
        held, pieces = south.call(ListHeld(0, content)), south.call(ShowPieces(0, content))
    assert isinstance(held, Held)
    assert held.files == [HeldFile(wanted=False, bytes_done=0), HeldFile(wanted=True, bytes_done=300_000)]
    assert isinstance(pieces, Pieces)
    assert pieces.here == bytes(3) + bytes([255] * 3)
    # Who has a part serves it, and offers nothing else.
    swarm.kill("north", signal.SIGSTOP)
    swarm.cli("get", content, "--only", "two", peer="east")
    swarm.kill("north", signal.SIGCONT)
    assert differences(tree / "two", Path(swarm.peer("east").download_dir) / "parts" / "two") == ""
    swarm.restarted("south", swarm.kill("south"))
    assert row_of(swarm, "south", content)["size"] == 300_000
    assert row_of(swarm, "north", content)["state"] == "seeding"


def test_a_second_get_of_a_tree_widens_what_is_fetched_and_fetches_nothing_twice(swarm: Swarm, tmp_path: Path) -> None:
    tree = tmp_path / "grows"
    for number, folder in enumerate(("one", "two", "three")):
        (tree / folder).mkdir(parents=True)
        random_file(tree / folder / "data", 4 * MIB, seed=number)
    content = swarm.cli("share", str(tree)).data[0]["id"]
    arrived = Path(swarm.peer("south").download_dir) / "grows"
    with Remote(swarm.peer("south")) as south:
        swarm.cli("limit", "--down", "8 MiB/s", peer="south")
        south.get(content, only=["one"])
        south.get(content, only=["two"])
        eventually(lambda: south.complete(content), within=30)
    swarm.cli("limit", "--down", "unlimited", peer="south")
    assert sorted(p.name for p in arrived.iterdir()) == ["one", "two"]
    refused = swarm.cli("get", content, "--only", "nowhere", peer="south", expect=3)
    assert "nowhere is not in this content" in refused.err
    whole = swarm.cli("get", content, peer="south").data
    assert whole["size"] == 12 * MIB
    assert sum(source["bytes"] for source in whole["sources"]) == 12 * MIB
    assert differences(tree, arrived) == ""


def test_files_left_out_of_a_running_download_are_not_fetched_even_after_a_crash(swarm: Swarm, tmp_path: Path) -> None:
    tree = tmp_path / "shrinks"
    for number, folder in enumerate(("one", "two", "three")):
        (tree / folder).mkdir(parents=True)
        random_file(tree / folder / "data", 4 * MIB, seed=10 + number)
    content = swarm.cli("share", str(tree)).data[0]["id"]
    arrived = Path(swarm.peer("south").download_dir) / "shrinks"
    swarm.cli("limit", "--down", "1 MiB/s", peer="south")
    with Remote(swarm.peer("south")) as south:
        south.get(content)
        eventually(lambda: south.progress(content) > 0.05, within=30)
    assert swarm.cli("leave-out", content, "one", "two/data", peer="south").data == [{"id": content}]
    eventually(lambda: row_of(swarm, "south", content)["size"] == 4 * MIB, within=10)
    refused = swarm.cli("leave-out", content, "three", peer="south", expect=1)
    assert "no file of shrinks would be left to fetch" in refused.err
    swarm.restarted("south", swarm.kill("south"))
    eventually(lambda: row_of(swarm, "south", content)["size"] == 4 * MIB, within=30)
    swarm.cli("limit", "--down", "unlimited", peer="south")
    eventually(lambda: row_of(swarm, "south", content)["state"] == "seeding", within=60)
    assert sorted(p.relative_to(arrived).as_posix() for p in arrived.rglob("*")) == ["three", "three/data"]
    assert differences(tree / "three", arrived / "three") == ""
    refused = swarm.cli("leave-out", content, "three", peer="south", expect=1)
    assert "is complete" in refused.err
    assert swarm.cli("get", content, peer="south").data["size"] == 12 * MIB
    assert differences(tree, arrived) == ""


def test_an_empty_file_and_a_one_byte_file_arrive(swarm: Swarm, tmp_path: Path) -> None:
    (tmp_path / "nothing").touch()
    (tmp_path / "one").write_bytes(b"1")
    for row in swarm.cli("share", str(tmp_path / "nothing"), str(tmp_path / "one")).data:
        swarm.cli("get", row["id"], peer="south")
    downloads = Path(swarm.peer("south").download_dir)
    assert (downloads / "nothing").read_bytes() == b""
    assert (downloads / "one").read_bytes() == b"1"


def test_a_second_machine_that_knows_only_the_tracker_and_its_key_joins_and_fetches(
    swarm: Swarm, tmp_path: Path
) -> None:
    sample = random_file(tmp_path / "afar.bin", 5 * MIB, seed=2)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    second = Swarm(tmp_path, peers=())
    second.config.write_text(
        f"tracker: {{endpoint: '{swarm.tracker.endpoint}', public_key: '{swarm.tracker.public_key}'}}\n"
    )
    with second:
        assert second.report().tracker is None
        assert found(second, "", "afar") == content
        second.cli("get", content)
        assert differences(sample, Path(second.report().peers[0].download_dir) / sample.name) == ""


def test_a_link_carries_all_that_another_machine_needs(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "linked.bin", MIB, seed=3)
    link = swarm.cli("share", str(sample)).data[0]["link"]
    second = Swarm(tmp_path, peers=("south",))
    second.config.write_text("peers: [{name: south}]\nnetwork: {bind: 127.0.0.1}\n")
    with second:
        second.cli("get", link)
        assert differences(sample, Path(second.peer("south").download_dir) / sample.name) == ""
