"""What a report is made of, whatever it becomes."""

from __future__ import annotations

from msgspec import Struct

from experiments.tables.folder import file_of


class Table(Struct, frozen=True):
    """Rows under a head; the first column is text, the others are read as numbers."""

    head: list[str]
    rows: list[list[str]]
    source: str = ""
    """Where the numbers come from."""


class Figure(Struct, frozen=True):
    """A drawing in the folder of the result."""

    file: str
    """The SVG, relative to the folder."""
    caption: str
    source: str


class Section(Struct, frozen=True):
    """A heading and what is below it."""

    title: str
    parts: list[str | Table | Figure]
    detail: bool = False
    """For those who want to know exactly: closed on the page, and not in the text."""


class Document(Struct, frozen=True):
    """A whole report."""

    title: str
    question: str
    answer: str
    """One sentence of numbers."""
    sections: list[Section]
    foot: str
    """What made it."""


def source(function: str, *tables: str) -> str:
    """Where numbers come from: tables, and a function below experiments.metrics."""
    return f"{', '.join(map(file_of, tables))}, by experiments.metrics.{function}"
