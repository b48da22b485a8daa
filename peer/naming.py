"""What the files of a download are called, before and after it is finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from peer.manifest import FILE

NAMES_TRIED: Final = 10_000
"""Names tried for what is finished, the wanted one and those beside it."""
_TITLE_BYTES: Final = 200  # of the content's name in a temporary file's: leaves room for the rest within 255


def temporary_name(kind: str, name: str, content: str) -> str:
    """Name of a download's temporary file or folder."""
    if kind != FILE:
        return f".{content[:16]}.shoal"
    return f".{name.encode()[:_TITLE_BYTES].decode(errors='ignore')}.{content[:16]}.shoal"


def next_name(name: str, number: int, folder: bool) -> str:
    """`name` for the first try, then `name (2).ext` and so on, within 255 bytes."""
    if number == 1:
        return name
    stem, suffix = (name, "") if folder else os.path.splitext(name)
    tail = f" ({number}){suffix}".encode()
    return (stem.encode()[: 255 - len(tail)].decode(errors="ignore").encode() + tail).decode(errors="ignore")


def names_beside(name: str, folder: bool) -> Iterator[str]:
    """The names to try, in order."""
    return (next_name(name, number, folder) for number in range(1, NAMES_TRIED + 1))
