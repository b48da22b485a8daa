"""What made a result: versions and machine, so that a number can be made again or not be compared by mistake."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from msgspec import Struct

PACKAGES: Final = ("shoal", "pyzmq", "msgspec", "msgpack", "blake3", "matplotlib", "numpy", "polars")
_CHECKOUT: Final = Path(__file__).resolve().parents[1]


class Provenance(Struct, frozen=True):
    """Where and by what a result was made."""

    time: str
    """RFC 3339, UTC."""
    commit: str
    """Of the checkout, `+changes` behind it if it has uncommitted ones; empty without git."""
    python: str
    """Version and origin: Debian compiles with profiles of what Python does, and a plain build takes a fifth longer."""
    packages: dict[str, str]
    system: str
    processor: str
    cores: int
    memory: int
    """Bytes."""
    environment: dict[str, str]
    """Settings that came from the environment (SHOAL__SECTION__KEY), which reach every process."""


def provenance() -> Provenance:
    """Of this process, now."""
    return Provenance(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        python=_python(),
        packages={name: _version(name) for name in PACKAGES},
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        environment={key: value for key, value in sorted(os.environ.items()) if key.upper().startswith("SHOAL__")},
    )


def _python() -> str:
    origin = "the system's" if sys.base_prefix == "/usr" else "not the system's"
    return f"{platform.python_version()} ({origin})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if commit and _git("status", "--porcelain") else commit


def _git(*arguments: str) -> str:
    try:
        command = ["git", "-C", str(_CHECKOUT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
