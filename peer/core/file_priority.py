"""Which files of a tree are fetched first: what is set for its files and folders, and the chunks that follow from it.

What is set for a path holds for all that is below it, until something below it is set otherwise; of several paths that
a file lies in, the longest decides.  What is set for none is normal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from bus.errors import ERR_LIMIT, ShoalError
from bus.messages import Priority
from peer.core.bitmap import Range, mask_of
from peer.core.layout import Layout
from peer.core.records import DownloadRecord
from peer.core.selection import known_tree, upwards

MOST_SET: Final = 1000
MOST_BYTES: Final = 2**18
"""Files and folders of one download that something is set for, and the length of their paths: one answer has all."""


def level_of(path: str, levels: Mapping[str, Priority]) -> Priority:
    """Of a file or folder; `levels` is what is set, by path."""
    return next((levels[one] for one in upwards(path) if one in levels), "normal")


def chunks_first(layout: Layout, record: DownloadRecord) -> tuple[int, ...]:
    """Bitmasks of the chunks that are high and of those that are normal (others are low); none if nothing is set."""
    if not record.file_priorities:
        return ()
    levels = dict(record.file_priorities)
    chunks: dict[Priority, list[Range]] = {"high": [], "normal": [], "low": []}
    for number, entry in enumerate(layout.entries):
        if span := layout.chunks_of(number):
            chunks[level_of(entry.path, levels)].append((span.start, len(span)))
    return mask_of(chunks["high"]), mask_of(chunks["normal"])


def with_level(record: DownloadRecord, layout: Layout | None, paths: Sequence[str], level: Priority) -> DownloadRecord:
    """A download's record once these files and folders, with all that is in them, have this priority.

    Raises:
        ShoalError: as `known_tree`, and ERR_LIMIT if it becomes too much.
    """
    known_tree(record, layout, paths, "set its priority without naming a path")
    asked = dict.fromkeys(paths, level)
    kept = {path: had for path, had in record.file_priorities if not any(one in asked for one in upwards(path))}
    for path in sorted(asked):  # a folder before what is in it
        if level_of(path, kept) != level:
            kept[path] = level
    if len(kept) > MOST_SET:
        raise ShoalError(
            ERR_LIMIT, f"{len(kept):,} files with a priority, the limit is {MOST_SET:,}; name their folders"
        )
    if (size := sum(len(path.encode()) for path in kept)) > MOST_BYTES:
        message = f"paths with a priority of {size:,} bytes, the limit is {MOST_BYTES:,}; name their folders"
        raise ShoalError(ERR_LIMIT, message)
    return replace(record, file_priorities=tuple(sorted(kept.items())))
