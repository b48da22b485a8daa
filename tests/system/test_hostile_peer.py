"""A hostile client at a real peer's data socket: it gets nothing and breaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.codec import encode
from bus.identity import Identity
from bus.messages import Hello
from tests.integration.test_links import unseeded_routing_ids
from tests.kit.bench import Bench, Stranger
from tests.kit.payload import MIB, differences, random_file
from tests.kit.swarm import Swarm

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.mark.parametrize("encryption", [True, False], ids=["encrypted", "in clear text"])
def test_a_thousand_claimed_routing_ids_leave_the_peer_alive_and_serving(tmp_path: Path, encryption: bool) -> None:
    sample = random_file(tmp_path / "sample.bin", 8 * MIB)
    with Swarm(tmp_path, settings={"security": {"encryption": encryption}}) as swarm, Bench() as bench:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        north, pid = swarm.peer("north"), swarm.pid("north")
        liar = Identity(b"l" * 32)
        keys = liar if encryption else None
        strangers = []
        for claimed in unseeded_routing_ids(1000):
            stranger = Stranger(bench.context, north.data, server=north.id, identity=keys, routing_id=claimed)
            stranger.say(*encode(Hello("liar", "liar")))
            strangers.append(stranger)
        swarm.cli("get", content, peer="south")
        assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""
        for stranger in strangers:
            stranger.close()
        assert swarm.pid("north") == pid, "it was restarted"
        swarm.cli("status", peer="north")
