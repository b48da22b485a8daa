"""REST beyond lists and downloads: limits, order, explanations, bytes, tickets, repeated requests, OpenAPI."""

from __future__ import annotations

import functools
import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bus import events, messages
from tests.integration.test_gateway import problem
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = pytest.mark.system

FILM = messages.FoundContent("f1" * 32, "film.mp4", "file", 1_000_000, 1, 0)
BIG = messages.FoundContent("f2" * 32, "big", "file", 2**40, 1, 0)
TRIP = messages.FoundContent("f3" * 32, "trip", "tree", 2**40, 2, 0)
DATA = bytes(hashlib.shake_256(b"film").digest(1_000_000))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"threads": 8}, rate=1) as web:
        web.let_find(FILM)
        web.fetch(BIG)
        yield web


@pytest.fixture
def film(web: WebPeer, tmp_path: Path) -> Iterator[str]:
    """A shared file of known bytes."""
    (tmp_path / "film \u00fc.mp4").write_bytes(DATA)
    content = web.call("POST", "/shares", json={"path": str(tmp_path / "film \u00fc.mp4")}).json()["id"]
    yield content
    web.call("DELETE", f"/shares/{content}")


@pytest.fixture
def tree(web: WebPeer, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "trip" / "deep").mkdir(parents=True)
    (tmp_path / "trip" / "a.html").write_text("<script>alert(1)</script>")
    (tmp_path / "trip" / "deep" / "7").write_text("seven")
    content = web.call("POST", "/shares", json={"path": str(tmp_path / "trip")}).json()["id"]
    yield content
    web.call("DELETE", f"/shares/{content}")


# --- steering --------------------------------------------------------------------------------


def test_a_download_is_reordered_and_limited_in_one_request(web):
    row = web.get(f"/downloads/{BIG.id}")
    assert (row["priority"], row["sequential"], row["up_limit"], row["optimum_share"]) == ("normal", False, 0, None)
    patch = {"priority": "high", "sequential": True, "limits": {"up": 5000, "down": None}}
    row = web.call("PATCH", f"/downloads/{BIG.id[:8]}", json=patch).json()
    assert (row["priority"], row["sequential"], row["up_limit"], row["down_limit"]) == ("high", True, 5000, 0)
    row = web.call("PATCH", f"/downloads/{BIG.id}", json={"sequential": False, "action": "pause"}).json()
    assert (row["priority"], row["sequential"], row["state"]) == ("high", False, "paused")
    web.call("PATCH", f"/downloads/{BIG.id}", json={"action": "resume"}).raise_for_status()
    assert web.get("/limits")["contents"] == [{"id": BIG.id, "up": 5000, "down": 0}]


def priorities(web: WebPeer, content: str) -> list[str]:
    """Of its files, in their order."""
    return [row["priority"] for row in web.get(f"/contents/{content}/held")["items"]]


def test_files_of_a_download_get_a_priority_of_their_own(web):
    web.fetch(TRIP)
    assert priorities(web, TRIP.id) == ["normal", "normal"]
    row = web.call("PATCH", f"/downloads/{TRIP.id[:8]}", json={"priority": "high", "paths": ["docs"]}).json()
    assert row["priority"] == "normal"
    web.call("PATCH", f"/downloads/{TRIP.id}", json={"priority": "low", "paths": ["run"], "sequential": True})
    assert (priorities(web, TRIP.id), web.get(f"/downloads/{TRIP.id}")["sequential"]) == (["high", "low"], True)
    for content, body, code, status in (
        (TRIP.id, {"priority": "high", "paths": ["nowhere"]}, "ERR_NOT_FOUND", 404),
        (TRIP.id, {"paths": ["run"]}, "ERR_USAGE", 400),
        (TRIP.id, {"priority": "high", "paths": "run"}, "ERR_USAGE", 400),
        (TRIP.id, {"priority": "urgent", "paths": ["run"]}, "ERR_USAGE", 400),
        (TRIP.id, {"priority": "high", "paths": ["run"] * 1001}, "ERR_USAGE", 400),
        (BIG.id, {"priority": "high", "paths": ["run"]}, "ERR_USAGE", 400),
    ):
        problem(web.call("PATCH", f"/downloads/{content}", json=body), code, status)
    assert priorities(web, TRIP.id) == ["high", "low"]
    web.call("PATCH", f"/downloads/{TRIP.id}", json={"priority": "normal", "paths": ["docs", "run"]})
    assert priorities(web, TRIP.id) == ["normal", "normal"]
    web.call("DELETE", f"/downloads/{TRIP.id}").raise_for_status()


def test_files_of_a_download_are_left_out_and_fetched_after_all(web):
    def wanted():
        return [row["wanted"] for row in web.get(f"/contents/{TRIP.id}/held")["items"]]

    web.fetch(TRIP)
    assert web.call("PATCH", f"/downloads/{TRIP.id[:8]}", json={"leave_out": ["docs"]}).json()["id"] == TRIP.id
    assert wanted() == [False, False]
    for body, code, status in (
        ({"leave_out": ["nowhere"]}, "ERR_NOT_FOUND", 404),
        ({"leave_out": "run"}, "ERR_USAGE", 400),
        ({"leave_out": []}, "ERR_USAGE", 400),
    ):
        problem(web.call("PATCH", f"/downloads/{TRIP.id}", json=body), code, status)
    web.call("POST", "/downloads", json={"id": TRIP.id, "only": ["docs"]}).raise_for_status()
    assert wanted() == [True, False]
    web.call("DELETE", f"/downloads/{TRIP.id}").raise_for_status()


def test_a_patch_that_changes_nothing_is_a_mistake(web, film):
    for path, body in ((f"/downloads/{BIG.id}", {}), (f"/shares/{film}", {}), (f"/shares/{film}", {"priority": "low"})):
        problem(web.call("PATCH", path, json=body), "ERR_USAGE", 400)
    problem(web.call("PATCH", f"/downloads/{'0' * 64}", json={"priority": "low"}), "ERR_NOT_FOUND", 404)


def test_what_is_no_share_is_not_ended_as_one_and_no_download_as_a_download(web, film):
    for path in (f"/shares/{BIG.id}", f"/shares/{BIG.id}?data=true", f"/downloads/{film}", f"/downloads/{film[:8]}"):
        problem(web.call("DELETE", path), "ERR_NOT_FOUND", 404)
    assert web.get(f"/downloads/{BIG.id}")["id"] == BIG.id
    assert web.get(f"/shares/{film}")["id"] == film
    assert web.call("DELETE", f"/shares/{film[:8]}?data=true").status_code == 204
    problem(web.call("GET", f"/shares/{film}"), "ERR_NOT_FOUND", 404)


def test_the_limits_of_all_together_are_shown_and_changed(web):
    changed = web.call("PATCH", "/limits", json={"up": 1_000_000, "down": 0}).json()
    assert (changed["up"], changed["down"], changed["id"]) == (1_000_000, 0, "")
    assert web.call("PATCH", "/limits", json={"down": 7}).json()["up"] == 1_000_000
    told = web.get("/limits")
    assert (told["up"], told["down"], told["up_is_set"]) == (1_000_000, 7, True)
    assert web.call("PATCH", "/limits", json={"up": None, "down": None}).json()["up"] == 0
    for body in ({"up": -1}, {"up": "fast"}, {"up": 1.5}, {"upp": 1}):
        problem(web.call("PATCH", "/limits", json=body), "ERR_USAGE", 400)


def test_a_share_is_limited_by_itself(web, film):
    row = web.call("PATCH", f"/shares/{film}", json={"limits": {"up": 77}}).json()
    assert (row["up_limit"], row["down_limit"]) == (77, 0)


def test_a_download_begins_with_priority_and_order(web):
    body = {"link": f"shoal:{FILM.id}", "only": [], "priority": "low", "sequential": True}
    assert web.call("POST", "/downloads", json=body).status_code == 202
    eventually(lambda: web.get(f"/downloads/{FILM.id}")["priority"] == "low", within=5)
    web.call("DELETE", f"/downloads/{FILM.id}").raise_for_status()


def test_why_a_content_moves_as_it_does_is_explained_as_by_the_command(web):
    told = web.get(f"/contents/{BIG.id}/explanation")
    assert (told["id"], told["cause"], told["text"], told["chunks_missing"]) == (BIG.id, "choked", "no slot", 4)
    assert told["sources"][0]["cause"] == "choked"


def test_which_parts_are_here_and_elsewhere_is_told_on_request(web):
    assert web.get(f"/contents/{BIG.id}/held") == {
        "items": [
            {"index": 0, "wanted": True, "bytes_done": 6, "priority": "normal"},
            {"index": 1, "wanted": False, "bytes_done": 0, "priority": "normal"},
        ],
        "next_cursor": None,
    }
    told = web.get(f"/contents/{BIG.id}/pieces")
    assert (told["chunks"], told["here"], told["copies"], told["linked"]) == (4, "ff800000", "02020100", 2)
    assert [(peer["complete"], peer["chunks"], peer["offered"]) for peer in told["peers"]] == [
        (True, 4, "ffffffff"), (False, 2, "ffff0000"),
    ]  # fmt: skip


def rates_of_seven(web: WebPeer, path: str) -> dict[str, Any]:
    """What is told of rates, once the newest is 7 bytes a second; until then nothing."""
    told: dict[str, Any] = web.get(path)
    return told if told["up"][-1] == 7.0 else {}


def test_rates_are_told_over_time_of_one_content_and_of_all(web):
    web.publish(events.UploadProgress(BIG.id, "ab" * 32, 5, 7.0))
    web.publish(events.LinkProgress("ab" * 32, "far", "10.0.0.1", True, 7.0, 0.0, 5, 0, ""))
    for path in ("/rates", f"/contents/{BIG.id[:8]}/rates"):
        told = eventually(functools.partial(rates_of_seven, web, path), within=5)
        assert (len(told["up"]), len(told["down"]), told["step"], told["up"][0]) == (300, 300, 1.0, None)
    web.publish(events.UploadProgress(BIG.id, "ab" * 32, 5, 0.0))
    web.publish(events.LinkProgress("ab" * 32, "far", "10.0.0.1", True, 0.0, 0.0, 5, 0, ""))
    assert web.get("/rates?span=24h")["step"] == 288.0
    problem(web.call("GET", "/rates?span=9d"), "ERR_USAGE", 400)
    problem(web.call("GET", f"/contents/{'ee' * 32}/rates"), "ERR_NOT_FOUND", 404)


# --- bytes -----------------------------------------------------------------------------------


def test_the_bytes_of_a_share_come_as_an_attachment_that_runs_nothing(web, film):
    response = web.call("GET", f"/contents/{film}/data")
    assert response.content == DATA
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"film _.mp4\"; filename*=UTF-8''film%20%C3%BC.mp4"
    )
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 1_000_000),
        ("bytes=999999-", 999_999, 1_000_000),
        ("bytes=5-2000000", 5, 1_000_000),
        ("bytes=300000-700000", 300_000, 700_001),
        ("bytes=-10", 999_990, 1_000_000),
        ("bytes=-2000000", 0, 1_000_000),
    ],
)
def test_a_range_is_answered_by_that_part(web, film, asked, start, stop):
    response = web.call("GET", f"/contents/{film}/data", headers={"Range": asked})
    assert (response.status_code, response.content == DATA[start:stop]) == (206, True)
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000000"
    assert response.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=x", "lines=1-2", "bytes=9-2"])
def test_what_is_no_single_range_is_answered_by_all(web, film, asked):
    response = web.call("GET", f"/contents/{film}/data", headers={"Range": asked})
    assert (response.status_code, response.content == DATA) == (200, True)


def test_a_range_behind_the_end_is_told_the_size(web, film):
    response = web.call("GET", f"/contents/{film}/data", headers={"Range": "bytes=1000000-"})
    problem(response, "ERR_USAGE", 416)
    assert response.headers["Content-Range"] == "bytes */1000000"


def test_the_head_tells_without_sending(web, film):
    response = web.call("HEAD", f"/contents/{film}/data", headers={"Range": "bytes=1-2"})
    assert (response.status_code, response.content) == (200, b"")
    assert (response.headers["Content-Length"], response.headers["Accept-Ranges"]) == ("1000000", "bytes")


def test_a_range_of_what_has_changed_is_all_of_it(web, film):
    etag = web.call("HEAD", f"/contents/{film}/data").headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200), ("Sun, 22 Nov 2026 00:00:00 GMT", 200)):
        headers = {"Range": "bytes=1-2", "If-Range": condition}
        assert web.call("GET", f"/contents/{film}/data", headers=headers).status_code == status
    unchanged = web.call("GET", f"/contents/{film}/data", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_file_of_a_tree_is_chosen_by_index_or_path(web, tree):
    assert web.call("GET", f"/contents/{tree}/data?file=1").content == b"seven"
    response = web.call("GET", f"/contents/{tree}/data?file=a.html")
    assert (response.text, response.headers["Content-Type"]) == (
        "<script>alert(1)</script>",
        "application/octet-stream",
    )
    problem(web.call("GET", f"/contents/{tree}/data"), "ERR_USAGE", 400)
    for wrong in ("2", "../film", "/etc/passwd", "deep", "%00"):
        problem(web.call("GET", f"/contents/{tree}/data?file={wrong}"), "ERR_NOT_FOUND", 404)
    problem(web.call("GET", f"/contents/{'0' * 64}/data"), "ERR_NOT_FOUND", 404)


def test_files_are_listed_with_the_index_that_data_takes(web, tree):
    assert [file["index"] for file in web.get(f"/contents/{tree}/files")["items"]] == [0, 1]


@pytest.mark.parametrize("spoil", ["change", "replace", "link", "remove"])
def test_a_file_that_is_not_the_one_that_was_hashed_is_not_sent(web, tree, tmp_path, spoil):
    path = tmp_path / "trip" / "deep" / "7"
    web.call("GET", f"/contents/{tree}/data?file=1").raise_for_status()
    if spoil == "change":
        path.write_text("eight")
    else:
        path.unlink()
    if spoil == "replace":
        path.write_text("other")
    elif spoil == "link":
        path.symlink_to(tmp_path / "trip" / "a.html")
    assert fails(web, f"/contents/{tree}/data?file=1")


def fails(web: WebPeer, path: str) -> bool:
    """Whether a read is refused or cut off."""
    try:
        response = web.call("GET", path)
    except requests.RequestException:
        return True
    return not response.ok


def test_a_ticket_reads_one_content_and_nothing_else(web, film, tree):
    made = web.call("POST", f"/contents/{film[:10]}/tickets")
    ticket = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, ticket["url"])
    assert requests.get(web.url + ticket["url"], timeout=10).content == DATA
    assert requests.head(web.url + ticket["url"], timeout=10).headers["Content-Length"] == "1000000"
    query = f"?ticket={ticket['ticket']}"
    for path in (f"/contents/{tree}/data", f"/contents/{film}/files", "/status", "/shares"):
        problem(web.call("GET", path + query, authorised=False), "ERR_TOKEN", 401)
    for method, path in (("DELETE", f"/shares/{film}"), ("POST", f"/contents/{film}/tickets")):
        problem(web.call(method, path + query, authorised=False), "ERR_TOKEN", 401)
    problem(web.call("GET", f"/contents/{film}/data?ticket=1.2"), "ERR_TOKEN", 401)
    assert ticket["ticket"] not in web.log()


# --- bytes of a running download -------------------------------------------------------------


@pytest.fixture
def running(web: WebPeer, tmp_path: Path) -> Iterator[Path]:
    """The file in which a download of FILM lies; nothing of it is ready yet."""
    path = tmp_path / ".film.shoal"
    path.write_bytes(DATA)
    web.call("POST", "/downloads", json={"id": FILM.id}).raise_for_status()
    web.order(f"lies {FILM.id} 0 {path}")
    yield path
    web.call("DELETE", f"/downloads/{FILM.id}")


def read(web: WebPeer, into: bytearray, headers: dict[str, str] | None = None) -> threading.Thread:
    """Read FILM in a thread."""

    def run() -> None:
        with web.call("GET", f"/contents/{FILM.id}/data", headers=headers or {}, stream=True) as response:
            for block in response.iter_content(4096):
                into.extend(block)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_only_verified_bytes_of_a_running_download_are_sent_and_the_rest_is_waited_for(web, running):
    got = bytearray()
    thread = read(web, got)
    web.order(f"lies {FILM.id} 300000 {running}")
    eventually(lambda: len(got) >= 299_000, within=30)
    assert len(got) <= 300_000
    web.order(f"lies {FILM.id} 1000000 {running}")
    thread.join(10)
    assert bytes(got) == DATA


def test_a_download_that_is_renamed_while_it_is_read_is_read_to_its_end(web, running, tmp_path):
    got = bytearray()
    web.order(f"lies {FILM.id} 300000 {running}")
    thread = read(web, got)
    eventually(lambda: len(got) >= 299_000, within=5)
    running.rename(tmp_path / "film.mp4")
    web.order(f"lies {FILM.id} 1000000 {tmp_path / 'film.mp4'}")
    thread.join(10)
    assert bytes(got) == DATA


def test_who_reads_a_download_that_is_paused_is_told(web, running):
    web.call("PATCH", f"/downloads/{FILM.id}", json={"action": "pause"}).raise_for_status()
    assert "resume" in problem(web.call("GET", f"/contents/{FILM.id}/data"), "ERR_STATE", 409)["detail"]
    problem(web.call("GET", f"/contents/{BIG.id}/data"), "ERR_NOT_FOUND", 404)


def test_a_reader_is_cut_off_when_the_download_stops(web, running):
    web.order(f"lies {FILM.id} 1000 {running}")
    request = (
        f"GET /api/v1/contents/{FILM.id}/data HTTP/1.1\r\nHost: localhost:{web.port}\r\n"
        f"Authorization: Bearer {web.token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(request.encode())
        received = b""
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < 1000:
            received += connection.recv(65536)
        web.call("PATCH", f"/downloads/{FILM.id}", json={"action": "pause"}).raise_for_status()
        assert connection.recv(65536) == b""
    assert "Traceback" not in web.log()


def test_no_more_reads_at_a_time_than_there_are_threads_for(web, running):
    web.order(f"lies {FILM.id} 1000 {running}")
    path = f"/contents/{FILM.id}/data"
    readers = [web.call("GET", path, stream=True) for _ in range(3)]
    assert [reader.status_code for reader in readers] == [200, 200, 503]
    problem(readers[2], "ERR_LIMIT", 503)
    assert web.call("GET", "/status").ok
    web.order(f"lies {FILM.id} 1000000 {running}")
    assert [reader.content == DATA for reader in readers[:2]] == [True, True]
    eventually(lambda: web.call("GET", path, headers={"Range": "bytes=0-0"}).status_code == 206, within=5)


# --- requests that are sent again ------------------------------------------------------------


def test_a_post_that_is_sent_again_is_answered_again_and_done_once(web, tmp_path):
    (tmp_path / "once").write_text("once")
    headers = {"Idempotency-Key": "share-once"}
    first = web.call("POST", "/shares", json={"path": str(tmp_path / "once")}, headers=headers)
    web.call("DELETE", f"/shares/{first.json()['id']}").raise_for_status()
    again = web.call("POST", "/shares", json={"path": str(tmp_path / "once")}, headers=headers)
    assert (again.status_code, again.json(), again.headers["Location"]) == (
        201,
        first.json(),
        first.headers["Location"],
    )
    problem(web.call("GET", f"/shares/{first.json()['id']}"), "ERR_NOT_FOUND", 404)
    problem(web.call("POST", "/shares", json={"path": "/other"}, headers=headers), "ERR_USAGE", 422)
    problem(web.call("POST", "/downloads", json={"id": FILM.id}, headers=headers), "ERR_USAGE", 422)


def test_what_failed_is_tried_again_under_the_same_key(web, tmp_path):
    headers, body = {"Idempotency-Key": "later"}, {"path": str(tmp_path / "later")}
    problem(web.call("POST", "/shares", json=body, headers=headers), "ERR_UNREADABLE", 409)
    (tmp_path / "later").write_text("here")
    shared = web.call("POST", "/shares", json=body, headers=headers)
    assert shared.status_code == 201
    web.call("DELETE", f"/shares/{shared.json()['id']}").raise_for_status()


def test_an_unchanged_answer_is_not_sent_again(web, film):
    for path in ("/shares", f"/shares/{film}", "/limits", "/openapi.json"):
        first = web.call("GET", path)
        again = web.call("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        assert (path, again.status_code, again.content) == (path, 304, b"")
    etag = web.call("GET", "/shares").headers["ETag"]
    web.call("PATCH", f"/shares/{film}", json={"limits": {"up": 123}}).raise_for_status()
    assert web.call("GET", "/shares", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"), [(f"/peers?q={'x' * 9000}", {}, 414), ("/peers", {"X-Long": "x" * 9000}, 431)]
)
def test_what_is_too_long_to_be_parsed_is_a_problem_too(web, path, headers, status):
    problem(web.call("GET", path, headers=headers), "ERR_TOO_LARGE", status)


def test_the_interface_describes_itself(web):
    assert web.get("/openapi.json")["openapi"].startswith("3.1")
    problem(web.call("GET", "/openapi.json", authorised=False), "ERR_TOKEN", 401)


def test_the_settings_are_told_without_a_secret(web):
    told = web.get("/settings")
    keys = {one["key"]: one for section in told["sections"] for one in section["settings"]}
    assert (told["file"], told["file_error"]) == (str(web.config), "")
    assert keys["gateway.threads"]["origin"] == "file"
    assert keys["peers[].name"]["value"] == "north"
    assert web.token not in str(told)


def test_a_configuration_file_that_changed_is_told_of(web):
    before = web.config.read_text()
    web.config.write_text(before.replace("{", "{unheard_of: 1, ", 1))
    assert "unheard_of: unknown key" in web.get("/settings")["file_error"]
    web.config.write_text(before)


def test_limits_for_certain_times_are_set_kept_and_dropped(web):
    nights = {"up": 2**20, "down": 0, "days": ["mon", "sun"], "begin": "22:30", "end": "06:00"}
    assert web.call("PATCH", "/limits", json={"schedule": nights}).json()["schedule"] == nights
    assert web.call("PATCH", "/limits", json={"up": 5}).json()["schedule"] == nights
    for wrong in ({**nights, "end": "24:30"}, {**nights, "days": []}, {**nights, "days": ["Monday"]}):
        assert web.call("PATCH", "/limits", json={"schedule": wrong}).status_code == 400
    one = web.call("PATCH", f"/downloads/{BIG.id}", json={"limits": {"schedule": nights}})
    assert (one.status_code, one.json()["code"]) == (400, "ERR_USAGE")
    assert web.call("PATCH", "/limits", json={"schedule": None}).json()["schedule"] is None
