"""Something around a peer's core, with the same three calls: it sees all that goes in and all that comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from bus.boundary import LinkId, LinkLost, LinkUp, PeerId, Received
from bus.messages import Hello


class PeerCore(Protocol):
    """A PeerNode, or something around one."""

    def handle(self, event: Any, now: float) -> list[Any]: ...

    def next_deadline(self) -> float | None: ...

    def on_deadline(self, now: float) -> list[Any]: ...

    def start_effects(self) -> list[Any]: ...

    def stop(self, now: float) -> list[Any]: ...


class Means(Struct, frozen=True):
    """What a wrapper asks its shell for."""

    spoil: Callable[[object], object]
    """A payload -> the same with a flipped bit."""
    renew: Callable[[], object]
    """Go, and come back under a new identity; what the peer has stays."""
    go: Callable[[bool, float], object]
    """(say good-bye, seconds until it returns; 0: never): leave."""


class Part(Struct, frozen=True):
    """What one peer plays."""

    behaviour: str = "honest"
    period: float = 20.0
    partner: str = ""
    latency: float = 0.0
    """Seconds, for everything that it sends."""


class Wrapped:
    """Passes everything through; subclasses change what they are about."""

    def __init__(self, core: PeerCore, part: Part, means: Means) -> None:
        self.core = core
        self.part = part
        self.means = means
        self.peers: dict[LinkId, PeerId] = {}
        """Whom each link leads to."""
        self.names: dict[LinkId, str] = {}
        """What they call themselves."""
        self._began: float | None = None

    def age(self, now: float) -> float:
        """Seconds since it first heard anything."""
        return now - (now if self._began is None else self._began)

    def incoming(self, event: Any, now: float) -> Any:
        """The event that the core is to hear; None: nothing."""
        return event

    def outgoing(self, effect: Any, now: float) -> Any:
        """The effect that the shell is to carry out; None: nothing."""
        return effect

    def handle(self, event: Any, now: float) -> list[Any]:
        if self._began is None:
            self._began = now
        match event:
            case LinkUp():
                self.peers[event.link] = event.peer
            case Received(message=Hello(name=name)):
                self.names[event.link] = name
            case LinkLost():
                self.peers.pop(event.link, None)
                self.names.pop(event.link, None)
        heard = self.incoming(event, now)
        return [] if heard is None else self.passed(self.core.handle(heard, now), now)

    def next_deadline(self) -> float | None:
        return self.core.next_deadline()

    def on_deadline(self, now: float) -> list[Any]:
        return self.passed(self.core.on_deadline(now), now)

    def start_effects(self) -> list[Any]:
        return self.passed(self.core.start_effects(), 0.0)

    def stop(self, now: float) -> list[Any]:
        return self.passed(self.core.stop(now), now)

    def passed(self, effects: list[Any], now: float) -> list[Any]:
        """What becomes of effects."""
        changed = [self.outgoing(effect, now) for effect in effects]
        return [effect for effect in changed if effect is not None]
