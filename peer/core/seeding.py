"""When this peer super-seeds, and the offers it makes then (superseeding.py chooses them)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from bus.boundary import ContentId, LinkId
from peer.core.haves import Haves
from peer.core.layout import Layout
from peer.core.relaying import Relays
from peer.core.shelf import Shelf
from peer.core.superseeding import SuperSeed
from peer.core.turn import Turn
from peer.core.upload import Upload

LEECHERS: Final = 2
"""Leechers linked from which on super-seeding pays: one alone gets everything anyway."""
LEAST_CHUNKS: Final = 3
"""Chunks of a content from which on it pays.

Simulated, the last of 20 leechers has it with it and without after: one chunk 0.65 and 0.46 s, two 0.84 and 0.71 s,
three 0.73 and 0.77 s, 16 chunks 1.72 and 2.25 s; of 8 leechers: two chunks 0.46 and 0.42 s, four 0.73 and 0.80 s.
"""
PASSING_SECONDS: Final = 3.0
"""As long as it took us to send a chunk, and so long for the news to come, is time enough to pass on the first."""
LOOK_EVERY: Final = 1.0
"""Seconds between looks at offers without progress."""


class Seeding:
    """The contents that this peer has whole and that leechers ask for."""

    def __init__(self, turn: Turn, shelf: Shelf, haves: Haves, open_uploads: dict[LinkId, Upload]) -> None:
        """`open_uploads` are the streams with a slot; whoever owns them changes the map."""
        self._turn = turn
        self._shelf = shelf
        self._haves = haves
        self._open = open_uploads
        self._seeds: dict[ContentId, SuperSeed] = {}
        self._relays: dict[ContentId, Relays] = {}
        self._counted: dict[ContentId, int] = {}
        """Seeds that a tracker counted, us included."""
        self.ask_count: Callable[[ContentId], object] = lambda content: None
        """Asks the trackers how many seeds there are: pushes tell of changes only, and we may be the newest."""

    def counted(self, content: ContentId, seeds: int) -> None:
        """A tracker said how many seeds a swarm has."""
        if offer := self._shelf.offers.get(content):
            # While we fetch we are none of them: once we have all there is one more.
            self._counted[content] = seeds if offer.complete else seeds + 1
            self._judge(content)

    def keeps_all(self, link: LinkId) -> bool:
        """Whether a leecher passes on nothing of what it alone was given, of some content."""
        relays = self._relays.values()
        return bool(relays) and any(each.keeps_all(link, self._turn.now) for each in relays)

    def passes_on(self, link: LinkId) -> bool:
        """Whether a leecher passed on what it alone was given, of some content."""
        relays = self._relays.values()
        return bool(relays) and any(each.passes_on(link) for each in relays)

    def heard(self, link: LinkId, content: ContentId, layout: Layout, mask: int) -> None:
        """A neighbour said what it offers of a content that we have whole."""
        seed = self._seeds.get(content)
        if seed is None:
            seed = self._seeds[content] = SuperSeed(layout)
            self._relays[content] = Relays()
        if mask != layout.all_chunks:
            # Who claims everything may lie, and one liar would end super-seeding.  A leecher that completes told of
            # its chunks before, and another seed is counted by the tracker.
            seed.know(self._relays[content].heard(link, mask))
        self._judge(content)

    def link_lost(self, link: LinkId) -> None:
        """A neighbour is gone (its stream ended before)."""
        for content, seed in list(self._seeds.items()):
            lost = self._relays[content].gone(link)
            if seed.active:
                seed.forget(lost)
            self._judge(content)

    def withdrawn(self, content: ContentId) -> None:
        """A content is no longer offered."""
        self._haves.limited.pop(content, None)
        self._seeds.pop(content, None)
        self._relays.pop(content, None)
        self._counted.pop(content, None)

    def _judge(self, content: ContentId) -> None:
        """Begin or end super-seeding."""
        seed = self._seeds.get(content)
        offer = self._shelf.offers.get(content)
        if seed is None or offer is None or offer.layout is None:
            return
        if not seed.active and (self._counted.get(content, 1) > 1 or not seed.fresh):
            return  # Nothing begins, whoever is linked.
        wanted = offer.layout.chunks >= LEAST_CHUNKS and self._is_alone(content) and bool(seed.fresh)
        if wanted and not seed.active:
            self._begin(content, seed)
        elif seed.active and not wanted:
            seed.end()
            del self._haves.limited[content]
            self._haves.changed(content)

    def _is_alone(self, content: ContentId) -> bool:
        """Whether we are the only seed, as far as we know, and some leechers are linked."""
        counted = self._counted.get(content)
        if counted is not None and counted > 1:
            return False
        leechers = 0
        for link, _ in self._haves.interested(content):
            if not self._haves.is_seed(link, content):
                leechers += 1
                if leechers >= LEECHERS and counted is not None:
                    return True
            elif counted is None:
                return False
        return leechers >= LEECHERS

    def _begin(self, content: ContentId, seed: SuperSeed) -> None:
        given = 0
        kept: dict[LinkId, int] = {}
        for link, upload in self._open.items():
            # Two leechers may have wanted the same chunk before; it is an offer to the first only, and sent to both.
            kept[link] = upload.queued(content) & ~given & ~seed.spread
            given |= kept[link]
        seed.begin(kept, self._turn.now)
        self._haves.limited[content] = partial(self._shown, content, seed)
        for link, _ in self._haves.interested(content):
            self._offer(content, seed, link)
            self._haves.retell(link, content)
        self._turn.timers.set_earlier(("offers",), self._turn.now + LOOK_EVERY)
        if content not in self._counted:
            self.ask_count(content)

    def _shown(self, content: ContentId, seed: SuperSeed, link: LinkId) -> int:
        """What a leecher is told that it may have; who keeps all is shown what others have, too."""
        return seed.shown(link) | (seed.spread if self._relays[content].keeps_all(link, self._turn.now) else 0)

    # -- offers --

    def opened(self, upload: Upload) -> None:
        """A leecher got a slot: offer it something of every content it asked for."""
        for content, seed in self._seeds.items():
            if seed.active and content in self._haves.interested_in(upload.link):
                self._offer(content, seed, upload.link)
                self._haves.retell(upload.link, content)

    def sent(self, upload: Upload, content: ContentId, chunks: int) -> None:
        """Bytes went out, and these chunks are whole: they are spread; offer more once the offer is used up."""
        seed = self._seeds.get(content)
        if seed is None:
            return
        seed.progress(upload.link, self._turn.now)
        if not chunks:
            return
        relays = self._relays[content]
        relays.sent(upload.link, chunks)
        if seed.active and (alone := chunks & ~seed.spread):
            took = seed.bytes_in(alone) / max(1.0, upload.meter.rate(self._turn.now))
            relays.gave(upload.link, alone, self._turn.now + PASSING_SECONDS + took)
        seed.know(chunks)
        if seed.active:
            self._offer(content, seed, upload.link)
            self._haves.retell(upload.link, content)
            if not seed.fresh:
                self._judge(content)

    def ended(self, link: LinkId) -> None:
        """A stream ended: its offers go to others."""
        for content, seed in self._seeds.items():
            if seed.active:
                seed.lost(link)
                self._haves.retell(link, content)
                self._offer_all(content, seed)

    def due(self) -> None:
        """Take back the offers that nobody takes up."""
        active = False
        for content, seed in self._seeds.items():
            if seed.active:
                active = True
                for link, upload in self._open.items():
                    # A chunk of 16 MiB, or a manifest behind one, may wait for its turn longer than that.
                    if upload.waits_for_us(content):
                        seed.progress(link, self._turn.now)
                seed.forget(self._relays[content].lost(self._turn.now))
                seed.overdue(self._turn.now)
                self._offer_all(content, seed)
        if active:
            self._turn.timers.set_earlier(("offers",), self._turn.now + LOOK_EVERY)

    def _offer_all(self, content: ContentId, seed: SuperSeed) -> None:
        for link in self._open:
            if content in self._haves.interested_in(link):
                self._offer(content, seed, link)
        for link in self._open:
            self._haves.retell(link, content)

    def _may_offer(self, content: ContentId, link: LinkId) -> bool:
        """Who passes on nothing is offered something fresh only if there is nobody else to offer it to."""
        relays, now = self._relays[content], self._turn.now
        return not relays.keeps_all(link, now) or not any(
            content in self._haves.interested_in(other) and not relays.keeps_all(other, now) for other in self._open
        )

    def _offer(self, content: ContentId, seed: SuperSeed, link: LinkId) -> None:
        upload = self._open.get(link)
        if self._haves.wants_part(link, content):
            seed.show_all(link)
        elif upload is not None and self._may_offer(content, link):
            seed.offer(link, upload.meter.rate(self._turn.now), self._turn.now, self._turn.rng)
