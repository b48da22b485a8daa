"""How near two runs of one scenario are to each other: the figures by which the simulator is judged.  Pure.

Source of the limits: the project's own goal for the simulator, at 20 peers.
"""

from __future__ import annotations

from statistics import median
from typing import Final

import polars as pl
from msgspec import Struct

from experiments.metrics.measure import leechers_of
from experiments.statistics import spearman
from experiments.tables.making import Tables

MEDIAN_LIMIT: Final = 0.10
ORDER_LIMIT: Final = 0.80
BYTES_LIMIT: Final = 0.15


class Peer(Struct, frozen=True):
    """One leecher in both runs."""

    name: str
    real: float
    """Seconds from its own start to its completion."""
    simulated: float


class Agreement(Struct, frozen=True):
    """Of one run with real peers and one with simulated ones."""

    median_real: float
    """Seconds from a leecher's own start to its completion."""
    median_simulated: float
    median_error: float
    """The second over the first, less 1."""
    order: float
    """Spearman's correlation of the order in which the leechers finished: 1 is the same, 0 unrelated, -1 reversed."""
    bytes_error: float
    """By how much the bytes that each group of peers gave differ, over all bytes: 0 is the same, 2 wholly others.
    Which of several equal peers gives is chance, in reality too."""
    peer_bytes_error: float
    """Likewise of each single peer; no limit is set to it."""
    peers: list[Peer]
    """By name."""

    @property
    def missed(self) -> list[str]:
        """The limits that are not kept, in words."""
        found = [
            (abs(self.median_error) <= MEDIAN_LIMIT, f"median {self.median_error:+.1%}, limit {MEDIAN_LIMIT:.0%}"),
            (self.order >= ORDER_LIMIT, f"order {self.order:.2f}, limit {ORDER_LIMIT:.2f}"),
            (self.bytes_error <= BYTES_LIMIT, f"bytes by source {self.bytes_error:.1%}, limit {BYTES_LIMIT:.0%}"),
        ]
        return [words for kept, words in found if not kept]


def agreement(real: Tables, simulated: Tables) -> Agreement:
    """Hold the tables of two runs with the same members against each other.

    Raises:
        ValueError: a leecher did not finish in one of them.
    """
    a, b = _finished(real), _finished(simulated)
    if a["member"].to_list() != b["member"].to_list():
        raise ValueError("the runs differ in who finished")
    seconds = [(rows["completed"] - rows["started"]).to_list() for rows in (a, b)]
    middle, other = (median(values) for values in seconds)
    return Agreement(
        median_real=round(middle, 3),
        median_simulated=round(other, 3),
        median_error=round(other / middle - 1, 4),
        order=round(spearman(a["completed"].to_list(), b["completed"].to_list()), 4),
        bytes_error=_bytes_error(real, simulated, "group"),
        peer_bytes_error=_bytes_error(real, simulated, "giver"),
        peers=[Peer(*row) for row in zip(a["member"], *seconds, strict=True)],
    )


def _finished(tables: Tables) -> pl.DataFrame:
    return leechers_of(tables).filter(pl.col("completed").is_not_null())


def _bytes_error(real: Tables, simulated: Tables, column: str) -> float:
    given = [_given(tables, column) for tables in (real, simulated)]
    names = sorted(given[0].keys() | given[1].keys())
    differ = sum(abs(given[0].get(name, 0) - given[1].get(name, 0)) for name in names)
    return round(differ / sum(given[0].values()), 4)


def _given(tables: Tables, column: str) -> dict[str, int]:
    """Verified bytes of the first content by `giver` or by the givers' `group`."""
    named = tables.sources.filter(pl.col("content") == 0).join(tables.members, left_on="giver", right_on="member")
    return dict(named.group_by(column).agg(pl.col("bytes").sum()).iter_rows())
