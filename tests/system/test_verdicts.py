"""A blocked peer and real sockets: its link ends, and it gets no other, not even after a restart of who blocked it."""

from __future__ import annotations

from pathlib import Path

from bus.events import LinkRow
from bus.messages import ChangeLimits
from tests.kit.payload import random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually, hold_for

MIB = 2**20
SLOW = {"limits": {"up": "2 MiB/s"}}


def linked(remote: Remote, peer: str) -> bool:
    return any(row.peer == peer and row.connected for row in remote.state("peers").of(LinkRow, "peers"))


def test_a_blocked_peer_is_cut_off_and_not_accepted_after_a_restart_until_it_is_cleared(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "wanted.bin", 24 * MIB, seed=1)
    with Swarm(tmp_path, settings=SLOW) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        id_of_south = swarm.peer("south").id
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) > 0, within=20)
            blocked = swarm.cli("reputation", "--block", id_of_south[:8]).data
            assert blocked == {"peer": id_of_south, "verdict": "block"}
            with Remote(swarm.peer("north")) as north:
                assert not linked(north, id_of_south)
            eventually(lambda: not linked(south, swarm.peer("north").id), within=5)
            before = south.progress(content)
            # At once, as a power cut would: what was answered is kept.
            swarm.restarted("north", swarm.kill("north"))
            with Remote(swarm.peer("north")) as north:
                assert not any(hold_for(4.0, lambda: linked(north, id_of_south)))
                assert south.progress(content) == before < 1
                (row,) = swarm.cli("reputation").data
                assert (row["peer"], row["flags"]) == (id_of_south, ["blocked"])
                north.call(ChangeLimits(0, up=0))
                swarm.cli("reputation", "--clear", id_of_south)
                eventually(lambda: south.complete(content), within=60)
                assert linked(north, id_of_south)
