"""Rate limits on the control channel: of all contents together, of one, and at certain times."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from bus.messages.declaring import CLIENT, SERVER, Count, Hex64, Message, RequestId, ShortText, declare

LIMIT_KEPT: Final = -2
"""In a change of limits: leave this one as it is."""
LIMIT_DEFAULT: Final = -1
"""The configuration's limit again; of a content: none of its own."""
LimitChange = Annotated[int, Meta(ge=LIMIT_KEPT, le=2**63 - 1)]
"""Bytes a second, 0 for no limit, or one of the two above."""


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Minute = Annotated[int, Meta(ge=0, lt=24 * 60)]
"""Of a day, after midnight."""


class ScheduledLimits(Struct, frozen=True, gc=False):
    """Limits that hold instead of the others at certain times of the week, by the local time of the peer's machine."""

    up: Count
    """Bytes a second; 0: unlimited."""
    down: Count
    days: Annotated[list[Weekday], Meta(min_length=1, max_length=7)]
    """On which they begin to hold."""
    begin: Minute
    end: Minute
    """On the next day if it is not after `begin`."""


@declare(84, "control", CLIENT)
class ChangeLimits(Message, frozen=True, gc=False):
    """Changes rate limits at once and for good, or only asks for them; limits answers."""

    request: RequestId
    content: ShortText = ""
    """The id (or 8 or more of its first digits) of the content to limit; empty: all contents together."""
    up: LimitChange = LIMIT_KEPT
    down: LimitChange = LIMIT_KEPT
    schedule: ScheduledLimits | Literal["", "none"] = ""
    """Of all contents together: when other limits hold; none drops it, empty leaves it as it is."""


class ContentLimits(Struct, frozen=True, gc=False):
    """The limits of one content, bytes a second; 0: none of its own."""

    content: Hex64
    up: Count
    down: Count


@declare(85, "control", SERVER)
class Limits(Message, frozen=True, gc=False):
    """Answers change limits: what is in force now, bytes a second; 0: unlimited."""

    request: RequestId
    content: str
    """Full id, or empty for all contents together."""
    up: Count
    """Whatever the schedule says now."""
    down: Count
    up_is_set: bool
    """Set while running, and so kept; else the configuration's."""
    down_is_set: bool
    effective_up: Count
    """The smallest limit that applies: of a content, its own or that of all."""
    effective_down: Count
    contents: Annotated[list[ContentLimits], Meta(max_length=1000)]
    """Contents with limits of their own (of one content: only that one)."""
    schedule: ScheduledLimits | None = None
    """When other limits hold for all together."""
    scheduled: bool = False
    """They hold now."""
