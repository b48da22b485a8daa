"""Credit over a wire that loses, repeats, reorders and delays credit messages, and breaks: no overrun, no deadlock.

What was lost is said again when the stream stalls; a new stream begins at 0, and what its forerunner said is of no use.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from peer.core.credit import ReceiveWindow, SendWindow


class CreditMachine(RuleBasedStateMachine):
    """One uploader, one downloader; data stays in order, credit messages do not."""

    @initialize(window=st.integers(64, 4096), wanted=st.integers(1, 20_000))
    def start(self, window: int, wanted: int) -> None:
        self.wanted = self.to_come = wanted
        self.stored = 0
        self.stream = 0
        self.credits: list[tuple[int, int, int]] = []
        self.data: list[tuple[int, int]] = []
        self.in_memory = 0
        self.begin(window)

    def begin(self, window: int) -> None:
        """A stream is opened: both sides count from 0."""
        self.stream += 1
        self.sender = SendWindow(2**20)
        self.receiver = ReceiveWindow(window)
        self.announce()

    def announce(self) -> None:
        in_flight = sum(size for _, size in self.data)
        limit = self.receiver.next_limit(self.to_come + in_flight)
        if limit is not None:
            self.receiver.announce(limit)
            self.say()

    def say(self) -> None:
        self.credits.append((self.stream, self.receiver.limit, self.receiver.consumed))

    @rule(place=st.integers(0, 100), again=st.booleans())
    def deliver_credit(self, place: int, again: bool) -> None:
        if self.credits:
            index = place % len(self.credits)
            self.hear(self.credits[index] if again else self.credits.pop(index))

    def hear(self, credit: tuple[int, int, int]) -> None:
        """As the uploader does it: a message of any other stream is dropped."""
        stream, limit, consumed = credit
        if stream == self.stream:
            self.sender.grant(limit, consumed)

    @rule(place=st.integers(0, 100))
    def lose_credit(self, place: int) -> None:
        if self.credits:
            self.credits.pop(place % len(self.credits))

    @rule(window=st.integers(64, 4096))
    def reconnect(self, window: int) -> None:
        """The stream ends and another begins: what was on its way is wanted again, credit may still lie around."""
        self.stored += self.in_memory
        self.to_come = self.wanted - self.stored
        self.data.clear()
        self.in_memory = 0
        self.begin(window)

    @rule(size=st.integers(1, 2000))
    def send(self, size: int) -> None:
        size = min(size, self.sender.available, self.to_come)
        if size:
            self.data.append((self.sender.take(size), size))
            self.to_come -= size

    @rule()
    def receive(self) -> None:
        if self.data:
            position, size = self.data.pop(0)
            self.receiver.receive(position, size)
            self.in_memory += size

    @rule(size=st.integers(1, 2000))
    def consume(self, size: int) -> None:
        size = min(size, self.in_memory)
        if size:
            self.in_memory -= size
            self.stored += size
            self.receiver.consume(size)
            self.announce()

    @invariant()
    def windows_hold(self) -> None:
        if hasattr(self, "sender"):
            self.sender.check_invariants()
            self.receiver.check_invariants()
            assert self.in_memory <= self.receiver.window

    def teardown(self) -> None:
        """Whatever happened: once everything is delivered, everything wanted gets through."""
        if not hasattr(self, "sender"):
            return
        for _ in range(100_000):
            if not self.to_come and not self.data:
                return
            if not self.credits and not self.data and not self.sender.available:
                self.say()  # it stalls
            while self.credits:
                self.hear(self.credits.pop())
            self.send(2000)
            self.receive()
            self.consume(self.in_memory or 1)
        raise AssertionError(f"stuck with {self.to_come} bytes to come, {self.sender.available} of credit")


CreditMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestCredit = CreditMachine.TestCase
