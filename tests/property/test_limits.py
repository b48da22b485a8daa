"""Rate limits are exact over every stretch of 10 s, whatever the messages, the changes and the clock's steps."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peer.core.limits import Direction, RateLimits

KIB = 2**10
MIB = 2**20
RATES = st.integers(64 * KIB, 100 * MIB)
SIZES = st.lists(st.integers(16 * KIB, MIB), min_size=1, max_size=20)
DIRECTIONS: st.SearchStrategy[Direction] = st.sampled_from(["up", "down"])
STRETCH = 10.0


class Sender:
    """Something that always has more to send, in messages of drawn sizes cut to the step of the limit."""

    def __init__(self, limits: RateLimits, direction: Direction, sizes: list[int], late: float) -> None:
        """`late` is how much too late its loop wakes up, seconds."""
        self.limits = limits
        self.direction = direction
        self.sizes = sizes
        self.late = late
        self.now = 0.0
        self.log: list[tuple[float, int]] = []
        """(when, bytes sent before this message)"""
        self.total = 0

    def run(self, until: float, content: str = "") -> None:
        while self.now < until:
            if not self.limits.ready(self.direction, content, self.now):
                self.now = self.limits.ready_at(self.direction, content, self.now) + self.late
                continue
            size = min(self.sizes[len(self.log) % len(self.sizes)], self.limits.step(self.direction, content))
            self.limits.take(self.direction, content, size, self.now)
            self.log.append((self.now, self.total))
            self.total += size

    def sent_between(self, begin: float, end: float) -> int:
        first, last = (self._before(at) for at in (begin, end))
        return last - first

    def _before(self, at: float) -> int:
        place = bisect_left(self.log, (at, -1))
        return self.log[place][1] if place < len(self.log) else self.total


@given(RATES, SIZES, DIRECTIONS, st.floats(0, 0.05), st.floats(0, 5))
@settings(max_examples=20, deadline=None)
def test_every_stretch_of_ten_seconds_is_within_five_per_cent(
    rate: int, sizes: list[int], direction: Direction, late: float, begin: float
) -> None:
    limits = RateLimits(0, 0, 0.0)
    limits.set(direction, rate, 0.0)
    sender = Sender(limits, direction, sizes, late)
    sender.run(begin + STRETCH + 1)
    assert abs(sender.sent_between(begin, begin + STRETCH) - rate * STRETCH) <= 0.05 * rate * STRETCH


@given(RATES, RATES, SIZES)
@settings(max_examples=20, deadline=None)
def test_a_content_gets_the_smaller_of_its_own_limit_and_that_of_all(
    everything: int, own: int, sizes: list[int]
) -> None:
    limits = RateLimits(everything, 0, 0.0)
    limits.set("up", own, 0.0, "a")
    sender = Sender(limits, "up", sizes, 0.0)
    sender.run(STRETCH, "a")
    least = min(everything, own)
    assert abs(sender.total - least * STRETCH) <= 0.05 * least * STRETCH


@given(RATES, RATES, SIZES, st.floats(0, 2))
@settings(max_examples=20, deadline=None)
def test_a_changed_limit_holds_from_the_moment_of_the_change(
    before: int, after: int, sizes: list[int], at: float
) -> None:
    limits = RateLimits(0, before, 0.0)
    sender = Sender(limits, "down", sizes, 0.0)
    sender.run(at)
    limits.set("down", after, at)
    sender.now = at
    so_far = sender.total
    sender.run(at + STRETCH)
    assert abs(sender.total - so_far - after * STRETCH) <= 0.05 * after * STRETCH


@given(RATES, SIZES, DIRECTIONS)
def test_a_removed_limit_releases_who_waits(rate: int, sizes: list[int], direction: Direction) -> None:
    limits = RateLimits(0, 0, 0.0)
    limits.set(direction, rate, 0.0)
    limits.set(direction, rate, 0.0, "a")
    for size in sizes:
        limits.take(direction, "a", size, 0.0)
    assert not limits.ready(direction, "a", 0.0)
    limits.set(direction, 0, 0.0)
    limits.set(direction, 0, 0.0, "a")
    assert limits.ready(direction, "a", 0.0)
    assert limits.ready_at(direction, "a", 0.0) == 0.0


@given(RATES, SIZES, st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_several_that_share_a_limit_keep_it_together(rate: int, sizes: list[int], streams: int) -> None:
    limits = RateLimits(rate, 0, 0.0)
    senders = [Sender(limits, "up", sizes, 0.0) for _ in range(streams)]
    now, total = 0.0, 0
    while now < STRETCH:
        for sender in senders:
            if limits.ready("up", "", now):
                size = min(sizes[0], limits.step("up"))
                limits.take("up", "", size, now)
                sender.total += size
                total += size
        now = limits.ready_at("up", "", now)
    assert abs(total - rate * STRETCH) <= 0.05 * rate * STRETCH


class LimitsMachine(RuleBasedStateMachine):
    """Two contents under limits that change, with pauses; no stretch of 10 s carries over 5% too much."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = RateLimits(0, 0, 0.0)
        self.now = 0.0
        self.rates = {"": 0, "a": 0, "b": 0}
        self.since = dict.fromkeys(self.rates, 0.0)
        """When each limit was set."""
        self.sent: list[tuple[float, str, int]] = []

    @rule(content=st.sampled_from(["", "a", "b"]), rate=RATES | st.just(0))
    def change(self, content: str, rate: int) -> None:
        self.limits.set("up", rate, self.now, content)
        self.rates[content] = rate
        self.since[content] = self.now

    @rule(seconds=st.floats(0, 20))
    def idle(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.floats(0.1, 6), contents=st.sampled_from(["a", "b", "ab"]), size=st.integers(16 * KIB, MIB))
    def send(self, seconds: float, contents: str, size: int) -> None:
        """As fast as the limits let: whoever may send takes turns."""
        busy = [content for content in contents if self.limits.rate_of("up", content)]
        until = self.now + seconds
        while busy and self.now < until:
            for content in busy:
                if self.limits.ready("up", content, self.now):
                    length = min(size, self.limits.step("up", content))
                    self.limits.take("up", content, length, self.now)
                    self.sent.append((self.now, content, length))
            self.now = max(self.now, min(self.limits.ready_at("up", content, self.now) for content in busy))

    def carried(self, content: str, begin: float) -> int:
        return sum(size for at, one, size in self.sent if at >= begin and content in ("", one))

    @invariant()
    def no_stretch_carries_too_much(self) -> None:
        for content, rate in self.rates.items():
            if rate:
                begin = max(self.since[content], self.now - STRETCH)
                assert self.carried(content, begin) <= rate * (self.now - begin) + 0.05 * rate * STRETCH

    def teardown(self) -> None:
        """Whatever happened: whoever sends for 10 s gets what its limits say."""
        rate = self.limits.rate_of("up", "a")
        if rate:
            begin = self.now
            self.send(STRETCH, "a", MIB)
            assert abs(self.carried("a", begin) - rate * STRETCH) <= 0.05 * rate * STRETCH


LimitsMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)
TestLimits = LimitsMachine.TestCase
