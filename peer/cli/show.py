"""How results are printed: JSON for programs, aligned text for people and pipes.

Names come from other people's machines: what a terminal would obey, or could mislead with, is replaced.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import click
import msgspec

SHORT_ID: Final = 16
"""Hex digits of an id in a table on a terminal; commands take 8 or more."""
PADDED: Final = 40
"""Characters to which an elastic column is padded in a pipe, at most."""
SHORTEST: Final = 8
"""Characters that an elastic column keeps on the narrowest terminal."""
REPLACEMENT: Final = "\ufffd"


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    elastic: bool = False
    """Cut where a terminal is too narrow; elsewhere a long cell moves only the rest of its own row."""


def plain(text: str) -> str:
    """The text with everything replaced that is not a printable character (escape sequences, newlines, bidi signs)."""
    return "".join(character if character.isprintable() else REPLACEMENT for character in text)


def short(identity: str) -> str:
    """An id as a table shows it: whole for a pipe, its first digits on a terminal."""
    return identity[:SHORT_ID] if sys.stdout.isatty() else identity


def print_json(data: object) -> None:
    """One JSON value on one line."""
    click.echo(msgspec.json.encode(data).decode())


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """A table: its elastic columns fitted to a terminal, or every cell whole; below each row its note, if any."""
    fitted = sys.stdout.isatty()
    length = _cells_on_a_terminal() if fitted else len
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(length, cells)) for cells in zip([one.title for one in columns], *rows, strict=True)]
    if fitted:
        _fit(columns, widths)
    else:
        widths = [min(width, PADDED) if one.elastic else width for one, width in zip(columns, widths, strict=True)]
    for number, row in enumerate([[one.title for one in columns], *rows]):
        cells = [
            _cell(_cut(cell, width) if fitted else cell, width, one.right, length)
            for cell, width, one in zip(row, widths, columns, strict=True)
        ]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if fitted and number == 0 else line)
        if number and notes and notes[number - 1]:
            click.echo(f"  {plain(notes[number - 1])}")


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """One `name  value` line each."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name:<{width}}  {plain(value)}".rstrip())


def stderr_is_terminal() -> bool:
    """Whether somebody would see a progress bar."""
    return sys.stderr.isatty()


def _cell(text: str, width: int, right: bool, length: Callable[[str], int]) -> str:
    filling = " " * (width - length(text))
    return filling + text if right else text + filling


def _cells_on_a_terminal() -> Callable[[str], int]:
    from rich.cells import cell_len

    return cell_len


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}\u2026"


def _fit(columns: Sequence[Column], widths: list[int]) -> None:
    """Shorten the elastic columns, the widest first, until a row fits; the others are never cut."""
    over = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    elastic = [number for number, one in enumerate(columns) if one.elastic]
    for number in sorted(elastic, key=lambda number: -widths[number]):
        less = max(0, min(over, widths[number] - max(SHORTEST, len(columns[number].title))))
        widths[number] -= less
        over -= less
