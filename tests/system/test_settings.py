"""Settings changed over REST under `shoal up`: one file, several peers, each in its own entry."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from bus.ready import PeerUp
from tests.kit.swarm import Swarm

pytestmark = pytest.mark.system


def call(peer: PeerUp, method: str, **options: Any) -> dict[str, dict[str, Any]]:
    """The settings by their keys, as the answer of a request to this peer's page tells them."""
    headers = {"Authorization": f"Bearer {Path(str(peer.token_file)).read_text().strip()}"}
    response = requests.request(method, f"{peer.url}/api/v1/settings", headers=headers, timeout=30, **options)
    assert response.status_code == 200, response.text
    return {one["key"]: one for section in response.json()["sections"] for one in section["settings"]}


def test_each_page_changes_its_peers_entry_and_what_all_share(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Swarm(tmp_path, gateways=True) as swarm:
        told = call(swarm.peer("north"), "GET")
        # What the supervisor repeats of the file is the file's, and waits for nothing.
        assert (told["peers[].data_port"]["origin"], told["peers[].data_port"]["closed"]) == ("file", "")
        assert [key for key, one in told.items() if "after_restart" in one] == []
        told = call(swarm.peer("south"), "PATCH", json={"peers[].data_port": port, "transfer.upload_slots": 3})
        waiting = {key: one["after_restart"] for key, one in told.items() if "after_restart" in one}
        assert waiting == {"peers[].data_port": str(port), "transfer.upload_slots": "3"}
        assert "after_restart" not in call(swarm.peer("north"), "GET")["peers[].data_port"]
        written = yaml.safe_load(swarm.config.read_text())
        assert written["peers"] == [{"name": "north"}, {"name": "south", "data_port": port}]
        swarm.stop()
        swarm.start()
        swarm.ready()
        assert swarm.peer("south").data.endswith(f":{port}")
        told = call(swarm.peer("south"), "GET")
        assert (told["peers[].data_port"]["value"], told["transfer.upload_slots"]["value"]) == (str(port), "3")
        assert [key for key, one in told.items() if "after_restart" in one] == []
