"""`shoal up` with the real tracker, peers and gateways."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """Two peers without pages, for tests that only look."""
    with Swarm(tmp_path_factory.mktemp("standing")) as running:
        yield running


def test_everything_serves_when_the_report_is_there_and_stops_within_five_seconds(tmp_path):
    with Swarm(tmp_path, gateways=True) as swarm:
        report = swarm.report()
        assert report.tracker is not None
        assert [peer.name for peer in report.peers] == ["north", "south"]
        for peer in report.peers:
            assert swarm.cli("status", peer=peer.name).data["id"] == peer.id
            assert Path(peer.download_dir).is_dir()
            with urllib.request.urlopen(f"{peer.url}/healthz", timeout=5) as answer:
                assert answer.status == 200
            assert Path(str(peer.token_file)).stat().st_mode & 0o777 == 0o600
        printed = eventually((tmp_path / "up.out").read_text, within=5)
        assert json.loads(printed) == json.loads(swarm.ready_file.read_text())
        assert len(swarm.processes()) >= 5
        assert swarm.stop() < 5
        assert swarm.processes() == []
        assert swarm.messages() == ""


def test_killed_processes_are_back_and_where_they_were(tmp_path):
    with Swarm(tmp_path, ["north"], gateways=True) as swarm:
        before = swarm.report()
        assert before.tracker is not None
        for label in ("tracker", "north", "gateway north"):
            swarm.restarted(label, swarm.kill(label))
        after = swarm.report()
        assert after.tracker is not None
        assert after.tracker.endpoint == before.tracker.endpoint
        assert after.tracker.public_key == before.tracker.public_key
        assert (after.peers[0].id, after.peers[0].url) == (before.peers[0].id, before.peers[0].url)
        eventually(lambda: _reached(swarm, "north"), within=30, message=swarm.logs)


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path):
    with Swarm(tmp_path, ["north"], gateways=True) as swarm:
        assert len(swarm.processes()) >= 4  # a gateway is two
        assert swarm.up is not None
        swarm.up.kill()
        swarm.up.wait()
        swarm.nothing_is_left()


def test_a_stopped_process_does_not_hold_up_the_end(tmp_path):
    with Swarm(tmp_path, ["south"], gateways=True) as swarm:
        swarm.kill("south", signal.SIGSTOP)
        assert swarm.stop() < 5
        assert swarm.processes() == []


@pytest.mark.parametrize("taken", ["tracker", "peer", "page"])
def test_a_taken_port_is_one_line_and_leaves_nothing(tmp_path, taken):
    swarm = Swarm(tmp_path, ["north"], gateways=True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        environ = {
            "tracker": {"SHOAL__TRACKER__LISTEN": f"tcp://127.0.0.1:{port}"},
            "peer": {"SHOAL__PEERS": json.dumps([{"name": "north", "data_port": port}])},
            "page": {"SHOAL__PEERS": json.dumps([{"name": "north", "web_port": port}])},
        }[taken]
        swarm.environ |= environ
        assert swarm.start().wait(timeout=60) == 2
    assert swarm.messages().startswith("shoal: ERR_PORT_IN_USE: ")
    assert str(port) in swarm.messages()
    assert swarm.messages().count("\n") == 1
    assert (tmp_path / "up.out").read_text() == ""
    assert not swarm.ready_file.exists()
    swarm.nothing_is_left()


def test_a_second_supervisor_on_one_base_directory_is_refused(standing):
    second = standing.cli("up", "--no-gateway", expect=2)
    assert standing.up is not None
    assert second.err.startswith("shoal: ERR_ALREADY_RUNNING: ")
    assert f"pid {standing.up.pid}" in second.err
    assert (second.out, second.err.count("\n")) == ("", 1)
    assert standing.cli("status").data["name"] == "north"


def test_a_peer_of_another_supervisor_s_directory_is_refused(standing):
    second = standing.cli("peer", "north", expect=2)
    assert second.err.startswith("shoal: ERR_ALREADY_RUNNING: ")
    assert second.err.count("\n") == 1


def test_peers_that_no_file_knows_are_made_on_demand(tmp_path):
    with Swarm(tmp_path, arguments=["--peers", "3"]) as swarm:
        assert [peer.name for peer in swarm.report().peers] == ["north", "south", "peer-3"]
        assert swarm.cli("status", peer="peer-3").data["name"] == "peer-3"
        assert swarm.report().peers[0].url is None


def test_one_peer_can_be_picked(tmp_path):
    with Swarm(tmp_path, arguments=["south"]) as swarm:
        assert [peer.name for peer in swarm.report().peers] == ["south"]
        swarm.cli("status", peer="north", expect=4)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["west"], 3, "ERR_NOT_FOUND: peer 'west' is not in the configuration; its peers are: north, south"),
        (["north", "--peers", "2"], 2, "ERR_USAGE: give either names or --peers; see shoal up --help"),
        (["--ready-file", "/none/r"], 2, "ERR_PATH: --ready-file: there is no folder /none; make it first"),
    ],
)
def test_a_wrong_choice_is_one_line(tmp_path, arguments, code, line):
    done = Swarm(tmp_path).cli("up", *arguments, expect=code)
    assert (done.out, done.err) == ("", f"shoal: {line}\n")


def test_a_base_directory_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "taken").touch()
    done = Swarm(tmp_path).cli("up", "--base-dir", str(tmp_path / "taken"), expect=2)
    said = "cannot be made: File exists; choose another --base-dir or data_dir"
    assert done.err == f"shoal: ERR_PATH: the folder of all state, {tmp_path / 'taken'}, {said}\n"


def test_a_second_directory_joins_by_the_tracker_s_address_and_key(standing, tmp_path):
    elsewhere = {"run": False, "endpoint": standing.tracker.endpoint, "public_key": standing.tracker.public_key}
    with Swarm(tmp_path, ["west"], settings={"tracker": elsewhere}) as two:
        assert two.report().tracker is None
        assert two.messages() == ""
        eventually(lambda: _reached(two, "west"), within=30, message=two.logs)


def test_that_the_peers_know_no_tracker_is_said(tmp_path):
    with Swarm(tmp_path, ["west"], settings={"tracker": {"run": False, "listen": "tcp://127.0.0.1:0"}}) as swarm:
        said = "the peers know no tracker; set tracker.run, or tracker.endpoint and tracker.public_key"
        assert swarm.messages() == f"shoal: {said}\n"


def test_a_terminal_s_interrupt_reaches_only_the_supervisor(standing):
    assert standing.up is not None
    groups = {os.getpgid(pid) for pid in standing.processes()}
    assert os.getpgid(standing.up.pid) not in groups
    assert len(groups) == 3


def _reached(swarm, peer):
    done = swarm.cli("status", peer=peer, expect=None)
    return done.code == 0 and any(tracker["state"] == "reached" for tracker in done.data["trackers"])
