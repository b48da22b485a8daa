"""The gateway as other programs meet it: the real process over HTTP, in front of a stand-in peer on the real bus."""

from __future__ import annotations

import io
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from bus import events, messages
from tests.kit.fake_peer import REFUSED, SOURCES
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer, children_of

pytestmark = pytest.mark.system

FOUND = messages.FoundContent("e1" * 32, "ocean temperatures", "file", 8 * 2**20, 3, 1)
SLOW = messages.FoundContent("e2" * 32, "ocean floor", "file", 2**40, 1, 0)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "1 MiB"}) as web:
        web.let_find(FOUND)
        web.let_find(SLOW)
        yield web


def problem(response: requests.Response, code: str, status: int) -> dict[str, Any]:
    """The problem document of an error, checked for its form."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) == {"type", "title", "status", "detail", "instance", "code"}
    assert (document["code"], document["status"], response.status_code) == (code, status, status)
    assert "\n" not in document["detail"]
    return document


# --- reading ---------------------------------------------------------------------------------


def test_status_tells_what_the_command_tells(web):
    status = web.get("/status")
    assert (status["name"], len(status["id"]), status["version"]) == ("north", 64, "0.1.0")
    assert {"uptime", "trackers", "up_rate", "down_rate", "disk_free"} <= set(status)
    assert status["uptime"] >= 0
    assert status["disk_free"] > 0
    assert status["started"].endswith("Z")


def test_a_tracker_is_listed_with_its_state(web):
    def told() -> list[dict[str, str]]:
        found: list[dict[str, str]] = web.get("/status")["trackers"]
        return found

    web.publish(events.TrackerLost("tcp://t:1", "ab" * 32, "lost", "ERR_LIMIT: too many of this address"))
    lost = {"endpoint": "tcp://t:1", "state": "lost", "reason": "ERR_LIMIT: too many of this address"}
    eventually(lambda: told() == [lost], within=5)
    web.publish(events.TrackerReached("tcp://t:1", "ab" * 32, "reached", ""))
    eventually(lambda: told() == [{"endpoint": "tcp://t:1", "state": "reached", "reason": ""}], within=5)


def test_search_gives_contents_with_their_swarms(web):
    found = web.get("/search?q=temperatures")
    assert found == {
        "items": [
            {"id": FOUND.id, "name": FOUND.name, "kind": "file", "size": FOUND.size, "seeds": 3, "leechers": 1}
        ],
        "next_cursor": None,
    }  # fmt: skip


def test_peers_and_reputation_are_joined_and_ranked(web):
    for peer, score in (("b" * 64, 0.4), ("a" * 64, 0.7)):
        web.publish(events.LinkIsUp(peer, f"peer {score}", "10.0.0.1", True, 1.0, 2.0, 3, 4, ""))
        web.publish(events.ReputationChanged(peer, score, [], {"SUCCESSFUL_UPLOAD": 2}, "SUCCESSFUL_UPLOAD"))
    eventually(lambda: len(web.get("/reputation")["items"]) >= 2, within=5)
    ranked = {row["peer"]: row for row in web.get("/reputation")["items"]}
    assert [peer for peer in ranked if peer in {"a" * 64, "b" * 64}] == ["a" * 64, "b" * 64]
    assert ranked["a" * 64]["events"] == {"SUCCESSFUL_UPLOAD": 2}
    peers = {row["peer"]: row for row in web.get("/peers")["items"]}
    assert (peers["a" * 64]["score"], peers["a" * 64]["address"]) == (0.7, "10.0.0.1")


def test_a_score_is_explained_by_its_events(web):
    told = web.get(f"/reputation/{'a' * 64}")
    assert (told["peer"], told["score"]) == ("a" * 64, 0.51)
    assert [event["type"] for event in told["events"]] == ["DECAY", "DECAY", "SUCCESSFUL_UPLOAD"]


def test_a_peer_is_trusted_blocked_cleared_and_forgotten(web):
    peer = f"/reputation/{'c' * 64}"
    for verdict in ("trusted", "blocked"):
        answer = web.call("PATCH", peer, json={"verdict": verdict})
        assert (answer.status_code, answer.json()["verdict"], answer.json()["flags"]) == (200, verdict, [verdict])
    assert web.call("PATCH", peer, json={"verdict": None}).json()["flags"] == []
    assert web.call("DELETE", peer).status_code == 204
    assert "c" * 64 not in [row["peer"] for row in web.get("/reputation")["items"]]
    refused = web.call("PATCH", peer, json={"verdict": "banned"})
    assert (refused.status_code, refused.json()["code"]) == (400, "ERR_USAGE")
    assert web.call("DELETE", "/reputation/nobody").status_code == 404


def test_the_files_of_a_content_are_listed(web):
    files = web.get(f"/contents/{'e3' * 32}/files")
    assert [file["path"] for file in files["items"]] == ["docs/read me.txt", "run"]
    assert files["next_cursor"] is None
    assert [files[key] for key in ("id", "kind", "size", "files")] == ["e3" * 32, "tree", 15, 2]
    film = web.get(f"/contents/{FOUND.id}/files")
    assert [film[key] for key in ("name", "kind", "size", "files")] == [FOUND.name, "file", FOUND.size, 1]


def test_a_long_list_of_files_comes_in_pages_as_long_as_one_wants(web):
    content = "5f" * 32
    web.let_list(content, [(f"{number:04}", number) for number in range(950)])
    eventually(lambda: web.get(f"/contents/{content}/files")["files"] == 950, within=5)
    for limit, pages in ((190, 5), (200, 5), (301, 4), (950, 1), (10_000, 1)):
        listed: list[Any] = []
        for number in range(pages):
            page = web.get(f"/contents/{content}/files?limit={limit}&cursor={number * limit}")
            listed += page["items"]
            assert page["next_cursor"] == (str(number * limit + limit) if number < pages - 1 else None)
        assert [file["index"] for file in listed] == list(range(950)), limit


def test_the_files_behind_a_link_are_listed_and_a_link_to_something_else_is_refused(web):
    url = f"/contents/{FOUND.id}/files"
    assert web.get(f"{url}?link={quote(f'shoal:{FOUND.id}?name=x')}")["id"] == FOUND.id
    refused = web.call("GET", f"{url}?link={quote('shoal:' + '5f' * 32)}")
    assert (refused.status_code, refused.json()["code"]) == (400, "ERR_USAGE")
    assert web.call("GET", f"/contents/{'9' * 64}/files").json()["code"] == "ERR_NOT_FOUND"


def test_lists_come_in_pages(web):
    for number in range(5):
        web.publish(events.LinkIsUp(f"{number:064x}", "", "10.0.0.2", True, 0.0, 0.0, 0, 0, ""))
    eventually(lambda: len(web.get("/peers")["items"]) >= 5, within=5)
    everyone = [row["peer"] for row in web.get("/peers")["items"]]
    paged, cursor = [], "0"
    while cursor:
        page = web.get(f"/peers?limit=2&cursor={cursor}")
        assert len(page["items"]) <= 2
        paged += [row["peer"] for row in page["items"]]
        cursor = page["next_cursor"] or ""
    assert paged == everyone


def test_health_readiness_and_metrics(web):
    assert requests.get(f"{web.url}/healthz", timeout=10).json() == {"status": "ok"}
    assert requests.get(f"{web.url}/readyz", timeout=10).json()["status"] == "ready"
    assert requests.get(f"{web.url}/metrics", timeout=10).status_code == 401
    headers = {"Authorization": f"Bearer {web.token}"}
    text = requests.get(f"{web.url}/metrics", headers=headers, timeout=10).text
    assert 'shoal_sent_bytes_total{process="peer"} 7.0' in text
    assert 'shoal_gateway_peer_up{process="gateway"} 1.0' in text


# --- sharing ---------------------------------------------------------------------------------


def test_a_shared_path_is_listed_until_it_is_withdrawn(web, tmp_path):
    (tmp_path / "poem.txt").write_text("roses")
    response = web.call("POST", "/shares", json={"path": str(tmp_path / "poem.txt")})
    shared = response.json()
    assert (response.status_code, shared["name"], shared["size"]) == (201, "poem.txt", 5)
    assert response.headers["Location"] == f"/api/v1/shares/{shared['id']}"
    row = web.get(f"/shares/{shared['id']}")
    assert (row["state"], row["upload"], row["path"]) == ("seeding", False, str(tmp_path / "poem.txt"))
    assert web.call("DELETE", f"/shares/{shared['id']}").status_code == 204
    problem(web.call("GET", f"/shares/{shared['id']}"), "ERR_NOT_FOUND", 404)
    assert (tmp_path / "poem.txt").exists()


def test_an_uploaded_file_is_shared_from_the_peers_uploads_folder(web):
    response = web.call("POST", "/shares", files={"file": ("song.txt", b"la la")})
    assert response.status_code == 201, response.text
    row = web.get(f"/shares/{response.json()['id']}")
    path = Path(row["path"])
    assert (row["upload"], path.read_bytes(), path.parent.parent) == (True, b"la la", web.places.uploads_dir)
    web.call("DELETE", f"/shares/{row['id']}").raise_for_status()


def test_an_uploaded_folder_keeps_its_tree(web):
    parts = [("file", (name, content)) for name, content in (("trip/a.txt", b"1"), ("trip/deep/b.txt", b"22"))]
    response = web.call("POST", "/shares", files=[*parts, ("folder", (None, "trip/empty"))])
    shared = response.json()
    assert (response.status_code, shared["name"], shared["kind"], shared["files"]) == (201, "trip", "tree", 2)
    path = Path(web.get(f"/shares/{shared['id']}")["path"])
    assert sorted(str(found.relative_to(path)) for found in path.rglob("*")) == ["a.txt", "deep", "deep/b.txt", "empty"]


@pytest.mark.parametrize("name", ["../escape", "/etc/cron.d/x", "a/../../b", "a//b", "..", "\u202egpj.exe"])
def test_an_upload_with_a_hostile_name_is_refused_and_leaves_nothing(web, name):
    before = web.uploads()
    problem(web.call("POST", "/shares", files={"file": (name, b"x" * 300_000)}), "ERR_PATH", 422)
    assert web.uploads() == before


def test_an_upload_over_the_limit_is_refused_at_once(web):
    before = web.uploads()
    problem(web.call("POST", "/shares", files={"file": ("big", b"x" * 2**20)}), "ERR_TOO_LARGE", 413)
    assert web.uploads() == before


def test_an_upload_of_unannounced_length_is_bounded_too(web):
    before = web.uploads()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n'
    chunks = iter([head, *[b"x" * 65536] * 20])
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    problem(web.call("POST", "/shares", data=chunks, headers=headers), "ERR_TOO_LARGE", 413)
    assert web.uploads() == before


def beginning_of_upload(web: WebPeer, length: int) -> socket.socket:
    """The connection of an upload whose head has been sent."""
    connection = socket.create_connection(("127.0.0.1", web.port), timeout=30)
    connection.sendall(
        f"POST /api/v1/shares HTTP/1.1\r\nHost: localhost:{web.port}\r\nAuthorization: Bearer {web.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return connection


def test_an_upload_that_breaks_off_leaves_nothing(web):
    before = web.uploads()
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="half"\r\n\r\n' + b"x" * 400_000
    with beginning_of_upload(web, 2 * len(body)) as connection:
        connection.sendall(body)
        eventually(lambda: len(web.uploads()) > len(before), within=5)
    eventually(lambda: web.uploads() == before, within=5)
    assert requests.get(f"{web.url}/healthz", timeout=10).ok


def test_an_upload_that_the_peer_will_not_share_is_deleted(web):
    before = web.uploads()
    problem(web.call("POST", "/shares", files={"file": (REFUSED, b"x")}), "ERR_UNREADABLE", 409)
    assert web.uploads() == before


def test_an_upload_waits_for_a_peer_that_restarts_and_does_not_begin_without_one(tmp_path):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="song.txt"\r\n\r\n'
    body = head + b"la" * 200_000 + b"\r\n--b--\r\n"
    with WebPeer(tmp_path) as web:

        def is_silent() -> bool:
            return not requests.get(f"{web.url}/readyz", timeout=5).ok

        with beginning_of_upload(web, len(body)) as connection:
            connection.sendall(body[:-20])
            eventually(web.uploads, within=5)
            web.kill_peer()
            eventually(is_silent, within=5)
            connection.sendall(body[-20:])
            eventually(lambda: not web.uploads()[0].startswith("."), within=5)
            web.start_peer()
            assert connection.recv(100).startswith(b"HTTP/1.1 201")
        web.kill_peer()
        eventually(is_silent, within=5)
        with beginning_of_upload(web, len(body)) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 503")
        assert len([path for path in web.uploads() if path.endswith("song.txt")]) == 1


# --- downloading -----------------------------------------------------------------------------


def test_a_download_runs_to_its_end(web):
    response = web.call("POST", "/downloads", json={"id": FOUND.id})
    assert (response.status_code, response.headers["Location"]) == (202, f"/api/v1/downloads/{FOUND.id}")
    assert response.json()["name"] == FOUND.name
    row = eventually(lambda: (found := web.get(f"/downloads/{FOUND.id}"))["finished"] and found, within=20)
    assert (row["state"], row["progress"], row["bytes_done"]) == ("seeding", 1.0, FOUND.size)
    assert [source["peer"] for source in row["sources"]] == list(SOURCES)
    assert web.get("/downloads")["items"] == [row]
    assert web.get(f"/downloads/{FOUND.id[:8]}")["id"] == FOUND.id
    assert web.call("DELETE", f"/downloads/{FOUND.id}?data=true").status_code == 204
    problem(web.call("GET", f"/downloads/{FOUND.id}"), "ERR_NOT_FOUND", 404)


def test_a_download_is_paused_resumed_and_removed(web):
    web.call("POST", "/downloads", json={"link": f"shoal:{SLOW.id}?name=x"}).raise_for_status()
    paused = web.call("PATCH", f"/downloads/{SLOW.id}", json={"action": "pause"})
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    resumed = web.call("PATCH", f"/downloads/{SLOW.id}", json={"action": "resume"})
    assert resumed.json()["state"] == "downloading"
    assert web.call("DELETE", f"/downloads/{SLOW.id}").status_code == 204
    assert web.get("/downloads")["items"] == []


# --- what is refused -------------------------------------------------------------------------


def test_everything_under_the_api_wants_the_token(web):
    paths = ["/status", "/search?q=x", "/peers", "/reputation", "/shares", "/downloads", "/contents/x/files", "/none"]
    for path in paths:
        document = problem(web.call("GET", path, authorised=False), "ERR_TOKEN", 401)
        assert "Bearer" in document["detail"]
    for method, path in (
        ("POST", "/shares"),
        ("POST", "/downloads"),
        ("DELETE", "/downloads/x"),
        ("PATCH", "/downloads/x"),
    ):
        problem(web.call(method, path, authorised=False, json={}), "ERR_TOKEN", 401)
    problem(web.call("GET", "/status", headers={"Authorization": f"Bearer {'0' * 64}"}), "ERR_TOKEN", 401)


def test_unknown_paths_and_methods_are_problems_too(web):
    problem(web.call("GET", "/nothing"), "ERR_NOT_FOUND", 404)
    problem(requests.get(f"{web.url}/nothing", timeout=10), "ERR_NOT_FOUND", 404)
    problem(requests.get(f"{web.url}/assets/..%2f..%2fapp.py", timeout=10), "ERR_NOT_FOUND", 404)
    response = web.call("PUT", "/downloads")
    problem(response, "ERR_USAGE", 405)
    assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{}", "either the id or the link"),
        (b'{"id": "a", "link": "b"}', "either the id or the link"),
        (b'{"id": 7}', "Expected `str`, got `int` - at `$.id`"),
        (b'{"idd": "a"}', "unknown field `idd`"),
        (b"[]", "Expected `object`"),
        (b'{"id"', "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"", "truncated"),
    ],
)
def test_a_wrong_body_is_named(web, body, complaint):
    response = web.call("POST", "/downloads", data=body, headers={"Content-Type": "application/json"})
    assert complaint in problem(response, "ERR_USAGE", 400)["detail"]


def test_only_json_is_taken_as_json(web):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = web.call("POST", "/downloads", data=b'{"id":"a"}', headers={"Content-Type": kind})
        problem(response, "ERR_USAGE", 400)


def test_a_long_body_is_refused(web):
    response = web.call("POST", "/downloads", data=b" " * 70_000, headers={"Content-Type": "application/json"})
    problem(response, "ERR_TOO_LARGE", 413)


@pytest.mark.parametrize(
    "query", ["q=", "q=%20", f"q={'x' * 513}", "q=x&limit=0", "q=x&limit=201", "q=x&limit=ten", ""]
)
def test_a_wrong_search_is_refused(web, query):
    problem(web.call("GET", f"/search?{query}"), "ERR_USAGE", 400)


def test_errors_of_the_peer_keep_their_code(web):
    problem(web.call("POST", "/downloads", json={"id": "0" * 64}), "ERR_NOT_FOUND", 404)
    problem(web.call("DELETE", f"/shares/{'0' * 64}"), "ERR_NOT_FOUND", 404)
    problem(web.call("PATCH", f"/downloads/{'0' * 64}", json={"action": "pause"}), "ERR_NOT_FOUND", 404)
    problem(web.call("DELETE", f"/downloads/{'0' * 64}?data=maybe"), "ERR_USAGE", 400)


def test_without_a_password_there_are_no_sessions(web):
    assert web.call("GET", "/session", authorised=False).json() == {"password": False}
    problem(web.call("POST", "/session", authorised=False, json={"password": ""}), "ERR_NOT_FOUND", 404)


# --- the page's files ------------------------------------------------------------------------


def test_the_page_is_served_with_strict_headers(web):
    response = requests.get(f"{web.url}/", timeout=10)
    assert response.headers["Content-Type"].startswith("text/html")
    policy = dict(rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["connect-src"].split() == ["'self'", f"ws://127.0.0.1:{web.port}", f"wss://127.0.0.1:{web.port}"]
    assert [policy[rule] for rule in ("frame-ancestors", "base-uri", "object-src")] == ["'none'"] * 3
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "no-cache" in response.headers["Cache-Control"]
    assert "style=" not in response.text


def test_the_pages_files_are_cached_by_their_content(web):
    page = requests.get(f"{web.url}/", timeout=10).text
    script = page.split('src="./assets/')[1].split('"')[0]
    response = requests.get(f"{web.url}/assets/{script}", timeout=10)
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_token_is_private_and_in_no_log(web):
    assert stat.S_IMODE(web.places.token_file.stat().st_mode) == 0o600
    assert len(web.token) == 64
    assert web.token not in web.log("gateway") + web.log("peer")


def test_a_streamed_upload_stays_out_of_memory(tmp_path):
    with WebPeer(tmp_path, {"upload_max": "1 GiB"}) as web:
        before = resident(web)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
        length = 96 * 2**20
        body = io.BytesIO(head + bytes(length) + b"\r\n--b--\r\n")
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        response = web.call("POST", "/shares", data=body, headers=headers)
        assert (response.status_code, response.json()["size"]) == (201, length)
        assert resident(web) - before < 16 * 2**20


def resident(web: WebPeer) -> int:
    """Peak resident bytes of the gateway's worker."""
    assert web.gateway is not None
    (worker,) = children_of(web.gateway.pid)
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


# --- folders to choose from ------------------------------------------------------------------


def test_only_configured_folders_are_looked_into(tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.flac").write_bytes(b"la")
    with WebPeer(tmp_path, {"folders": [str(tmp_path / "music")]}) as web:
        listing = web.get("/folders")
        assert [(entry["name"], entry["kind"], entry["size"]) for entry in listing["items"]] == [
            ("song.flac", "file", 2)
        ]
        problem(web.call("GET", f"/folders?path={tmp_path}"), "ERR_PATH", 422)
        problem(web.call("GET", "/folders", authorised=False), "ERR_TOKEN", 401)
