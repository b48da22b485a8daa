"""The published state: what a process's events add up to, folded in one place.

A peer's publisher folds its own events, so a snapshot is by construction what a subscriber that
saw every event would have.  Gateway, command line and collector fold the same way.

    state     section -> key -> newest event of that row
    snapshot  the rows of the state, as events: applied to an empty state they give it back

Invariant: applying an event twice, or a snapshot taken later than some of the events that
follow it, changes nothing (events carry absolute values).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from bus.events import BY_TYPE, SECTIONS, Event

Key = tuple[str, ...]
E = TypeVar("E", bound=Event)


class PublishedState:
    """A fold of events into the newest row of each key."""

    __slots__ = ("sections",)

    def __init__(self) -> None:
        self.sections: dict[str, dict[Key, Event]] = {name: {} for name in SECTIONS}

    def apply(self, event: Event) -> bool:
        """Fold one event in; True if the state changed."""
        row = BY_TYPE[type(event)]
        if not row.section:
            return False
        section = self.sections[row.section]
        key = tuple(str(getattr(event, field)) for field in row.key)
        if row.removes:
            return section.pop(key, None) is not None
        if section.get(key) == event:
            return False
        section[key] = event
        return True

    def rows(self, sections: Iterable[str] = ()) -> Iterator[Event]:
        """The newest event of every row of these sections (empty: all), in order of first appearance."""
        for name in tuple(sections) or SECTIONS:
            yield from self.sections.get(name, {}).values()

    def of(self, kind: type[E], section: str) -> list[E]:
        """The rows of a section, which all are of this record."""
        return [row for row in self.sections[section].values() if isinstance(row, kind)]

    def copy(self) -> PublishedState:
        """An immutable-by-convention copy; events are frozen, so only the maps are copied."""
        twin = PublishedState()
        twin.sections = {name: dict(rows) for name, rows in self.sections.items()}
        return twin
