"""What rivals with a server and a client have in common: the server runs, the clients start at once and end."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiments.bench.children import Child, Children, wait_all
from experiments.bench.records import Part, Run
from experiments.bench.usage import spent

INSTALL: Final = "run make bench-rivals, as root"
_PLACES: Final = ("/usr/sbin", "/usr/local/sbin")
"""Where servers are installed that are not on every user's PATH."""


def program(name: str) -> str:
    """Where a program is; empty if it is not installed."""
    return shutil.which(name) or next((str(p) for p in (Path(d, name) for d in _PLACES) if p.exists()), "")


def missing(*names: str) -> str:
    """Which programs are not installed and how to install them, in one line; empty if all are."""
    absent = [name for name in names if not program(name)]
    return f"{', '.join(absent)} not installed: {INSTALL}" if absent else ""


def version(*command: str) -> str:
    """A program's name and version; the name alone if it is not installed.

    Args:
        command: the program and the option that makes it tell.
    """
    name, option = command
    place = program(name)
    if not place:
        return name
    told = subprocess.run([place, option], capture_output=True, text=True, check=False)
    number = re.search(r"\d+(\.\d+)+", told.stdout + told.stderr)
    return f"{name} {number[0]}" if number else name


def fetch(children: Children, server: Child, clients: Sequence[Sequence[str]]) -> Run:
    """Run all clients at once.

    Args:
        children: of this run.
        server: answers already.
        clients: their command lines.

    Raises:
        ShoalError: a client failed.
    """
    before = server.usage()
    begin = time.monotonic()
    started = [children.start(command, f"client{number}") for number, command in enumerate(clients)]
    ended = wait_all(started, beside=[server])
    parts = [Part("server", spent(before, server.usage())), *(Part("client", one.usage) for one in ended)]
    return Run(round(max(one.at for one in ended) - begin, 4), parts)
