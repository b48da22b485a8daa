"""What every event is made of: the base record, its envelope, the register."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct


class Event(Struct, frozen=True):
    """Base of every event."""


class Envelope(Struct, frozen=True):
    """What surrounds every event on the bus."""

    epoch: int
    """63 random bits, new at each start of the publishing process."""
    seq: int
    """Counts up by one per event stream; the stream is the first word of the type."""
    time: float
    """Wall clock of the publisher, seconds since 1970; for display only."""
    source: str
    """Id of the publishing peer or tracker."""
    type: str
    data: dict[str, object]


class Declared(NamedTuple):
    """One row of the event vocabulary."""

    topic: str
    type: type[Event]
    section: str
    """Section of the published state, or empty."""
    key: tuple[str, ...]
    """Fields that name the row in its section."""
    removes: bool
    """True if the event removes the row instead of setting it."""

    @property
    def stream(self) -> str:
        return self.topic.split(".", 1)[0]


BY_TOPIC: Final[dict[str, Declared]] = {}
BY_TYPE: Final[dict[type[Event], Declared]] = {}

E = TypeVar("E", bound=type[Event])


def declare(topic: str, section: str = "", key: tuple[str, ...] = (), removes: bool = False) -> Callable[[E], E]:
    def register(cls: E) -> E:
        if topic in BY_TOPIC:
            raise ValueError(f"topic {topic} is declared twice")
        BY_TOPIC[topic] = BY_TYPE[cls] = Declared(topic, cls, section, key, removes)
        return cls

    return register
