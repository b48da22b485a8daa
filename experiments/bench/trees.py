"""Trees to transfer: many small files, and a mixture as real folders have it; the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiments.material import write_material

KIB, MIB = 2**10, 2**20
PER_FOLDER: Final = 100
SMALL: Final = 4 * KIB
"""Bytes of each small file."""
MIXED_SIZE: Final = 1024 * MIB
"""Bytes of the whole mixture, about: half in large files, a third in middling ones, the rest in small ones."""


def mixture(size: int) -> list[int]:
    """Sizes of the files of a mixed tree of about `size` bytes: 8 large ones, about 300 middling, some thousand small.

    The middling ones are 256 KiB to 2 MiB, the small ones 512 B to 64 KiB, spread evenly.
    """
    large = [size // 16] * 8
    middling = _spread(size // 3, 256 * KIB, 2 * MIB)
    small = _spread(size // 6, 512, 64 * KIB)
    return [*large, *middling, *small]


def _spread(total: int, lowest: int, highest: int) -> list[int]:
    """Sizes that go from the lowest to the highest in even steps and add up to about the total."""
    count = max(1, 2 * total // (lowest + highest))
    return [lowest + (highest - lowest) * number // count for number in range(count)]


def write_tree(folder: Path, sizes: Sequence[int]) -> int:
    """Make files of these sizes, 100 in a subfolder; the sum of the sizes.

    Args:
        folder: made here.
        sizes: bytes of each file.
    """
    for number, size in enumerate(sizes):
        inner = folder / f"{number // PER_FOLDER:04}"
        inner.mkdir(parents=True, exist_ok=True)
        write_material(inner / f"{number % PER_FOLDER:03}.bin", size, number)
    return sum(sizes)
