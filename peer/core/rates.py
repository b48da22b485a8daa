"""Measuring and limiting rates: an exponentially weighted meter and a token bucket."""

from __future__ import annotations

from math import exp

METER_SECONDS = 2.0
"""Time constant of rate meters: short enough to see a stall, long enough to be readable."""


class Meter:
    """Bytes a second over about the last two seconds, right from the first sample on."""

    __slots__ = ("_last", "_since", "_sum", "total")

    def __init__(self, now: float) -> None:
        self._since = now
        self._last = now
        self._sum = 0.0
        self.total = 0

    def add(self, size: int, now: float) -> None:
        """Count `size` bytes."""
        if now > self._last:
            self._sum *= exp((self._last - now) / METER_SECONDS)
            self._last = now
        self._sum += size
        self.total += size

    def rate(self, now: float) -> float:
        """Bytes a second now."""
        if not self.total:
            return 0.0
        if now > self._last:
            self._sum *= exp((self._last - now) / METER_SECONDS)
            self._last = now
        weight = METER_SECONDS * (1.0 - exp((self._since - now) / METER_SECONDS))
        # In the first 50 ms a single message would look like a burst of gigabytes a second.
        return self._sum / (weight if weight > 0.05 else 0.05)


class TokenBucket:
    """A rate limit: bytes may go while the bucket is not in debt.

    A message may overdraw it once; the next waits until the debt is paid, so the long-run
    rate is exact whatever the message sizes.
    """

    __slots__ = ("_at", "_burst", "_tokens", "rate")

    BURST_SECONDS = 0.3
    """What an idle bucket saves up at most: a loop that comes late by less loses nothing of the rate.

    With the message that overdraws it, it stays within 4% of 10 s; so under 160 KiB/s it saves up less."""
    LEAST_SECONDS = 0.1

    def __init__(self, rate: int, now: float) -> None:
        """`rate` in bytes a second; 0 is no limit."""
        self.rate = rate
        saved = 0.4 - 16 * 1024 / rate if rate else 0.0
        self._burst = rate * max(self.LEAST_SECONDS, min(saved, self.BURST_SECONDS))
        self._tokens = 0.0
        self._at = now

    def ready(self, now: float) -> bool:
        """Whether a message may go now."""
        return self.rate == 0 or self._level(now) >= 0

    def ready_at(self, now: float) -> float:
        """When the next message may go."""
        if self.ready(now):
            return now
        # One microsecond more, so that rounding never finds the bucket a hair below zero.
        return now - self._tokens / self.rate + 1e-6

    def take(self, size: int, now: float) -> None:
        """Charge `size` bytes."""
        if self.rate:
            self._level(now)
            self._tokens -= size

    def _level(self, now: float) -> float:
        gained = (now - self._at) * self.rate
        self._at = max(now, self._at)
        self._tokens = min(self._tokens + max(gained, 0.0), self._burst)
        return self._tokens
