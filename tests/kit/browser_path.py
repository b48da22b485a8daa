"""Where the Chromium for the browser tests is."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no Chromium: neither $CHROMIUM nor " + ", ".join(SYSTEM_NAMES)


@functools.cache
def find_browser() -> Path | None:
    """The Chromium to drive: `$CHROMIUM` (a path or a name) if set, else the first of the system's that runs, or None.

    Raises ValueError when `$CHROMIUM` is set to what does not run: somebody who names a browser wants that one.
    """
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        if not (path := _runnable(chosen)):
            raise ValueError(f"CHROMIUM={chosen} does not run; name the program of a Chromium, or unset it")
        return path
    return next((path for name in SYSTEM_NAMES if (path := _runnable(name))), None)


def _runnable(name: str) -> Path | None:
    # Some systems ship a stub under the right name that only asks for another package, hence the call.
    path = shutil.which(name)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(path) if done.returncode == 0 else None
