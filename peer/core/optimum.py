"""The least time that any way of sharing could need: the bound that downloads are measured against.

    T_min = max(F / u_seeds, F / d_min, N F / (u_seeds + sum of u_i))

F is the size, u an upload and d a download rate, N the number of leechers, this peer included, who
begin together.  The seeds must send every byte once, the slowest leecher must receive all of them, and
all uploads together must carry N copies.

Upload rates that are not known can make the last term anything down to nothing; then the bound is
given only if the other terms decide anyway.  A download rate that is not known leaves its term out,
which can only make the bound lower.

Source: R. Kumar, K. W. Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time" (2006),
theorem 1; with several seeds, u_seeds is the sum of their rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

RISE: Final = 1.1
"""A bound that rises by less is the same one, measured again."""


class Member(Struct, frozen=True, gc=False):
    """One peer of a swarm; rates in bytes a second, 0 while not known."""

    up: float
    down: float
    seed: bool
    """It had everything when we first heard of it."""


def minimum_seconds(size: int, members: Sequence[Member]) -> float | None:
    """The bound for `size` bytes, or None if the known rates do not give it; we are one of the members."""
    seeds = [member for member in members if member.seed]
    leechers = [member for member in members if not member.seed]
    if not seeds or not leechers or any(not seed.up for seed in seeds):
        return None
    from_seeds = sum(seed.up for seed in seeds)
    slowest = min((leecher.down for leecher in leechers if leecher.down), default=0.0)
    alone = max(size / from_seeds, size / slowest if slowest else 0.0)
    together = len(leechers) * size / (from_seeds + sum(leecher.up for leecher in leechers))
    if together > alone and any(not leecher.up for leecher in leechers):
        return None
    return max(alone, together)


class Least:
    """The least time for the bytes that a download has so far, while the rates of its swarm change.

    Every term of the bound is proportional to the size, so each byte has a least time.  A bound that rises much (a
    limit was lowered, a seed left) holds for later bytes only; one that sinks holds for earlier ones too, because
    rates are learnt as they are reached; but if our own limit changed, what came under the old one is settled.
    Bytes found on the disk after a restart count for nothing, as does the time before that was not recorded.
    """

    __slots__ = ("_limit", "_settled", "_settled_at", "optimum")

    def __init__(self, optimum: float, settled: float) -> None:
        """`optimum` is the bound for all of it in seconds, as last known, or 0; `settled` what `seconds` gave last."""
        self.optimum = optimum
        self._settled = settled
        self._settled_at = 0
        self._limit = 0

    def begin(self, done: int, size: int, new_size: int) -> None:
        """What is on the disk was looked at: the next bytes come after these `done` ones of `new_size`."""
        self._settled_at = done
        self.optimum *= new_size / size if size else 1.0

    def settle(self, done: int, size: int) -> None:
        """What the bytes so far needed at least will not change."""
        self._settled, self._settled_at = self.seconds(done, size), done

    def known(self, optimum: float, limit: int, done: int, size: int) -> None:
        """The bound is known anew; `limit` is our own download limit."""
        if self.optimum and (limit != self._limit or optimum > RISE * self.optimum):
            self.settle(done, size)
        self.optimum, self._limit = optimum, limit

    def seconds(self, done: int, size: int) -> float:
        """The least time for the bytes that came."""
        fresh = max(0, done - self._settled_at)
        return self._settled + (self.optimum * fresh / size if size else 0.0)


def share_reached(least: float, seconds: float) -> float:
    """How much of the optimum was reached: the least time for what came, over the time it took; 1 at best.

    A little more than the bound lets through (bursts, a rate that was higher than was known) counts as all of it.
    """
    return min(1.0, least / seconds) if seconds > 0 else 0.0
