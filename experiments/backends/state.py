"""The folder of the peers' state and files below that of a result, from its start to the end of the run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from bus.errors import ERR_PATH, ShoalError

STATE: Final = "state"
DYING: Final = 5.0
"""Seconds in which processes that were killed have ended."""
_POLL: Final = 0.02


def remove_state(folder: Path) -> None:
    """Delete it, if the folder of a result has it.

    Raises:
        ShoalError: ERR_PATH, it cannot be deleted.
    """
    state = folder / STATE
    deadline = time.monotonic() + DYING
    while state.exists():
        shutil.rmtree(state, ignore_errors=True)  # who was killed may be in the middle of a write
        if not state.exists():
            return
        if time.monotonic() > deadline:
            raise ShoalError(ERR_PATH, f"{state} cannot be deleted; delete it by hand")
        time.sleep(_POLL)
