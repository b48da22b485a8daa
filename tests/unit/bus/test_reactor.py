"""The loop's order, clock, timers and wake-ups."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from bus.reactor import CONTROL, DATA, LONGEST_TURN, SLICE, TRACKER, Reactor
from tests.kit.pipes import Pipe, a_context


class Log:
    """What was called, in order; stops the reactor after so many calls."""

    def __init__(self, reactor: Reactor, calls: int) -> None:
        self.reactor = reactor
        self.left = calls
        self.said: list[str] = []

    def says(self, word: str) -> Callable[[], None]:
        def say() -> None:
            self.said.append(word)
            self.left -= 1
            if self.left <= 0:
                self.reactor.stop()

        return say


def once(pipe: Pipe, function: Callable[[], None]) -> Callable[[], bool]:
    """A callback that calls the function for every message."""

    def on_readable() -> bool:
        for _ in pipe.drain():
            function()
        return False

    return on_readable


def test_a_turn_has_a_fixed_order():
    reactor = Reactor()
    log = Log(reactor, 6)
    with a_context() as context:
        for priority, name in ((DATA, "data"), (TRACKER, "tracker"), (CONTROL, "control")):
            pipe = Pipe(context)
            pipe.send(b"x")
            reactor.add(pipe.here, once(pipe, log.says(name)), priority)
        reactor.call_later(0, log.says("timer"))
        reactor.on_turn(log.says("end"))
        reactor.post(log.says("posted"))
        reactor.run()
    assert log.said == ["posted", "control", "tracker", "data", "timer", "end"]


def test_posted_functions_run_in_order_also_from_another_thread():
    reactor = Reactor()
    log = Log(reactor, 3000)

    def poster() -> None:
        for index in range(3000):
            reactor.post(log.says(str(index)))

    thread = threading.Thread(target=poster)
    thread.start()
    reactor.run()
    thread.join()
    assert log.said == [str(index) for index in range(3000)]


def test_a_post_wakes_a_sleeping_loop_at_once():
    reactor = Reactor()
    delays: list[float] = []

    def poster() -> None:
        for _ in range(20):
            posted = time.monotonic()
            heard = threading.Event()

            def note(posted: float = posted, heard: threading.Event = heard) -> None:
                delays.append(time.monotonic() - posted)
                heard.set()

            reactor.post(note)
            heard.wait(5)
        reactor.stop()

    thread = threading.Thread(target=poster)
    thread.start()
    reactor.run()
    thread.join()
    assert len(delays) == 20
    assert sorted(delays)[10] < 0.1  # it would sleep half a second


def test_a_function_posted_by_a_posted_function_waits_for_the_next_turn():
    reactor = Reactor()
    log = Log(reactor, 3)
    reactor.on_turn(log.says("end"))
    reactor.post(lambda: reactor.post(log.says("second")))
    reactor.run()
    assert log.said == ["end", "second", "end"]


def test_stop_from_a_signal_handler_ends_the_loop():
    reactor = Reactor()
    before = signal.signal(signal.SIGUSR1, lambda *_: reactor.stop())
    try:
        killer = threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGUSR1))
        killer.start()
        began = time.monotonic()
        reactor.run()
        assert time.monotonic() - began < 2
        killer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_stop_before_run_ends_it_after_its_first_turn_and_it_can_run_again():
    reactor = Reactor()
    reactor.stop()
    reactor.run()
    log = Log(reactor, 1)
    reactor.post(log.says("again"))
    reactor.run()
    assert log.said == ["again"]


def test_timers_run_in_the_order_of_their_times_and_cancelled_ones_never():
    reactor = Reactor()
    log = Log(reactor, 3)
    reactor.call_later(0.03, log.says("third"))
    reactor.call_later(0.01, log.says("first"))
    cancelled = reactor.call_later(0.015, log.says("cancelled"))
    reactor.call_later(0.02, log.says("second"))
    cancelled.cancel()
    cancelled.cancel()
    reactor.run()
    assert log.said == ["first", "second", "third"]


def test_a_repeated_timer_goes_on_until_it_is_cancelled_also_by_itself():
    reactor = Reactor()
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 3:
            timer.cancel()
            reactor.call_later(0.05, reactor.stop)  # in which ten more would come

    timer = reactor.every(0.005, tick)
    reactor.run()
    assert count == 3


class FakeClock:
    """A clock that jumps when told; between jumps it stands, and the loop does not sleep."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_one_turn_counts_at_most_a_second_and_the_clock_never_goes_back():
    clock = FakeClock()
    reactor = Reactor(clock)
    began = reactor.now
    times: list[float] = []
    jumps = [0.25, 3600.0, -5.0, 0.25]

    def jump() -> None:
        times.append(reactor.now - began)
        if not jumps:
            reactor.stop()
            return
        clock.time += jumps.pop(0)
        reactor.post(jump)

    reactor.post(jump)
    reactor.run()
    assert times == [0.0, 0.25, 0.25 + LONGEST_TURN, 0.25 + LONGEST_TURN, 0.5 + LONGEST_TURN]


def test_the_loop_sleeps_until_the_earliest_deadline():
    reactor = Reactor()
    woken: list[float] = []
    deadline: float | None = reactor.now + 0.1

    def at_the_end() -> None:
        nonlocal deadline
        if deadline is not None and reactor.now >= deadline:
            woken.append(reactor.now - deadline)
            deadline = None
            reactor.stop()

    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    reactor.on_turn(at_the_end)
    reactor.on_turn(count)
    reactor.wake_for(lambda: None)
    reactor.wake_for(lambda: deadline)
    reactor.run()
    assert 0 <= woken[0] < 0.3
    assert turns < 20  # it slept, it did not spin


def test_an_idle_loop_sleeps():
    reactor = Reactor()
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1

    with a_context() as context:
        pipe = Pipe(context)
        reactor.add(pipe.here, lambda: [None for _ in pipe.drain()] == [0], DATA)
        reactor.on_turn(count)
        reactor.call_later(0.5, reactor.stop)
        reactor.run()
    assert turns < 10


def test_a_callback_that_left_messages_is_called_again_before_the_loop_sleeps():
    reactor = Reactor()
    taken: list[bytes] = []
    with a_context() as context:
        pipe = Pipe(context)
        for index in range(10):
            pipe.send(bytes([index]))

        def one() -> bool:
            message = pipe.take()
            if message is None:
                reactor.stop()
                return False
            taken.append(message)
            return True

        began = time.monotonic()
        reactor.add(pipe.here, one, DATA)
        reactor.run()
        assert time.monotonic() - began < 0.4
    assert taken == [bytes([index]) for index in range(10)]


def test_arrivals_that_a_send_has_noticed_are_not_left_lying():
    """A send takes the news of arrivals from the descriptor, so the loop must look again: `touch`."""
    reactor = Reactor()
    heard: list[bytes] = []
    with a_context() as context:
        pipe = Pipe(context)

        def drain() -> bool:
            heard.extend(pipe.drain())
            if heard:
                reactor.stop()
            return False

        def send_while_something_arrives() -> None:
            pipe.send(b"arrives")
            pipe.here_notices()  # what a send does now and then
            reactor.touch(pipe.here)

        reactor.add(pipe.here, drain, DATA)
        reactor.call_later(0.05, lambda: reactor.on_turn(lambda: None))
        reactor.call_later(0.05, send_while_something_arrives)
        began = time.monotonic()
        reactor.run()
        assert time.monotonic() - began < 0.4
    assert heard == [b"arrives"]


@pytest.mark.parametrize(("visit", "calls"), [("touch", 0), ("revisit", 1)])
def test_a_socket_with_nothing_to_read_is_only_called_if_that_is_asked_for(visit: str, calls: int):
    reactor = Reactor()
    called: list[list[bytes]] = []

    def begin() -> None:
        called.clear()  # it was called because it was new
        getattr(reactor, visit)(pipe.here)
        reactor.call_later(0.03, reactor.stop)  # set here, so that a turn lies between, however late it comes

    with a_context() as context:
        pipe = Pipe(context)
        reactor.add(pipe.here, lambda: bool(called.append(pipe.drain())), DATA)  # type: ignore[func-returns-value]
        reactor.call_later(0.02, begin)
        reactor.run()
    assert called == [[]] * calls


def test_data_sockets_share_their_slice_and_take_turns():
    reactor = Reactor()
    calls: list[int] = []
    with a_context() as context:
        pipes = [Pipe(context) for _ in range(3)]

        def busy(index: int) -> Callable[[], bool]:
            def call() -> bool:
                calls.append(index)
                began = time.monotonic()
                while time.monotonic() - began < SLICE * 1.5:
                    pass
                if len(calls) >= 9:
                    reactor.stop()
                return True

            return call

        ends: list[int] = []
        reactor.on_turn(lambda: ends.append(len(calls)))
        for index, pipe in enumerate(pipes):
            reactor.add(pipe.here, busy(index), DATA)
        reactor.run()
    assert calls == [0, 1, 2] * 3
    assert ends == list(range(1, 10))  # one call used up the turn's slice each time


def test_a_removed_socket_is_not_called_even_if_it_was_due():
    reactor = Reactor()
    called: list[str] = []
    with a_context() as context:
        first, second = Pipe(context), Pipe(context)

        def remove_the_other() -> bool:
            if first.drain():
                reactor.remove(second.here)
                reactor.call_later(0.05, reactor.stop)
            return False

        first.send(b"x")
        second.send(b"x")

        reactor.add(first.here, remove_the_other, DATA)
        reactor.add(second.here, lambda: bool(called.append("second")), DATA)  # type: ignore[func-returns-value]
        reactor.run()
        reactor.touch(second.here)
    assert called == []


@pytest.mark.parametrize("where", ["posted", "timer", "socket", "end of turn"])
def test_what_a_callback_raises_ends_the_loop(where: str):
    def fail() -> bool:
        raise RuntimeError("a bug")

    reactor = Reactor()
    with a_context() as context:
        if where == "posted":
            reactor.post(fail)
        elif where == "timer":
            reactor.call_later(0, fail)
        elif where == "socket":
            reactor.add(Pipe(context).here, fail, CONTROL)
        else:
            reactor.on_turn(fail)
        with pytest.raises(RuntimeError, match="a bug"):
            reactor.run()
