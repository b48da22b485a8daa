"""A blocked peer and real sockets: its link ends, and it gets no other, not even after a restart of who blocked it."""

from __future__ import annotations

from pathlib import Path

from bus.events import LinkRow, ReputationChanged
from bus.messages import Explain, Explained, JudgePeer
from tests.kit.payload import random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually

MIB = 2**20
SLOW = {"limits": {"up": "1 MiB/s"}}


def linked(remote: Remote, peer: str) -> bool:
    return any(row.peer == peer and row.connected for row in remote.state("peers").of(LinkRow, "peers"))


def why(remote: Remote, content: str) -> str:
    """What decides about a download."""
    explained = remote.call(Explain(0, content))
    assert isinstance(explained, Explained)
    return explained.text


def test_a_blocked_peer_is_cut_off_and_not_accepted_after_a_restart_until_it_is_cleared(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "wanted.bin", 64 * MIB, seed=1)
    with Swarm(tmp_path, settings=SLOW) as swarm:
        north, south = swarm.peer("north").id, swarm.peer("south").id
        content = swarm.cli("share", str(sample)).data[0]["id"]
        with Remote(swarm.peer("south")) as remote:
            remote.get(content)
            eventually(lambda: remote.progress(content) > 0, within=20)
            assert swarm.cli("reputation", "--block", south[:8]).data == {"peer": south, "verdict": "block"}
            eventually(lambda: not linked(remote, north), within=5)
        # At once, as a power cut would: what was answered is kept.
        swarm.restarted("north", swarm.kill("north"))
        # It begins anew too, so that it dials at once, and finds nobody but the north that runs now.
        swarm.restarted("south", swarm.kill("south"))
        with Remote(swarm.peer("north")) as judge, Remote(swarm.peer("south")) as judged:
            reason = eventually(lambda: why(judged, content).partition(f"{north[:8]}: ")[2], within=20)
            assert not linked(judge, south), reason
            assert not linked(judged, north), reason
            (row,) = judge.state("reputation").of(ReputationChanged, "reputation")
            assert (row.peer, row.flags) == (south, ["blocked"])
            judge.call(JudgePeer(0, south, "clear"))
            eventually(lambda: linked(judge, south), within=40)
