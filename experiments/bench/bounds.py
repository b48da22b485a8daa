"""The least time that any swarm could need.  Pure.

F is the content's size in bytes, u an upload rate in bytes a second, N the number of leechers, M of chunks.
Sources: the fluid bound is Kumar and Ross, "Peer-assisted file distribution: the minimum distribution time" (2006);
the chunked one Mundinger, Weber and Weiss, "Optimal scheduling of peer-to-peer file dissemination" (2008).
"""

from __future__ import annotations

from collections.abc import Sequence


def chunked_bound(size: int, rate: float, leechers: int, chunks: int) -> float:
    """Seconds until the last of N equal leechers can have all of M chunks, if everybody uploads at the same rate.

    (F / u) (1 + floor(log2 N) / M)
    """
    return size / rate * (1 + (leechers.bit_length() - 1) / chunks)


def fluid_bound(size: int, seed_rate: float, rates: Sequence[float]) -> float:
    """Seconds until the last leecher can have it all, if a byte could be passed on while it arrives.

    max(F / u_seed, N F / (u_seed + sum of u_i)); download rates are not limited.
    """
    return max(size / seed_rate, len(rates) * size / (seed_rate + sum(rates)))
