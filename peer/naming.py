"""What the files of a download are called, before and after it is finished."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from peer.manifest import FILE

NAMES_TRIED: Final = 10_000
"""Names tried for what is finished, the wanted one and those beside it."""
_LONGEST: Final = 216  # bytes of the content's name and digits in a temporary file's: within 255 with all else


def temporary_name(kind: str, name: str, content: str, digits: int = 16) -> str:
    """Name of a download's temporary file or folder; `digits`: how many of its id's tell it from others."""
    if kind != FILE:
        return f".{content[:digits]}.shoal"
    title = name.encode()[: _LONGEST - digits].decode(errors="ignore")
    return f".{title}.{content[:digits]}.shoal"


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
