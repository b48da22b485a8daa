"""When a schedule's limits hold, minute by minute of the week."""

from __future__ import annotations

import pytest

from bus.messages import ScheduledLimits, Weekday
from peer.core.limit_record import DAY, DAYS, WEEK, holds

HOUR = 60


def schedule(days: str, begin: float, end: float) -> ScheduledLimits:
    named: list[Weekday] = [day for day in DAYS if day in days]
    return ScheduledLimits(1, 1, named, int(begin * HOUR), int(end * HOUR))


def hours(of: ScheduledLimits) -> set[int]:
    """The hours of the week that begin while it holds."""
    return {minute // HOUR for minute in range(0, WEEK, HOUR) if holds(of, minute)}


def test_it_holds_from_its_beginning_until_before_its_end() -> None:
    of = schedule("tue", 8, 18.5)
    tuesday = DAY
    held = [minute for minute in range(WEEK) if holds(of, minute)]
    assert held == list(range(tuesday + 8 * HOUR, tuesday + 18 * HOUR + 30))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (schedule("mon tue", 22, 2), {22, 23, 24, 25, 46, 47, 48, 49}),
        (schedule("sun", 23, 1), {6 * 24 + 23, 0}),
        (schedule("wed", 0, 0), set(range(48, 72))),
        (schedule("wed", 12, 12), set(range(60, 84))),
        (schedule("mon", 20, 0), {20, 21, 22, 23}),
    ],
)
def test_over_midnight_it_belongs_to_the_day_on_which_it_begins(of: ScheduledLimits, expected: set[int]) -> None:
    assert hours(of) == expected
