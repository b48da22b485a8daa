"""What the command line of `make bench` chose."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

RAM_DISK: Final = Path("/dev/shm")
RESULTS: Final = Path(__file__).parent / "out"


class Options(Struct, frozen=True):
    """For all cases."""

    size: int | None = None
    """Bytes of each case's content; None: each case's own."""
    rounds: int = 5
    leechers: tuple[int, ...] = (10, 20)
    """Of the capped swarms."""
    files: int = 10_000
    """Of the tree of small files."""
    contenders: tuple[str, ...] = ()
    """Their names; empty: all."""
    ram_disk: Path = RAM_DISK
    disk: Path = RESULTS

    def chosen(self, name: str) -> bool:
        """Whether a contender of this name takes part."""
        return not self.contenders or name in self.contenders
