"""Who gets an upload slot, and who gives one up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from bus.boundary import LinkId


class Slot(Struct, frozen=True, gc=False):
    """One granted stream, as the choker sees it."""

    link: LinkId
    score: float
    granted_at: float
    last_useful: float
    """When it last had a want or moved a byte."""


class Waiting(Struct, frozen=True, gc=False):
    """One stream that asks for a slot."""

    link: LinkId
    score: float
    since: float


class UploadChoker(ABC):
    """Decides over the slots each time one is asked for, freed, or the rotation is due."""

    @abstractmethod
    def next_in(self, waiting: Sequence[Waiting]) -> LinkId:
        """Which of the waiting streams (at least one) gets a free slot."""

    @abstractmethod
    def next_out(self, slots: Sequence[Slot], now: float) -> LinkId | None:
        """Which stream must give its slot to one that waits; None: nobody yet."""


IDLE_SECONDS: Final = 2.0
"""A slot without wants for so long goes to whoever waits."""
TURN_SECONDS: Final = 10.0
"""A busy slot lasts at least so long while others wait (BitTorrent re-chokes every 10 s)."""


class RoundRobinChoker(UploadChoker):
    """Everyone gets a turn: the best score goes first, the longest turn ends first."""

    def next_in(self, waiting: Sequence[Waiting]) -> LinkId:
        # Scores within 0.1 of each other are alike, so that a long wait is not beaten by a hair.
        return min(waiting, key=lambda w: (-round(w.score, 1), w.since)).link

    def next_out(self, slots: Sequence[Slot], now: float) -> LinkId | None:
        idle = [slot for slot in slots if now - slot.last_useful >= IDLE_SECONDS]
        if idle:
            return min(idle, key=lambda slot: slot.last_useful).link
        served = [slot for slot in slots if now - slot.granted_at >= TURN_SECONDS]
        return min(served, key=lambda slot: slot.granted_at).link if served else None


CHOKERS: Final[dict[str, type[UploadChoker]]] = {"round-robin": RoundRobinChoker}
