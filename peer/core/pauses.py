"""Pauses between attempts that fail, and bans: each twice as long as the one before."""

from __future__ import annotations


def doubled(first: float, times: int, longest: float) -> float:
    """`first` seconds, doubled so many times, but `longest` at most.

    An attempt fails every half minute for as long as a tracker or a peer is away, which may be for weeks: the power of
    two must not outgrow a float, which it would at the 1,024th.
    """
    return min(first * 2.0 ** min(times, 64), longest)
