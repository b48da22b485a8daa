"""Tables in the folder of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.cast import read_cast
from experiments.tables.making import Making, Tables
from experiments.tables.recording import read_heard

TABLES: Final = "tables"


def file_of(table: str) -> str:
    """Where a table lies, relative to the folder."""
    return f"{TABLES}/{table}.parquet"


def make_tables(folder: Path) -> Tables:
    """Make the tables of a result from its cast and its events, and write them.

    Raises:
        ShoalError: ERR_UNREADABLE; ERR_FAILURE, the events tell of no download.
    """
    tables = Making(read_cast(folder)).take(read_heard(folder))
    (folder / TABLES).mkdir(exist_ok=True)
    for name, frame in tables._asdict().items():
        frame.write_parquet(folder / file_of(name), compression="zstd")
    return tables


def read_tables(folder: Path) -> Tables:
    """The tables of a result as they were written.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        return Tables(**{name: pl.read_parquet(folder / file_of(name)) for name in Tables._fields})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{folder} has no tables of an experiment: {error}") from None
