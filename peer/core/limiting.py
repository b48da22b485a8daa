"""The limits as their user sets them: while running, kept across restarts, shown to whoever asks.

A limit set here wins over the configuration's, at every later start too, until it is set to its
default.  A content has no limit of its own by default.  At the times of a schedule, the limits of all together are
those that it names; what is set meanwhile holds when it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.events import LimitsChanged, LimitsCleared
from bus.messages import LIMIT_DEFAULT, LIMIT_KEPT, ContentLimits, Limits, ScheduledLimits
from peer.core.fetching import Fetching
from peer.core.interface import KeepLimits
from peer.core.limit_record import LimitRecord, LocalTime, holds
from peer.core.limits import Direction, RateLimits
from peer.core.settings import NodeSettings
from peer.core.turn import Turn
from peer.core.uploads import Uploads

SHOWN: Final = 1000
"""Contents with limits of their own in one answer."""


class Limiting:
    """Changes the limits and remembers what was asked for."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        limits: RateLimits,
        kept: Iterable[LimitRecord],
        uploads: Uploads,
        fetching: Fetching,
    ) -> None:
        """`kept` is what was set in earlier runs."""
        self._settings = settings
        self._turn = turn
        self._limits = limits
        self._uploads = uploads
        self._fetching = fetching
        self._minute: int | None = None
        """Of the week, as the shell says it."""
        self._scheduled: ScheduledLimits | None = None
        """What holds now instead of the limits of all together."""
        self._records: dict[ContentId, LimitRecord] = {"": LimitRecord("")}
        for record in kept:
            self._records[record.content] = record
        for record in self._records.values():
            self._apply(record)

    def change(self, content: ContentId, up: int, down: int) -> None:
        """Set the limits of one content, or (empty) of all together; see the message for the numbers."""
        old = self._records.get(content, LimitRecord(content))
        new = replace(old, up=_changed(old.up, up), down=_changed(old.down, down))
        if new == old:
            return
        self._keep(new)
        self._apply(new)
        self._uploads.sending.limits_changed()
        self._fetching.ask_due()

    def reschedule(self, schedule: ScheduledLimits | None) -> None:
        """Other limits hold for all together at certain times, or no more."""
        old = self._records[""]
        if schedule != old.schedule:
            self._keep(replace(old, schedule=schedule))
            self._look()

    def local_time(self, event: LocalTime) -> None:
        """It is another minute."""
        self._minute = event.minute
        self._look()

    def _look(self) -> None:
        """See whether the schedule's limits hold now, and change to them or back."""
        before, record = self._scheduled, self._records[""]
        there, minute = record.schedule, self._minute
        self._scheduled = there if there and minute is not None and holds(there, minute) else None
        if self._scheduled != before:
            self._apply(record)
            self._uploads.sending.limits_changed()
            self._fetching.ask_due()

    def forget(self, content: ContentId) -> None:
        """A content is gone, and its limits with it."""
        if content in self._records:
            self.change(content, LIMIT_DEFAULT, LIMIT_DEFAULT)

    def answer(self, content: ContentId) -> Limits:
        """What applies to one content, or to all together."""
        record = self._records.get(content, LimitRecord(content))
        shown = [one for one in self._records.values() if one.content and content in ("", one.content)]
        return Limits(
            request=0,
            content=content,
            up=self._wanted(record, "up"),
            down=self._wanted(record, "down"),
            up_is_set=record.up is not None,
            down_is_set=record.down is not None,
            effective_up=self._limits.rate_of("up", content),
            effective_down=self._limits.rate_of("down", content),
            contents=[ContentLimits(one.content, one.up or 0, one.down or 0) for one in shown[:SHOWN]],
            schedule=record.schedule,
            scheduled=self._scheduled is not None and not content,
        )

    def _keep(self, record: LimitRecord) -> None:
        if record.content and record.up is None and record.down is None:
            self._records.pop(record.content, None)
        else:
            self._records[record.content] = record
        self._turn.add(KeepLimits(record))

    def _apply(self, record: LimitRecord) -> None:
        scheduled = None if record.content else self._scheduled
        up = scheduled.up if scheduled else self._wanted(record, "up")
        down = scheduled.down if scheduled else self._wanted(record, "down")
        wanted: dict[Direction, int] = {"up": up, "down": down}
        for direction, rate in wanted.items():
            if rate != self._limits.own_rate(direction, record.content):
                self._limits.set(direction, rate, self._turn.now, record.content)
        if record.content and not up and not down:
            self._turn.publish(LimitsCleared(record.content))
        else:
            self._turn.publish(LimitsChanged(record.content, up, down, scheduled is not None))

    def _wanted(self, record: LimitRecord, direction: Direction) -> int:
        """What was asked for, whatever the schedule says now."""
        asked, configured = (
            (record.up, self._settings.limit_up) if direction == "up" else (record.down, self._settings.limit_down)
        )
        return asked if asked is not None else 0 if record.content else configured


def _changed(old: int | None, asked: int) -> int | None:
    """What stands in the record after a change."""
    if asked == LIMIT_KEPT:
        return old
    return None if asked == LIMIT_DEFAULT else asked
