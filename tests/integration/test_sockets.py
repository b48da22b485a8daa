"""Every socket the program makes has the options of the table, and nobody makes one in passing."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from bus.boundary import Dial, LinkUp
from bus.errors import ERR_USAGE, ShoalError
from bus.identity import Identity
from bus.publisher import PeerPublisher
from bus.rpc import Requests, RpcClient
from bus.sockets import Role, bind, has_ipv6, live_sockets, make_context, make_socket, plain_endpoint, plain_host
from bus.tap import EventTap, Subscription, WireStream
from tests.kit.bench import Bench, End
from tests.kit.socket_table import CLEAR, SECURED, a_full_router_refuses, differences

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("hwm", [1, 256])
def test_all_live_sockets_have_the_options_of_their_role(hwm: int, tmp_path: Path):
    ipc = f"ipc://{tmp_path}"
    before = [socket for _, socket in live_sockets()]
    with Bench() as bench:
        wire = WireStream(bench.reactor, bench.context, f"{ipc}/wire.ipc")
        server, client = End(bench, 1, hwm, wire), End(bench, 2, hwm)
        endpoint = server.links.listen("tracker", "tcp://127.0.0.1:0")
        server.links.listen("control", f"{ipc}/control.ipc")
        bench.link(server, client)
        bench.link(End(bench, 3, hwm, encryption=False), End(bench, 4, hwm, encryption=False))
        client.links.perform(Dial("tracker", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: len(client.of(LinkUp)) == 2)
        publisher = PeerPublisher(bench.reactor, bench.context, f"{ipc}/events.ipc", "x", 1.0)
        events = Subscription(bench.reactor, bench.context, f"{ipc}/events.ipc", print)
        requests = Requests(bench.reactor, bench.context, f"{ipc}/control.ipc")
        local = [RpcClient(bench.context, f"{ipc}/control.ipc"), EventTap(bench.context, f"{ipc}/events.ipc")]
        live = [(role, socket) for role, socket in live_sockets() if socket not in before]
        assert {role for role, _ in live} == set(get_args(Role))
        wrong = []
        for role, socket in live:
            mark = hwm if role in {*SECURED, *CLEAR, "control-server"} else 0
            wrong += differences(role, socket, mark)
            if role.endswith("-server") and not a_full_router_refuses(socket):
                wrong.append(f"{role}: ROUTER_MANDATORY is not set")
        assert wrong == []
        for closable in [publisher, events, requests, wire, *local]:
            closable.close()  # type: ignore[attr-defined]


def test_the_table_notices_a_wrong_option():
    context = make_context()
    socket = make_socket(context, "data-server", identity=Identity(b"k" * 32))
    assert differences("data-server", socket, 0) == []
    assert differences("data-server", socket, 1) != []
    socket.linger = -1
    assert differences("data-server", socket, 0) == ["data-server: LINGER is -1, not 0"]
    socket.close()
    context.term()


def test_only_the_factory_makes_sockets():
    """`context.socket(...)` stands once in the package that may use ZeroMQ."""
    makers = [
        path.name
        for path in sorted((ROOT / "bus").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("context.socket")
    ]
    assert makers == ["sockets.py"]


def test_automatic_routing_ids_start_elsewhere_in_every_process():
    """Unseeded, they start at the same value everywhere, and whoever claims the next one aborts the process."""
    command = [sys.executable, "-m", "tests.kit.first_routing_id"]
    first = {subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout for _ in range(3)}
    assert len(first) == 3
    assert "006b8b4567\n" not in first


def test_a_context_raises_the_descriptor_limit_and_ends_though_sockets_are_full():
    context = make_context()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65536) or soft >= 65536
    socket = make_socket(context, "control-client")
    socket.connect("tcp://127.0.0.1:1")
    socket.close()
    context.term()  # with a lingering socket or a blocky context this would never return


@pytest.mark.parametrize(
    ("endpoint", "plain"),
    [
        ("tcp://[::ffff:127.0.0.1]:80", "tcp://127.0.0.1:80"),
        ("tcp://127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("tcp://[::1]:80", "tcp://[::1]:80"),
        ("ipc:///a/b", "ipc:///a/b"),
    ],
)
def test_ipv4_is_written_as_ipv4(endpoint: str, plain: str):
    assert plain_endpoint(endpoint) == plain


def test_a_mapped_address_is_written_as_ipv4():
    assert plain_host("::ffff:10.0.0.7") == "10.0.0.7"
    assert plain_host("fe80::1") == "fe80::1"


def test_a_want_of_descriptors_is_not_taken_for_a_want_of_ipv6():
    before = has_ipv6()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert has_ipv6() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a plain user; as nobody if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_port_that_a_plain_user_may_not_take_is_told_from_an_address_that_is_not_ours():
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 443:
        pytest.skip("this machine lets everybody take every port")
    context = make_context()
    socket = make_socket(context, "data-server", identity=Identity(b"k" * 32))
    with unprivileged(), pytest.raises(ShoalError) as raised:
        bind(socket, "tcp://127.0.0.1:443")
    socket.close()
    context.term()
    said = "Permission denied; ports under 1024 need privileges, choose a higher one"
    assert str(raised.value) == f"{ERR_USAGE}: cannot listen on tcp://127.0.0.1:443: {said}"
