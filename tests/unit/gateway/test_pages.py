"""The pace of frames to open pages: real threads, and a transport that does what a test says."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bus import errors
from bus.events import Envelope
from gateway import pages
from gateway.pages import Pages
from gateway.tapping import KEPT, TapFrame
from gateway.view.page import Changes, Snapshot
from gateway.view.rows import Notice
from tests.kit.waiting import eventually, hold_for


class Transport:
    """Records what was sent to whom and when."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, object, float]] = []
        self.waiting: dict[str, Callable[[], None]] = {}
        self.cut: list[str] = []
        self.open = True
        self.looks = 0
        self.acknowledges = True

    def is_open(self, _: str) -> bool:
        self.looks += 1
        return self.open

    def emit(self, sid: str, event: str, payload: object, done: Callable[[], None] | None) -> None:
        self.sent.append((sid, event, payload, time.monotonic()))
        if done is None:
            return
        if self.acknowledges:
            threading.Thread(target=done).start()
        else:
            self.waiting[sid] = done

    def cut_off(self, sid: str) -> None:
        self.cut.append(sid)

    def events(self, sid: str) -> list[str]:
        return [event for to, event, _, _ in self.sent if to == sid]


class State:
    """A view that is only a number."""

    def __init__(self) -> None:
        self.seq = 1

    def frame(self, epoch: str, seen: int) -> Snapshot | Changes | None:
        if epoch != "e":
            return Snapshot("e", self.seq, {})
        return None if seen == self.seq else Changes("e", seen, self.seq, {}, {})


class Stage:
    def __init__(self) -> None:
        self.state, self.transport = State(), Transport()
        self.pages = Pages(self.state.frame, self.transport, 3)

    def change(self) -> None:
        self.state.seq += 1
        self.pages.state_changed()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    stage.pages.start()
    yield stage
    stage.pages.stop()


def test_a_new_page_gets_a_snapshot_and_one_that_comes_back_what_it_missed(stage):
    stage.state.seq = 5
    stage.pages.join("new")
    stage.pages.join("back", "e", 3)
    eventually(lambda: len(stage.transport.sent) == 2, within=5)
    assert stage.transport.events("new") == ["snapshot"]
    assert stage.transport.sent[-1][2] == Changes("e", 3, 5, {}, {})


def test_nothing_is_sent_while_a_frame_is_not_acknowledged(stage):
    stage.transport.acknowledges = False
    stage.pages.join("slow")
    eventually(lambda: "slow" in stage.transport.waiting, within=5)
    stage.pages.join("other")
    for _ in range(50):
        stage.change()
    stage.pages.tell([Notice("info", "hello")])
    eventually(lambda: "other" in stage.transport.waiting, within=5)
    assert stage.transport.events("slow") == ["snapshot"]
    stage.transport.waiting.pop("slow")()
    eventually(lambda: len(stage.transport.events("slow")) == 3, within=5)
    assert stage.transport.events("slow") == ["snapshot", "changes", "notice"]
    assert stage.transport.sent[-2][2] == Changes("e", 1, 51, {}, {})


def test_a_busy_page_gets_at_most_ten_frames_a_second(stage):
    stage.pages.join("fast")
    end = time.monotonic() + 1.0

    def keep_changing() -> bool:
        stage.change()
        return time.monotonic() > end

    eventually(keep_changing, within=10, every=0.001)
    times = [moment for _, _, _, moment in stage.transport.sent]
    assert 5 <= len(times) <= 12
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.09


def test_nothing_overtakes_the_answer_to_the_handshake(stage):
    stage.transport.open = False
    stage.pages.join("opening")
    eventually(lambda: stage.transport.looks > 3, within=5)
    assert stage.transport.sent == []
    stage.transport.open = True
    eventually(lambda: stage.transport.events("opening") == ["snapshot"], within=5)


def test_a_page_that_has_everything_gets_a_beat_and_the_next_one_after_its_acknowledgement(stage, monkeypatch):
    monkeypatch.setattr(pages, "BEAT_INTERVAL", 0.05)
    stage.pages.join("calm", "e", 1)
    eventually(lambda: stage.transport.events("calm")[:3] == ["beat", "beat", "beat"], within=5)
    stage.transport.acknowledges = False
    eventually(lambda: "calm" in stage.transport.waiting, within=5)
    count = len(stage.transport.sent)
    stage.change()
    assert set(hold_for(0.3, lambda: len(stage.transport.sent))) == {count}
    stage.transport.acknowledges = True
    stage.transport.waiting.pop("calm")()
    eventually(lambda: stage.transport.events("calm")[count:][:2] == ["changes", "beat"], within=5)


def test_a_beat_holds_no_frame_back(stage, monkeypatch):
    monkeypatch.setattr(pages, "FRAME_INTERVAL", 60.0)
    stage.pages.join("calm", "e", 1)
    eventually(lambda: stage.transport.events("calm") == ["beat"], within=5)
    stage.change()
    eventually(lambda: stage.transport.events("calm") == ["beat", "changes"], within=5)


def test_a_page_that_acknowledges_nothing_is_cut_off(stage, monkeypatch):
    monkeypatch.setattr(pages, "ACK_TIMEOUT", 0.05)
    stage.transport.acknowledges = False
    stage.pages.join("frozen")
    eventually(lambda: stage.transport.cut == ["frozen"], within=5)
    assert len(stage.pages) == 0


def test_only_so_many_pages_are_open_at_a_time(stage):
    for sid in "abc":
        stage.pages.join(sid)
    with pytest.raises(errors.ShoalError) as refusal:
        stage.pages.join("d")
    assert refusal.value.code == errors.ERR_LIMIT
    stage.pages.leave("a")
    stage.pages.join("d")


def test_old_notices_give_way_to_new_ones(stage):
    stage.transport.acknowledges = False
    stage.pages.join("slow")
    eventually(lambda: "slow" in stage.transport.waiting, within=5)
    stage.pages.tell([Notice("info", str(number)) for number in range(100)])
    stage.transport.waiting.pop("slow")()
    eventually(lambda: len(stage.transport.sent) > 1, within=5)
    told = [payload.text for _, event, payload, _ in stage.transport.sent if isinstance(payload, Notice)]
    assert told == [str(number) for number in range(80, 100)]


def test_stopping_cuts_every_page_off():
    stage = Stage()
    stage.pages.start()
    stage.pages.join("a")
    stage.pages.join("b")
    stage.pages.stop()
    assert sorted(stage.transport.cut) == ["a", "b"]


def envelope(seq: int) -> Envelope:
    return Envelope(1, seq, 0.0, "5" * 64, "link.up", {})


def taps(stage: Stage, sid: str) -> list[list[int]]:
    """The numbers of the events in each frame to a page."""
    frames = [frame for to, _, frame, _ in stage.transport.sent if to == sid and isinstance(frame, TapFrame)]
    return [[one.seq for one in frame.events] for frame in frames]


def test_only_a_page_that_looks_gets_events_and_only_while_it_looks(stage):
    stage.pages.join("looks")
    stage.pages.join("other")
    stage.pages.hear(envelope(1))
    stage.pages.tap("looks", "")
    stage.pages.hear(envelope(2))
    eventually(lambda: taps(stage, "looks") == [[2]], within=5)
    stage.pages.hear(envelope(3))
    eventually(lambda: taps(stage, "looks") == [[2], [3]], within=5)
    stage.pages.tap("looks", None)
    stage.pages.hear(envelope(4))
    stage.change()
    eventually(lambda: stage.transport.events("looks")[-1] == "changes", within=5)
    assert taps(stage, "looks") == [[2], [3]]
    assert taps(stage, "other") == []


def test_a_page_that_asks_for_another_topic_still_learns_of_a_gap_between_the_two(stage):
    stage.pages.join("looks")
    stage.pages.tap("looks", "")
    stage.pages.hear(envelope(1))
    stage.pages.tap("looks", envelope(1).type)
    stage.pages.hear(envelope(14))
    eventually(lambda: taps(stage, "looks")[-1:] == [[14]], within=5)
    frames = [frame for _, _, frame, _ in stage.transport.sent if isinstance(frame, TapFrame)]
    assert frames[-1].events[0].missed == 12


def test_events_wait_for_the_acknowledgement_and_of_many_the_newest_come(stage):
    stage.transport.acknowledges = False
    stage.pages.join("slow")
    eventually(lambda: "slow" in stage.transport.waiting, within=5)
    stage.pages.tap("slow", "")
    for seq in range(1, 1001):
        stage.pages.hear(envelope(seq))
    stage.change()
    assert taps(stage, "slow") == []
    stage.transport.waiting.pop("slow")()
    eventually(lambda: taps(stage, "slow"), within=5)
    assert stage.transport.events("slow") == ["snapshot", "changes", "events"]
    assert taps(stage, "slow") == [list(range(1001 - KEPT, 1001))]


def test_a_page_that_is_gone_has_no_tap(stage):
    stage.pages.join("gone")
    stage.pages.tap("gone", "")
    stage.pages.leave("gone")
    stage.pages.tap("gone", "")
    stage.pages.hear(envelope(1))
    stage.pages.join("new")
    eventually(lambda: stage.transport.events("new") == ["snapshot"], within=5)
    assert taps(stage, "gone") == []
