"""Events, heartbeats, snapshots, taps and the wire stream over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.codec import event_of
from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.events import ContentHashing, ContentWithdrawn, Envelope, Event, PeerHeartbeat, PeerStopping, SwarmHasChanged
from bus.follow import Follower
from bus.messages import ControlPing, Done, Snapshot, SnapshotPage
from bus.publisher import PAGE_SIZE, SNAPSHOT_LIFE, SNAPSHOTS_KEPT, PeerPublisher
from bus.reactor import Reactor
from bus.rpc import RpcClient
from bus.sockets import make_context
from bus.state import PublishedState
from bus.tap import EventTap, WireRecord
from tests.kit.control_peer import ControlPeer
from tests.kit.waiting import eventually


def swarm(content: str, seeds: int = 1) -> SwarmHasChanged:
    return SwarmHasChanged(content, seeds, 0)


class Tapped:
    """What a tap has seen so far."""

    def __init__(self, peer: ControlPeer, *topics: str) -> None:
        self.context = make_context()
        self.tap = EventTap(self.context, peer.events, topics or ("",))
        self.envelopes: list[Envelope] = []

    def __enter__(self) -> Tapped:
        eventually(lambda: self.look() or self.envelopes, within=5, message="the tap heard nothing")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.tap.close()
        self.context.term()

    def look(self) -> list[Envelope]:
        new = self.tap.poll(0.02)
        self.envelopes += new
        return new

    def wait_for(self, event: Event) -> list[Envelope]:
        eventually(lambda: self.look() is None or event in map(event_of, self.envelopes), within=5)
        return [envelope for envelope in self.envelopes if not envelope.type.startswith("heartbeat.")]


def test_events_are_numbered_per_stream_within_one_epoch(tmp_path: Path):
    with ControlPeer(tmp_path) as peer, Tapped(peer) as tapped:
        peer.publish(swarm("a"), PeerStopping("x"), swarm("b"), swarm("a", 2))
        seen = tapped.wait_for(swarm("a", 2))
        assert [(envelope.type, envelope.seq) for envelope in seen] == [
            ("swarm.changed", 1),
            ("peer.stopping", 1),
            ("swarm.changed", 2),
            ("swarm.changed", 3),
        ]
        assert {envelope.epoch for envelope in seen} == {peer.publisher.epoch}
        assert {envelope.source for envelope in seen} == {"peer"}
        assert tapped.tap.gaps == 0


def test_a_new_subscriber_hears_a_heartbeat_at_once_and_it_tells_where_every_stream_stands(tmp_path: Path):
    with ControlPeer(tmp_path, heartbeat=60) as peer:
        peer.publish(swarm("a"), swarm("b"), PeerStopping("x"))
        with Tapped(peer) as tapped:
            heartbeat = event_of(tapped.envelopes[0])
            assert heartbeat == PeerHeartbeat({"swarm": 2, "peer": 1, "heartbeat": 1})


def test_heartbeats_come_by_themselves(tmp_path: Path):
    with ControlPeer(tmp_path, heartbeat=0.05) as peer, Tapped(peer) as tapped:
        eventually(lambda: tapped.look() is None or len(tapped.envelopes) >= 5, within=5)
        seqs = [envelope.seq for envelope in tapped.envelopes]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_a_tap_on_one_topic_hears_only_that(tmp_path: Path):
    with ControlPeer(tmp_path) as peer, Tapped(peer, "swarm", "heartbeat") as tapped:
        peer.publish(PeerStopping("x"), swarm("a"))
        assert [envelope.type for envelope in tapped.wait_for(swarm("a"))] == ["swarm.changed"]


def test_a_tap_counts_what_it_missed(tmp_path: Path):
    with ControlPeer(tmp_path) as peer, Tapped(peer) as tapped:
        peer.publish(swarm("a"))
        tapped.wait_for(swarm("a"))
        peer.call(lambda: peer.publisher.seqs.__setitem__("swarm", 7))  # as if six were lost on the way
        peer.publish(swarm("b"))
        tapped.wait_for(swarm("b"))
        assert tapped.tap.gaps == 6


def test_a_snapshot_is_the_state_as_a_subscriber_of_everything_would_have_it(tmp_path: Path):
    with ControlPeer(tmp_path) as peer:
        context = make_context()
        hashing = ContentHashing("/a", "a", 1, 2, 0, 1)
        peer.publish(hashing, swarm("a"), swarm("b"), swarm("a", 9), ContentWithdrawn("c", "gone"))
        with RpcClient(context, peer.control) as client:
            state = client.snapshot()
            assert list(state.rows()) == [hashing, swarm("a", 9), swarm("b")]
            only = client.snapshot(["hashing"])
            assert list(only.rows()) == [hashing]
        context.term()


def test_a_large_state_comes_in_pages_of_one_moment(tmp_path: Path):
    with ControlPeer(tmp_path) as peer:
        events = [swarm(f"{index:064x}") for index in range(9000)]
        peer.publish(*events)
        context = make_context()
        with RpcClient(context, peer.control) as client:
            first = client.call(Snapshot(0), 5)
            assert isinstance(first, SnapshotPage)
            peer.publish(swarm("late"))
            rows, page = list(first.rows), first
            while not page.last:
                answer = client.call(Snapshot(0, first.snapshot, page.page + 1), 5)
                assert isinstance(answer, SnapshotPage)
                page = answer
                assert (page.epoch, page.seqs) == (first.epoch, first.seqs)
                rows += page.rows
            assert page.page >= 2
            assert len(rows) == 9000
            assert first.seqs["swarm"] == 9000
            assert len(list(client.snapshot().rows())) == 9001
        context.term()


def fresh_publisher(tmp_path: Path, clock: list[float]) -> PeerPublisher:
    return PeerPublisher(Reactor(lambda: clock[0]), make_context(), f"ipc://{tmp_path}/e.ipc", "x", 1.0)


def test_pages_stay_under_their_limit_and_a_snapshot_is_kept_for_a_while_only(tmp_path: Path):
    from msgspec.msgpack import encode

    publisher = fresh_publisher(tmp_path, [0.0])
    for index in range(5000):
        publisher.publish(swarm(f"{index:064x}"))
    first = publisher.answer(Snapshot(1))
    assert len(encode(first.rows)) <= PAGE_SIZE + 16
    assert publisher.answer(Snapshot(2, first.snapshot, 1)).request == 2
    for _ in range(SNAPSHOTS_KEPT):
        publisher.answer(Snapshot(3))
    with pytest.raises(ShoalError, match="ask for a new one") as raised:
        publisher.answer(Snapshot(4, first.snapshot, 1))
    assert raised.value.code == ERR_NOT_FOUND
    last = publisher.answer(Snapshot(5))
    publisher._reactor.now += SNAPSHOT_LIFE
    with pytest.raises(ShoalError, match="ask for a new one"):
        publisher.answer(Snapshot(6, last.snapshot, 1))
    with pytest.raises(ShoalError, match="ask for a new one"):
        publisher.answer(Snapshot(7, 12345))
    publisher.close()


def test_a_follower_over_real_sockets_ends_with_the_publishers_state_also_after_a_restart(tmp_path: Path):
    context = make_context()
    follower = Follower()

    def follow(tap: EventTap, client: RpcClient) -> None:
        for envelope in tap.poll(0.02):
            follower.feed(envelope)
        request = follower.next_request()
        while request is not None:
            try:
                page = client.call(request, 5)
            except ShoalError:
                follower.on_failure()
                return
            assert isinstance(page, SnapshotPage)
            follower.on_snapshot(page)
            request = follower.next_request()

    with EventTap(context, f"ipc://{tmp_path}/events.ipc") as tap:
        for life in range(2):
            with ControlPeer(tmp_path) as peer, RpcClient(context, peer.control) as client:
                peer.publish(*[swarm(f"{life} {index}") for index in range(50)])

                def same(state: PublishedState = peer.publisher.state, client: RpcClient = client) -> bool:
                    follow(tap, client)
                    return follower.in_sync and follower.state.sections == state.sections

                eventually(same, within=10)
                peer.publish(*[swarm(f"{life} {index}", 5) for index in range(50)])
                eventually(same, within=10)
                assert follower.epoch == peer.publisher.epoch
    assert follower.resyncs >= 2
    context.term()


def test_nothing_is_recorded_of_the_wire_while_nobody_watches_and_all_headers_while_somebody_does(tmp_path: Path):
    context = make_context()
    with ControlPeer(tmp_path) as peer, RpcClient(context, peer.control) as client:
        wire = peer._wire
        client.call(ControlPing(0), 5)
        assert not wire.active
        with EventTap(context, peer.wire_endpoint) as tap:
            eventually(lambda: wire.active, within=5)
            client.call(ControlPing(0), 5)
            records: list[WireRecord] = []

            def two_are_seen() -> bool:
                records.extend(tap.poll_wire(0.05))
                return len(records) >= 2

            eventually(two_are_seen, within=5)
            request, answer = records[:2]
            assert (request.direction, request.message, request.channel) == ("in", "ControlPing", "control")
            assert (answer.direction, answer.message, answer.number) == ("out", "Done", 68)
            assert request.peer.startswith("uid:")
            assert request.bytes > 3
        eventually(lambda: not wire.active, within=5)
        assert isinstance(client.call(ControlPing(0), 5), Done)
    context.term()
