"""Orders and latency around a core that records what it hears."""

from __future__ import annotations

from typing import Any

import pytest

from bus.boundary import Dial, DialFailed, HangUp, LinkId, LinkLost, LinkUp, Publish, Received, Send
from bus.events import PeerStopping
from bus.messages import Closed, ControlFailed, Data, Done, Hello, Instruct, Open, Ping, Pong
from experiments.behaviours.orders import Order, write_order
from experiments.behaviours.playing import BEHAVIOURS, on_stage, playing
from experiments.behaviours.wrapping import Means, Part
from experiments.scenario import HONEST
from peer.core.interface import Command, Reply

NEAR, FAR = LinkId(1), LinkId(2)
PING = Ping(1)
DATA = Data(1, 0, 1, [(0, 0, 4)])


class Echo:
    """A core that answers every ping on its link with what it is told to do next, and has one deadline."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Any]] = []
        self.deadline: float | None = None
        self.answers: list[Any] = []

    def handle(self, event, now):
        self.heard.append((now, event))
        return self._take()

    def next_deadline(self):
        return self.deadline

    def on_deadline(self, now):
        assert self.deadline is not None
        assert now >= self.deadline
        self.heard.append((now, "deadline"))
        self.deadline = None
        return self._take()

    def start_effects(self):
        return self._take()

    def stop(self, now):
        return [Publish(PeerStopping("now"))]

    def _take(self):
        answers, self.answers = self.answers, []
        return answers


class Stage:
    """An Echo under orders, linked to a near and a far peer."""

    def __init__(self, **part: Any) -> None:
        self.core = Echo()
        self.went: list[tuple[bool, float]] = []
        means = Means(lambda payload: f"spoiled {payload}", lambda: None, lambda *how: self.went.append(how))
        self.chaos = on_stage(self.core, Part(**part), means)
        for link, peer in ((NEAR, "near"), (FAR, "far")):
            self.chaos.handle(LinkUp(link, "data", peer, "host", True), 0.0)
        self.core.heard.clear()

    def order(self, now: float, **order: Any) -> list[Any]:
        return self.chaos.handle(Command((LinkId(9), 5), Instruct(5, write_order(Order(**order)))), now)

    def says(self, now: float, *effects: Any) -> list[Any]:
        """What leaves when the core decides this."""
        self.core.answers = list(effects)
        return self.chaos.handle(Received(NEAR, PING), now)


def test_without_orders_everything_passes():
    stage = Stage()
    sends = [Send(NEAR, PING), HangUp(FAR), Dial("data", "x", ("tcp://a:1",))]
    assert stage.says(1.0, *sends) == sends
    assert stage.core.heard == [(1.0, Received(NEAR, PING))]
    assert stage.chaos.next_deadline() is None


def test_latency_keeps_order_and_lets_what_is_no_link_pass():
    stage = Stage(latency=0.5)
    event = Publish(PeerStopping("x"))
    assert stage.says(1.0, Send(NEAR, PING), event) == [event]
    stage.says(1.2, HangUp(NEAR))
    assert stage.chaos.next_deadline() == 1.5
    assert stage.chaos.on_deadline(1.5) == [Send(NEAR, PING)]
    assert stage.chaos.on_deadline(1.7) == [HangUp(NEAR)]


def test_a_delay_that_ends_lets_nothing_overtake():
    stage = Stage()
    stage.order(0.0, do="delay", delay=1.0, lasts=0.5)
    assert stage.says(0.4, Send(NEAR, PING)) == []
    stage.chaos.on_deadline(0.5)
    assert stage.says(0.6, Send(NEAR, Pong(1))) == []
    assert stage.chaos.on_deadline(1.4) == [Send(NEAR, PING), Send(NEAR, Pong(1))]
    assert stage.says(1.5, Send(NEAR, PING)) == [Send(NEAR, PING)]


def test_an_order_is_answered_and_what_is_none_is_refused():
    stage = Stage()
    assert stage.order(0.0, do="corrupt") == [Reply((LinkId(9), 5), Done(0))]
    (reply,) = stage.chaos.handle(Command((LinkId(9), 6), Instruct(6, "{}")), 0.0)
    assert isinstance(reply.message, ControlFailed)


def test_chunks_are_spoiled_while_it_lasts_and_manifests_never():
    stage = Stage()
    stage.order(0.0, do="corrupt", lasts=1.0)
    manifest = Data(1, 0, 1, [(0, 0, 4)], 400)
    assert stage.says(0.5, Send(NEAR, DATA, "p"), Send(NEAR, manifest, "m")) == [
        Send(NEAR, DATA, "spoiled p"), Send(NEAR, manifest, "m"),
    ]  # fmt: skip
    stage.chaos.on_deadline(1.0)
    assert stage.says(1.1, Send(NEAR, DATA, "p")) == [Send(NEAR, DATA, "p")]


def test_what_crosses_a_partition_arrives_when_it_is_mended():
    stage = Stage()
    stage.order(0.0, do="partition", side=("me", "near"), lasts=10.0)
    assert stage.says(1.0, Send(NEAR, PING), Send(FAR, PING)) == [Send(NEAR, PING)]
    stage.core.heard.clear()
    assert stage.chaos.handle(Received(FAR, PING), 2.0) == []
    assert stage.core.heard == []
    assert stage.chaos.next_deadline() == 10.0
    assert stage.chaos.on_deadline(10.0) == [Send(FAR, PING)]
    assert stage.core.heard == [(10.0, Received(FAR, PING))]


def test_a_dial_across_a_partition_fails_after_a_while():
    stage = Stage()
    stage.order(0.0, do="partition", side=("near",))
    assert stage.says(1.0, Dial("data", "far", ()), Dial("data", "near", ())) == [Dial("data", "near", ())]
    stage.chaos.on_deadline(3.0)
    assert stage.core.heard[-1] == (3.0, DialFailed("data", "far", "no answer"))


def test_a_link_that_is_given_up_during_a_partition_is_heard_of_no_more():
    stage = Stage()
    stage.order(0.0, do="partition", side=("near",), lasts=10.0)
    stage.chaos.handle(Received(FAR, PING), 1.0)
    assert stage.says(2.0, HangUp(FAR)) == []
    stage.chaos.handle(LinkLost(FAR, "gone"), 3.0)
    stage.core.heard.clear()
    assert stage.chaos.on_deadline(10.0) == [HangUp(FAR)]
    assert stage.core.heard == []


def test_a_pause_holds_events_and_time():
    stage = Stage()
    stage.core.deadline = 4.0
    stage.order(2.0, do="pause", lasts=9.0)
    stage.chaos.handle(Received(NEAR, PING), 3.0)
    assert stage.core.heard == []
    assert stage.chaos.next_deadline() == 11.0
    stage.chaos.on_deadline(11.0)
    # A suspended process counts the time as one turn, a second at most.
    assert stage.core.heard == [(3.0, Received(NEAR, PING))]
    assert stage.chaos.next_deadline() == pytest.approx(12.0)
    stage.chaos.on_deadline(stage.chaos.next_deadline())
    assert stage.core.heard[-1][1] == "deadline"


def test_leaving_is_the_shell_s_business_and_last_words_wait_for_nothing():
    stage = Stage(latency=1.0)
    stage.order(0.0, do="leave", lasts=5.0)
    stage.order(0.0, do="kill")
    assert stage.went == [(True, 5.0), (False, 0.0)]
    stage.says(0.0, Send(NEAR, PING))
    assert stage.chaos.stop(0.1) == [Send(NEAR, PING), Publish(PeerStopping("now"))]
    assert stage.chaos.handle(Received(NEAR, PING), 0.2) == []
    assert stage.chaos.next_deadline() is None


def test_a_free_rider_hears_no_open():
    core = Echo()
    cheat = playing(core, Part("free-rider"), Means(lambda p: p, lambda: None, lambda *_: None))
    cheat.handle(Received(NEAR, Open(1)), 0.0)
    cheat.handle(Received(NEAR, PING), 0.0)
    assert [event for _, event in core.heard] == [Received(NEAR, PING)]


def test_a_sybil_knows_its_partner_by_name():
    core = Echo()
    cheat = playing(core, Part("sybil", partner="a-2"), Means(lambda p: "bad", lambda: None, lambda *_: None))
    cheat.handle(Received(NEAR, Hello("shoal", "a-2")), 0.0)
    core.answers = [Send(NEAR, DATA, "good"), Send(FAR, DATA, "good")]
    assert [effect.payload for effect in cheat.handle(Received(NEAR, PING), 0.0)] == ["good", "bad"]


def test_a_whitewasher_changes_once_refused_and_not_too_soon():
    renewed = []
    core = Echo()
    cheat = playing(core, Part("whitewasher"), Means(lambda p: p, lambda: renewed.append(1), lambda *_: None))
    cheat.handle(Received(NEAR, Closed(1, 0, "choked")), 0.0)
    assert cheat.next_deadline() is None
    cheat.handle(Received(NEAR, Closed(1, 0, "reputation")), 1.0)
    assert cheat.next_deadline() == 5.0
    core.deadline = 5.0
    cheat.on_deadline(5.0)
    assert renewed == [1]
    assert cheat.next_deadline() is None


def test_honest_peers_have_nothing_around_them():
    core = Echo()
    means = Means(lambda p: p, lambda: None, lambda *_: None)
    assert [name for name in BEHAVIOURS if playing(core, Part(name), means) is core] == list(HONEST)
