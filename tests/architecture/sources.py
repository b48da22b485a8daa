"""The files that the architecture tests read: what belongs to the repository, and nothing built or installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("bus", "tracker", "peer", "gateway", "experiments", "supervisor.py")
MADE = {"node_modules", "static", "__pycache__"}


def files(*tops: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Paths relative to the checkout, sorted, of all files under `tops` with one of `suffixes`."""
    for top in tops:
        found = [ROOT / top] if (ROOT / top).is_file() else sorted((ROOT / top).rglob("*"))
        for path in found:
            relative = path.relative_to(ROOT)
            if path.suffix in suffixes and path.is_file() and not MADE.intersection(relative.parts):
                yield relative.as_posix()


def texts(*tops: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Path -> text of those files."""
    return {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in files(*tops, suffixes=suffixes)
    }
