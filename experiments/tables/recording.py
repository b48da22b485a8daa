"""The recorded events of an experiment in the order of time, read as they are needed.

A line is split into envelope and data once, and the data is read only by whoever wants that type of event: a recording
of many gigabytes takes no more memory than its longest line for each file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_UNREADABLE, ShoalError

FOLDER: Final = "events"
"""In the folder of a result: one file for each process, or one for all."""


class Heard(Struct, frozen=True, gc=False):
    """An event whose data is not read yet; the fields of an envelope that tables need."""

    time: float
    source: str
    type: str
    data: msgspec.Raw


def read_heard(folder: Path) -> Iterator[Heard]:
    """All events of a result in the order of time; each file must be in that order.

    Raises:
        ShoalError: ERR_UNREADABLE, there is nothing, or something else.
    """
    paths = sorted((folder / FOLDER).glob("*.jsonl"))
    if not paths:
        raise ShoalError(ERR_UNREADABLE, f"{folder} holds no result of an experiment: no {FOLDER}/*.jsonl in it")
    return in_order([_lines(path) for path in paths])


def in_order(files: Iterable[Iterable[Heard]]) -> Iterator[Heard]:
    """Several recordings as one."""
    return merge(*files, key=attrgetter("time"))


def _lines(path: Path) -> Iterator[Heard]:
    decode = msgspec.json.Decoder(Heard).decode
    number = 1
    try:
        with path.open("rb") as file:
            for line in file:
                yield decode(line)
                number += 1
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{path} line {number} is no recorded event: {error}") from None
