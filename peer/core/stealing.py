"""Which chunk an idle source should take over from a slower one.

Near the end of a download every missing chunk is asked of somebody, and the slowest of them decides when
it is done.  A source with nothing to do takes over the chunk whose arrival is predicted latest, if it would be
done in half that time.  Nothing is asked of two sources at once, so what may come twice is at most
what the slower one has sent before it hears of it.

The endgame of Cohen 2003 asks everybody for everything and cancels, which sends the last chunks several times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from bus.boundary import ContentId
from peer.core.download import Download
from peer.core.source import Asked, Source, SourceState

FASTER: Final = 2.0
"""The thief must be done in so many times less time."""
LEAST_WAIT: Final = 0.25
"""Seconds a want has waited before it is looked at: rates seen for less say little."""
UNKNOWN: Final = 1.0
"""Seconds that a source is taken to need which has given nothing yet."""


class Theft(Struct, frozen=True, gc=False):
    """A chunk to take over."""

    victim: Source
    want: int
    chunk: int


def find_theft(download: Download, thief: Source, sources: Iterable[Source], now: float) -> Theft | None:
    """The chunk that is predicted to come last of those that `thief` offers, if it is much faster; else None.

    Chunks that somebody reads next, and those of files of higher priority, go before all others, as in picking.
    """
    offered = download.offered(thief.link)
    for first in (download.read_next, *download.levels, offered):
        chunks = offered & first
        if chunks and (theft := _find_among(chunks, download.record.id, thief, sources, now)):
            return theft
    return None


def _find_among(chunks: int, content: ContentId, thief: Source, sources: Iterable[Source], now: float) -> Theft | None:
    """The same, of these chunks (a bitmask) of a content."""
    best: Theft | None = None
    latest = FASTER * (thief.want_seconds or UNKNOWN)
    for victim in sources:
        # One that waits for our credit is as fast as our own limit.
        waits = victim.window.limit > victim.window.received
        if victim is thief or victim.state is not SourceState.OPEN or not waits:
            continue
        for want, asked in victim.asked.items():
            if asked.content != content or asked.manifest or now - asked.since < LEAST_WAIT:
                continue
            chunk = _last_of(asked, chunks)
            to_come = time_to_come(victim, asked, now)
            if chunk is not None and to_come > latest and not _nearly_here(victim, asked, chunk, thief, now):
                best, latest = Theft(victim, want, chunk), to_come
    return best


def time_to_come(source: Source, asked: Asked, now: float) -> float:
    """Seconds until a want will be answered, by how long this source has taken for wants before.

    One that is overdue is taken to need as long again as it has waited already, and one of a source that
    has answered nothing yet what its bytes so far tell.
    """
    waited = now - asked.since
    if source.want_seconds:
        return source.want_seconds - waited if waited < source.want_seconds else waited
    rate = source.meter.rate(now)
    return source.unreceived / rate if rate > 1 else waited


def _nearly_here(victim: Source, asked: Asked, chunk: int, thief: Source, now: float) -> bool:
    """Whether most of a chunk has come, and the rest will before the thief could bring all of it."""
    came, rate = asked.progress.get(chunk, 0), victim.meter.rate(now)
    if asked.layout is None or not came or rate <= 1:
        return False
    size = asked.layout.length_of(chunk)
    return 2 * came > size and (size - came) / rate <= (thief.want_seconds or UNKNOWN)


def _last_of(asked: Asked, offered: int) -> int | None:
    """The last chunk of a want: one that has not begun if there is any."""
    mask = asked.mask & offered
    fresh = mask
    for chunk in asked.progress:
        fresh &= ~(1 << chunk)
    mask = fresh or mask
    return mask.bit_length() - 1 if mask else None
