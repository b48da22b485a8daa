"""Whatever happens to a peer, a page that got any chain of frames shows what a fresh snapshot would show."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import events
from bus.state import PublishedState
from gateway.view.page import Changes, PageView, PeerFacts, Snapshot
from gateway.view.rows import SECTIONS, Row
from gateway.view.shaping import Shaper

IDS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
NUMBERS = st.integers(0, 3)


def _transfer(content: str, done: int, state: events.ItemState) -> events.Event:
    return events.TransferProgress(
        content, "n", "file", 3, "/p", state, done, 3, done, 0.0, -1.0, 0.0, 0, 0, [], "", "", "", 1.0, 0.0
    )


EVENTS = st.one_of(
    st.builds(
        lambda c, n: events.ContentShared(c, "n", "file", n, 1, 1, "/p", False, "seeding", "", 1.0), IDS, NUMBERS
    ),
    st.builds(events.ContentWithdrawn, IDS, st.just("")),
    st.builds(_transfer, IDS, NUMBERS, st.sampled_from(["downloading", "paused"])),
    st.builds(events.TransferRemoved, IDS, st.booleans()),
    st.builds(events.ContentUploaded, IDS, NUMBERS),
    st.builds(events.SwarmHasChanged, IDS, NUMBERS, NUMBERS),
    st.builds(lambda p, n: events.LinkIsUp(p, f"peer {n}", "h", True, 1.0 * n, 0.0, n, n, ""), IDS, NUMBERS),
    st.builds(lambda p, n: events.LinkIsLost(p, f"peer {n}", "h", False, 0.0, 0.0, n, n, "gone"), IDS, NUMBERS),
    st.builds(lambda p, n: events.ReputationChanged(p, n / 3, [], {}, ""), IDS, NUMBERS),
    st.builds(events.ReputationForgotten, IDS),
    st.builds(lambda c, p, n: events.UploadProgress(c, p, n, 0.0), IDS, IDS, NUMBERS),
    st.builds(lambda c, p: events.UploadEnded(c, p, 0), IDS, IDS),
    st.builds(lambda n: events.ContentHashing(f"/{n}", "n", n, 3, 0, 1), NUMBERS),
    st.builds(lambda n: events.ContentHashed(f"/{n}", ""), NUMBERS),
    st.builds(events.LimitsChanged, st.one_of(st.just(""), IDS), NUMBERS, NUMBERS),
    st.builds(events.LimitsCleared, IDS),
    st.builds(lambda n: events.TrackerReached(f"tcp://t:{n}", "k", "reached", ""), NUMBERS),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(EVENTS, max_size=6)),
        st.tuples(st.just("restart"), st.lists(EVENTS, max_size=4)),
        st.tuples(st.just("frame"), st.integers(0, 2)),
        st.tuples(st.just("stale"), st.booleans()),
    ),
    max_size=40,
)


class Client:
    """A page: what it shows is made of frames only."""

    def __init__(self) -> None:
        self.epoch, self.seq = "", 0
        self.state: dict[str, dict[str, Row]] = {}

    def take(self, frame: Snapshot | Changes | None) -> None:
        if isinstance(frame, Snapshot):
            self.state = {section: dict(found) for section, found in frame.state.items()}
        elif isinstance(frame, Changes):
            assert (frame.epoch, frame.base) == (self.epoch, self.seq)
            for section, found in frame.set.items():
                self.state[section] |= found
            for section, keys in frame.remove.items():
                for key in keys:
                    self.state[section].pop(key, None)
        if frame is not None:
            self.epoch, self.seq = frame.epoch, frame.seq


def _fold(happened: list[events.Event], into: PublishedState) -> PublishedState:
    for event in happened:
        into.apply(event)
    return into


@settings(max_examples=200)
@given(STEPS)
def test_any_chain_of_frames_ends_in_the_state_of_a_snapshot(steps):
    published, view = PublishedState(), PageView("e", PeerFacts("north", 1))
    clients = [Client() for _ in range(3)]
    for kind, value in steps:
        if kind == "events":
            view.touch(_fold(value, published), value)
        elif kind == "restart":
            published = _fold(value, PublishedState())
            view.replace(published)
        elif kind == "stale":
            view.set_facts(msgspec.structs.replace(view.facts, stale=value))
        else:
            view.settle()
            clients[value].take(view.frame(clients[value].epoch, clients[value].seq))
        view.check_invariants()
    view.settle()
    for client in clients:
        client.take(view.frame(client.epoch, client.seq))
        assert client.state == view.snapshot().state
    shaper = Shaper(published)
    for section in SECTIONS[1:]:
        assert {key: shaper.row(section, key) for key in view.rows_of(section)} == view.rows_of(section)
