"""Reading a content over HTTP while it downloads: what is read comes first, and only what is verified is sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually

pytestmark = pytest.mark.system

MIB = 2**20
SIZE = 24 * MIB
LIMITED = {"limits": {"down": "2 MiB/s"}}
"""Twelve seconds for all of it."""


class Page:
    """One peer's REST interface."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        peer = swarm.peer(name)
        assert peer.token_file is not None
        self.base = f"{peer.url}/api/v1"
        self.headers = {"Authorization": f"Bearer {Path(peer.token_file).read_text().strip()}"}

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
        headers = {**self.headers, **(headers or {})}
        response = requests.request(method, self.base + path, headers=headers, timeout=60, **options)
        response.raise_for_status()
        return response


def test_the_end_of_a_film_can_be_read_long_before_it_is_complete(tmp_path):
    film = tmp_path / "film.mkv"
    film.write_bytes(os.urandom(SIZE))
    (tmp_path / "swarm").mkdir()
    with Swarm(tmp_path / "swarm", gateways=True, settings=LIMITED) as swarm:
        content = swarm.cli("share", str(film), peer="north").data[0]["id"]
        south = Page(swarm, "south")
        eventually(lambda: south.call("GET", f"/search?q={content}").json()["items"], within=20, every=0.3)
        listed = south.call("GET", f"/contents/{content[:12]}/files").json()
        assert [listed[key] for key in ("id", "name", "kind", "size", "files")] == [content, film.name, "file", SIZE, 1]
        assert south.call("GET", "/downloads").json()["items"] == [], "looking is not fetching"
        south.call("POST", "/downloads", json={"id": content})
        url = south.call("POST", f"/contents/{content}/tickets").json()["url"]

        def is_known() -> bool:
            return bool(south.call("GET", f"/downloads/{content}").json()["chunks"])

        eventually(is_known, within=20)
        data = film.read_bytes()
        for start in (SIZE - MIB, 11 * MIB + 5):
            part = requests.get(
                south.base.removesuffix("/api/v1") + url,
                headers={"Range": f"bytes={start}-{start + MIB - 1}"},
                timeout=60,
            )
            assert (part.status_code, part.content == data[start : start + MIB]) == (206, True)
        row = south.call("GET", f"/downloads/{content}").json()
        assert row["progress"] < 0.6, "what was read had to come first"

        south.call("PATCH", "/limits", json={"down": None})
        assert south.call("GET", f"/contents/{content}/data").content == data
        eventually(lambda: south.call("GET", f"/downloads/{content}").json()["finished"], within=20)
        assert south.call("GET", f"/contents/{content}/data", {"Range": "bytes=7-9"}).content == data[7:10]
        explained = south.call("GET", f"/contents/{content}/explanation").json()
        assert explained == swarm.cli("explain", content, peer="south").data | {"text": explained["text"]}
