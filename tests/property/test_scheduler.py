"""Shares of the upload converge to the weights, whatever the chunks are and whoever comes, goes and pauses."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from bus.boundary import LinkId
from peer.core.footing import Footing
from peer.core.scheduler import NEWCOMER_SHARE, QUANTUM, FairQueue

KIB = 2**10
MIB = 2**20
MESSAGE = MIB
CHUNKS = st.sampled_from([4 * KIB, 20_000, 128 * KIB, 700_001, MIB, 4 * MIB, 16 * MIB])
WEIGHTS = st.floats(0.05, 1.0)


class Stream(Struct):
    """Somebody who always has more to send, in chunks of one size."""

    weight: float
    newcomer: bool
    chunk: int
    ready: bool = True
    inside: int = 0
    """Bytes sent of the chunk it is in."""
    sent: int = 0
    """Bytes since everybody present was last the same."""


def footing(newcomer: bool) -> Footing:
    return Footing.NEWCOMER if newcomer else Footing.KNOWN


class Uplink:
    """Streams that share one queue."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self.streams: dict[LinkId, Stream] = {}
        self.last: LinkId | None = None

    def add(self, number: int, stream: Stream) -> None:
        self.streams[LinkId(number)] = stream
        self.queue.add(LinkId(number), stream.weight, footing(stream.newcomer))

    def send(self) -> int:
        """One message; returns its bytes, 0 if nobody is ready."""
        link = self.queue.next(lambda link: self.streams[link].ready)
        ready = [stream for stream in self.streams.values() if stream.ready]
        # Work conserving: somebody sends whenever anybody can.
        assert (link is None) == (not ready)
        if link is None:
            return 0
        stream = self.streams[link]
        assert stream.ready
        if not stream.inside:
            assert not any(other.inside for other in ready), "a chunk was begun while another could go on"
        if self.last is not None and self.last != link and (last := self.streams.get(self.last)):
            assert not (last.inside and last.ready), "a chunk was cut in two by another stream's"
        size = min(MESSAGE, stream.chunk - stream.inside)
        stream.inside = (stream.inside + size) % stream.chunk
        stream.sent += size
        self.last = link
        self.queue.charge(link, size, not stream.inside)
        return size

    def check_shares(self, left_over: float = 0.0) -> None:
        """Bytes by weight are apart by at most a turn and a chunk of each; newcomers have their share.

        `left_over` bytes may each have of turns handed out by other weights.
        """
        ready = [stream for stream in self.streams.values() if stream.ready]
        known = [stream for stream in ready if not stream.newcomer]
        newcomers = [stream for stream in ready if stream.newcomer]
        for one in known:
            for other in known:
                owed, due = (stream.chunk + left_over for stream in (one, other))
                slack = 2 * QUANTUM + owed / one.weight + due / other.weight
                assert abs(one.sent / one.weight - other.sent / other.weight) <= slack
        # The weight of one newcomer, beside these known peers.
        each = sum(stream.weight for stream in known) * NEWCOMER_SHARE / (1 - NEWCOMER_SHARE) / max(1, len(newcomers))
        for one in newcomers:
            for other in newcomers:
                assert abs(one.sent - other.sent) <= 2 * (QUANTUM * (each or 1.0) + left_over) + one.chunk + other.chunk
        if known and newcomers:
            given, taken = sum(stream.sent for stream in known), sum(stream.sent for stream in newcomers)
            turn = QUANTUM * (sum(stream.weight for stream in known) + each * len(newcomers))
            slack = turn + sum(stream.chunk + left_over for stream in ready)
            assert abs(taken - NEWCOMER_SHARE * (given + taken)) <= slack


LEFT_OVER = 2 * QUANTUM
"""A newcomer's largest turn, beside seven known peers of weight 1, is less."""
STREAMS = st.builds(Stream, WEIGHTS, st.booleans(), CHUNKS)
LARGER = st.builds(Stream, st.floats(0.1, 1.0), st.booleans(), st.sampled_from([128 * KIB, 700_001, MIB, 4 * MIB]))
"""Between 4 KiB and 16 MiB a debt takes too many messages to pay back."""
LONGEST_WAIT = 8 * (4 * MIB + 2 * QUANTUM) / 0.1 + 8 * 4 * MIB
"""Bytes until everybody ready has had a turn: eight streams, the others of weight 1 beside one of 0.1 in debt."""


@given(st.lists(STREAMS, min_size=2, max_size=6))
@settings(max_examples=30)
def test_shares_converge_to_the_weights(streams: list[Stream]) -> None:
    uplink = Uplink()
    for number, stream in enumerate(streams):
        uplink.add(number, Stream(stream.weight, stream.newcomer, stream.chunk))
    for _ in range(20):
        for _ in range(10):
            uplink.send()
        uplink.check_shares()


@given(st.lists(WEIGHTS, min_size=1, max_size=5), st.integers(1, 5), st.sampled_from([128 * KIB, 16 * MIB]))
@settings(max_examples=12)
def test_newcomers_together_get_their_share_beside_known_peers(
    weights: list[float], newcomers: int, chunk: int
) -> None:
    uplink = Uplink()
    for number in range(newcomers):
        uplink.add(number, Stream(0.5, True, chunk))
    for number, weight in enumerate(weights, newcomers):
        uplink.add(number, Stream(weight, False, MIB))
    total, enough = 0, 20 * (newcomers * chunk / NEWCOMER_SHARE + QUANTUM * sum(weights) + len(weights) * MIB)
    while total < enough:
        total += uplink.send()
    taken = sum(stream.sent for stream in uplink.streams.values() if stream.newcomer)
    assert abs(taken / total - NEWCOMER_SHARE) < 0.02


class SchedulerMachine(RuleBasedStateMachine):
    """Streams open, end, wait for credit and go on; peers gain and lose standing."""

    def __init__(self) -> None:
        super().__init__()
        self.uplink = Uplink()
        self.next = 1

    def one(self, place: int) -> tuple[LinkId, Stream] | None:
        streams = list(self.uplink.streams.items())
        return streams[place % len(streams)] if streams else None

    def from_now_on(self) -> None:
        """Who is there changed: shares are counted anew."""
        for stream in self.uplink.streams.values():
            stream.sent = 0

    @rule(stream=LARGER)
    def open(self, stream: Stream) -> None:
        if len(self.uplink.streams) < 8:
            self.uplink.add(self.next, Stream(stream.weight, stream.newcomer, stream.chunk))
            self.next += 1
            self.from_now_on()

    @rule(place=st.integers(0, 7))
    def end(self, place: int) -> None:
        if found := self.one(place):
            self.uplink.queue.remove(found[0])
            del self.uplink.streams[found[0]]
            self.from_now_on()

    @rule(place=st.integers(0, 7))
    def pause_or_go_on(self, place: int) -> None:
        if found := self.one(place):
            found[1].ready = not found[1].ready
            self.from_now_on()

    @rule(place=st.integers(0, 7), weight=st.floats(0.1, 1.0), newcomer=st.booleans())
    def change_standing(self, place: int, weight: float, newcomer: bool) -> None:
        if found := self.one(place):
            link, stream = found
            stream.weight, stream.newcomer = weight, newcomer
            self.uplink.queue.weigh(link, weight, footing(newcomer))
            self.settle()

    def settle(self) -> None:
        """What was handed out by the old weights is used up: everybody ready has a turn."""
        waiting = {link: stream.sent for link, stream in self.uplink.streams.items() if stream.ready}
        self.from_now_on()
        total = 0
        while not all(self.uplink.streams[link].sent for link in waiting):
            total += self.uplink.send()
            assert total <= LONGEST_WAIT, f"somebody starves: {self.uplink.streams}"

    @rule(messages=st.integers(1, 60))
    def send(self, messages: int) -> None:
        for _ in range(messages):
            self.uplink.send()

    @rule(places=st.lists(st.integers(0, 7), max_size=20))
    def send_with_pauses(self, places: list[int]) -> None:
        for place in places:
            self.pause_or_go_on(place)
            self.uplink.send()

    @rule()
    def nobody_starves(self) -> None:
        self.settle()

    @invariant()
    def at_any_time_somebody_ready_may_send(self) -> None:
        link = self.uplink.queue.next(lambda link: self.uplink.streams[link].ready)
        assert (link is None) == (not any(stream.ready for stream in self.uplink.streams.values()))
        self.uplink.check_shares(LEFT_OVER)


SchedulerMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestScheduler = SchedulerMachine.TestCase
