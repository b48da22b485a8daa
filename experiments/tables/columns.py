"""Rows that come one by one, kept as columns."""

from __future__ import annotations

from typing import Final

import polars as pl

from experiments.tables.schema import SCHEMA, TIMES

BLOCK: Final = 2**15
"""Rows that wait as Python objects before they become a block of columns."""


class Rows:
    """One table while it grows."""

    def __init__(self, table: str) -> None:
        self._schema = SCHEMA[table].schema
        self._waiting: list[tuple[object, ...]] = []
        self._blocks: list[pl.DataFrame] = []

    def add(self, *row: object) -> None:
        """One more, in the order of the columns; times as the clock says."""
        self._waiting.append(row)
        if len(self._waiting) == BLOCK:
            self._settle()

    def frame(self, zero: float) -> pl.DataFrame:
        """All rows, their times since `zero`, rounded to milliseconds."""
        self._settle()
        frame = pl.concat(self._blocks, rechunk=True)
        self._blocks = [frame]
        times = [name for name in frame.columns if name in TIMES]
        return frame.with_columns((pl.col(times) - zero).round(3)) if times else frame

    def _settle(self) -> None:
        self._blocks.append(pl.DataFrame(self._waiting, schema=self._schema, orient="row"))
        self._waiting = []
