"""Verifying what has failed, over HTTP, in front of a stand-in peer on the real bus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus import events
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = pytest.mark.system

SHARE = events.ContentShared("d4" * 32, "x", "file", 9, 1, 1, "/x", False, "error", "it changed", 1e9)
DOWNLOAD = events.TransferProgress(
    "d5" * 32, "y", "file", 9, "/y", "error", 0, 1, 0, 0.0, -1.0, 1.0, 0, 0, [], "", "full", "ERR_DISK_FULL", 1e9, 0.0
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.mark.parametrize(
    ("section", "failed", "becomes"), [("shares", SHARE, "seeding"), ("downloads", DOWNLOAD, "verifying")]
)
def test_what_failed_is_verified_and_nothing_else_is_understood(web, section, failed, becomes):
    web.publish(failed)
    path = f"/{section}/{failed.id}"
    eventually(lambda: web.call("GET", path).status_code == 200, within=5)
    assert web.call("PATCH", path, json={"action": "heal"}).status_code == 400
    assert web.get(path)["state"] == "error"
    verified = web.call("PATCH", path, json={"action": "verify"})
    assert (verified.status_code, verified.json()["id"]) == (200, failed.id)
    eventually(lambda: web.get(path)["state"] == becomes, within=5)
