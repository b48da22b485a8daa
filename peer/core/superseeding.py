"""Super-seeding: what a lone seed offers, so that its uplink carries every chunk once before any twice.

A have-map says what a peer offers *to you*.  While the tracker counts one seed and two or more leechers
are linked, the seed offers each leecher with an open stream only chunks that it offered to nobody else, in
one outstanding want that covers `OFFER_SECONDS` of that leecher's rate.  A chunk is *spread* once it
was sent to somebody or announced by somebody; when nothing is left to offer, everything is shown to all.

    fresh --offer--> offered --sent, or heard of--> spread
      ^__________________/  no progress for `OFFER_PATIENCE`, stream or link ended

Who lets an offer pass is offered nothing more: it is shown everything, and so is who said that it wants a part only.

Plain rarest first sends early chunks from the seed several times over while others wait for their first copy
(simulated swarm of 20 leechers and 512 chunks: tests/simulation).  Source: BEP 16.
"""

from __future__ import annotations

import random
from typing import Final

from msgspec import Struct

from bus.boundary import LinkId
from peer.core.bitmap import random_chunk
from peer.core.layout import Layout

OFFER_SECONDS: Final = 0.1
"""Of a leecher's rate: enough to hide the way there and back."""
OFFER_LEAST: Final = 128 * 1024
"""Bytes of an offer at least, so that small files go many at a time."""
OFFER_PATIENCE: Final = 10.0
"""Seconds after which an offer without progress goes to another."""


class _Offer(Struct):
    mask: int
    since: float


class SuperSeed:
    """What one content's lone seed has offered to whom."""

    __slots__ = ("_layout", "_offers", "_passed", "active", "spread")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._offers: dict[LinkId, _Offer] = {}
        self._passed: dict[LinkId, bool] = {}
        """Leechers that let an offer pass, or want a part only."""
        self.spread = 0
        """Chunks that were sent whole, or announced by somebody."""
        self.active = False

    def __repr__(self) -> str:
        state = "on" if self.active else "off"
        return f"<SuperSeed {state} {self.spread.bit_count()}/{self._layout.chunks} spread, {len(self._offers)} offers>"

    @property
    def fresh(self) -> int:
        """Chunks to offer: not spread, and offered to nobody."""
        offered = 0
        for offer in self._offers.values():
            offered |= offer.mask
        return self._layout.all_chunks & ~self.spread & ~offered

    def begin(self, kept: dict[LinkId, int], now: float) -> None:
        """Leechers came: what each has wanted already stays its offer, the rest is taken back."""
        self.active = True
        self._offers = {link: _Offer(mask, now) for link, mask in kept.items() if mask}

    def end(self) -> None:
        self.active = False
        self._offers.clear()
        self._passed.clear()

    def bytes_in(self, mask: int) -> int:
        return self._layout.bytes_in(mask)

    def offered(self, link: LinkId) -> int:
        """What a leecher is offered now."""
        offer = self._offers.get(link)
        return offer.mask if offer else 0

    def shown(self, link: LinkId) -> int:
        """What a leecher is told that it may have."""
        return self._layout.all_chunks if link in self._passed else self.offered(link)

    def offer(self, link: LinkId, rate: float, now: float, rng: random.Random) -> int:
        """Choose the next offer for a leecher that takes `rate` bytes a second; 0 if there is nothing fresh.

        Nothing changes while an earlier offer to it stands.  Neighbouring small chunks go together.
        """
        if self.offered(link) or link in self._passed:
            return 0
        fresh, wanted = self.fresh, max(OFFER_LEAST, int(rate * OFFER_SECONDS))
        mask, size = 0, 0
        while fresh and size < wanted:
            run, length = self._layout.run(fresh, random_chunk(fresh, rng), wanted - size)
            if mask and size + length > wanted:
                break
            fresh &= ~run
            mask |= run
            size += length
        if mask:
            self._offers[link] = _Offer(mask, now)
        return mask

    def progress(self, link: LinkId, now: float) -> None:
        """Bytes of an offer moved."""
        if offer := self._offers.get(link):
            offer.since = now

    def know(self, mask: int) -> None:
        """Chunks were sent whole, or somebody announced them."""
        self.spread |= mask
        for link, offer in list(self._offers.items()):
            if offer.mask & mask:
                offer.mask &= ~mask
                if not offer.mask:
                    del self._offers[link]

    def forget(self, mask: int) -> None:
        """Nobody has these chunks any more but who keeps them: they are fresh again."""
        self.spread &= ~mask

    def lost(self, link: LinkId) -> None:
        """A stream or link ended: its offer goes to others."""
        self._offers.pop(link, None)

    def show_all(self, link: LinkId) -> None:
        """A leecher wants a part of a tree only: whatever it were offered might be something else."""
        self._offers.pop(link, None)
        self._passed[link] = True

    def overdue(self, now: float) -> list[LinkId]:
        """Take back offers without progress; returns whose they were.  They are shown everything from now on."""
        late = [link for link, offer in self._offers.items() if now - offer.since >= OFFER_PATIENCE]
        for link in late:
            del self._offers[link]
            self._passed[link] = True
        return late

    def check_invariants(self) -> None:
        seen = 0
        for offer in self._offers.values():
            assert offer.mask
            assert not offer.mask & (seen | self.spread)
            seen |= offer.mask
