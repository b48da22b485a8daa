"""A hostile client at a real peer's data socket: it gets nothing and breaks nothing."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from bus.codec import encode
from bus.identity import Identity
from bus.messages import Hello
from tests.integration.test_links import unseeded_routing_ids
from tests.kit.bench import Bench, Stranger
from tests.kit.endless import Raw
from tests.kit.payload import MIB, differences, random_file
from tests.kit.swarm import Setting, Swarm
from tests.kit.waiting import eventually

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


def test_a_message_that_never_ends_takes_little_memory_and_the_peer_goes_on_serving(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", 8 * MIB)
    with Swarm(tmp_path) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        north, process = swarm.peer("north"), psutil.Process(swarm.pid("north"))
        before = process.memory_info().rss
        most = 0
        with Raw.dial(north.data, Identity(b"l" * 32), north.id) as hostile:
            hostile.say(*encode(Hello("liar", "liar")))
            hostile.begin_endless()

            def cut() -> bool:
                nonlocal most
                most = max(most, process.memory_info().rss)
                return hostile.port not in far_ports(process)

            eventually(cut, within=30)
            swarm.cli("get", content, peer="south")
        assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""
        assert swarm.pid("north") == process.pid, "it was restarted"
        assert most - before < 256 * MIB, f"{(most - before) / MIB:.0f} MiB"


@pytest.mark.parametrize("exempt", [False, True], ids=["any other", "an exempt network's"])
def test_an_address_has_room_for_so_many_connections_at_a_peer_and_at_a_tracker(tmp_path: Path, exempt: bool) -> None:
    settings: dict[str, Setting] = {"tracker": {"keys_per_address": 4}}
    if not exempt:
        settings["limits"] = {"exempt_networks": []}
    with Swarm(tmp_path, peers=["north"], settings=settings) as swarm, ExitStack() as stack:
        # The tracker's eight have one of north's among them.
        for endpoint, pid, room in (
            (swarm.peer("north").data, swarm.pid("north"), 64),
            (swarm.tracker.endpoint, swarm.tracker.pid, 7),
        ):
            host, port = endpoint.removeprefix("tcp://").split(":")
            opened = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(room + 6)]
            ours = {one.getsockname()[1] for one in opened}
            process = psutil.Process(pid)
            wanted = len(ours) if exempt else room
            # Soon: after 5 s libzmq ends all of them.
            eventually(lambda: len(ours & far_ports(process)) == wanted, within=4)  # noqa: B023


def far_ports(process: psutil.Process) -> set[int]:
    """The ports at the other ends of the connections of a process."""
    return {one.raddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_ESTABLISHED}
