"""How results are printed: JSON for programs, aligned text for people and pipes.

Names come from other people's machines: what a terminal would obey, or could mislead with, is replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import click
import msgspec

SHORT_ID: Final = 16
"""Hex digits of an id in a table on a terminal; commands take 8 or more."""
REPLACEMENT: Final = "\ufffd"


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False


def plain(text: str) -> str:
    """The text with everything replaced that is not a printable character (escape sequences, newlines, bidi signs)."""
    return "".join(character if character.isprintable() else REPLACEMENT for character in text)


def short(identity: str) -> str:
    """An id as a table shows it: whole for a pipe, its first digits on a terminal."""
    return identity[:SHORT_ID] if sys.stdout.isatty() else identity


def print_json(data: object) -> None:
    """One JSON value on one line."""
    click.echo(msgspec.json.encode(data).decode())


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """A table: fitted to a terminal, or every cell whole and two spaces apart."""
    rows = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, rows)
        return
    widths = [max(len(cell) for cell in cells) for cells in zip([one.title for one in columns], *rows, strict=True)]
    for row in [[one.title for one in columns], *rows]:
        cells = [
            cell.rjust(width) if one.right else cell.ljust(width)
            for cell, width, one in zip(row, widths, columns, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """One `name  value` line each."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name:<{width}}  {plain(value)}".rstrip())


def stderr_is_terminal() -> bool:
    """Whether somebody would see a progress bar."""
    return sys.stderr.isatty()


def _print_rich(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
