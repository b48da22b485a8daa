"""Rate limits as they are kept across restarts, and when those of a schedule hold.

A schedule goes by the clock on the wall.  The shell says the local time whenever it is another minute, and the schedule
is only compared with it: a clock that was set, a day of 23 or 25 hours, a machine that slept are nothing special.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus.boundary import ContentId
from bus.messages import ScheduledLimits, Weekday

DAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
"""Minutes."""
WEEK: Final = 7 * DAY


class LimitRecord(Struct, frozen=True):
    """The limits set while running, kept across restarts; bytes a second, 0 unlimited, None not set."""

    content: ContentId
    """Empty: of all contents together."""
    up: int | None = None
    down: int | None = None
    schedule: ScheduledLimits | None = None
    """Only of all together."""


class LocalTime(Struct, frozen=True, gc=False):
    """An event: it is another minute by the local time of this machine."""

    minute: int
    """Since Monday, 0:00."""


def holds(schedule: ScheduledLimits, minute: int) -> bool:
    """Whether the limits of a schedule hold in that minute of the week."""
    length = (schedule.end - schedule.begin) % DAY or DAY
    return any((minute - DAYS.index(day) * DAY - schedule.begin) % WEEK < length for day in schedule.days)
