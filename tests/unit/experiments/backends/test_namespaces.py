"""The commands that make a network of the kernel's; what they do is tried in tests/system/test_namespaces.py."""

from __future__ import annotations

import pytest

from bus.errors import ERR_CONFIG, ShoalError
from experiments.backends.namespaces import (
    Wire,
    check_offered,
    hub_plan,
    inside,
    peer_plan,
    probe_plan,
    shaping,
)
from experiments.backends.real import roles_of
from experiments.casting import players
from experiments.scenario import scenario_of

HUB = ["nsenter", "--net=/hub", "--"]
MIB = 2**20


def lines(plan):
    return [" ".join(command) for command in plan]


def test_a_peer_has_one_cable_whose_ends_shape_what_leaves_by_them():
    assert lines(peer_plan(Wire(7, up=MIB, down=2 * MIB), HUB, 4321)) == [
        "ip link set lo up",
        "nsenter --net=/hub -- ip link add peer4321 type veth peer eth0 address 02:00:00:00:00:07 netns 4321",
        "nsenter --net=/hub -- ip link set peer4321 master shoal up",
        "ip address add 10.231.1.8/16 dev eth0",
        "ip link set eth0 up",
        "tc qdisc add dev eth0 root tbf rate 1048576bps burst 65536 latency 200ms",
        "nsenter --net=/hub -- tc qdisc add dev peer4321 root tbf rate 2097152bps burst 65536 latency 200ms",
    ]


def test_a_delay_comes_before_the_rate_and_neither_is_there_unasked():
    assert lines(shaping("eth0", 1000, 0.0205)) == [
        "tc qdisc add dev eth0 root handle 1: netem delay 20500us limit 100000",
        "tc qdisc add dev eth0 parent 1:1 tbf rate 1000bps burst 65536 latency 200ms",
    ]
    assert lines(shaping("eth0", 0, 0.02)) == ["tc qdisc add dev eth0 root handle 1: netem delay 20000us limit 100000"]
    assert shaping("eth0", 0, 0.0) == []


def test_a_fast_rate_may_send_a_hundredth_of_a_second_at_once():
    (command,) = shaping("eth0", 100 * MIB, 0.0)
    assert command[command.index("burst") + 1] == str(MIB)


def test_every_peer_has_an_address_and_hardware_of_its_own():
    wires = [Wire(number) for number in range(1, 201)]
    addresses = [wire.address for wire in wires]
    assert len({*addresses, "10.231.0.1"}) == 201
    assert len({wire.hardware for wire in wires}) == 200
    assert all(0 < int(part) < 255 for address in addresses for part in address.split("."))


def test_what_is_tried_beforehand_is_all_that_the_peers_need():
    tried = lines(probe_plan([Wire(1, up=5 * MIB), Wire(2, down=9 * MIB, latency=0.01)]))
    assert tried[: len(hub_plan())] == lines(hub_plan())
    assert any("veth" in line for line in tried)
    assert any("netem delay 10000us" in line for line in tried)
    assert any(f"tbf rate {9 * MIB}bps" in line for line in tried)
    assert not any("netem" in line for line in lines(probe_plan([Wire(1, up=MIB)])))


def test_a_command_inside_comes_after_the_plan_and_words_stay_whole():
    command = inside([["ip", "link"], ["echo", "two words"]], ["python", "-m", "it's"])
    script = command[command.index("-c", command.index("sh")) + 1]
    assert script.splitlines()[-3:] == ["ip link", "echo 'two words'", 'exec "$@"']
    assert command[-4:] == ["sh", "python", "-m", "it's"]


def test_where_the_tools_are_missing_it_says_which_and_what_to_do(monkeypatch):
    monkeypatch.setattr("experiments.backends.namespaces.SYSTEM_TOOLS", "")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ShoalError) as raised:
        check_offered([Wire(1)])
    assert (raised.value.code, raised.value.message) == (
        ERR_CONFIG,
        "network.shaped_by: kernel is not offered here (unshare, nsenter, ip, tc not found; they are in util-linux and "
        "iproute2); choose limits",
    )


def test_peers_know_nothing_of_what_the_kernel_shapes():
    groups = {"seed": {"peers": 1, "complete": True, "up": MIB}, "a": {"peers": 2, "down": MIB, "latency": "5 ms"}}
    tree = {"content": {"size": 1}, "groups": groups, "network": {"shaped_by": "kernel", "latency": "20 ms"}}
    scenario = scenario_of(tree)
    roles = roles_of(players(scenario, 1), scenario)
    assert [role.wire for role in roles.values()] == [
        Wire(1, up=MIB, latency=0.02), Wire(2, down=MIB, latency=0.025), Wire(3, down=MIB, latency=0.025),
    ]  # fmt: skip
    assert all((role.settings, role.part.latency) == ({}, 0.0) for role in roles.values())
    plain = scenario_of({**tree, "network": {"latency": "20 ms"}})
    seed, first, _ = roles_of(players(plain, 1), plain).values()
    assert (seed.settings, seed.part.latency, seed.wire) == ({"limits.up": str(MIB)}, 0.02, None)
    assert (first.settings, first.part.latency) == ({"limits.down": str(MIB)}, 0.025)
