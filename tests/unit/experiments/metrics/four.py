"""Four leechers, of whom three finish."""

from __future__ import annotations

import polars as pl


def leechers(*rows):
    schema = {"member": str, "group": str, "behaviour": str, "started": float, "completed": float, "bytes": int}
    return pl.DataFrame(rows, schema=schema, orient="row")


FOUR = leechers(
    ("a", "fast", "honest", 0.0, 2.0, 1000),
    ("b", "fast", "honest", 1.0, 5.0, 1000),
    ("c", "slow", "honest", 0.0, 10.0, 1000),
    ("d", "slow", "free_rider", 0.0, None, 400),
)
