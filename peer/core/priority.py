"""Which download a source is asked for next: the highest priority first, equal ones share alike.

Downloads of one priority have the same number of bytes in flight at a source, so each gets the same
share of its rate, and one that the source limits holds up no other.  Those of a lower priority get
what flight the higher ones leave: as long as there is enough to ask for above, nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from bus.boundary import ContentId, LinkId
from bus.messages import Priority
from peer.core.download import Download
from peer.core.source import Source

RANKS: Final[dict[Priority, int]] = {"high": 0, "normal": 1, "low": 2}


def in_turn(downloads: Collection[Download], source: Source, flight: int) -> Iterator[Download]:
    """The downloads of which more may be asked of a source now, the first one first.

    `flight` is how many bytes of a download may be outstanding.
    """
    to_come = {
        download.record.id: (RANKS[download.record.priority], source.unreceived_of(download.record.id))
        for download in downloads
    }
    higher = here = 0
    last = min(to_come.values(), default=(0, 0))[0]
    for download in sorted(downloads, key=lambda download: to_come[download.record.id]):
        rank, size = to_come[download.record.id]
        if rank != last:
            higher, here, last = higher + here, 0, rank
        here += size
        if higher + size < flight:
            yield download


def busy_with(source: Source, downloads: Mapping[ContentId, Download]) -> int:
    """The rank of the most urgent download that a source is asked for; one behind all ranks if it is for none."""
    asked = (downloads.get(content) for content in source.contents())
    return min((RANKS[download.record.priority] for download in asked if download), default=len(RANKS))


def waits_its_turn(download: Download, sources: Mapping[LinkId, Source], busy: Mapping[LinkId, int]) -> bool:
    """Whether all sources that have what it lacks are asked for downloads of a higher priority, and not for it.

    `busy` is what each is `busy_with`.
    """
    rank, waits = RANKS[download.record.priority], False
    for link in download.maps:
        source = sources.get(link)
        if source is None or not download.lacks_of(link):
            continue
        if busy[link] >= rank or source.unreceived_of(download.record.id):
            return False
        waits = True
    return waits
