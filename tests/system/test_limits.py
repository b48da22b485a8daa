"""`shoal limit` on real peers: it holds at once, and across a restart."""

from __future__ import annotations

import os

import pytest

from tests.kit.swarm import Swarm

MIB = 2**20


def test_a_limit_holds_is_shown_and_outlives_a_restart(tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(16 * MIB))
    with Swarm(tmp_path) as swarm:
        content = swarm.cli("share", str(tmp_path / "file"), peer="north").data[0]["id"]
        assert swarm.cli("limit", "--up", "4 MiB/s", peer="north").data["effective_up"] == 4 * MIB
        assert swarm.cli("limit", content[:8], "--up", "1 GB/s", peer="north").data["effective_up"] == 4 * MIB
        got = swarm.cli("get", content, peer="south").data
        # The manifest and the last chunk's writing take their time too.
        assert got["seconds"] == pytest.approx(4.0, rel=0.15, abs=0.3)
        # What north was seen to send counts too, and a limit lets it catch up what it missed.
        assert got["optimum_seconds"] == pytest.approx(4.0, rel=0.12)
        assert got["optimum_share"] == pytest.approx(got["optimum_seconds"] / got["seconds"], rel=0.01)
        found = swarm.cli("explain", content, peer="south").data
        assert (found["state"], found["cause"]) == ("seeding", "complete")

        always = swarm.cli("limit", "--schedule", "daily 00:00-24:00", "--up", "1 MiB/s", peer="north").data
        assert (always["up"], always["effective_up"], always["scheduled"]) == (4 * MIB, MIB, True)
        swarm.restarted("north", swarm.kill("north"))
        assert swarm.cli("status", peer="north").data["limits"] == {"up": MIB, "down": 0}
        assert swarm.cli("limit", "--schedule", "off", peer="north").data["scheduled"] is False
        again = swarm.cli("limit", peer="north").data
        assert (again["up"], again["up_is_set"], again["down"]) == (4 * MIB, True, 0)
        assert again["contents"] == [{"id": content, "up": 10**9, "down": 0}]
        assert swarm.cli("status", peer="north").data["limits"] == {"up": 4 * MIB, "down": 0}
        assert swarm.cli("limit", "--up", "default", peer="north").data["up_is_set"] is False
        swarm.cli("limit", "ffffffff", "--up", "1", peer="north", expect=3)
