"""Who gets an upload slot, and who gives one up.

All but one of the slots go by rank; the last is the optimistic one, which goes to anybody in turn, so that
who has nothing to show yet gets a chance to show it.  FirstCome does without all of that.

Source: choking and optimistic unchoking, Cohen 2003; a busy slot lasts 10 s, the optimistic one 30 s, as there.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from bus.boundary import LinkId
from peer.core.footing import Footing


class Standing(Struct, frozen=True, gc=False):
    """What a choker knows of a peer."""

    score: float
    """Reputation, 0 to 1."""
    gives: float
    """Bytes a second that it sends us now; 0 for a choker that does not ask."""
    footing: Footing = Footing.NEWCOMER


class Slot(Struct, frozen=True, gc=False):
    """One granted stream, as the choker sees it."""

    link: LinkId
    peer: Standing
    granted_at: float
    last_useful: float
    """When it last had a want or moved a byte."""
    optimistic: bool


class Waiting(Struct, frozen=True, gc=False):
    """One stream that asks for a slot."""

    link: LinkId
    peer: Standing
    since: float


IDLE_SECONDS: Final = 2.0
"""A slot without wants for so long goes to whoever waits."""
TURN_SECONDS: Final = 10.0
"""A busy slot lasts at least so long while others wait."""
OPTIMISTIC_SECONDS: Final = 30.0
"""The optimistic one lasts so long: time enough to begin to give something back."""
KNOWN_BONUS: Final = 0.05
"""Of rank, which goes in steps of 0.1: of equals, who gave us something goes first."""


class UploadChoker(ABC):
    """Decides over the slots each time one is asked for, freed, or the rotation is due."""

    by_score = True
    """Whether a peer whose score is too low is refused; a ban refuses always."""
    by_rate = False
    """Whether it asks what a peer gives."""

    @abstractmethod
    def rank(self, peer: Standing) -> float:
        """Who ranks higher goes first; equal ranks take turns."""

    def next_in(self, waiting: Sequence[Waiting], optimistic: bool, rng: random.Random) -> LinkId:
        """Which of the waiting streams (at least one) gets a free slot, the optimistic one or another."""
        if optimistic:
            return rng.choice(waiting).link
        return min(waiting, key=lambda w: (-self.rank(w.peer), w.since)).link

    def next_out(self, slots: Sequence[Slot], waiting: Iterable[Waiting], now: float) -> LinkId | None:
        """Which stream must give its slot to one that waits (at least one does); None: nobody yet.

        Who waits is looked at only if somebody's turn may be over.
        """
        idle = [slot for slot in slots if now - slot.last_useful >= IDLE_SECONDS]
        if idle:
            return min(idle, key=lambda slot: slot.last_useful).link
        old = [slot for slot in slots if now - slot.granted_at >= self._turn_of(slot)]
        if not old:
            return None
        best = max(self.rank(w.peer) for w in waiting)
        due = [slot for slot in old if self._is_due(slot, best, now)]
        return min(due, key=lambda slot: (self.rank(slot.peer), slot.granted_at)).link if due else None

    def _turn_of(self, slot: Slot) -> float:
        """Seconds for which a slot is safe."""
        if slot.optimistic:
            return OPTIMISTIC_SECONDS
        return 0.0 if slot.peer.footing is Footing.FREE_RIDER else TURN_SECONDS

    def _is_due(self, slot: Slot, best: float, now: float) -> bool:
        """Whether a slot goes to who ranks `best` of those that wait; its turn, if that is no free rider's, is over."""
        if slot.optimistic:
            return True
        rank = self.rank(slot.peer)
        return rank < best or (rank == best and now - slot.granted_at >= TURN_SECONDS)


class RoundRobin(UploadChoker):
    """Everyone a turn, whoever they are."""

    def rank(self, peer: Standing) -> float:
        return 0.0


class ByReputation(UploadChoker):
    """The best scores first, of equals those who gave us something, free riders last.

    The optimistic slot is for newcomers: who begins to give, or could and does not, leaves it after a usual turn.
    """

    def rank(self, peer: Standing) -> float:
        # Scores within 0.1 of each other are alike, so that a long wait is not beaten by a hair.
        known = KNOWN_BONUS * (peer.footing is Footing.KNOWN)
        return round(peer.score, 1) + known - (peer.footing is Footing.FREE_RIDER)

    def next_in(self, waiting: Sequence[Waiting], optimistic: bool, rng: random.Random) -> LinkId:
        newcomers = [w for w in waiting if w.peer.footing is Footing.NEWCOMER] if optimistic else []
        return super().next_in(newcomers or waiting, optimistic, rng)

    def _turn_of(self, slot: Slot) -> float:
        if slot.optimistic and slot.peer.footing is not Footing.NEWCOMER:
            return TURN_SECONDS
        return super()._turn_of(slot)


class Reciprocity(UploadChoker):
    """Tit for tat: who sends us most now goes first, in steps of two so that noise does not decide."""

    by_rate = True

    def rank(self, peer: Standing) -> float:
        return float(int(peer.gives).bit_length())


class FirstCome(UploadChoker):
    """No choking: who asks first keeps its slot until it ends its stream, whatever its score; no optimistic slot."""

    by_score = False

    def rank(self, peer: Standing) -> float:
        return 0.0

    def next_in(self, waiting: Sequence[Waiting], optimistic: bool, rng: random.Random) -> LinkId:
        return super().next_in(waiting, False, rng)

    def next_out(self, slots: Sequence[Slot], waiting: Iterable[Waiting], now: float) -> LinkId | None:
        return None


CHOKERS: Final[dict[str, type[UploadChoker]]] = {
    "reputation": ByReputation,
    "reciprocity": Reciprocity,
    "round-robin": RoundRobin,
    "none": FirstCome,
}
