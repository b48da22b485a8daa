"""What a peer answers, as people and programs read it: the same records for `shoal --json` and for REST.

Their fields, in this order, are the keys of the JSON; programs rely on them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from bus.messages import Explained, Limits, ScheduledLimits, SourceExplained, Weekday


class OwnLimits(Struct, frozen=True):
    """A content with limits of its own."""

    id: str
    up: int
    """Bytes a second; 0: none of its own."""
    down: int


Limit = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of the day, HH:MM."""


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that hold instead of the others at certain times of the week, by the local time of the peer's machine."""

    up: Limit
    """Bytes a second; 0: unlimited."""
    down: Limit
    days: Annotated[list[Weekday], Meta(min_length=1, max_length=7)]
    """On which they begin to hold."""
    begin: Clock
    """HH:MM"""
    end: Clock
    """On the next day if it is not after `begin`."""


class LimitsInForce(Struct, frozen=True):
    """Rate limits, as `shoal limit` tells them: bytes a second; 0: unlimited."""

    id: str
    """Of this content; empty: of all together."""
    up: int
    down: int
    up_is_set: bool
    """Set while running, and so kept across restarts; else the configuration's."""
    down_is_set: bool
    effective_up: int
    """The smallest that applies now."""
    effective_down: int
    contents: list[OwnLimits]
    schedule: Schedule | None
    scheduled: bool
    """The limits of the schedule hold now."""


class ContentExplanation(Struct, frozen=True):
    """Why a content moves as fast as it does, as `shoal explain` tells it."""

    id: str
    name: str
    state: str
    cause: str
    """complete, paused, error, disk, no_source, choked, credit, rate_limit, priority, endgame, silent or source"""
    text: str
    rate: float
    """Bytes a second now."""
    chunks_missing: int
    chunks_free: int
    """Of those, chunks that nobody is asked for."""
    bytes_to_come: int
    bytes_unwritten: int
    limit: int
    """Bytes a second; 0: none."""
    limit_of: str
    """all, or content."""
    sources: list[SourceExplained]


def limits_in_force(told: Limits) -> LimitsInForce:
    """What `limit` and `/limits` tell."""
    own = [OwnLimits(one.content, one.up, one.down) for one in told.contents]
    return LimitsInForce(
        told.content, told.up, told.down, told.up_is_set, told.down_is_set, told.effective_up, told.effective_down, own,
        _shown(told.schedule) if told.schedule else None, told.scheduled,
    )  # fmt: skip


def _shown(kept: ScheduledLimits) -> Schedule:
    return Schedule(kept.up, kept.down, kept.days, clock(kept.begin), clock(kept.end))


def scheduled_limits(wanted: Schedule) -> ScheduledLimits:
    """The same as the peer's messages have it."""
    return ScheduledLimits(wanted.up, wanted.down, wanted.days, minute(wanted.begin), minute(wanted.end))


def clock(minute: int) -> str:
    """HH:MM of a minute of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def minute(clock: str) -> int:
    """The minute of the day of HH:MM; 24:00 is midnight as 00:00 is."""
    hours, minutes = clock.split(":")
    return (60 * int(hours) + int(minutes)) % (24 * 60)


def content_explanation(told: Explained) -> ContentExplanation:
    """What `explain` tells."""
    return ContentExplanation(
        told.content, told.name, told.state, told.cause, told.text, told.rate, told.missing, told.free,
        told.to_come, told.unwritten, told.limit, told.limit_of, told.sources,
    )  # fmt: skip
