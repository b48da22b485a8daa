"""How long a source may keep us waiting.

A chunk that somebody else could send sooner is taken over long before that (stealing.py).  What is here is for a source
that nobody else can replace, or that says nothing at all: to give up too early on an honest one with a slow line means
that nothing ever completes, to give up too late costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bus.boundary import ContentId
from peer.core.asking import WANT_BYTES
from peer.core.download import Download
from peer.core.source import Asked, Source

LONGEST: Final = 300.0
"""Seconds for each MiB of a chunk: who is slower than that is of no use."""
TURNS: Final = 16
"""Whole chunks that an uploader may send to others between two of ours: twice as many as it has slots by default."""
LEAST_PACE: Final = 1024.0
"""Bytes a second of a source that has sent nothing yet."""
MANIFEST_SECONDS: Final = 5.0
"""For which the source of a manifest may be silent while one that never kept us waiting could be asked: nothing else
begins before it is here, and one source at a time is asked.  If all of them are slow, the last one has its time."""


def is_late(source: Source, least: float, now: float) -> bool:
    """Whether a source, which has credit and owes us bytes, is to be given up; `least` seconds it has in any case."""
    oldest = next(iter(source.asked.values()))
    piece = _piece(oldest)
    longest = LONGEST * piece / WANT_BYTES
    expected = min(source.unreceived, piece) / max(source.pace, LEAST_PACE)
    patience = max(least, min(TURNS * expected, longest))
    # A byte now and then is no excuse for a want that has waited for the longest time of all.
    return now - source.moved_at >= patience or now - oldest.since >= longest


def holds_up_manifest(
    source: Source, fresh: Iterable[Source], active: Mapping[ContentId, Download], now: float
) -> bool:
    """Whether a silent source was asked for a manifest that one of the `fresh` ones has too."""
    if now - source.moved_at < MANIFEST_SECONDS:
        return False
    contents = [asked.content for asked in source.asked.values() if asked.manifest]
    maps = [active[content].maps for content in contents if content in active]
    return any(known.get(other.link) for other in fresh for known in maps)


def _piece(asked: Asked) -> int:
    """Bytes that come without a pause once their turn has come: a chunk, or a usual want."""
    if asked.layout is None:
        return WANT_BYTES
    chunk = (asked.mask & -asked.mask).bit_length() - 1
    return max(WANT_BYTES, asked.layout.length_of(chunk))
