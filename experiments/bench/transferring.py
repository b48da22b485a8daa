"""What a transfer is asked to do: the same for every program."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class TransferJob(Struct, frozen=True):
    """A file or a tree, from one place to some others at once."""

    source: Path
    size: int
    """Bytes of all files together."""
    receivers: int = 1
    digests: Path | None = None
    """A file that holds the digests of a file's messages (writers.digests_of); a tree has none."""
