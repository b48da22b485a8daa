"""Token buckets by key, as one number each.

A bucket is kept as the time at which it will be full again (the "theoretical arrival time"
of the generic cell rate algorithm, ITU-T I.371), so a full bucket and no bucket are the same
thing and full ones are forgotten: memory follows the keys of the last seconds only.
"""

from __future__ import annotations

from bus.boundary import PeerId
from bus.errors import ERR_RATE, ShoalError
from tracker.core.addresses import Place
from tracker.core.interface import Limits


class TokenBuckets:
    """One bucket for each key: `burst` tokens at most, `rate` new ones a second."""

    __slots__ = ("_full_at", "_span", "_step", "_sweep_at")

    def __init__(self, rate: float, burst: int) -> None:
        self._step = 1.0 / rate
        self._span = burst / rate
        self._full_at: dict[str, float] = {}
        self._sweep_at = 1024

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> bool:
        """Take one token; False, and nothing taken, if there is none."""
        full_at = max(self._full_at.get(key, now), now) + self._step
        # The slack is for sums of floats; it is worth a millionth of a token.
        if full_at - now > self._span + self._step * 1e-6:
            return False
        self._full_at[key] = full_at
        if len(self._full_at) > self._sweep_at:
            self._sweep(now)
        return True

    def _sweep(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        # Twice what is left, so that sweeping costs O(1) for each token taken.
        self._sweep_at = max(1024, 2 * len(self._full_at))


class RequestRates:
    """How often a key, and a network, may ask for what."""

    __slots__ = ("_control", "_limits", "_lookup", "_network", "_register", "_watch")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._register = TokenBuckets(limits.register_rate, limits.register_burst)
        self._network = TokenBuckets(limits.network_register_rate, limits.network_register_burst)
        self._control = TokenBuckets(limits.control_rate, limits.control_burst)
        self._lookup = TokenBuckets(limits.lookup_rate, limits.lookup_burst)
        self._watch = TokenBuckets(limits.watch_rate, limits.watch_burst)

    def check_register(self, peer: PeerId, place: Place, now: float) -> None:
        """Count a register.

        Raises:
            ShoalError: ERR_RATE, as do the other three.
        """
        if place.exempt:
            return
        if not self._register.take(peer, now):
            raise _too_often("registers of one peer", self._limits.register_rate)
        if not self._network.take(place.network, now):
            raise _too_often(f"registers from {place.network}", self._limits.network_register_rate)

    def check_control(self, peer: PeerId, place: Place, now: float) -> None:
        """Count an announce, renewal or ping."""
        if not place.exempt and not self._control.take(peer, now):
            raise _too_often("requests of one peer", self._limits.control_rate)

    def check_lookup(self, peer: PeerId, place: Place, now: float) -> None:
        """Count a query or search."""
        if not place.exempt and not self._lookup.take(peer, now):
            raise _too_often("queries and searches of one peer", self._limits.lookup_rate)

    def check_watch(self, peer: PeerId, place: Place, now: float) -> None:
        """Count a watch or unwatch."""
        if not place.exempt and not self._watch.take(peer, now):
            raise _too_often("watches of one peer", self._limits.watch_rate)


def _too_often(what: str, rate: float) -> ShoalError:
    return ShoalError(ERR_RATE, f"too many {what}: this tracker takes {rate:g} a second; wait a second and try again")
