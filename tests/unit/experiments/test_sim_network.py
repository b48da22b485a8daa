"""The simulated network against what is calculated by hand for shared bandwidth, and what may go wrong in it."""

from __future__ import annotations

from typing import Any

import pytest

from bus.boundary import Dial, DialFailed, HangUp, LinkBlocked, LinkLost, LinkUp, Publish, Received, Send
from bus.events import TransferRemoved
from bus.messages import Credit, Data
from experiments.sim.network import CORRUPT, LINK_BUFFER, MESSAGE_BYTES
from experiments.sim.world import Host, HostRates, World

SIZE = 100_000 - MESSAGE_BYTES
"""Payload of a message that is 100 kB with its header."""
LATENCY = 0.01


class Scripted:
    """A core that notes what it is told and when, and may want a deadline."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Any]] = []
        self.deadline: float | None = None

    def handle(self, event: Any, now: float) -> list[Any]:
        self.heard.append((now, event))
        return []

    def next_deadline(self) -> float | None:
        return self.deadline

    def on_deadline(self, now: float) -> list[Any]:
        self.heard.append((now, "deadline"))
        self.deadline = None
        return []

    def of(self, kind: type) -> list[tuple[float, Any]]:
        return [(at, event) for at, event in self.heard if isinstance(event, kind)]

    @property
    def times(self) -> list[float]:
        """When messages came."""
        return [at for at, _ in self.of(Received)]


class Net:
    """Hosts by one-letter names; links are dialled before time 0 counts."""

    def __init__(self, **rates: HostRates) -> None:
        self.world = World(LATENCY)
        self.cores = {name: Scripted() for name in rates}
        self.hosts = {name: Host(name, self.cores[name], rates[name], lambda host, effect: None) for name in rates}
        for host in self.hosts.values():
            self.world.add(host, [])

    def dial(self, one: str, other: str) -> None:
        self.world.carry_out(self.hosts[one], [Dial("data", other, ("tcp://there:1",))])

    def link(self, one: str, other: str) -> None:
        self.dial(one, other)
        self.pass_time(1.5 * LATENCY)

    def send(self, one: str, other: str, *messages: Any) -> None:
        link = next(link for link, pipe in self.hosts[one].links.items() if pipe.to.name == other)
        self.world.carry_out(self.hosts[one], [Send(link, message) for message in messages])

    def pass_time(self, seconds: float) -> None:
        until = self.world.now + seconds
        self.world.run(until, lambda: False)
        self.world.now = until

    def since(self, name: str, start: float) -> list[Any]:
        return [pytest.approx(at - start) for at in self.cores[name].times]


def chunk(number: int = 0, size: int = SIZE) -> Data:
    return Data(1, 0, 1, [(number, 0, size)])


def test_a_message_takes_the_slower_of_both_rates_and_not_their_sum() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(down=50_000), c=HostRates(down=400_000))
    net.link("a", "b")
    start = net.world.now
    net.send("a", "b", chunk())
    net.pass_time(10)
    # Fluid: 100 kB at the 50 kB/s of the downlink.
    assert net.since("b", start) == [2 + LATENCY]
    net.link("a", "c")
    start = net.world.now
    net.send("a", "c", chunk())
    net.pass_time(10)
    assert net.since("c", start) == [1 + LATENCY]


def test_two_receivers_share_their_senders_uplink_equally() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(), c=HostRates())
    for other in "bc":
        net.link("a", other)
    start = net.world.now
    for other in "bc":
        net.send("a", other, *(chunk(n) for n in range(5)))
    net.pass_time(20)
    # Fluid: 50 kB/s each, so a message every 2 s; here in turns, so each comes at most a message early.
    assert net.since("b", start) == [1 + 2 * n + LATENCY for n in range(5)]
    assert net.since("c", start) == [2 + 2 * n + LATENCY for n in range(5)]


def test_shares_of_an_uplink_are_of_bytes_and_not_of_messages() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(), c=HostRates())
    for other in "bc":
        net.link("a", other)
    start = net.world.now
    net.send("a", "b", *(chunk(n) for n in range(10)))
    net.send("a", "c", *(chunk(n, 10_000 - MESSAGE_BYTES) for n in range(100)))
    net.pass_time(10)
    # Fluid: in 10 s of 100 kB/s each gets 500 kB.
    assert sum(at <= start + 10.1 for at in net.cores["b"].times) == pytest.approx(5, abs=1)
    assert sum(at <= start + 10.1 for at in net.cores["c"].times) == pytest.approx(50, abs=10)


def test_two_senders_share_their_receivers_downlink() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(up=100_000), c=HostRates(down=100_000))
    for one in "ab":
        net.link(one, "c")
    start = net.world.now
    for one in "ab":
        net.send(one, "c", *(chunk(n) for n in range(3)))
    net.pass_time(20)
    # Fluid: 50 kB/s each, 600 kB in 6 s; the downlink is never idle.
    assert net.since("c", start) == [n + LATENCY for n in range(1, 7)]
    assert [event.link for _, event in net.cores["c"].of(Received)][:2] == [2, 4]


def test_a_downlink_that_can_take_both_delays_neither() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(up=100_000), c=HostRates(down=200_000))
    for one in "ab":
        net.link(one, "c")
    start = net.world.now
    for one in "ab":
        net.send(one, "c", chunk())
    net.pass_time(20)
    assert net.since("c", start) == [1 + LATENCY, 1 + LATENCY]


def test_a_downlink_delays_nothing_that_is_still_on_its_way_behind() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(down=1_000_000))
    net.link("a", "b")
    net.world.delay(net.hosts["b"], 1.5)  # the second one leaves before the first one is there
    start = net.world.now
    net.send("a", "b", chunk(0), chunk(1), Credit(1, 5, 0))
    net.pass_time(10)
    first, second, last = net.cores["b"].of(Received)
    assert [event.message.parts[0][0] for _, event in (first, second)] == [0, 1]
    assert net.since("b", start) == [1 + LATENCY + 1.5, 2 + LATENCY + 1.5, pytest.approx(last[0] - start)]
    assert 0 <= last[0] - second[0] < 0.01


def test_nothing_overtakes_what_waits_for_a_downlink_whose_cap_ends() -> None:
    net = Net(a=HostRates(), b=HostRates(down=100_000))
    net.link("a", "b")
    net.send("a", "b", *(chunk(n) for n in range(3)))
    net.pass_time(1.5 * LATENCY)
    net.hosts["b"].rates = HostRates()
    net.send("a", "b", chunk(3))
    net.pass_time(10)
    assert [event.message.parts[0][0] for _, event in net.cores["b"].of(Received)] == [0, 1, 2, 3]


def test_a_slow_receiver_leaves_the_uplink_to_others() -> None:
    """Max-min: of 1 MB/s up, the receiver with 100 kB/s down gets that, the other the rest."""
    net = Net(a=HostRates(up=1e6), slow=HostRates(down=1e5), fast=HostRates())
    sent = {"slow": 0, "fast": 0}

    def refill() -> None:
        for link, pipe in net.hosts["a"].links.items():
            if not pipe.blocked:
                net.world.carry_out(net.hosts["a"], [Send(link, chunk(sent[pipe.to.name]))])
                sent[pipe.to.name] += 1
        net.world.at(0.02, refill)

    for name in sent:
        net.link("a", name)
    refill()
    net.pass_time(60)
    before = {name: len(net.cores[name].times) for name in sent}
    net.pass_time(60)
    gained = {name: (len(net.cores[name].times) - before[name]) * 1e5 / 60 for name in sent}
    assert gained == {"slow": pytest.approx(1e5, rel=0.05), "fast": pytest.approx(9e5, rel=0.05)}


def test_a_short_message_does_not_wait_behind_another_links_chunks() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates(), c=HostRates(down=100_000))
    for other in "bc":
        net.link("a", other)
    start = net.world.now
    net.send("a", "b", chunk(), chunk(1))
    net.send("a", "c", Credit(1, 5, 0))
    net.send("a", "b", Credit(1, 5, 0))
    net.pass_time(10)
    assert net.cores["c"].times[0] - start < LATENCY + 0.01
    # On its own link it does; and its bytes are charged to the next chunk.
    assert [type(event.message) for _, event in net.cores["b"].of(Received)] == [Data, Data, Credit]
    assert net.since("b", start)[1] == 2 + 2 * MESSAGE_BYTES / 100_000 - MESSAGE_BYTES / 100_000 + LATENCY


def test_each_host_may_be_farther_away() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    net.world.delay(net.hosts["b"], 0.2)
    start = net.world.now
    net.send("a", "b", Credit(1, 1, 0))
    net.pass_time(1)
    assert net.since("b", start) == [LATENCY + 0.2]


def test_nothing_overtakes_on_a_link_whose_delay_falls() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    net.world.delay(net.hosts["b"], 1.0)
    net.send("a", "b", Credit(1, 1, 0))
    net.world.delay(net.hosts["b"], 0.0)
    net.send("a", "b", Credit(1, 2, 0))
    net.pass_time(2)
    assert [event.message.limit for _, event in net.cores["b"].of(Received)] == [1, 2]


def test_a_link_blocks_when_it_holds_too_much_and_says_when_it_takes_more() -> None:
    net = Net(a=HostRates(up=1e6), b=HostRates())
    net.link("a", "b")
    net.send("a", "b", *(chunk(n) for n in range(LINK_BUFFER // 100_000 + 1)))
    net.pass_time(10)
    kinds = [type(event).__name__ for _, event in net.cores["a"].heard[1:]]
    assert kinds == ["LinkBlocked", "LinkWritable"]
    assert net.cores["a"].of(LinkBlocked)[0][0] == pytest.approx(1.5 * LATENCY)


def test_a_cap_holds_from_the_next_message_on() -> None:
    net = Net(a=HostRates(up=100_000), b=HostRates())
    net.link("a", "b")
    start = net.world.now
    net.send("a", "b", chunk(), chunk(1))
    net.world.cap(net.hosts["a"], 50_000, 0)
    net.pass_time(5)
    assert net.since("b", start) == [1 + LATENCY, 3 + LATENCY]


def test_what_is_sent_across_a_partition_arrives_in_order_when_it_heals() -> None:
    net = Net(a=HostRates(), b=HostRates(), c=HostRates())
    net.link("a", "b")
    net.link("a", "c")
    net.world.partition([net.hosts["a"]], [net.hosts["b"]])
    net.send("a", "b", Credit(1, 1, 0), Credit(1, 2, 0))
    net.send("a", "c", Credit(1, 3, 0))
    net.dial("b", "a")
    net.pass_time(5)
    assert not net.cores["b"].times
    assert len(net.cores["c"].times) == 1
    assert net.cores["b"].of(DialFailed)[0][0] == pytest.approx(2.03)
    net.world.heal()
    net.send("a", "b", Credit(1, 4, 0))
    net.pass_time(1)
    assert [event.message.limit for _, event in net.cores["b"].of(Received)] == [1, 2, 4]


def test_a_link_that_one_side_gave_up_in_a_partition_is_lost_to_the_other_when_it_heals() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    net.world.partition([net.hosts["b"]], [net.hosts["a"]])
    (link,) = net.hosts["a"].links
    net.world.carry_out(net.hosts["a"], [HangUp(link)])
    net.pass_time(5)
    assert not net.cores["b"].of(LinkLost)
    net.world.heal()
    net.pass_time(1)
    assert len(net.cores["b"].of(LinkLost)) == 1


def test_a_paused_host_hears_on_resume_what_waited_and_its_clock_stood_still() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    at = net.world.now
    net.cores["b"].deadline = at + 5
    net.world.carry_out(net.hosts["b"], [])
    net.world.pause(net.hosts["b"])
    net.send("a", "b", Credit(1, 1, 0))
    net.pass_time(30)
    assert not net.cores["b"].times
    net.world.resume(net.hosts["b"])
    # It sees 1 s of the pause, as a suspended process does; so its deadline is 4 s away.
    assert net.since("b", at) == [1]
    net.pass_time(10)
    when, what = net.cores["b"].heard[-1]
    assert what == "deadline"
    assert when == pytest.approx(at + 5)
    assert net.world.now - at == pytest.approx(40)


def test_a_removed_host_is_lost_to_its_neighbours_and_hears_nothing_more() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    net.send("a", "b", Credit(1, 1, 0))
    net.world.remove(net.hosts["b"])
    net.pass_time(1)
    assert not net.cores["b"].times
    assert len(net.cores["a"].of(LinkLost)) == 1
    net.dial("a", "b")
    net.pass_time(1)
    assert len(net.cores["a"].of(DialFailed)) == 1


def test_a_host_that_corrupts_flips_a_bit_in_its_chunks_only() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    net.world.corrupt(net.hosts["a"])
    net.send("a", "b", chunk(), Data(1, 0, 1, [(0, 0, 64)], 64), Credit(1, 1, 0))
    net.world.corrupt(net.hosts["a"], on=False)
    net.send("a", "b", chunk())
    net.pass_time(1)
    assert [event.payload for _, event in net.cores["b"].of(Received)] == [CORRUPT, None, None, None]


def test_published_events_are_told_with_their_host_at_their_virtual_time() -> None:
    net = Net(a=HostRates())
    heard: list[tuple[float, str, object]] = []
    net.world.on_publish = lambda host, event: heard.append((net.world.now, host.name, event))
    event = TransferRemoved("7" * 64, False)
    net.pass_time(3)
    net.world.carry_out(net.hosts["a"], [Publish(event)])
    assert heard == [(3.0, "a", event)]


def test_linked_hosts_know_each_others_addresses() -> None:
    net = Net(a=HostRates(), b=HostRates())
    net.link("a", "b")
    assert [event.address for _, event in net.cores["a"].of(LinkUp)] == [net.hosts["b"].address]
