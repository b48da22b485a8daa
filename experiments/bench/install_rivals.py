"""Installs the rivals of `make bench` from the system's packages, if that can be done without asking.

Some of them are servers, which their packages would start for everybody to reach: while they are installed, a
policy-rc.d (Debian's switch for that) says no.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from experiments.bench.rivals.serving import program

PACKAGES: Final = {"nginx": "nginx-light", "curl": "curl", "rsync": "rsync", "aria2c": "aria2", "b3sum": "b3sum"}
"""Program -> Debian's package."""
POLICY: Final = "/usr/sbin/policy-rc.d"
_START_NOTHING: Final = "printf '#!/bin/sh\\nexit 101\\n' > {0} && chmod 755 {0}"


def install(names: Sequence[str]) -> int:
    """Install the packages; the exit code. A failure is one line."""
    wanted = f"install these packages: {' '.join(names)}"
    if shutil.which("apt-get") is None:
        return _fail(f"there is no apt-get here; {wanted}")
    if os.geteuid() == 0:
        prefix = []
    elif shutil.which("sudo") and _run(["sudo", "-n", "true"]) is None:
        prefix = ["sudo", "-n"]
    else:
        return _fail(f"root is needed; as root, {wanted}")
    print(f"bench: installing {' '.join(names)}", file=sys.stderr, flush=True)
    with _nothing_started(prefix):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *names]):
            reason = _run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command])
            if reason is not None:
                return _fail(f"apt-get {command[0]} failed ({reason}); {wanted}")
    return 0


@contextmanager
def _nothing_started(prefix: Sequence[str]) -> Iterator[None]:
    if os.path.exists(POLICY):  # somebody's own, which decides
        yield
        return
    _run([*prefix, "sh", "-c", _START_NOTHING.format(POLICY)])
    try:
        yield
    finally:
        _run([*prefix, "rm", "-f", POLICY])


def _run(command: Sequence[str]) -> str | None:
    """None if it went well, else its last line."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else (lines or ["no output"])[-1]


def _fail(line: str) -> int:
    print(f"bench: {line}", file=sys.stderr)
    return 1


def main() -> int:
    absent = [package for name, package in PACKAGES.items() if not program(name)]
    return install(absent) if absent else 0


if __name__ == "__main__":
    sys.exit(main())
