"""How evenly something is shared out."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def jain(values: Sequence[float]) -> float | None:
    """Jain's fairness index, (sum x)^2 / (n sum x^2): 1 if all are equal, 1 / n if one has everything.

    None of nothing, or if all are 0.  Source: R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and
    discrimination for resource allocation in shared computer systems", DEC-TR-301 (1984).
    """
    squares = sum(value * value for value in values)
    return round(sum(values) ** 2 / (len(values) * squares), 4) if squares else None


def contributions(leechers: Sequence[str], sources: pl.DataFrame) -> list[int]:
    """Verified bytes that each leecher gave to others, 0 included; in the order of `leechers`."""
    given = dict(sources.group_by("giver").agg(pl.col("bytes").sum()).iter_rows())
    return [given.get(name, 0) for name in leechers]


def download_rates(finished: pl.DataFrame) -> list[float]:
    """Bytes a second of each member that finished, from its own start to its completion."""
    seconds = (finished["completed"] - finished["started"]).to_list()
    return [size / took for size, took in zip(finished["bytes"], seconds, strict=True) if took > 0]
