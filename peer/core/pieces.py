"""Which parts of a content are here, and which are offered by the linked peers of its swarm.

Nothing is kept for this: it is read off the have-maps when somebody looks, as coarse as a page can draw it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from bus.boundary import ContentId, PeerId
from bus.messages import PeerPieces, Pieces
from peer.core.bitmap import strip
from peer.core.layout import Layout
from peer.core.picker import Availability

CELLS: Final = 256
"""Parts of a content at most, as many as its events tell of."""
MOST_PEERS: Final = 100


class Offered(NamedTuple):
    """What one linked peer offers."""

    peer: PeerId
    mask: int
    is_seed: bool


def pieces_of(content: ContentId, layout: Layout, held: int, offers: Iterable[Offered]) -> Pieces:
    """The answer to a ShowPieces; `offers` may hold those that offer nothing."""
    chunks = layout.chunks
    offers = [offer for offer in offers if offer.mask or offer.is_seed]
    availability = Availability(chunks)
    for offer in offers:
        if not offer.is_seed:
            availability.add(offer.mask)
    seeds = sum(1 for offer in offers if offer.is_seed)
    cells = min(CELLS, chunks)
    copies = (
        seeds + availability.fewest(range(cell * chunks // cells, (cell + 1) * chunks // cells))
        for cell in range(cells)
    )
    most = sorted(offers, key=lambda offer: -offer.mask.bit_count())[:MOST_PEERS]
    return Pieces(
        request=0,
        content=content,
        chunks=chunks,
        here=strip(held, chunks, CELLS),
        copies=bytes(min(255, number) for number in copies),
        peers=[
            PeerPieces(offer.peer, offer.is_seed, offer.mask.bit_count(), strip(offer.mask, chunks, CELLS))
            for offer in most
        ],
        linked=len(offers),
    )
