"""The least time in which any swarm of these peers could have distributed the content."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from experiments.cast import Member


def fluid_bound(size: int, members: Sequence[Member], finished: Sequence[Member]) -> float | None:
    """Seconds until `finished` members can have the content, if a byte could be passed on while it arrives.

        max(F / u_seeds, F / d_min, N F / (u_seeds + sum of u_i), max of (arrival_i + F / d_i))

    F is the size in bytes, u an upload and d a download rate in bytes a second, N the number of `finished`.  All
    `members` may help.  An unlimited rate leaves its term out; None if no term is left or nobody finished.
    The last term is for those who come late.

    Source: R. Kumar, K. W. Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time" (2006), theorem 1.
    """
    terms = []
    seeds = [member.up for member in members if member.complete]
    if seeds and all(seeds):
        terms.append(size / sum(seeds))
        if all(member.up for member in members):
            terms.append(len(finished) * size / sum(member.up for member in members))
    terms += [member.arrives + size / member.down for member in finished if member.down]
    return round(max(terms), 3) if terms and finished else None


def chunked_bound(size: int, chunks: int, members: Sequence[Member], finished: Sequence[Member]) -> float | None:
    """As the fluid bound, but a chunk comes whole from one peer before it is passed on.

        max(fluid, F / u_seeds + r F / (M u_max)),  r = ceil(log2((N + S) / (S + 1)))

    S seeds need F / u_seeds until each of the M chunks has left them once.  The last one then has at most S + 1
    holders; in the time that the fastest peer needs for a chunk every leecher that holds it can at most make one more,
    and so can every seed.  For one seed and equal rates it is (F / u) (1 + floor(log2 N) / M), which is exact.

    Source: J. Mundinger, R. Weber, G. Weiss, "Optimal scheduling of peer-to-peer file dissemination" (2008), theorem 2.
    """
    fluid = fluid_bound(size, members, finished)
    seeds = [member.up for member in members if member.complete]
    if fluid is None or not chunks or not seeds or not all(member.up for member in members):
        return fluid
    rounds = max(0, ceil(log2((len(finished) + len(seeds)) / (len(seeds) + 1))))
    fastest = max(member.up for member in members)
    return max(fluid, round(size / sum(seeds) + rounds * size / chunks / fastest, 3))
