"""What of a tree is fetched: the paths that were asked for (none: all of it), less what was left out of it again.

What was left out is kept as entries, not as paths: of a folder only what was not complete is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ERR_USAGE, ShoalError
from peer.core.bitmap import Range, contains, mask_of, mask_of_chunks, ranges_of
from peer.core.layout import Layout
from peer.core.records import DownloadRecord

MOST_PATHS: Final = 1000
"""Paths of one selection."""
MOST_LEFT_OUT: Final = 10_000
"""Runs of entries that are left out: they are written with every record of the download."""


def left_out_chunks(layout: Layout, left_out: Iterable[Range]) -> int:
    """Bitmask of the chunks of these entries."""
    starts = [*layout.starts, layout.chunks]
    return mask_of([(starts[first], starts[first + count] - starts[first]) for first, count in left_out])


def wanted_chunks(layout: Layout, record: DownloadRecord) -> int:
    """Bitmask of the chunks that a download is to have in all.

    Raises:
        KeyError: a path names nothing in this content.
    """
    asked = layout.mask_of(record.only) if record.only else layout.all_chunks
    return asked & ~left_out_chunks(layout, record.left_out)


def wanted_entries(layout: Layout, record: DownloadRecord) -> list[int]:
    """The entries that a download is to have in all."""
    everything = range(len(layout.entries))
    asked = entries_below(layout, record.only) if record.only else everything
    if not record.left_out:
        return list(asked)
    is_left_out = contains(mask_of(record.left_out))
    return [number for number in asked if not is_left_out(number)]


def entries_below(layout: Layout, paths: Iterable[str]) -> list[int]:
    """The entries at these paths and below them, in order."""
    asked = frozenset(paths)
    return [number for number, entry in enumerate(layout.entries) if any(one in asked for one in upwards(entry.path))]


def upwards(path: str) -> Iterator[str]:
    """A path and the folders it lies in, from the innermost on."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def known_tree(record: DownloadRecord, layout: Layout | None, paths: Sequence[str], instead: str) -> Layout:
    """The files of a download, if these paths are in it; `instead` is what to do with one file.

    Raises:
        ShoalError: ERR_STATE while its files are not known, ERR_USAGE if it is one file, ERR_NOT_FOUND for a path that
            is not in it.
    """
    if layout is None:
        raise ShoalError(ERR_STATE, f"the files of {record.name} are not known yet; ask again once they are listed")
    if layout.kind == "file":
        raise ShoalError(ERR_USAGE, f"{record.name} is one file; {instead}")
    unknown = dict.fromkeys(paths)
    for entry in layout.entries:
        for one in upwards(entry.path):
            unknown.pop(one, None)
        if not unknown:
            break
    if unknown:
        raise ShoalError(ERR_NOT_FOUND, f"{next(iter(unknown))} is not in {record.name}; list its files")
    return layout


def with_less(record: DownloadRecord, layout: Layout | None, held: int, paths: Sequence[str]) -> DownloadRecord:
    """A download's record once these files, and what is not complete in these folders, are left out.

    Raises:
        ShoalError: as `known_tree`; ERR_STATE if all of a path is complete or nothing would be left, ERR_LIMIT.
    """
    layout = known_tree(record, layout, paths, "pause or remove it")
    wanted = wanted_entries(layout, record)
    below = contains(mask_of_chunks(entries_below(layout, paths)))
    is_held = contains(held)

    def is_complete(number: int) -> bool:
        chunks = layout.chunks_of(number)
        return bool(chunks) and all(is_held(chunk) for chunk in chunks)

    named = [number for number in wanted if below(number)]
    gone = [number for number in named if not is_complete(number)]
    _check_useful(layout, named, gone, paths)
    rest = contains(mask_of_chunks(gone))
    if not any(not rest(number) and not layout.entries[number].directory for number in wanted):
        raise ShoalError(ERR_STATE, f"no file of {record.name} would be left to fetch; pause or remove it instead")
    left_out = ranges_of(mask_of(record.left_out) | mask_of_chunks(gone))
    if len(left_out) > MOST_LEFT_OUT:
        message = f"files are left out at {len(left_out):,} places, the limit is {MOST_LEFT_OUT:,}; name their folders"
        raise ShoalError(ERR_LIMIT, message)
    return replace(record, left_out=tuple(left_out))


def _check_useful(layout: Layout, named: list[int], gone: list[int], paths: Sequence[str]) -> None:
    """Raises ShoalError for a path of which all that is fetched is complete."""

    def above(numbers: list[int]) -> set[str]:
        return {one for number in numbers for one in upwards(layout.entries[number].path)}

    complete = above(named) - above(gone)
    if found := [path for path in paths if path in complete]:
        raise ShoalError(ERR_STATE, f"{found[0]} is complete, and stays; only what is not can be left out")


def with_more(record: DownloadRecord, layout: Layout | None, paths: Sequence[str]) -> DownloadRecord:
    """A download's record once these files and folders (none: all of it) are fetched too.

    Raises:
        ShoalError: ERR_LIMIT; ERR_STATE while its files are not known and some of them are left out.
    """
    if not paths:
        return replace(record, only=(), left_out=())
    only = record.only and (*record.only, *(path for path in dict.fromkeys(paths) if not _covers(record.only, path)))
    if len(only) > MOST_PATHS:
        raise ShoalError(ERR_LIMIT, f"{len(only):,} paths to fetch, the limit is {MOST_PATHS:,}; name their folders")
    if not record.left_out:
        return replace(record, only=only)
    layout = known_tree(record, layout, [], "")
    again = mask_of_chunks(entries_below(layout, paths))
    return replace(record, only=only, left_out=tuple(ranges_of(mask_of(record.left_out) & ~again)))


def is_less(record: DownloadRecord, paths: Sequence[str]) -> bool:
    """Whether these paths (none: all of it) are less than what was asked for."""
    if not paths or not record.only:
        return bool(paths)
    return all(_covers(record.only, path) for path in paths) and not all(_covers(paths, path) for path in record.only)


def _covers(paths: Sequence[str], path: str) -> bool:
    """Whether a path is one of these, or below one."""
    return any(path == one or path.startswith(f"{one}/") for one in paths)
