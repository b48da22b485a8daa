"""Files to share: bytes that look random, do not compress, and are the same for the same seed on every machine.

The stream is BLAKE3 in its extendable-output mode, keyed by the seed: faster than the disk, and unlike Python's
`random` its bytes are fixed by a specification.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from blake3 import blake3

from experiments.scenario import Content

_CONTEXT: Final = "shoal experiments 2026 file contents"
_STEP: Final = 2**20
"""Bytes made at a time."""


def write_material(path: Path, size: int, seed: int) -> None:
    """Make a file of `size` bytes; the directory must be there and the file must not."""
    stream = blake3(str(seed).encode(), derive_key_context=_CONTEXT)
    with path.open("xb") as file:
        for start in range(0, size, _STEP):
            file.write(stream.digest(length=min(_STEP, size - start), seek=start))


def write_content(path: Path, content: Content, seed: int) -> None:
    """Make what a scenario shares: a file, or a folder of files, there."""
    if not content.tree:
        write_material(path, content.size, seed)
        return
    for row, files in enumerate(content.tree):
        folder = path / f"{row:03}"
        folder.mkdir(parents=True)
        for number in range(files.files):
            write_material(folder / f"{number:06}.bin", files.size, _seed_of(seed, row, number))


def _seed_of(seed: int, row: int, number: int) -> int:
    """A seed for one file of a tree."""
    return (seed * 1_000 + row) * 1_000_000 + number
