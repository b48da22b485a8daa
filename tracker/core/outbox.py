"""What the tracker decided in one turn: effects in their order, and the time they were decided at."""

from __future__ import annotations

from typing import Final

from bus.boundary import Send
from bus.errors import ShoalError
from bus.messages import Message, TrackerFailed
from tracker.core.interface import TrackerEffect
from tracker.core.links import Link

MAX_TEXT: Final = 512
"""Characters of a TrackerFailed's message."""


class Outbox:
    """Collects effects until the shell takes them."""

    __slots__ = ("_effects", "now", "refusals")

    def __init__(self) -> None:
        self._effects: list[TrackerEffect] = []
        self.now = 0.0
        self.refusals = 0

    def add(self, effect: TrackerEffect) -> None:
        self._effects.append(effect)

    def send(self, link: Link, message: Message) -> None:
        """Send, and remember that the link was not idle."""
        link.sent = self.now
        self._effects.append(Send(link.id, message))

    def fail(self, link: Link, request: Message, error: ShoalError) -> None:
        """Answer a request that cannot be served; 0 is the request of messages that carry none."""
        self.refusals += 1
        self.send(link, TrackerFailed(getattr(request, "request", 0), error.code, error.message[:MAX_TEXT]))

    def take(self) -> list[TrackerEffect]:
        effects, self._effects = self._effects, []
        return effects
