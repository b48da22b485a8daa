"""Have-maps as integers: bit i is chunk i.  All functions are pure.

An int bitmask costs 32 bytes for 256 chunks, ANDs 2,048 chunks in 60 ns, and copies by
reference; a set of chunk numbers would cost 60 bytes a chunk.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence

from bus.errors import RemoteProtocolError

Range = tuple[int, int]
"""(first, count)"""

FEW = 8
"""Up to so many ranges are put together by OR, which copies the whole number for each."""
BLOCK_BITS = 4096
"""Bits of a block in which runs are looked for."""


def span(first: int, count: int) -> int:
    """Mask of `count` chunks from `first` on."""
    return ((1 << count) - 1) << first


def mask_of(ranges: Iterable[Range]) -> int:
    """Mask of all chunks in the ranges."""
    listed = ranges if isinstance(ranges, (list, tuple)) else list(ranges)
    if len(listed) <= FEW:
        mask = 0
        for first, count in listed:
            mask |= span(first, count)
        return mask
    bits = bytearray(max(first + count for first, count in listed) // 8 + 1)
    for first, count in listed:
        low, high = first >> 3, (first + count) >> 3
        if low == high:
            bits[low] |= span(first & 7, count)
            continue
        bits[low] |= 0xFF & ~((1 << (first & 7)) - 1)
        bits[low + 1 : high] = b"\xff" * (high - low - 1)
        bits[high] |= (1 << ((first + count) & 7)) - 1
    return int.from_bytes(bits, "little")


def mask_of_chunks(chunks: Iterable[int]) -> int:
    """Mask of single chunks, in any order."""
    listed = chunks if isinstance(chunks, (list, tuple)) else list(chunks)
    if len(listed) <= 1:
        return 1 << listed[0] if listed else 0
    bits = bytearray((max(listed) >> 3) + 1)
    for chunk in listed:
        bits[chunk >> 3] |= 1 << (chunk & 7)
    return int.from_bytes(bits, "little")


def checked_mask(ranges: Sequence[Range], chunks: int, limit: int) -> int:
    """Mask of ranges that somebody else sent: they must rise without overlap, and name at most `limit` chunks.

    Checked before any large number is made: 8,192 ranges of 4 million chunks each would take seconds.

    Raises:
        RemoteProtocolError: they do not.
    """
    end = total = 0
    for first, count in ranges:
        if first < end or first + count > chunks:
            raise RemoteProtocolError(f"chunk ranges must rise within {chunks} chunks; {first} + {count} does not")
        end = first + count
        total += count
    if total > limit:
        raise RemoteProtocolError(f"{total} chunks in one message, the limit is {limit}")
    return mask_of(ranges)


def contains(mask: int) -> Callable[[int], bool]:
    """A test of many chunks against one mask: shifting it for each would copy it for each."""
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")

    def test(chunk: int) -> bool:
        return chunk >> 3 < len(data) and bool(data[chunk >> 3] >> (chunk & 7) & 1)

    return test


def ranges_of(mask: int) -> list[Range]:
    """The maximal runs of a mask, rising.

    Cut in blocks first: taking runs off a number of 4 million bits one by one would copy it for each.
    """
    if mask and not mask & (mask - 1):
        return [(mask.bit_length() - 1, 1)]  # A single chunk, as of most wants.
    if mask.bit_length() <= BLOCK_BITS:
        return _runs(mask, 0)
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    ranges: list[Range] = []
    for place in range(0, len(data), BLOCK_BITS // 8):
        for first, count in _runs(int.from_bytes(data[place : place + BLOCK_BITS // 8], "little"), 8 * place):
            if ranges and sum(ranges[-1]) == first:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + count)
            else:
                ranges.append((first, count))
    return ranges


def _runs(mask: int, base: int) -> list[Range]:
    ranges = []
    while mask:
        gap = (mask & -mask).bit_length() - 1
        mask >>= gap
        count = (~mask & (mask + 1)).bit_length() - 1
        ranges.append((base + gap, count))
        mask >>= count
        base += gap + count
    return ranges


def chunks_in(mask: int) -> Iterator[int]:
    """The chunks of a mask, rising."""
    for first, count in ranges_of(mask):
        yield from range(first, first + count)


def run_at(mask: int, chunk: int) -> int:
    """How many chunks from `chunk` on are in the mask without a gap."""
    rest = mask >> chunk
    return (~rest & (rest + 1)).bit_length() - 1


def random_chunk(mask: int, rng: random.Random) -> int:
    """A chunk of a mask that is not empty: the next one at or after a random place, around the end.

    Not exactly uniform (a chunk behind a gap is likelier), which spreads the peers of a swarm
    as well and costs no count of the bits before it.
    """
    place = rng.randrange(mask.bit_length())
    above = mask >> place
    if above:
        return place + (above & -above).bit_length() - 1
    return (mask & -mask).bit_length() - 1


def to_have(mask: int, first: int) -> bytes:
    """The bits of a have message that restates everything from `first` (a multiple of 8) to the last set bit."""
    part = mask >> first
    return part.to_bytes((part.bit_length() + 7) // 8, "little")


def apply_have(mask: int, first: int, bits: bytes) -> int:
    """`mask` with the range that a have message restates replaced."""
    restated = ((1 << 8 * len(bits)) - 1) << first
    return (mask & ~restated) | (int.from_bytes(bits, "little") << first)


HAVE_BLOCK = 8192
"""Chunks restated by one batched have: 1 KiB of bits, so that news far apart costs little."""


def have_blocks(mask: int, news: int) -> Iterator[tuple[int, bytes]]:
    """(first, bits) of have messages that tell of `news`, chunks that are set in `mask`."""
    base = 0
    while news:
        skip = ((news & -news).bit_length() - 1) // HAVE_BLOCK * HAVE_BLOCK
        base += skip
        news >>= skip
        fresh = news & ((1 << HAVE_BLOCK) - 1)
        low = ((fresh & -fresh).bit_length() - 1) & ~7
        width = (fresh.bit_length() - low + 7) // 8
        bits = (mask >> (base + low)) & ((1 << (8 * width)) - 1)
        yield base + low, bits.to_bytes(width, "little")
        news >>= HAVE_BLOCK
        base += HAVE_BLOCK


def strip(mask: int, chunks: int, cells: int = 256) -> bytes:
    """The share of chunks set in each of at most `cells` equal parts, one byte each, 0 to 255."""
    cells = min(cells, chunks)
    # Slices of bytes: shifting the whole mask for each part would take the product of both.
    data = mask.to_bytes((chunks + 7) // 8, "little")
    out = bytearray(cells)
    for cell in range(cells):
        low, high = cell * chunks // cells, (cell + 1) * chunks // cells
        around = int.from_bytes(data[low >> 3 : (high + 7) >> 3], "little")
        held = (around >> (low & 7) & ((1 << (high - low)) - 1)).bit_count()
        out[cell] = 255 * held // (high - low)
    return bytes(out)
