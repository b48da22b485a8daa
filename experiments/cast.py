"""Who takes part in an experiment: what cannot be read from the events of the peers themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_UNREADABLE, ShoalError

CAST: Final = "cast.json"
HONEST: Final = "honest"


class Member(Struct, frozen=True):
    """One peer of an experiment."""

    name: str
    """Unique in the experiment; its events are recorded under it."""
    ids: list[str]
    """Peer ids in the order in which it took them; more than one only if it came back under a new one."""
    group: str
    """As the scenario names it."""
    behaviour: str = HONEST
    complete: bool = False
    """It has the whole content from the start: a seed."""
    up: int = 0
    """Upload limit in bytes a second; 0: unlimited."""
    down: int = 0
    """Download limit in bytes a second; 0: unlimited."""
    arrives: float = 0.0
    """Seconds after the start of the experiment at which it begins to fetch."""


def write_cast(folder: Path, members: list[Member]) -> None:
    """Leave the cast beside the events."""
    (folder / CAST).write_bytes(msgspec.json.format(msgspec.json.encode(members)) + b"\n")


def read_cast(folder: Path) -> list[Member]:
    """The cast of a result.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        return msgspec.json.decode((folder / CAST).read_bytes(), type=list[Member])
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{folder / CAST} is no cast of an experiment: {error}") from None
