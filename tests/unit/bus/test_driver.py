"""A driver runs its core as the boundary says: in order, never re-entered, deadlines last."""

from __future__ import annotations

from collections.abc import Callable

from bus.driver import Driver
from bus.reactor import Reactor


class Core:
    """A core that writes down what it is told, and answers from a table."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = answers
        self.deadline: float | None = None
        self.told: list[str] = []
        self.busy = False

    def handle(self, event: str, now: float) -> list[str]:
        assert not self.busy, "entered again"
        self.told.append(event)
        return self.answers.get(event, [])

    def next_deadline(self) -> float | None:
        return self.deadline

    def on_deadline(self, now: float) -> list[str]:
        assert self.deadline is not None
        assert now >= self.deadline
        self.deadline = None
        self.told.append("deadline")
        return self.answers.get("deadline", [])


def made(core: Core, reactor: Reactor, consequences: dict[str, list[str]]) -> tuple[Driver[str, str], list[str]]:
    """A driver whose effects feed events by a table, and the effects done so far."""
    done: list[str] = []

    def perform(effect: str) -> None:
        done.append(effect)
        for event in consequences.get(effect, []):
            driver.feed(event)
        done.append(f"/{effect}")

    driver: Driver[str, str] = Driver(core, reactor, perform)
    return driver, done


def run_until(reactor: Reactor, predicate: Callable[[], bool]) -> None:
    """Turn until something is true, 5 s at most."""

    def look() -> None:
        if predicate():
            reactor.stop()

    reactor.on_turn(look)
    reactor.call_later(5, reactor.stop)
    reactor.run()


def test_effects_are_done_in_order_and_events_fed_meanwhile_wait():
    core = Core({"start": ["one", "two"], "from one": ["three"]})
    driver, done = made(core, Reactor(), {"one": ["from one", "also from one"], "three": ["last"]})
    driver.feed("start")
    assert done == ["one", "/one", "two", "/two", "three", "/three"]
    assert core.told == ["start", "from one", "also from one", "last"]


def test_a_long_chain_of_consequences_does_not_nest():
    core = Core({f"event {index}": [f"effect {index}"] for index in range(10_000)})
    driver, done = made(core, Reactor(), {f"effect {index}": [f"event {index + 1}"] for index in range(10_000)})
    driver.feed("event 0")
    assert len(core.told) == 10_001
    assert len(done) == 20_000


def test_a_deadline_is_kept_and_runs_after_what_the_turn_brought():
    reactor = Reactor()
    core = Core({"deadline": ["done"]})
    driver, _ = made(core, reactor, {"done": ["the end"]})
    core.deadline = reactor.now + 0.05
    reactor.call_later(0.05, lambda: driver.feed("came in time"))
    run_until(reactor, lambda: "the end" in core.told)
    assert core.told == ["came in time", "deadline", "the end"]


def test_a_deadline_that_an_event_sets_is_kept():
    reactor = Reactor()
    core = Core({})
    driver, _ = made(core, reactor, {})

    def later() -> None:
        driver.feed("event")
        core.deadline = reactor.now + 0.05

    reactor.post(later)
    began = reactor.now
    run_until(reactor, lambda: core.told == ["event", "deadline"])
    assert 0.05 <= reactor.now - began < 0.4


def test_a_core_without_a_deadline_lets_the_loop_sleep():
    reactor = Reactor()
    made(Core({}), reactor, {})
    turns: list[int] = []
    reactor.on_turn(lambda: turns.append(1))
    reactor.call_later(0.4, reactor.stop)
    reactor.run()
    assert len(turns) < 10


def test_what_a_core_raises_is_not_swallowed_and_does_not_leave_the_driver_stuck():
    failures: list[str] = []

    class Failing(Core):
        def handle(self, event: str, now: float) -> list[str]:
            if event == "bad":
                raise RuntimeError("a bug in the core")
            return super().handle(event, now)

    core = Failing({})
    driver, _ = made(core, Reactor(), {})

    def attempt(step: Callable[[], None]) -> None:
        try:
            step()
        except RuntimeError as error:
            failures.append(str(error))

    attempt(lambda: driver.feed("bad"))
    driver.feed("good")
    assert failures == ["a bug in the core"]
    assert core.told == ["good"]
