"""Shares of the upload converge to the weights, whatever the chunks are and whoever comes, goes and pauses.

Nobody starves: who is slow, or a free rider, waits for its turn as long as its share says and no longer.
"""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from bus.boundary import LinkId
from peer.core.footing import Footing
from peer.core.scheduler import FREE_RIDER_SHARE, NEWCOMER_SHARE, QUANTUM, FairQueue

KIB = 2**10
MIB = 2**20
MESSAGE = MIB
CHUNKS = st.sampled_from([4 * KIB, 20_000, 128 * KIB, 700_001, MIB, 4 * MIB, 16 * MIB])
WEIGHTS = st.floats(0.05, 1.0)
FOOTINGS = st.sampled_from(list(Footing))
KNOWN, NEWCOMER, FREE_RIDER = Footing.KNOWN, Footing.NEWCOMER, Footing.FREE_RIDER


class Stream(Struct):
    """Somebody who always has more to send, in chunks of one size."""

    weight: float
    """Counts for known peers only."""
    footing: Footing
    chunk: int
    ready: bool = True
    inside: int = 0
    """Bytes sent of the chunk it is in."""
    goes_on: bool = False
    """It is in a chunk that nobody may cut in two; a free rider's may be."""
    sent: int = 0
    """Bytes since everybody present was last the same."""

    def anew(self) -> Stream:
        return Stream(self.weight, self.footing, self.chunk)


def shares_of(present: set[Footing]) -> dict[Footing, float]:
    """Of the upload, for all on each footing together, while all of these ask."""
    shares = {}
    if FREE_RIDER in present and len(present) > 1:
        shares[FREE_RIDER] = FREE_RIDER_SHARE
    if {KNOWN, NEWCOMER} <= present:
        shares[NEWCOMER] = NEWCOMER_SHARE - shares.get(FREE_RIDER, 0.0)
    (others,) = present - set(shares)
    return {**shares, others: 1 - sum(shares.values())}


def expected(streams: list[Stream]) -> tuple[list[float], float]:
    """The share of each, and the bytes of a round of turns."""
    shares = shares_of({stream.footing for stream in streams})
    weights = [stream.weight if stream.footing is KNOWN else 1.0 for stream in streams]
    of_kind = {
        kind: sum(weight for weight, stream in zip(weights, streams, strict=True) if stream.footing is kind)
        for kind in shares
    }
    each = [
        shares[stream.footing] * weight / of_kind[stream.footing]
        for weight, stream in zip(weights, streams, strict=True)
    ]
    most = next(kind for kind in (KNOWN, NEWCOMER, FREE_RIDER) if kind in shares)
    return each, QUANTUM * of_kind[most] / shares[most]


class Uplink:
    """Streams that share one queue."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self.streams: dict[LinkId, Stream] = {}
        self.last: LinkId | None = None

    def add(self, number: int, stream: Stream) -> None:
        self.streams[LinkId(number)] = stream
        self.queue.add(LinkId(number), stream.weight, stream.footing)

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
            assert not any(other.goes_on for other in ready), "a chunk was begun while another could go on"
        if self.last is not None and self.last != link and (last := self.streams.get(self.last)):
            assert not (last.goes_on and last.ready), "a chunk was cut in two by another stream's"
        size = min(MESSAGE, stream.chunk - stream.inside)
        stream.inside = (stream.inside + size) % stream.chunk
        stream.goes_on = bool(stream.inside) and stream.footing is not FREE_RIDER
        stream.sent += size
        self.last = link
        self.queue.charge(link, size, not stream.inside)
        return size

    def check_shares(self, left_over: float = 0.0) -> None:
        """Bytes by share are apart by at most two turns, and for each what it overdraws: a chunk.

        `left_over` bytes may each have of turns handed out by other weights.
        """
        ready = [stream for stream in self.streams.values() if stream.ready]
        if not ready:
            return
        shares, turns = expected(ready)
        # A turn is whole bytes, rounded up.
        rounded = 1 + sum(stream.sent for stream in ready) / turns
        for one, share in zip(ready, shares, strict=True):
            for other, due in zip(ready, shares, strict=True):
                slack = (
                    2 * turns + (one.chunk + left_over + rounded) / share + (other.chunk + left_over + rounded) / due
                )
                assert abs(one.sent / share - other.sent / due) <= slack

    def longest_wait(self, debt: int) -> float:
        """Bytes until everybody ready has had a turn, if each has up to `debt` to make good at first."""
        ready = [stream for stream in self.streams.values() if stream.ready]
        shares, turns = expected(ready)
        return (debt + LEFT_OVER) / min(shares) + turns + sum(stream.chunk + LEFT_OVER for stream in ready)


LEFT_OVER = 2 * QUANTUM
"""A newcomer's largest turn, beside seven known peers of weight 1, is less."""
STREAMS = st.builds(Stream, WEIGHTS, FOOTINGS, CHUNKS)
LARGEST = MIB
LARGER = st.builds(Stream, st.floats(0.1, 1.0), FOOTINGS, st.sampled_from([128 * KIB, 700_001, LARGEST]))
"""Between 4 KiB and 16 MiB a debt takes too many messages to pay back."""


@given(st.lists(STREAMS, min_size=2, max_size=6))
@settings(max_examples=50)
def test_shares_converge_to_the_weights(streams: list[Stream]) -> None:
    uplink = Uplink()
    for number, stream in enumerate(streams):
        uplink.add(number, stream.anew())
    for _ in range(20):
        for _ in range(10):
            uplink.send()
        uplink.check_shares()


@given(st.lists(WEIGHTS, max_size=3), st.integers(0, 3), st.integers(0, 3), st.sampled_from([128 * KIB, MIB, 16 * MIB]))
@settings(max_examples=20)
def test_all_on_one_footing_together_get_their_share_beside_the_others(
    weights: list[float], newcomers: int, riders: int, chunk: int
) -> None:
    streams = [Stream(weight, KNOWN, MIB) for weight in weights]
    streams += [Stream(0.5, NEWCOMER, chunk) for _ in range(newcomers)]
    streams += [Stream(0.5, FREE_RIDER, chunk) for _ in range(riders)]
    assume(streams)
    uplink = Uplink()
    for number, stream in enumerate(streams):
        uplink.add(number, stream)
    # So long that what is overdrawn, a chunk of each or a free rider's message, is a small part of any share.
    _, turns = expected(streams)
    overdrawn = newcomers * chunk / (NEWCOMER_SHARE - FREE_RIDER_SHARE) + riders * MESSAGE / FREE_RIDER_SHARE
    enough = 20 * (turns + len(weights) * MIB + overdrawn)
    total = sum(uplink.send() for _ in range(20))
    while total < enough:
        total += uplink.send()
    for kind, share in shares_of({stream.footing for stream in streams}).items():
        taken = sum(stream.sent for stream in streams if stream.footing is kind)
        assert abs(taken / total - share) <= 0.1 * min(share, 1 - share) + 1e-9


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
            self.uplink.add(self.next, stream.anew())
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

    @rule(place=st.integers(0, 7), weight=st.floats(0.1, 1.0), footing=FOOTINGS)
    def change_standing(self, place: int, weight: float, footing: Footing) -> None:
        if found := self.one(place):
            link, stream = found
            stream.weight, stream.footing = weight, footing
            stream.goes_on &= footing is not FREE_RIDER
            self.uplink.queue.weigh(link, weight, footing)
            self.settle()

    def settle(self) -> None:
        """What was handed out by the old weights is used up: everybody ready has a turn."""
        waiting = {link: stream.sent for link, stream in self.uplink.streams.items() if stream.ready}
        self.from_now_on()
        total, longest = 0, self.uplink.longest_wait(LARGEST) if waiting else 0.0
        while not all(self.uplink.streams[link].sent for link in waiting):
            total += self.uplink.send()
            assert total <= longest, f"somebody starves: {self.uplink.streams}"

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
