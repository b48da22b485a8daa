"""Bytes: useful, wasted, and by whom they were given.

Bytes between members are those that the receiver verified.
"""

from __future__ import annotations

import polars as pl
from msgspec import Struct

MOST_NAMES = 40
"""Members that a matrix shows one by one; above, it shows groups."""


class Matrix(Struct, frozen=True):
    """Who gave how much to whom."""

    peers: list[str]
    """The seeds first, then the leechers by name; or groups, likewise."""
    bytes: list[list[int]]
    """`bytes[i][j]`: from i to j."""
    groups: bool = False
    """The rows are groups."""


def goodput(finished: pl.DataFrame) -> float:
    """Verified bytes a second of all who finished together, from time 0 to the last completion; 0 if nobody did.

    Args:
        finished: their transfers, with bytes and completed.
    """
    return rate(int(finished["bytes"].sum()), float(finished["completed"].max() or 0.0))  # type: ignore[arg-type]


def rate(size: int, seconds: float) -> float:
    """Bytes a second; 0 if it took no time."""
    return round(size / seconds, 1) if seconds > 0 else 0.0


def seed_bytes(sources: pl.DataFrame, seeds: list[str]) -> int:
    """Verified bytes that came from the seeds.

    Args:
        sources: of one content.
        seeds: names.
    """
    return int(sources.filter(pl.col("giver").is_in(seeds))["bytes"].sum())


def seed_load(sources: pl.DataFrame, seeds: list[str], size: int) -> float:
    """Verified bytes that came from the seeds, over the size of the content.

    1 is the least: every byte leaves the seeds once.  The number of leechers is what a server without peers would have.
    """
    return round(seed_bytes(sources, seeds) / size, 4) if size else 0.0


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def matrix(members: pl.DataFrame, sources: pl.DataFrame) -> Matrix:
    """Verified bytes from each to each: of members while they are few, else of groups.

    Args:
        members: all of them.
        sources: of one content.
    """
    groups = len(members) > MOST_NAMES
    column = "group" if groups else "member"
    # A column of seeds sorts before those of leechers.
    order = members.group_by(column).agg(pl.col("complete").all()).sort("complete", column, descending=[True, False])
    names = order[column].to_list()
    named = dict(zip(members["member"], members[column], strict=True))
    place = {name: index for index, name in enumerate(names)}
    moved = [[0] * len(names) for _ in names]
    for giver, taker, size in sources.select("giver", "taker", "bytes").iter_rows():
        if giver in named and taker in named:
            moved[place[named[giver]]][place[named[taker]]] += size
    return Matrix(names, moved, groups)
