"""Sessions with trackers: what is sent, and what silence leads to."""

from __future__ import annotations

import random

from bus.boundary import Dial, DialFailed, HangUp, LinkId, LinkLost, LinkUp, Publish, Received, Send
from bus.events import TrackerLost, TrackerReached
from bus.messages import (
    Announce,
    Message,
    Register,
    Registered,
    Renew,
    Swarm,
    TrackerFailed,
    TrackerPing,
    Watch,
)
from peer.core.interface import ContentAdded, CoreEffect
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.records import KnownContent
from peer.core.settings import NodeSettings, TrackerAddress

TRACKER = "7" * 64
LINK = LinkId(1)


def node() -> PeerNode:
    settings = NodeSettings(
        peer="1" * 64,
        name="north",
        software="test",
        download_dir="/",
        data_port=5000,
        loopback=True,
        trackers=(TrackerAddress("tcp://10.0.0.1:5570", TRACKER),),
    )
    made = PeerNode(settings, random.Random(1), 0.0, 0.0)
    dials = [effect for effect in made.start_effects() if isinstance(effect, Dial)]
    assert dials == [Dial("tracker", TRACKER, ("tcp://10.0.0.1:5570",))]
    return made


def content(number: int) -> KnownContent:
    layout = Layout("file", [Entry("", 100, False, f"{number:064x}")])
    name = f"file {number}"
    return KnownContent(f"{number:064x}", name, layout, "/f", upload=False, downloaded=False, added=0.0)


def sent(effects: list[CoreEffect], kind: type[Message]) -> list[Message]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def linked(peer: PeerNode, now: float = 1.0) -> list[CoreEffect]:
    return peer.handle(LinkUp(LINK, "tracker", TRACKER, "10.0.0.1", True), now)


def answer(peer: PeerNode, request: Message, status: str = "ok", now: float = 1.0) -> list[CoreEffect]:
    number = getattr(request, "request")  # noqa: B009  any kind of request
    return peer.handle(Received(LINK, Registered(number, status, 90.0)), now)  # type: ignore[arg-type]


def up(peer: PeerNode) -> list[CoreEffect]:
    (register,) = sent(linked(peer), Register)
    return answer(peer, register)


def fire(peer: PeerNode, until: float) -> list[CoreEffect]:
    """Let time pass, deadline by deadline."""
    effects: list[CoreEffect] = []
    while (at := peer.next_deadline()) is not None and at <= until:
        effects += peer.on_deadline(at)
    return effects


def test_a_link_is_answered_with_a_register_of_everything() -> None:
    peer = node()
    peer.handle(ContentAdded(content(1)), 0.5)
    (register,) = sent(linked(peer), Register)
    assert isinstance(register, Register)
    assert [entry.name for entry in register.contents] == ["file 1"]
    assert register.last


def test_the_tracker_is_reached_when_it_took_the_register() -> None:
    effects = up(node())
    assert [e.event for e in effects if isinstance(e, Publish)] == [
        TrackerReached("tcp://10.0.0.1:5570", TRACKER, "reached", "")
    ]


def test_a_change_is_announced_with_the_next_version_and_watched() -> None:
    peer = node()
    up(peer)
    effects = peer.handle(ContentAdded(content(2)), 2.0)
    assert sent(effects, Watch) == [Watch([f"{2:064x}"])]
    (announce,) = sent(fire(peer, 2.5), Announce)
    assert isinstance(announce, Announce)
    assert (announce.version.n, [entry.name for entry in announce.added]) == (2, ["file 2"])


def test_a_resync_is_answered_with_a_register_of_a_newer_version() -> None:
    peer = node()
    (register,) = sent(linked(peer), Register)
    (again,) = sent(answer(peer, register, "resync"), Register)
    assert isinstance(register, Register)
    assert isinstance(again, Register)
    assert again.version.n == register.version.n + 1


def test_the_lease_is_renewed_in_time() -> None:
    peer = node()
    up(peer)
    effects: list[CoreEffect] = []
    for second in range(2, 40):
        effects += fire(peer, float(second))
        for ping in sent(effects, TrackerPing)[-1:]:
            peer.handle(Received(LINK, TrackerPing(getattr(ping, "nonce"))), float(second))  # noqa: B009
    assert len(sent(effects, Renew)) == 1


def test_a_silent_tracker_is_dialled_again() -> None:
    peer = node()
    up(peer)
    effects = fire(peer, 40.0)
    assert HangUp(LINK) in effects
    assert any(isinstance(e, Publish) and isinstance(e.event, TrackerLost) for e in effects)
    assert any(isinstance(e, Dial) for e in effects)


def test_a_register_without_an_answer_starts_the_session_anew() -> None:
    peer = node()
    linked(peer)
    effects: list[CoreEffect] = []
    for second in range(2, 13):
        effects += fire(peer, float(second))
        peer.handle(Received(LINK, TrackerPing(second)), float(second))
    assert HangUp(LINK) in effects


def test_pauses_between_dials_grow_to_half_a_minute() -> None:
    peer = node()
    now, pauses = 0.0, []
    for _ in range(1100):  # nine hours without a tracker
        peer.handle(DialFailed("tracker", TRACKER, "refused"), now)
        at = next(at for at, _, key in sorted(peer.turn.timers._heap) if key[0] == "tracker_dial" and at > now)
        pauses.append(at - now)
        now = at
        peer.on_deadline(now)
    assert pauses[0] <= 1.0
    assert all(16.0 <= pause <= 32.0 for pause in pauses[8:])


def test_a_tracker_whose_answers_come_late_is_not_blamed() -> None:
    peer = node()
    up(peer)
    for request in (901, 902, 903):  # given up, and so no longer known
        late = Swarm(request, f"{5:064x}", "five", "file", 100, 1, 0, [])
        assert HangUp(LINK) not in peer.handle(Received(LINK, late), 2.0)


def test_a_tracker_is_told_of_before_it_is_reached() -> None:
    settings = NodeSettings(
        "1" * 64, "north", "test", "/", 5000, True, trackers=(TrackerAddress("tcp://10.0.0.1:5570", TRACKER),)
    )
    effects = PeerNode(settings, random.Random(1), 0.0, 0.0).start_effects()
    told = [effect.event for effect in effects if isinstance(effect, Publish)]
    assert TrackerLost("tcp://10.0.0.1:5570", TRACKER, "connecting", "") in told


def test_a_refused_register_says_why() -> None:
    peer = node()
    (register,) = sent(linked(peer), Register)
    failed = TrackerFailed(getattr(register, "request"), "ERR_LIMIT", "too many contents")  # noqa: B009
    effects = peer.handle(Received(LINK, failed), 1.5)
    (lost,) = [e.event for e in effects if isinstance(e, Publish)]
    assert isinstance(lost, TrackerLost)
    assert "too many contents" in lost.reason


def test_a_lost_link_is_dialled_again() -> None:
    peer = node()
    up(peer)
    peer.handle(LinkLost(LINK, "gone"), 2.0)
    assert any(isinstance(e, Dial) for e in fire(peer, 10.0))
