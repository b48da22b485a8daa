"""What an experiment does to a peer from outside, around its behaviour: latency, and orders that come by its control
socket (`Instruct`, experiments/behaviours/orders.py).

    delay, latency   whatever leaves waits its time, in order
    partition        what comes and goes between the two sides waits until it is mended, as in a real network, where
                     TCP sends it again; a dial across fails after 2 s
    pause            everything waits, time too
    corrupt          a bit is flipped in every chunk that leaves
    leave, kill      the shell ends the peer, and brings it back when it is time
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from bus.boundary import Dial, DialFailed, HangUp, LinkId, LinkLost, LinkUp, PeerId, Send
from bus.errors import ERR_USAGE
from bus.messages import ControlFailed, Done, Instruct
from experiments.behaviours.cheats import is_chunks
from experiments.behaviours.orders import Order, read_order
from experiments.behaviours.wrapping import Means, Part, PeerCore
from peer.core.interface import Command, Reply

DIAL_SECONDS: Final = 2.0
"""After which a dial into nowhere fails."""
LONGEST_TURN: Final = 1.0
"""Seconds that a pause counts for the core: as a suspended process sees it (bus/reactor.py)."""


class Chaos:
    """Around a core, or around a behaviour around one."""

    def __init__(self, core: PeerCore, part: Part, means: Means) -> None:
        self.core = core
        self._means = means
        self._latency = part.latency
        self._peers: dict[LinkId, PeerId] = {}
        self._late: deque[tuple[float, Any]] = deque()
        """(when, effect) of what leaves late."""
        self._due: list[tuple[float, int, Callable[[float], list[Any]]]] = []
        """Heap of what is to be done when."""
        self._order = 0
        self._extra = 0.0
        self._corrupt = False
        self._gone = False
        self._paused: float | None = None
        """Since when."""
        self._lag = 0.0
        """By how much pauses put the core's clock back."""
        self._side: frozenset[PeerId] | None = None
        """While there is a partition: who is on this side of it."""
        self._held_in: list[Any] = []
        self._held_out: list[Any] = []
        self._dead: dict[LinkId, bool] = {}
        """Links that the core gave up during a partition."""

    # -- the calls of a core --

    def handle(self, event: Any, now: float) -> list[Any]:
        if isinstance(event, Command) and isinstance(event.message, Instruct):
            return self._obey(event, now)
        if self._gone:
            return []
        if self._paused is not None:
            self._held_in.append(event)
            return []
        return self._leaving(self._heard(event, now), now)

    def next_deadline(self) -> float | None:
        if self._gone:
            return None
        times = [self._due[0][0]] if self._due else []
        if self._paused is None:
            if self._late:
                times.append(self._late[0][0])
            core = self.core.next_deadline()
            if core is not None:
                times.append(core + self._lag)
        return min(times, default=None)

    def on_deadline(self, now: float) -> list[Any]:
        if self._gone:
            return []
        effects: list[Any] = []
        while self._due and self._due[0][0] <= now:
            effects += heappop(self._due)[2](now)
        if self._paused is not None:
            return effects
        core = self.core.next_deadline()
        if core is not None and core + self._lag <= now:
            # The lag, added and taken off, must not leave the core a hair before its deadline.
            effects += self._leaving(self.core.on_deadline(max(core, now - self._lag)), now)
        while self._late and self._late[0][0] <= now:
            effects.append(self._late.popleft()[1])
        return effects

    def start_effects(self) -> list[Any]:
        return self.core.start_effects()

    def stop(self, now: float) -> list[Any]:
        """The last words of a peer wait for nothing."""
        self._gone = True
        late = [effect for _, effect in self._late]
        return late + self.core.stop(now - self._lag)

    # -- orders --

    def _obey(self, command: Command, now: float) -> list[Any]:
        message = command.message
        assert isinstance(message, Instruct)
        try:
            order = read_order(message.order)
        except msgspec.MsgspecError as error:
            return [Reply(command.token, ControlFailed(0, ERR_USAGE, f"the order is none: {error}"))]
        return [Reply(command.token, Done(0)), *self._carry_out(order, now)]

    def _carry_out(self, order: Order, now: float) -> list[Any]:
        match order.do:
            case "leave" | "kill":
                self._means.go(order.do == "leave", order.lasts)
                return []
            case "corrupt":
                self._corrupt = True
            case "delay":
                self._extra = order.delay
            case "pause":
                self._paused = now
            case "partition":
                self._side = frozenset(order.side)
        if order.lasts:
            self._at(now + order.lasts, lambda then: self._mend(order, then))
        return []

    def _mend(self, order: Order, now: float) -> list[Any]:
        match order.do:
            case "corrupt":
                self._corrupt = False
            case "delay":
                self._extra = 0.0
            case "pause" if self._paused is not None:
                self._lag += max(0.0, now - self._paused - LONGEST_TURN)
                self._paused = None
                return self._release(now)
            case "partition":
                self._side = None
                held, self._held_out = self._held_out, []
                self._dead.clear()
                return held + self._release(now)
        return []

    def _release(self, now: float) -> list[Any]:
        """Let the core hear what waited."""
        events, self._held_in = self._held_in, []
        effects = []
        for event in events:
            effects += self.handle(event, now)
        return effects

    def _at(self, when: float, call: Callable[[float], list[Any]]) -> None:
        self._order += 1
        heappush(self._due, (when, self._order, call))

    # -- in and out --

    def _heard(self, event: Any, now: float) -> list[Any]:
        link = getattr(event, "link", None)
        if isinstance(event, LinkUp):
            self._peers[event.link] = event.peer
        if link is not None and self._is_far(link):
            if link not in self._dead:
                self._held_in.append(event)
            return []
        if isinstance(event, LinkLost):
            self._peers.pop(event.link, None)
        return self.core.handle(event, now - self._lag)

    def _is_far(self, link: LinkId) -> bool:
        """Whether a link leads across a partition."""
        return self._side is not None and link in self._peers and self._peers[link] not in self._side

    def _leaving(self, effects: list[Any], now: float) -> list[Any]:
        """What becomes of effects: those about links may wait."""
        if self._side is None and not self._late and not (self._latency or self._extra or self._corrupt):
            return effects
        leaving = []
        for effect in effects:
            if not isinstance(effect, Send | HangUp | Dial):
                leaving.append(effect)
            elif self._side is not None and self._across(effect, now):
                pass
            elif self._late or self._latency or self._extra:
                when = now + self._latency + self._extra
                self._late.append((max(when, self._late[-1][0] if self._late else when), self._spoiled(effect)))
            else:
                leaving.append(self._spoiled(effect))
        return leaving

    def _across(self, effect: Send | HangUp | Dial, now: float) -> bool:
        """Keep what would cross the partition; True if it would."""
        if isinstance(effect, Dial):
            if self._side is not None and effect.peer in self._side:
                return False
            failed = DialFailed(effect.channel, effect.peer, "no answer")
            self._at(now + DIAL_SECONDS, lambda then: self.handle(failed, then))
            return True
        if not self._is_far(effect.link):
            return False
        if isinstance(effect, HangUp):
            self._dead[effect.link] = True
            self._held_in = [event for event in self._held_in if getattr(event, "link", None) != effect.link]
        self._held_out.append(effect)
        return True

    def _spoiled(self, effect: Any) -> Any:
        return (
            replace(effect, payload=self._means.spoil(effect.payload))
            if self._corrupt and is_chunks(effect)
            else effect
        )
