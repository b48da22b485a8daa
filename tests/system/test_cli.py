"""The command line on real peers: from sharing to removing, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kit.swarm import SHOAL, Swarm
from tests.kit.waiting import eventually

pytestmark = pytest.mark.system

SIZE = 3 * 2**20 + 17


@pytest.fixture(scope="module")
def swarm(tmp_path_factory):
    with Swarm(tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def shared(swarm, tmp_path):
    """A file that north shares under a name of its own, and its row."""
    path = tmp_path / f"{tmp_path.name}.bin"
    path.write_bytes(os.urandom(SIZE))
    return path, swarm.cli("share", str(path), peer="north").data[0]


def found(swarm, words, peer="south"):
    return [row["id"] for row in swarm.cli("search", words, peer=peer).data]


def test_a_file_is_shared_found_and_fetched(swarm, shared, tmp_path):
    path, row = shared
    assert (row["name"], row["kind"], row["size"], row["files"]) == (path.name, "file", SIZE, 1)
    assert row["link"].startswith(f"shoal:{row['id']}?name=")
    eventually(lambda: found(swarm, path.stem) == [row["id"]], within=10)
    got = swarm.cli("get", row["id"], "-o", str(tmp_path / "to"), peer="south").data
    assert Path(got["path"]) == tmp_path / "to" / path.name
    assert Path(got["path"]).read_bytes() == path.read_bytes()
    assert (got["id"], got["size"], got["duplicate_bytes"]) == (row["id"], SIZE, 0)
    assert got["sources"] == [{"peer": swarm.peer("north").id, "bytes": SIZE}]
    assert got["seconds"] > 0


def test_a_link_is_enough_to_fetch(swarm, shared):
    path, row = shared
    got = swarm.cli("get", row["link"], peer="south").data
    assert Path(got["path"]).read_bytes() == path.read_bytes()
    assert Path(got["path"]).parent == Path(swarm.peer("south").download_dir)


def test_both_sides_list_it_and_know_each_other(swarm, shared):
    _, row = shared
    swarm.cli("get", row["id"], peer="south")
    for peer in ("north", "south"):
        item = next(one for one in swarm.cli("ls", peer=peer).data if one["id"] == row["id"])
        assert (item["state"], item["progress"], item["bytes_done"]) == ("seeding", 1.0, SIZE)

    def received() -> int:
        links = swarm.cli("peers", peer="south").data
        return int(next(one["received"] for one in links if one["peer"] == swarm.peer("north").id))

    eventually(lambda: received() >= SIZE, within=10)  # links are told of once a progress interval
    score = eventually(lambda: swarm.cli("reputation", peer="south").data, within=10)[0]
    assert score["peer"] == swarm.peer("north").id
    assert score["score"] > 0.5
    events = swarm.cli("reputation", "--explain", score["peer"], peer="south").data
    assert events[-1]["score"] == pytest.approx(score["score"])


def test_what_is_unshared_is_not_found_and_its_file_stays(swarm, shared):
    path, row = shared
    eventually(lambda: found(swarm, path.stem), within=10)
    assert swarm.cli("unshare", row["id"][:12], peer="north").data == [{"id": row["id"]}]
    eventually(lambda: found(swarm, path.stem) == [], within=10)
    assert path.stat().st_size == SIZE
    assert row["id"] not in [item["id"] for item in swarm.cli("ls", peer="north").data]


def test_remove_with_data_deletes_the_download_and_nothing_else(swarm, shared):
    path, row = shared
    got = Path(swarm.cli("get", row["id"], peer="south").data["path"])
    swarm.cli("remove", row["id"], "--data", "--yes", peer="south")
    eventually(lambda: not got.exists(), within=10)
    assert path.exists()


def test_an_item_is_paused_resumed_and_verified(swarm, shared):
    _, row = shared

    def state():
        return next(item["state"] for item in swarm.cli("ls", peer="north").data if item["id"] == row["id"])

    swarm.cli("pause", row["id"], peer="north")
    eventually(lambda: state() == "paused", within=10)
    swarm.cli("resume", row["id"], peer="north")
    eventually(lambda: state() == "seeding", within=10)
    swarm.cli("verify", row["id"], peer="north")
    eventually(lambda: state() == "seeding", within=10)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["get", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["get", "f" * 12], 3, "ERR_NOT_FOUND"),
        (["get", "ubuntu"], 2, "ERR_USAGE"),
        (["get", "shoal:12"], 2, "ERR_USAGE"),
        (["share", "/nonexistent/file"], 3, "ERR_NOT_FOUND"),
        (["share", "/dev/null"], 2, "ERR_PATH"),
        (["unshare", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["pause", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["remove", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["verify", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["reputation", "--explain", "f" * 64], 3, "ERR_NOT_FOUND"),
        (["ls", "--peer", "west"], 3, "ERR_NOT_FOUND"),
        (["nonsense"], 2, "ERR_USAGE"),
    ],
)
def test_what_goes_wrong_is_one_line_and_its_exit_code(swarm, arguments, code, error):
    done = swarm.cli(*arguments, expect=code)
    assert done.out == ""
    assert done.err.startswith(f"shoal: {error}: ")
    assert done.err.count("\n") == 1


def test_nothing_found_is_no_error(swarm):
    assert swarm.cli("search", "no such words").data == []


def test_a_tap_shows_every_event_of_a_transfer(swarm, shared, tmp_path):
    _, row = shared
    recording = tmp_path / "events.jsonl"
    command = [SHOAL, *swarm.options, "--peer", "south", "tap", "--record", str(recording), "-q"]
    with subprocess.Popen(command, env=swarm.environ, stderr=subprocess.PIPE) as tap:
        # Heartbeats show that it hears.
        eventually(lambda: recording.exists() and recording.stat().st_size, within=20)
        swarm.cli("get", row["id"], peer="south")
        eventually(lambda: b"transfer.completed" in recording.read_bytes(), within=20)
        tap.send_signal(signal.SIGINT)
        assert tap.wait(timeout=10) == 130
    envelopes = [json.loads(line) for line in recording.read_text().splitlines()]
    seqs = [envelope["seq"] for envelope in envelopes if envelope["type"].startswith("transfer.")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    types = [one["type"] for one in envelopes if one["type"].startswith("transfer.") and one["data"]["id"] == row["id"]]
    assert types[0] == "transfer.started"
    assert types[-1] == "transfer.completed"


def test_the_tracker_and_the_wire_are_tapped_too(swarm):
    assert swarm.cli("tap", "--tracker", "--count", "1", within=30).data["type"]
    assert swarm.cli("tap", "--wire", "--count", "1", within=60).data["direction"] in ("in", "out", "event")


def test_the_doctor_finds_nothing(swarm):
    assert [row for row in swarm.cli("doctor").data if not row["ok"]] == []


def test_help_comes_at_once():
    command = ["bash", "-c", f"TIMEFORMAT=%U; time {SHOAL} --help >/dev/null"]

    def seconds() -> float:
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stderr)

    eventually(lambda: seconds() < 0.4, within=10)  # on a busy machine a single run may be a slow one
