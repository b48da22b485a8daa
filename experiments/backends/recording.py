"""What a backend hands back beside the files it leaves: cast.json and events/*.jsonl."""

from __future__ import annotations

from msgspec import Struct

from experiments.cast import Member


class Recording(Struct, frozen=True):
    """One run."""

    shaped_by: str
    """What limited rates and delayed messages."""
    heard: dict[str, int]
    """Process -> events recorded."""
    lost: dict[str, int]
    """Process -> events that it published and that are not recorded."""
    cast: list[Member]
    wrong_bytes: int | None = None
    """Of finished downloads, compared with what was shared; None: they were not."""
    progress: bool = True
    """Whether peers told of rates and progress, and not only of what was completed."""
    trace: str = ""
    """Hash of everything that happened, in order; simulated only."""
