"""The tables of the documents in markdown."""

from __future__ import annotations

from collections.abc import Iterator


def table(*headings: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A markdown table."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
