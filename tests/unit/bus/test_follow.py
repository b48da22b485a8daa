"""A follower, step by step; the property test does the same at random."""

from __future__ import annotations

from bus.codec import decode_envelope, encode_event, rows_of
from bus.events import ContentShared, ContentWithdrawn, Envelope, Event, PeerHeartbeat, SwarmHasChanged
from bus.follow import MAX_KEPT, Follower
from bus.messages import Snapshot, SnapshotPage
from bus.state import PublishedState


def swarm(content: str, seeds: int = 1) -> SwarmHasChanged:
    return SwarmHasChanged(content, seeds, 0)


class Source:
    """The publisher's side, by hand."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch = epoch
        self.seqs: dict[str, int] = {}
        self.state = PublishedState()

    def publish(self, event: Event) -> Envelope:
        frames = encode_event(event, self.epoch, 0, 0.0, "x")
        stream = decode_envelope(frames).type.split(".")[0]
        self.seqs[stream] = self.seqs.get(stream, 0) + 1
        self.state.apply(event)
        return decode_envelope(encode_event(event, self.epoch, self.seqs[stream], 0.0, "x"))

    def heartbeat(self) -> Envelope:
        return self.publish(PeerHeartbeat({**self.seqs, "heartbeat": self.seqs.get("heartbeat", 0) + 1}))

    def pages(self, size: int = 1000) -> list[SnapshotPage]:
        rows = rows_of(self.state.rows())
        parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [[]]
        last = len(parts) - 1
        return [
            SnapshotPage(1, 5, number, number == last, self.epoch, dict(self.seqs), part)
            for number, part in enumerate(parts)
        ]


def synced(source: Source) -> Follower:
    follower = Follower()
    follower.feed(source.heartbeat())
    assert follower.next_request() == Snapshot(0)
    follower.on_snapshot(source.pages()[0])
    assert follower.in_sync
    return follower


def test_nothing_is_asked_before_something_is_heard():
    follower = Follower()
    assert follower.next_request() is None
    follower.feed(Source().heartbeat())
    assert follower.next_request() == Snapshot(0)
    assert follower.next_request() is None  # it is under way


def test_events_in_order_are_applied_and_reported():
    source = Source()
    follower = synced(source)
    assert follower.feed(source.publish(swarm("a"))) == [swarm("a")]
    assert follower.feed(source.publish(swarm("a", 2))) == [swarm("a", 2)]
    assert follower.state.sections == source.state.sections
    assert (follower.gaps, follower.resyncs) == (0, 1)


def test_an_event_heard_twice_is_reported_once():
    source = Source()
    follower = synced(source)
    first = source.publish(swarm("a"))
    second = source.publish(swarm("a", 2))
    follower.feed(first)
    follower.feed(second)
    assert follower.feed(first) == []
    assert follower.in_sync
    assert follower.state.sections == source.state.sections


def test_events_that_come_while_a_snapshot_is_on_its_way_are_not_lost():
    source = Source()
    follower = Follower()
    follower.feed(source.heartbeat())
    assert follower.next_request()
    before = source.publish(swarm("a"))
    [page] = source.pages()
    after = source.publish(swarm("b"))
    assert follower.feed(before) == follower.feed(after) == []
    assert follower.on_snapshot(page) == [swarm("b")]
    assert follower.state.sections == source.state.sections


def test_a_missed_event_is_seen_at_the_next_of_its_stream():
    source = Source()
    follower = synced(source)
    source.publish(swarm("lost"))
    assert follower.feed(source.publish(swarm("b"))) == []
    assert (follower.gaps, follower.in_sync) == (1, False)
    assert follower.next_request() == Snapshot(0)
    follower.on_snapshot(source.pages()[0])
    assert follower.in_sync
    assert follower.state.sections == source.state.sections


def test_a_missed_event_is_seen_at_the_next_heartbeat_if_nothing_else_comes():
    source = Source()
    follower = synced(source)
    follower.feed(source.heartbeat())
    assert follower.in_sync
    source.publish(swarm("lost"))
    follower.feed(source.heartbeat())
    assert (follower.gaps, follower.in_sync) == (1, False)


def test_a_missed_heartbeat_loses_nothing():
    source = Source()
    follower = synced(source)
    source.heartbeat()
    follower.feed(source.heartbeat())
    assert (follower.gaps, follower.in_sync) == (0, True)


def test_a_removal_that_was_missed_is_made_up_for():
    source = Source()
    shared = ContentShared("c", "n", "file", 1, 1, 1, "/n", False, "seeding", "", 0.0)
    follower = synced(source)
    follower.feed(source.publish(shared))
    source.publish(ContentWithdrawn("c", "gone"))
    follower.feed(source.heartbeat())
    assert follower.next_request()
    follower.on_snapshot(source.pages()[0])
    assert list(follower.state.rows()) == []


def test_another_epoch_costs_one_request():
    follower = synced(Source(epoch=1))
    restarted = Source(epoch=2)
    assert follower.feed(restarted.publish(swarm("a"))) == []
    assert follower.next_request() == Snapshot(0)
    assert follower.feed(restarted.publish(swarm("b"))) == []
    assert follower.next_request() is None
    follower.on_snapshot(restarted.pages()[0])
    assert (follower.epoch, follower.in_sync) == (2, True)
    assert follower.state.sections == restarted.state.sections


def test_old_words_of_a_dead_process_cost_one_request_and_change_nothing():
    old, new = Source(epoch=1), Source(epoch=2)
    last_words = [old.publish(swarm("old", seeds)) for seeds in range(5)]
    follower = synced(new)
    follower.feed(last_words[0])
    assert follower.next_request()
    for envelope in last_words[1:]:
        follower.feed(envelope)
    follower.on_snapshot(new.pages()[0])
    assert follower.next_request()
    follower.on_snapshot(new.pages()[0])
    assert follower.in_sync
    assert follower.next_request() is None
    assert list(follower.state.rows()) == []


def test_a_snapshot_of_several_pages_is_taken_whole():
    source = Source()
    for index in range(25):
        source.publish(swarm(str(index)))
    follower = Follower()
    follower.feed(source.heartbeat())
    pages = source.pages(10)
    assert len(pages) == 3
    assert follower.next_request() == Snapshot(0)
    follower.on_snapshot(pages[0])
    assert follower.next_request() == Snapshot(0, 5, 1)
    follower.on_snapshot(pages[1])
    assert (follower.in_sync, follower.resyncs) == (False, 0)
    assert follower.next_request() == Snapshot(0, 5, 2)
    follower.on_snapshot(pages[2])
    assert follower.in_sync
    assert follower.state.sections == source.state.sections


def test_after_a_failure_a_new_snapshot_is_asked_for_from_its_first_page():
    source = Source()
    for index in range(25):
        source.publish(swarm(str(index)))
    follower = Follower()
    follower.feed(source.heartbeat())
    follower.next_request()
    follower.on_snapshot(source.pages(10)[0])
    follower.next_request()
    follower.on_failure()
    assert follower.next_request() == Snapshot(0)
    for page in source.pages(10):
        follower.on_snapshot(page)
        follower.next_request()
    assert follower.in_sync
    assert len(list(follower.state.rows())) == 25


def test_a_page_that_was_not_asked_for_is_passed_over():
    source = Source()
    follower = synced(source)
    source.publish(swarm("a"))
    follower.on_snapshot(source.pages()[0])
    assert follower.resyncs == 1


def test_only_the_streams_that_are_subscribed_to_are_judged():
    source = Source()
    follower = Follower(streams=["swarm"])
    follower.feed(source.heartbeat())
    follower.next_request()
    follower.on_snapshot(source.pages()[0])
    source.publish(ContentWithdrawn("c", "not subscribed to"))
    follower.feed(source.heartbeat())
    assert (follower.gaps, follower.in_sync) == (0, True)
    source.publish(swarm("lost"))
    follower.feed(source.heartbeat())
    assert (follower.gaps, follower.in_sync) == (1, False)


def test_an_event_of_an_unknown_type_is_counted_and_no_gap():
    source = Source()
    follower = synced(source)
    known = source.publish(swarm("a"))
    follower.feed(Envelope(1, 1, 0.0, "x", "swarm.exploded", {}))
    assert follower.unreadable == 1
    follower.feed(Envelope(1, 2, 0.0, "x", known.type, known.data))
    assert (follower.gaps, follower.in_sync) == (0, True)


def test_with_more_events_than_are_kept_the_loss_shows_and_is_made_up_for():
    source = Source()
    follower = Follower()
    follower.feed(source.heartbeat())
    follower.next_request()
    [page] = source.pages()
    for index in range(MAX_KEPT + 10):
        follower.feed(source.publish(swarm("a", index)))
    follower.on_snapshot(page)
    assert (follower.gaps, follower.resyncs) == (1, 1)
    assert follower.next_request()
    follower.on_snapshot(source.pages()[0])
    assert follower.in_sync
    assert follower.state.sections == source.state.sections
