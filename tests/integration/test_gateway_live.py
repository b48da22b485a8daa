"""The gateway over time: pages that follow a peer, and processes that come and go."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
import websocket

from bus import events
from gateway.engine import MAX_JOINING
from gateway.strangers import JOIN_WITHIN
from tests.kit.page_frames import OpenPage
from tests.kit.waiting import eventually
from tests.kit.web_peer import ROOT, WebPeer, children_of, is_running

pytestmark = pytest.mark.system

CONTENT = "c" * 64


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture
def own(tmp_path: Path) -> Iterator[WebPeer]:
    """One for a test that breaks it."""
    with WebPeer(tmp_path) as web:
        yield web


def share(content: str = CONTENT, name: str = "a.txt") -> events.ContentShared:
    return events.ContentShared(content, name, "file", 1, 1, 1, f"/x/{name}", False, "seeding", "", 1e9)


# --- frames ----------------------------------------------------------------------------------


def test_a_page_gets_a_snapshot_and_then_what_changes(web):
    with OpenPage(web) as page:
        eventually(lambda: page.kinds() == ["snapshot"], within=5)
        sections = {"peer", "tracker", "shares", "hashing", "downloads", "uploads", "peers", "reputation"}
        assert set(page.state) == sections
        assert set(page.frames[0][1]) == {"epoch", "seq", "state"}
        assert page.state["peer"]["self"]["name"] == "north"
        web.publish(share())
        eventually(lambda: CONTENT in page.state["shares"], within=5)
        web.publish(events.ContentWithdrawn(CONTENT, ""))
        eventually(lambda: CONTENT not in page.state["shares"], within=5)
        assert set(page.kinds()[1:]) == {"changes"}
        assert page.broken == []


def test_a_page_that_comes_back_gets_only_what_it_missed(web):
    with OpenPage(web) as page:
        eventually(lambda: page.frames, within=5)
        last = page.frames[-1][1]
    web.publish(share("d" * 64))
    eventually(lambda: web.get("/shares")["items"], within=5)
    with OpenPage(web, {"token": web.token, "epoch": last["epoch"], "seq": last["seq"]}) as page:
        eventually(lambda: "shares" in page.state, within=5)
        assert page.kinds()[0] == "changes"
        assert page.frames[0][1]["base"] == last["seq"]
        assert list(page.state["shares"]) == ["d" * 64]


def test_a_page_of_another_gateways_epoch_gets_a_snapshot(web):
    with OpenPage(web, {"token": web.token, "epoch": "0" * 16, "seq": 3}) as page:
        eventually(lambda: page.kinds()[:1] == ["snapshot"], within=5)


@pytest.mark.parametrize("auth", [{"token": "0" * 64}, {"token": ""}, {"token": 7}, {"other": "x"}])
def test_a_page_without_the_token_is_refused_with_the_code(web, auth):
    client = socketio.Client(reconnection=False, handle_sigint=False)
    told: list[Any] = []
    client.on("connect_error", told.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(web.url, auth=auth, transports=["websocket"])
    eventually(lambda: told, within=5)
    assert told[0]["data"] == {"code": "ERR_TOKEN"}
    client.disconnect()


@pytest.mark.parametrize("transports", [["polling"], None])
def test_who_has_no_websocket_polls(web, transports):
    client = socketio.Client(reconnection=False, handle_sigint=False)
    frames: list[Any] = []
    client.on("snapshot", frames.append)
    client.connect(web.url, auth={"token": web.token}, transports=transports)
    eventually(lambda: frames, within=5)
    assert client.transport() == "polling"
    client.disconnect()


def test_a_session_keeps_its_transport(web):
    opened = requests.get(f"{web.url}/socket.io/?EIO=4&transport=polling", timeout=10)
    session = json.loads(opened.text[1:])["sid"]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    response = requests.get(
        f"{web.url}/socket.io/?EIO=4&transport=websocket&sid={session}", headers=upgrade, timeout=10
    )
    assert (response.status_code, response.json()["code"]) == (400, "ERR_USAGE")


def test_who_polls_and_never_shows_the_token_is_cut_off(web):
    """Its poll, which would wait for news, ends with the session; further ones are refused."""
    url = f"{web.url}/socket.io/?EIO=4&transport=polling"
    session = json.loads(requests.get(url, timeout=10).text[1:])["sid"]
    requests.get(f"{url}&sid={session}", timeout=JOIN_WITHIN + 4)
    assert requests.get(f"{url}&sid={session}", timeout=10).status_code == 400


def test_so_many_may_be_about_to_show_the_token_and_no_more(web):
    url = f"{web.url}/socket.io/?EIO=4&transport=polling"
    with requests.Session() as client:
        refused = [client.get(url, timeout=10).status_code for _ in range(MAX_JOINING + 5)]
    assert set(refused) == {200, 401}
    assert refused.count(200) <= MAX_JOINING
    with OpenPage(web) as page:  # who has a WebSocket is not in their way
        eventually(lambda: page.frames, within=5)
    eventually(lambda: requests.get(url, timeout=10).status_code == 200, within=JOIN_WITHIN + 4)


def test_nothing_more_is_sent_to_a_page_that_does_not_acknowledge(web):
    with OpenPage(web, acknowledges=False) as sleeper, OpenPage(web) as other:
        eventually(lambda: sleeper.frames and other.frames, within=5)
        for number in range(30):
            web.publish(events.UploadProgress(CONTENT, "a" * 64, number, 0.0))
        eventually(lambda: other.state["uploads"][f"{CONTENT}/{'a' * 64}"]["bytes"] == 29, within=5)
        assert sleeper.kinds() == ["snapshot"]
        sleeper.acknowledge()
        eventually(lambda: sleeper.kinds() == ["snapshot", "changes"], within=5)
        assert sleeper.state["uploads"] == other.state["uploads"]


def test_users_are_told_when_something_fails(web):
    with OpenPage(web) as page:
        eventually(lambda: page.frames, within=5)
        web.publish(events.ContentHashed("/x", "/x vanished while it was hashed"))
        eventually(lambda: page.notices, within=5)
        assert page.notices == [
            {"level": "error", "text": "/x vanished while it was hashed", "code": "", "item": ""}
        ]  # fmt: skip


def test_a_flood_of_events_reaches_the_page_as_the_last_state_at_its_own_pace(own):
    with OpenPage(own) as page:
        eventually(lambda: page.frames, within=5)
        own.order("flood 30000")
        eventually(lambda: f"{'f' * 64}/{'e' * 64}" in page.state["uploads"], within=30)
        last = page.frames[-1][2]
        eventually(lambda: len(page.state["uploads"]) == 101, within=5)
        assert page.state["uploads"][f"{'f' * 64}/{99:064x}"]["bytes"] == 29999
        span = max(last - page.frames[0][2], 1.0)
        assert len(page.frames) <= 10 * span + 2
        assert page.broken == []


def send_without_end(connection: websocket.WebSocket) -> None:
    """A message that goes on and on, 26 MB of it."""
    connection.send_frame(websocket.ABNF.create_frame("4" + "x" * 65_000, websocket.ABNF.OPCODE_TEXT, fin=0))
    for _ in range(400):
        connection.send_frame(websocket.ABNF.create_frame("x" * 65_000, websocket.ABNF.OPCODE_CONT, fin=0))


def test_a_long_message_is_refused_while_it_arrives(web):
    url = f"ws://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket"
    connection = websocket.create_connection(url, timeout=10)
    assert str(connection.recv()).startswith("0{")
    with pytest.raises((websocket.WebSocketException, OSError)):
        send_without_end(connection)
    connection.close()
    assert web.get("/status")["name"] == "north"


# --- the peer goes and comes -----------------------------------------------------------------


def test_a_peer_is_ready_when_one_of_its_trackers_has_registered_it(own):
    def readiness() -> tuple[int, dict[str, Any]]:
        response = requests.get(f"{own.url}/readyz", timeout=10)
        return response.status_code, response.json()

    assert readiness() == (200, {"status": "ready", "peer": "heard", "trackers": {}})
    own.publish(events.TrackerLost("tcp://t:1", "ab" * 32, "connecting", ""))
    own.publish(events.TrackerLost("tcp://t:2", "ab" * 32, "lost", "its own words"))
    eventually(lambda: readiness()[0] == 503, within=5)
    eventually(lambda: "tcp://t:1 (connecting), tcp://t:2 (lost)" in readiness()[1]["detail"], within=5)
    assert "its own words" not in str(readiness())
    own.publish(events.TrackerReached("tcp://t:2", "ab" * 32, "reached", ""))
    eventually(lambda: readiness()[0] == 200, within=5)
    assert readiness()[1]["trackers"] == {"tcp://t:1": "connecting", "tcp://t:2": "reached"}


def test_a_dead_peer_is_said_and_a_new_one_is_followed_without_a_reload(own):
    own.publish(share())
    with OpenPage(own) as page:
        eventually(lambda: page.state.get("shares"), within=5)
        own.kill_peer()
        died = time.monotonic()
        eventually(lambda: page.state["peer"]["self"]["stale"], within=5)
        assert time.monotonic() - died < 3.0
        assert list(page.state["shares"]) == [CONTENT]  # old, but better than nothing
        for path in ("/status", "/shares", "/search?q=x"):
            response = own.call("GET", path)
            assert (response.status_code, response.json()["code"]) == (503, "ERR_UNREACHABLE")
        assert requests.get(f"{own.url}/readyz", timeout=10).status_code == 503
        assert requests.get(f"{own.url}/healthz", timeout=10).status_code == 200
        own.start_peer()
        eventually(lambda: not page.state["peer"]["self"]["stale"], within=5)
        assert page.state["shares"] == {}
        assert page.kinds().count("snapshot") == 1
        assert page.broken == []
    assert own.get("/status")["name"] == "north"


def test_a_peer_that_came_back_is_fresh_in_the_frame_that_brings_its_state(own):
    own.publish(share())
    with OpenPage(own) as page:
        eventually(lambda: page.state.get("shares"), within=5)
        own.kill_peer()
        eventually(lambda: page.state["peer"]["self"]["stale"], within=5)
        own.start_peer("--slow")
        eventually(lambda: not page.state["peer"]["self"]["stale"], within=10)
        fresh = [
            frame
            for _, frame, _ in page.frames[1:]
            if frame["set"].get("peer", {}).get("self", {}) and not frame["set"]["peer"]["self"]["stale"]
        ]
        assert fresh[-1]["remove"]["shares"] == [CONTENT]


def test_a_peer_that_hangs_is_said_too(own):
    with OpenPage(own) as page:
        eventually(lambda: page.frames, within=5)
        own.order("hang")
        eventually(lambda: page.state["peer"]["self"]["stale"], within=6)


def test_a_gateway_may_start_before_its_peer(tmp_path):
    web = WebPeer(tmp_path)
    try:
        web.start_gateway()
        with OpenPage(web) as page:
            eventually(lambda: page.frames, within=5)
            assert page.state["peer"]["self"]["stale"]
            web.start_peer()
            eventually(lambda: page.state["peer"]["self"]["id"], within=8)
            assert not page.state["peer"]["self"]["stale"]
    finally:
        web.close()


# --- the gateway goes and comes --------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_two_seconds_with_a_page_open(own, number):
    assert own.gateway is not None
    (worker,) = children_of(own.gateway.pid)
    own.get("/status")  # and a connection that is kept alive
    with OpenPage(own) as page:
        eventually(lambda: page.frames, within=5)
        began = time.monotonic()
        own.gateway.send_signal(number)
        assert own.gateway.wait(10) == 0
        assert time.monotonic() - began < 2.0
        eventually(lambda: not page.connected, within=5)
    assert not is_running(worker)


def test_a_killed_gateway_leaves_no_process_and_comes_back_with_the_same_token(own):
    assert own.gateway is not None
    token = own.token
    (worker,) = children_of(own.gateway.pid)
    own.gateway.kill()
    own.gateway.wait()
    eventually(lambda: not is_running(worker), within=5)
    own.start_gateway()
    assert own.token == token
    assert own.get("/status")["name"] == "north"


def test_a_killed_worker_is_replaced(own):
    assert own.gateway is not None
    (worker,) = children_of(own.gateway.pid)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: requests.get(f"{own.url}/readyz", timeout=10).status_code == 200, within=15)
    assert children_of(own.gateway.pid) != [worker]


# --- what it refuses to start with -----------------------------------------------------------


def fails_to_start(config: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    command = [sys.executable, "-m", "gateway", *(arguments or ("north",)), "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def configuration(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_a_port_in_use_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configuration(tmp_path, f"peers: [{{name: north, web_port: {port}}}]")
        code, line = fails_to_start(config)
    assert code == 2
    assert line.startswith("shoal: ERR_PORT_IN_USE: ")
    assert str(port) in line


def test_a_second_gateway_of_a_peer_is_refused(web):
    code, line = fails_to_start(web.config)
    assert (code, line.split(": ")[1]) == (2, "ERR_ALREADY_RUNNING")


def test_a_page_for_others_needs_a_password(tmp_path):
    config = configuration(tmp_path, "peers: [{name: north}]\ngateway: {host: 0.0.0.0}")
    code, line = fails_to_start(config)
    assert code == 2
    assert "password_file" in line


def test_an_unknown_peer_is_one_line(tmp_path):
    code, line = fails_to_start(configuration(tmp_path, "peers: [{name: north}]"), "east")
    assert (code, line.split(": ")[1]) == (3, "ERR_NOT_FOUND")


def test_a_wrong_command_line_is_one_line(tmp_path):
    code, line = fails_to_start(configuration(tmp_path, "{}"), "north", "--nonsense")
    assert (code, line.split(": ")[1]) == (2, "ERR_USAGE")


def test_a_page_for_others_opens_by_password(tmp_path):
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    password.chmod(0o600)
    with WebPeer(tmp_path, {"host": "0.0.0.0", "password_file": "password"}) as web:
        assert web.url == f"http://localhost:{web.port}"
        assert web.call("GET", "/session", authorised=False).json() == {"password": True}
        opened = web.call("POST", "/session", authorised=False, json={"password": "open sesame"})
        assert opened.json() == {"token": web.token}
        dripping = web.call("POST", "/session", authorised=False, data=iter([b"{}"]))
        assert (dripping.status_code, dripping.json()["code"]) == (400, "ERR_USAGE")
        codes = [
            web.call("POST", "/session", authorised=False, json={"password": "guess"}).json()["code"] for _ in range(6)
        ]
        assert codes == ["ERR_TOKEN"] * 5 + ["ERR_RATE"]
        limited = web.call("POST", "/session", authorised=False, json={"password": "open sesame"})
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "60")
        for name in ("0.0.0.0", "evil.example"):
            headers = {"Host": f"{name}:{web.port}"}
            assert requests.get(f"{web.url}/", headers=headers, timeout=10).status_code == 421
        assert "open sesame" not in web.log()


def test_the_ready_file_says_where_the_page_is(web):
    ready = (web.base / "gateway-ready.json").read_text()
    assert web.gateway is not None
    assert f'"pid":{web.gateway.pid}' in ready
    assert f'"url":"http://127.0.0.1:{web.port}"' in ready
    assert web.token not in ready
    assert stat.S_IMODE((web.base / "gateway-ready.json").stat().st_mode) == 0o600
