"""Whoever joins late, misses, repeats or sees a restart ends with the state of one that saw all."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.codec import decode_envelope, encode_event, rows_of
from bus.events import (
    ContentShared,
    ContentWithdrawn,
    Envelope,
    Event,
    PeerHeartbeat,
    PeerStopping,
    SwarmHasChanged,
)
from bus.follow import Follower
from bus.messages import Snapshot, SnapshotPage
from bus.state import PublishedState

KEYS = st.sampled_from(["a", "b"])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(SwarmHasChanged, KEYS, st.integers(0, 3), st.just(0)),
    st.builds(
        lambda key, size: ContentShared(key, key, "file", size, 1, 1, key, False, "seeding", "", 0.0),
        KEYS,
        st.integers(0, 3),
    ),
    st.builds(ContentWithdrawn, KEYS, st.just("")),
    st.builds(PeerStopping, st.just("")),
)
TROUBLES = [
    "settle",
    "settle",
    "lose",
    "lose",
    "heartbeat",
    "restart",
    "repeat",
    "deliver",
    "deliver",
    "ask",
    "answer",
    "fail",
]
STEPS = st.booleans().flatmap(lambda event: EVENTS if event else st.sampled_from(TROUBLES))


class Publisher:
    """What `bus/publisher.py` does, without a socket."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.seqs: dict[str, int] = {}
        self.state = PublishedState()
        self.kept: dict[int, list[SnapshotPage]] = {}

    def publish(self, event: Event) -> Envelope:
        stream = decode_envelope(encode_event(event, 0, 0, 0.0, "")).type.split(".")[0]
        self.seqs[stream] = self.seqs.get(stream, 0) + 1
        self.state.apply(event)
        return decode_envelope(encode_event(event, self.epoch, self.seqs[stream], 0.0, "x"))

    def heartbeat(self) -> Envelope:
        return self.publish(PeerHeartbeat({**self.seqs, "heartbeat": self.seqs.get("heartbeat", 0) + 1}))

    def answer(self, request: Snapshot) -> SnapshotPage | None:
        number = request.snapshot
        if not number:
            number = len(self.kept) + 1
            rows = rows_of(self.state.rows())
            parts = [rows[start : start + 2] for start in range(0, len(rows), 2)] or [[]]
            self.kept[number] = [
                SnapshotPage(0, number, index, index == len(parts) - 1, self.epoch, dict(self.seqs), part)
                for index, part in enumerate(parts)
            ]
        pages = self.kept.get(number, [])
        return pages[request.page] if request.page < len(pages) else None


class World:
    """A publisher, a follower, and between them everything that may go wrong."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.publisher = Publisher(1)
        self.follower = Follower()
        self.flying: list[Envelope] = []
        self.delivered: list[Envelope] = []
        self.request: Snapshot | None = None
        self.reply: SnapshotPage | None = None
        self.applied: list[Event] = []

    def step(self, what: Event | str) -> None:
        if isinstance(what, Event):
            self.flying.append(self.publisher.publish(what))
        else:
            getattr(self, what)()

    def heartbeat(self) -> None:
        self.flying.append(self.publisher.heartbeat())

    def restart(self) -> None:
        self.publisher = Publisher(self.publisher.epoch + 1)

    def lose(self) -> None:
        if self.flying:
            self.flying.pop(0)

    def repeat(self) -> None:
        if self.delivered:
            self.applied += self.follower.feed(self.random.choice(self.delivered))

    def deliver(self) -> None:
        if self.flying:
            self.delivered.append(self.flying.pop(0))
            self.applied += self.follower.feed(self.delivered[-1])

    def ask(self) -> None:
        self.request = self.request or self.follower.next_request()

    def fail(self) -> None:
        if self.request is not None:
            self.request = self.reply = None
            self.follower.on_failure()

    def answer(self) -> None:
        """First the publisher makes the page; a step later it arrives, perhaps after events that are newer."""
        if self.reply is not None:
            self.applied += self.follower.on_snapshot(self.reply)
            self.request = self.reply = None
        elif self.request is not None:
            self.reply = self.publisher.answer(self.request)
            if self.reply is None:
                self.request = None
                self.follower.on_failure()

    def settle(self) -> int:
        """Let nothing more go wrong; returns how many requests it takes to be in step."""
        requests = 0
        for _ in range(20):
            self.flying.append(self.publisher.heartbeat())
            while self.flying:
                self.deliver()
            self.step("ask")
            while self.request is not None:
                requests += self.reply is None
                self.step("answer")
                self.step("ask")
            if self.follower.in_sync:
                return requests
        raise AssertionError("it never comes into step")


@given(st.lists(STEPS, min_size=10, max_size=60), st.integers(0, 2**16))
@settings(max_examples=300)
def test_whatever_went_wrong_the_state_is_in_the_end_the_publishers(steps: list[Event | str], seed: int):
    world = World(seed)
    for step in steps:
        world.step(step)
    world.settle()
    assert world.follower.epoch == world.publisher.epoch
    assert world.follower.state.sections == world.publisher.state.sections


@given(st.lists(EVENTS, max_size=40), st.lists(EVENTS, max_size=40))
def test_who_joins_late_and_misses_nothing_after_is_told_each_later_event_once(early: list[Event], late: list[Event]):
    world = World(0)
    for event in early:
        world.publisher.publish(event)
    assert world.settle() >= 1
    assert world.follower.state.sections == world.publisher.state.sections
    world.applied.clear()
    for event in late:
        world.step(event)
        world.deliver()
    assert world.applied == late
    assert (world.follower.gaps, world.follower.resyncs) == (0, 1)
    assert world.follower.state.sections == world.publisher.state.sections


@given(st.lists(EVENTS, min_size=1, max_size=40))
def test_a_snapshot_taken_later_than_the_events_that_follow_it_changes_nothing(events: list[Event]):
    world = World(0)
    world.flying.append(world.publisher.heartbeat())
    world.deliver()
    world.step("ask")
    for event in events:
        world.step(event)
    while world.request is not None:  # the pages are made now; the events before them are still in flight
        world.step("answer")
        world.step("ask")
    while world.flying:
        world.deliver()
    assert world.follower.in_sync
    assert world.applied == []
    assert world.follower.state.sections == world.publisher.state.sections
