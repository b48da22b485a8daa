"""What happened to a content, over REST: while it goes on, and after a snapshot replaced the state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus import events, messages
from tests.integration.test_gateway import problem
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = pytest.mark.system

FILM = messages.FoundContent("f1" * 32, "film.mp4", "file", 2**40, 1, 0)
PEER = "5a" * 32


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=1) as web:
        web.fetch(FILM)
        yield web


def texts(web: WebPeer) -> list[str]:
    return [entry["text"] for entry in web.get(f"/contents/{FILM.id[:8]}/events")["items"]]


def test_what_happens_is_told_with_its_time_and_peer_and_outlives_a_gap(web):
    web.publish(events.ChunkRejected(FILM.id, 7, PEER))
    eventually(lambda: len(texts(web)) == 2, within=5)
    listed, rejected = web.get(f"/contents/{FILM.id}/events")["items"]
    assert (listed["type"], listed["text"], listed["peer"]) == ("transfer.started", "Listed: Downloading", "")
    assert (rejected["type"], rejected["tone"], rejected["peer"]) == ("chunk.rejected", "bad", PEER)
    assert rejected["number"] > listed["number"]
    assert rejected["time"].endswith("Z")
    assert web.get(f"/contents/{FILM.id}/events")["next_cursor"] is None
    # What was lost on the way is in the snapshot that is asked for then.
    web.order(f'skip chunk 3 chunk.rejected {{"content": "{FILM.id}", "chunk": 8, "peer": "{PEER}"}}')
    web.call("PATCH", f"/downloads/{FILM.id}", json={"action": "pause"}).raise_for_status()
    eventually(lambda: "Downloading → Paused" in texts(web), within=5)
    assert texts(web)[:2] == [listed["text"], rejected["text"]]


def test_nothing_is_told_of_what_is_not_here(web):
    problem(web.call("GET", f"/contents/{'0' * 64}/events"), "ERR_NOT_FOUND", 404)
