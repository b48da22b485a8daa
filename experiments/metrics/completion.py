"""Who finished, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from msgspec import Struct

from experiments.statistics import Interval, median_interval, quantile


class Spread(Struct, frozen=True):
    """Of some values: the ends, the tenths from both ends, the middle with its 95% interval."""

    lowest: float
    p10: float
    median: Interval
    p90: float
    highest: float


class Completion(Struct, frozen=True):
    """How a part of the leechers fared."""

    part: str
    """`all`, `group NAME` or `behaviour NAME`."""
    members: int
    finished: int
    seconds: Spread | None
    """From a member's own start to its completion; of those who finished, None if nobody did."""


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of some values, None of none; quantiles by definition 7, the median's interval by bootstrap."""
    if not values:
        return None
    low, high = (round(quantile(values, share), 4) for share in (0.1, 0.9))
    return Spread(min(values), low, median_interval(values).rounded(4), high, max(values))


def durations(leechers: pl.DataFrame) -> list[float]:
    """Seconds from each member's own start to its completion, of those who finished; in the order of the rows.

    Args:
        leechers: rows with started and completed.
    """
    done = leechers.filter(pl.col("completed").is_not_null())
    return (done["completed"] - done["started"]).round(3).to_list()


def completions(leechers: pl.DataFrame) -> list[Completion]:
    """Of all leechers, of each group and of each behaviour, by name; a part that is everybody is not repeated.

    Args:
        leechers: one row each with group, behaviour, started and completed; those who never started too.
    """
    parts = [("all", leechers)]
    for column in ("group", "behaviour"):
        names = leechers[column].unique().sort().to_list()
        if len(names) > 1:
            parts += [(f"{column} {name}", leechers.filter(pl.col(column) == name)) for name in names]
    return [_completion(part, rows) for part, rows in parts]


def _completion(part: str, rows: pl.DataFrame) -> Completion:
    return Completion(part, len(rows), int(rows["completed"].is_not_null().sum()), spread(durations(rows)))
