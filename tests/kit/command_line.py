"""Running `shoal` inside the test's process, on a base directory with one stand-in peer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

from bus.places import PeerPlaces
from peer.cli import entry

CONFIG = "peers: [{name: north}]\n"


class Outcome(NamedTuple):
    """What one command line gave."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> object:
        """What --json printed."""
        return json.loads(self.out)


class CommandLine:
    """`shoal` on a base directory."""

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = base_dir
        self.places = PeerPlaces(base_dir, "north")
        self.places.prepare()
        self.config = base_dir / "config.yaml"
        self.config.write_text(CONFIG)

    def __call__(self, *arguments: str) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = entry.run(["--base-dir", str(self.base_dir), "--config", str(self.config), *arguments])
        return Outcome(code, out.getvalue(), err.getvalue())
