"""The times of a schedule as people write them: `mon-fri 08:00-18:00`, `sat,sun 00:00-24:00`, `daily 22:00-06:00`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bus.errors import ERR_USAGE, ShoalError

if TYPE_CHECKING:
    from bus.messages import ScheduledLimits, Weekday

OFF: Final = "off"
DAILY: Final = "daily"
_DAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00"
_WHEN: Final = re.compile(rf"([a-z,-]+) +({_TIME}) *- *({_TIME})")


def read_schedule(text: str, up: int, down: int) -> ScheduledLimits:
    """The schedule of these limits, bytes a second, at the times that `text` names.

    Raises:
        ShoalError: ERR_USAGE, with what was expected.
    """
    from bus.messages import ScheduledLimits
    from bus.readable import minute

    match = _WHEN.fullmatch(text.strip().lower())
    days = _days(match[1]) if match else []
    if match is None or not days:
        expected = "times such as 'mon-fri 08:00-18:00' or 'daily 22:00-06:00', or off"
        raise ShoalError(ERR_USAGE, f"--schedule: expected {expected}, found {text!a}")
    return ScheduledLimits(up, down, days, minute(match[2]), minute(match[3]))


def format_times(schedule: ScheduledLimits) -> str:
    """As they can be written again."""
    from bus.readable import clock

    return f"{_format_days(schedule.days)} {clock(schedule.begin)}-{clock(schedule.end)}"


def _days(text: str) -> list[Weekday]:
    """Days in the order of the week; empty if a word is no day."""
    if text == DAILY:
        return list(_DAYS)
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            return []
        start = _DAYS.index(first)
        found.update((start + step) % 7 for step in range((_DAYS.index(last or first) - start) % 7 + 1))
    return [day for place, day in enumerate(_DAYS) if place in found]


def _format_days(days: list[Weekday]) -> str:
    places = [place for place, day in enumerate(_DAYS) if day in days]
    if len(places) == 7:
        return DAILY
    if len(places) > 2 and places[-1] - places[0] == len(places) - 1:
        return f"{_DAYS[places[0]]}-{_DAYS[places[-1]]}"
    return ",".join(_DAYS[place] for place in places)
