"""Peers that do not play by the rules, each as a change of what goes into an honest core and what comes out.

Sources: large view: M. Sirivianos et al., "Free-riding in BitTorrent Networks with the Large View Exploit" (2007).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from msgspec.structs import replace

from bus.boundary import LinkId, LinkLost, Received, Send
from bus.messages import Closed, Data, Have, Open, Refused
from experiments.behaviours.wrapping import Means, Part, PeerCore, Wrapped
from peer.core.bitmap import to_have
from peer.core.node import PeerNode

TRICKLE: Final = 5.0
"""Seconds between two data messages of a trickler."""
IDENTITY_LIFE: Final = 5.0
"""Seconds for which a whitewasher keeps an identity at least."""


class FreeRider(Wrapped):
    """Never grants an upload slot: whoever asks for one waits for ever."""

    def incoming(self, event: Any, now: float) -> Any:
        return None if isinstance(event, Received) and isinstance(event.message, Open) else event


class Corrupter(Wrapped):
    """Flips a bit in all chunks that it sends; manifests are right, so that the chunks are asked for."""

    def outgoing(self, effect: Any, now: float) -> Any:
        if is_chunks(effect) and self.cheats(effect, now):
            return replace(effect, payload=self.means.spoil(effect.payload))
        return effect

    def cheats(self, effect: Send, now: float) -> bool:
        """Whether to flip it in this message."""
        return True


class Oscillator(Corrupter):
    """Good for a period, bad for a period."""

    def cheats(self, effect: Send, now: float) -> bool:
        return int(self.age(now) / self.part.period) % 2 == 1


class Sybil(Corrupter):
    """Honest to its partner, which is the same host under another identity; corrupts what it sends to all others."""

    def cheats(self, effect: Send, now: float) -> bool:
        return self.names.get(effect.link) != self.part.partner


class Whitewasher(Corrupter):
    """A corrupter that takes a new identity once somebody refuses it, but keeps each for some seconds."""

    def __init__(self, core: PeerCore, part: Part, means: Means) -> None:
        super().__init__(core, part, means)
        self._renew_at: float | None = None
        self._going = False

    def incoming(self, event: Any, now: float) -> Any:
        refused = isinstance(event, Received) and isinstance(event.message, Closed)
        if refused and event.message.reason == "reputation" and self._renew_at is None:
            self._renew_at = now + max(0.0, IDENTITY_LIFE - self.age(now))
        return event

    def next_deadline(self) -> float | None:
        due = super().next_deadline()
        if self._renew_at is None or self._going:
            return due
        return self._renew_at if due is None else min(due, self._renew_at)

    def on_deadline(self, now: float) -> list[Any]:
        if self._renew_at is not None and now >= self._renew_at and not self._going:
            self._going = True
            self.means.renew()
        return super().on_deadline(now)


class Staller(Wrapped):
    """Opens streams, and then sends not one byte of what is asked for."""

    def outgoing(self, effect: Any, now: float) -> Any:
        silent = isinstance(effect, Send) and isinstance(effect.message, Data | Refused)
        return None if silent else effect


class Trickler(Wrapped):
    """Opens streams, and then sends one data message every few seconds on each: too little to be of use, and too much
    to be late."""

    def __init__(self, core: PeerCore, part: Part, means: Means) -> None:
        super().__init__(core, part, means)
        self._kept: dict[LinkId, deque[Send]] = {}
        self._next = 0.0

    def incoming(self, event: Any, now: float) -> Any:
        if isinstance(event, LinkLost) or (isinstance(event, Received) and isinstance(event.message, Closed)):
            self._kept.pop(event.link, None)
        return event

    def outgoing(self, effect: Any, now: float) -> Any:
        if not isinstance(effect, Send):
            return effect
        if isinstance(effect.message, Closed):
            self._kept.pop(effect.link, None)
        if not isinstance(effect.message, Data):
            return effect
        if not self._kept:
            self._next = now + TRICKLE
        self._kept.setdefault(effect.link, deque()).append(effect)
        return None

    def next_deadline(self) -> float | None:
        due = super().next_deadline()
        if not self._kept:
            return due
        return self._next if due is None else min(due, self._next)

    def on_deadline(self, now: float) -> list[Any]:
        effects = super().on_deadline(now)
        if self._kept and now >= self._next:
            self._next = now + TRICKLE
            effects += [kept.popleft() for kept in self._kept.values()]
            self._kept = {link: kept for link, kept in self._kept.items() if kept}
        return effects


class Liar(Wrapped):
    """Its have-map claims every chunk; what it lacks it refuses when it is asked for it."""

    def outgoing(self, effect: Any, now: float) -> Any:
        if not isinstance(effect, Send) or not isinstance(effect.message, Have):
            return effect
        chunks = self._all_chunks(effect.message.content)
        if not chunks:
            return effect
        return replace(effect, message=Have(effect.message.content, 0, to_have(chunks, 0), True))

    def _all_chunks(self, content: str) -> int:
        if not isinstance(self.core, PeerNode):
            return 0
        offer = self.core.shelf.offers.get(content)
        return offer.layout.all_chunks if offer and offer.layout else 0


def is_chunks(effect: Any) -> bool:
    """Whether an effect sends bytes of chunks (and not of a manifest)."""
    return isinstance(effect, Send) and isinstance(effect.message, Data) and not effect.message.size
