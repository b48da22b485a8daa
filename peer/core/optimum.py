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

from msgspec import Struct


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


def share_reached(bound: float, done: int, size: int, seconds: float) -> float:
    """How much of the optimum a download reached: the bound for the `done` of its `size` bytes, over its time.

    Every term is proportional to the size.  Above 1: a rate was higher than was known, or others had a head start.
    """
    return bound * done / size / seconds if size and seconds > 0 else 0.0
