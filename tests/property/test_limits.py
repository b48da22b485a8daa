"""Rate limits are exact over every stretch of 10 s, whatever the messages, the changes and the clock's steps."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

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
