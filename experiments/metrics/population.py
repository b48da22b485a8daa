"""Who is in the swarm over time and still wants something: whether it stays bounded, and whether a chunk goes missing.

Source: B. Hajek, J. Zhu, "The missing piece syndrome in peer-to-peer communication" (2010): where peers arrive faster
than the seed can hand out copies of one chunk, and leave once they have all, nearly all peers lack that one chunk, and
there are ever more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import polars as pl

LATE: Final = 0.9
"""The end of an experiment is what comes after this part of its time."""

_CAME, _WENT, _BEGAN, _HAS, _DONE = range(5)
"""What happened to a member, in the order in which things at one time count; who came and went at one time, as the
table has it."""


class Population(NamedTuple):
    """From one moment on, until the next."""

    time: float
    """Seconds since time 0."""
    online: int
    """Leechers there, those with everything included."""
    waiting: int
    """Of those, how many have begun and do not have everything."""
    lacking_one: int
    """Of those, how many lack one chunk."""


class Late(NamedTuple):
    """Means over the last tenth of the time."""

    waiting: float
    lacking_one: float | None
    """As a part of `waiting`; 0 if nobody waits, None if nobody told of progress."""


def population(leechers: pl.DataFrame, presence: pl.DataFrame, progress: pl.DataFrame, chunks: int) -> list[Population]:
    """Every change, one row for each time at which there was one.

    Args:
        leechers: rows with member, started and completed.
        presence: who came and went; the table.
        progress: of the one content; the table.
        chunks: of the content.
    """
    names = leechers["member"].implode()
    there = presence.filter(pl.col("member").is_in(names))
    moved = progress.filter(pl.col("member").is_in(names))
    changes = [(time, _CAME if online else _WENT, member, 0) for time, member, online in there.iter_rows()]
    for member, started, completed in leechers.select("member", "started", "completed").iter_rows():
        changes += [
            (time, what, member, 0) for time, what in ((started, _BEGAN), (completed, _DONE)) if time is not None
        ]
    held = moved.select("time", "member", "chunks")
    changes += [(time, _HAS, member, chunks_held) for time, member, chunks_held in held.iter_rows()]
    changes.sort(key=lambda change: (change[0], max(change[1], _WENT)))
    return _followed(changes, chunks)


def late(rows: Sequence[Population]) -> Late:
    """How it stood at the end; at least one row."""
    begin, end = LATE * rows[-1].time, rows[-1].time
    lasted = [min(after.time, end) - max(row.time, begin) for row, after in pairwise(rows)]
    late_rows = [(seconds, row) for seconds, row in zip(lasted, rows, strict=False) if seconds > 0]
    waited = sum(seconds * row.waiting for seconds, row in late_rows)
    lacked = sum(seconds * row.lacking_one for seconds, row in late_rows)
    return Late(round(waited / (end - begin), 3) if late_rows else 0.0, round(lacked / waited, 4) if waited else 0.0)


def _followed(changes: list[tuple[float, int, str, int]], chunks: int) -> list[Population]:
    online: dict[str, bool] = {}
    held: dict[str, int] = {}
    """Of those who have begun and do not have everything."""
    counts = [0, 0, 0]  # as in a Population
    rows: list[Population] = []
    for time, what, member, number in changes:
        counts = [count - part for count, part in zip(counts, _parts(member, online, held, chunks), strict=True)]
        if what == _CAME:
            online[member] = True
        elif what == _WENT:
            online.pop(member, None)
        elif what == _BEGAN:
            held.setdefault(member, 0)
        elif what == _DONE:
            held.pop(member, None)
        elif member in held:
            held[member] = number
        counts = [count + part for count, part in zip(counts, _parts(member, online, held, chunks), strict=True)]
        row = Population(time, *counts)
        if rows and rows[-1].time == time:
            rows[-1] = row
        else:
            rows.append(row)
    return rows


def _parts(member: str, online: dict[str, bool], held: dict[str, int], chunks: int) -> tuple[int, int, int]:
    """What a member counts for in each column."""
    if member not in online:
        return 0, 0, 0
    return 1, int(member in held), int(held.get(member) == chunks - 1)
