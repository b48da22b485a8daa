"""A set of chunk numbers that changes often: one bit each, changed in place.

The core's have-maps are whole numbers, which are copied at every change; here a worker adds
thousands of chunks a second to sets of up to 4 million.
"""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

_SEAL = 16  # bytes of hash that go with the bits on disk


class ChunkSet:
    """Chunks 0 to `size` - 1.  Not safe for several threads by itself."""

    __slots__ = ("_bits", "size")

    def __init__(self, size: int, mask: int = 0) -> None:
        self.size = size
        self._bits = bytearray(mask.to_bytes((size + 7) // 8, "little"))

    def __contains__(self, chunk: int) -> bool:
        return bool(self._bits[chunk >> 3] >> (chunk & 7) & 1)

    def add(self, chunk: int) -> None:
        self._bits[chunk >> 3] |= 1 << (chunk & 7)

    def add_all(self, chunks: Iterable[int]) -> None:
        bits = self._bits
        for chunk in chunks:
            bits[chunk >> 3] |= 1 << (chunk & 7)

    def remove(self, chunk: int) -> None:
        self._bits[chunk >> 3] &= ~(1 << (chunk & 7))

    def remove_all(self, chunks: Iterable[int]) -> None:
        for chunk in chunks:
            self.remove(chunk)

    def copy(self) -> ChunkSet:
        other = ChunkSet(0)
        other.size, other._bits = self.size, self._bits.copy()
        return other

    def count(self, chunks: range) -> int:
        """How many of a run of chunks are in the set."""
        if not chunks:
            return 0
        around = int.from_bytes(self._bits[chunks.start >> 3 : (chunks.stop + 7) >> 3], "little")
        return (around >> (chunks.start & 7) & ((1 << len(chunks)) - 1)).bit_count()

    @property
    def mask(self) -> int:
        """As a have-map."""
        return int.from_bytes(self._bits, "little")

    def sealed(self) -> bytes:
        """As kept on disk: with a hash, because a bit that flipped to 1 would vouch for bytes that never came."""
        return blake3(self._bits).digest(_SEAL) + self._bits

    @classmethod
    def unsealed(cls, size: int, kept: bytes) -> ChunkSet | None:
        """The set that was kept; None if it is damaged or of another size."""
        bits = kept[_SEAL:]
        if len(bits) != (size + 7) // 8 or blake3(bits).digest(_SEAL) != kept[:_SEAL]:
            return None
        chunks = cls(0)
        chunks.size, chunks._bits = size, bytearray(bits)
        return chunks
