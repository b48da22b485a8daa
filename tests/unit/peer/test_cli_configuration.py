"""`shoal config show` and `shoal doctor` say what is in force and what would not work."""

from __future__ import annotations

import os
import socket

import pytest

from bus.events import TrackerLost, TrackerReached
from bus.places import DirectoryLock
from tests.kit.answering_peer import AnsweringPeer
from tests.kit.command_line import CommandLine


@pytest.fixture
def shoal(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def checks(shoal):
    return {row["check"]: (row["ok"], row["detail"]) for row in shoal("doctor", "--json").data}


def test_settings_are_one_flat_object(shoal):
    values = shoal("config", "show", "--json").data
    assert values["data_dir"] == str(shoal.base_dir)
    assert values["transfer.window"] == 16 * 2**20
    assert [peer["name"] for peer in values["peers"]] == ["north"]


def test_each_setting_tells_where_it_came_from(shoal, monkeypatch):
    monkeypatch.setenv("SHOAL__NETWORK__HWM", "1")
    values = shoal("config", "show", "--origin", "--json").data
    assert values["network.hwm"] == {"value": 1, "origin": "environment SHOAL__NETWORK__HWM"}
    assert values["data_dir"]["origin"] == "flag --base-dir"
    assert values["peers"]["origin"] == f"file {shoal.config}"
    assert values["transfer.window"]["origin"] == "default"


def test_settings_as_text_are_a_line_each(shoal):
    assert "network.hwm = 256\n" in shoal("config", "show").out
    line = next(line for line in shoal("config", "show", "--origin").out.splitlines() if line.startswith("network.hwm"))
    assert line.split("#") == [f"{'network.hwm = 256':<44}  ", " default"]


def test_a_healthy_machine_passes(shoal):
    shoal.config.write_text("tracker: {run: true, listen: 'tcp://127.0.0.1:0'}\npeers: [{name: north}]\n")
    found = shoal("doctor", "--json")
    assert found.code == 0
    assert [list(row) for row in found.data] == [["check", "ok", "detail"]] * len(found.data)
    assert checks(shoal).keys() == {
        "configuration", "folder", "disk", "port of tracker", "port of peer north", "port of page of north",
        "folder of tracker", "key of tracker", "folder of peer north", "key of peer north", "tracker",
    }  # fmt: skip


def test_a_port_of_another_program_fails(shoal, taken_port):
    shoal.config.write_text(f"tracker: {{run: true, listen: 'tcp://127.0.0.1:{taken_port}'}}\npeers: []\n")
    ok, detail = checks(shoal)["port of tracker"]
    assert not ok
    assert detail == f"{taken_port} on 127.0.0.1: Address already in use; stop that program or set another port"
    assert shoal("doctor").code == 1


def test_a_page_s_port_that_another_program_holds_is_not_ok_though_the_peer_runs(shoal, taken_port):
    shoal.config.write_text(f"tracker: {{run: true}}\npeers: [{{name: north, web_port: {taken_port}}}]\n")
    with DirectoryLock(shoal.places.lock_file):
        ok, detail = checks(shoal)["port of page of north"]
    assert not ok
    assert "stop that program or set another port" in detail


def test_a_port_of_our_own_process_is_fine(shoal, taken_port):
    shoal.config.write_text(f"tracker: {{run: true}}\npeers: [{{name: north, web_port: {taken_port}}}]\n")
    with DirectoryLock(shoal.places.data_dir / "gateway.lock"):
        ok, detail = checks(shoal)["port of page of north"]
    assert ok
    assert detail.endswith(f"page of north runs (pid {os.getpid()})")


def test_a_key_that_others_can_read_fails(shoal):
    shoal.places.identity_file.write_bytes(b"k" * 32)
    shoal.places.identity_file.chmod(0o644)
    ok, detail = checks(shoal)["key of peer north"]
    assert not ok
    assert "0644" in detail


def test_a_folder_that_others_can_enter_fails_as_at_the_start(shoal):
    shoal.places.data_dir.chmod(0o755)
    ok, detail = checks(shoal)["folder of peer north"]
    assert not ok
    assert detail.endswith(f"run: chmod 700 {shoal.places.data_dir}")


@pytest.mark.parametrize("folder", ["/proc/none", "~/none", "mine/none"])
def test_the_disk_of_a_peer_s_own_download_folder_is_looked_at(shoal, monkeypatch, folder):
    monkeypatch.setenv("HOME", "/proc")
    (shoal.base_dir / "mine").symlink_to("/proc")  # relative to the configuration file, not to where the user stands
    shoal.config.write_text(f"peers: [{{name: north, download_dir: {folder}}}]\n")
    assert checks(shoal)["disk"][0]
    assert checks(shoal)["disk of north"] == (False, "0 B free; downloads leave 512 MiB free")


def test_no_tracker_at_all_fails(shoal):
    assert checks(shoal)["tracker"][0] is False


def test_a_tracker_that_others_run_is_a_tracker(shoal):
    shoal.config.write_text(f"tracker: {{others: [{{endpoint: 'tcp://t:1', public_key: {'ab' * 32}}}]}}\npeers: []\n")
    assert checks(shoal)["tracker"] == (True, "not asked: no peer runs here")


def test_a_lost_tracker_fails_with_its_reason(shoal):
    shoal.config.write_text("tracker: {run: true, listen: 'tcp://127.0.0.1:0'}\npeers: [{name: north}]\n")
    with DirectoryLock(shoal.places.lock_file), AnsweringPeer(shoal.places.control) as peer:
        peer.state = [TrackerLost("tcp://t:1", "", "lost", "no answer")]
        assert checks(shoal)["tracker"] == (False, "tcp://t:1 lost: no answer")
        peer.state = [TrackerReached("tcp://t:1", "", "reached", "")]
        assert checks(shoal)["tracker"] == (True, "tcp://t:1 reached")
