"""The gate before a listener in clear text: so many unproved connections, for so long."""

from __future__ import annotations

from bus.gate import MAX_UNPROVED, PATIENCE, Gate
from bus.reactor import Reactor


class Clocked:
    """A gate whose clock a test turns."""

    def __init__(self) -> None:
        self.time = 100.0
        self.reactor = Reactor(lambda: self.time)
        self.ended: list[int] = []
        self.gate: Gate[int] = Gate(self.reactor, self.ended.append)

    def pass_(self, seconds: float) -> None:
        """Let time pass; a turn of the loop counts at most a second of it."""
        for _ in range(round(seconds * 4)):
            self.time += 0.25
            self.reactor.post(lambda: None)  # so that the turn does not wait
            self.reactor._turn()


def test_a_connection_that_is_not_proved_in_time_is_ended_once():
    one = Clocked()
    assert one.gate.enter(1)
    one.pass_(3)
    assert one.gate.enter(2)
    one.pass_(PATIENCE - 3.5)
    assert one.ended == []
    one.pass_(1)
    assert one.ended == [1]
    one.pass_(PATIENCE)
    assert one.ended == [1, 2]
    assert len(one.gate) == 0


def test_there_is_one_timer_although_a_connection_enters_while_others_are_ended():
    one = Clocked()

    def enter_another(connection: int) -> None:
        one.gate.enter(connection + 100)

    one.gate._end = enter_another
    for number in range(20):
        one.gate.enter(number)
        one.pass_(0.25)
    one.pass_(4 * PATIENCE)
    assert len(one.gate) == 20
    assert len([timer for _, _, timer in one.reactor._timers if timer.function is not None]) == 1


def test_a_connection_that_is_proved_or_gone_is_left_alone():
    one = Clocked()
    one.gate.enter(1)
    one.gate.leave(1)
    one.gate.leave(1)
    one.pass_(2 * PATIENCE)
    assert one.ended == []


def test_the_gate_is_full_at_its_limit_and_open_again_when_one_leaves():
    one = Clocked()
    assert all(one.gate.enter(number) for number in range(MAX_UNPROVED))
    assert not one.gate.enter(-1)
    one.gate.leave(7)
    assert one.gate.enter(-1)
    assert not one.gate.enter(-2)


def test_a_closed_gate_ends_nobody():
    one = Clocked()
    one.gate.enter(1)
    one.gate.close()
    one.pass_(2 * PATIENCE)
    assert one.ended == []
