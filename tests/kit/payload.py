"""Data to transfer: random files, real trees, and how to compare and spoil them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from blake3 import blake3

MIB = 2**20


def random_file(path: Path, size: int, seed: int = 1) -> Path:
    """A file of `size` bytes that no compression helps with; the same seed gives the same bytes."""
    stream = blake3(seed.to_bytes(8, "big"))  # at its quickest twenty times as quick as a random generator
    with path.open("wb") as file:
        for offset in range(0, size, MIB):
            file.write(stream.digest(length=min(size - offset, MIB), seek=offset))
    return path


def standard_library(folder: Path) -> Path:
    """A copy of Python's standard library: thousands of files, some empty, some deep."""
    target = folder / "stdlib"
    ignore = shutil.ignore_patterns("site-packages", "__pycache__")
    shutil.copytree(sysconfig.get_path("stdlib"), target, ignore=ignore, symlinks=False)
    return target


def differences(one: Path, other: Path) -> str:
    """What `diff -r` finds, empty if nothing."""
    done = subprocess.run(["diff", "-r", str(one), str(other)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def flip_bits(path: Path, every: int) -> None:
    """Flip a bit in every so many bytes, and leave size, times and inode as they were: a disk that rots."""
    status = path.stat()
    with path.open("r+b") as file:
        for place in range(0, status.st_size, every):
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
