"""What the parts of PeerNode share within one call of it: the time, the timers, the effects."""

from __future__ import annotations

import random

from bus.boundary import HangUp, LinkId, Publish, Send
from bus.events import Event as PublishedEvent
from bus.messages import Message
from peer.core.interface import CoreEffect
from peer.core.timers import Timers


class Turn:
    """The effects of the call that is running; `now` is its monotonic time, seconds."""

    __slots__ = ("_jobs", "effects", "now", "rng", "timers", "wall")

    def __init__(self, rng: random.Random, now: float, wall: float) -> None:
        """`wall` is the wall clock at `now`, seconds since 1970; for display only."""
        self.rng = rng
        self.now = now
        self.wall = wall - now
        self.timers = Timers()
        self.effects: list[CoreEffect] = []
        self._jobs = 0

    @property
    def wall_time(self) -> float:
        """Wall clock now, as far as the monotonic clock tells."""
        return self.wall + self.now

    def new_job(self) -> int:
        """A job number never given before."""
        self._jobs += 1
        return self._jobs

    def add(self, effect: CoreEffect) -> None:
        self.effects.append(effect)

    def send(self, link: LinkId, message: Message, payload: object = None) -> None:
        self.effects.append(Send(link, message, payload))

    def hang_up(self, link: LinkId) -> None:
        self.effects.append(HangUp(link))

    def publish(self, event: PublishedEvent) -> None:
        self.effects.append(Publish(event))

    def take_effects(self) -> list[CoreEffect]:
        effects, self.effects = self.effects, []
        return effects
