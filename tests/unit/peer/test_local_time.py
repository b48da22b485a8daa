"""The minute of the week by the clock on the wall, where clocks are put forward and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bus.messages import ScheduledLimits
from peer.core.limit_record import DAY, holds
from peer.local_time import minute_of_week

SUNDAY = 6 * DAY
NIGHT = ScheduledLimits(1, 1, ["sun"], 2 * 60, 3 * 60 + 30)


@pytest.fixture(autouse=True)
def central_europe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def minute(month: int, day: int, hour: int, minute: int = 0) -> int:
    return minute_of_week(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp())


def test_it_is_the_local_minute_since_monday() -> None:
    assert minute(11, 23, 7, 30) == 8 * 60 + 30  # a Monday in winter, an hour ahead of UTC
    assert minute(7, 1, 23, 15) == 3 * DAY + 60 + 15  # a Wednesday in summer, Thursday already


def test_an_hour_that_is_left_out_in_spring_begins_what_would_have_begun_in_it() -> None:
    before, after = minute(3, 29, 0, 59), minute(3, 29, 1, 0)
    assert (before, after) == (SUNDAY + 119, SUNDAY + 180)
    assert (holds(NIGHT, before), holds(NIGHT, after)) == (False, True)
    assert holds(NIGHT, minute(3, 29, 1, 30)) is False


def test_an_hour_that_comes_twice_in_autumn_is_the_same_hour_twice() -> None:
    times = (minute(10, 24, 23, 59), minute(10, 25, 0, 0), minute(10, 25, 1, 0))
    assert [holds(NIGHT, time) for time in times] == [False, True, True]
    assert minute(10, 25, 0, 0) == minute(10, 25, 1, 0) == SUNDAY + 120
