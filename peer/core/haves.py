"""Have-maps of both sides of every link: what the others offer, and what they were told.

An empty have says that its sender offers nothing; whoever offers any of the content answers it
with all it offers.  So a download that begins, or goes on, asks with an empty one.  News is
batched and sent as the ranges that changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bus.boundary import ContentId, LinkId
from bus.messages import Have
from peer.core.bitmap import apply_have, have_blocks, to_have
from peer.core.layout import Layout
from peer.core.shelf import Shelf
from peer.core.turn import Turn

BATCH_SECONDS = 0.1
"""Haves are gathered for so long: 10 messages a second and neighbour, whatever the chunk rate."""
SLOW_SECONDS = 1.0
"""The same for neighbours that cannot ask for anything now: without an open stream news only count for rarity."""
SLOW_LINKS = 25
"""Of more links the slow news come more seldom, so that they are so many messages a second at most: how rare a chunk
is, is known from as many maps."""
MAX_INTERESTS = 1000
"""Contents that one neighbour may ask for though we do not have them."""


class Haves:
    """What is offered to us and what we told, by link and content."""

    def __init__(self, turn: Turn, shelf: Shelf) -> None:
        self._turn = turn
        self._shelf = shelf
        self._offers = shelf.offers
        self._theirs: dict[LinkId, dict[ContentId, int]] = {}
        self._told: dict[LinkId, dict[ContentId, int]] = {}
        self._news: dict[ContentId, bool] = {}
        self._seeds: dict[tuple[LinkId, ContentId], bool] = {}
        """Neighbours that have all of a content, whatever they offer now."""
        self._part_wanted: dict[tuple[LinkId, ContentId], bool] = {}
        """Neighbours that said that they want a part of a tree only."""
        self.parts: dict[ContentId, bool] = {}
        """Trees of which we want a part only."""
        self.previewed: dict[ContentId, bool] = {}
        """Contents of which only the manifest is wanted: what neighbours offer of them counts, though we have none."""
        self._slow: dict[ContentId, bool] = {}
        """Contents of which some neighbours were not told the news yet."""
        self._slow_at = turn.now
        self.limited: dict[ContentId, Callable[[LinkId], int]] = {}
        """Contents of which each neighbour is shown a part only (super-seeding)."""
        self.may_ask: Mapping[LinkId, object] = {}
        """Neighbours with a slot: only these can ask us for anything before the next slow news."""
        self.asks_soon: Callable[[LinkId, int], bool] = lambda link, size: True
        """Whether one of them may have asked for so many bytes by then."""

    def shown(self, link: LinkId, content: ContentId) -> int:
        """What a neighbour is to be told that we offer."""
        offer = self._shelf.offers.get(content)
        if offer is None:
            return 0
        limited = self.limited.get(content)
        return limited(link) if limited else offer.shown

    def ask(self, link: LinkId, content: ContentId) -> None:
        """Show interest: an empty have, which a neighbour that offers anything answers with all it offers."""
        told = self._told.setdefault(link, {})
        if content not in told:
            self._turn.send(link, Have(content, 0, b"", part=content in self.parts))
            told[content] = 0
            offer = self._shelf.offers.get(content)
            if offer and offer.shown:
                self.tell(link, content)

    def begin(self, content: ContentId) -> None:
        """A download begins, or goes on: whatever was asked before is asked anew, for the answers were not kept."""
        for told in self._told.values():
            told.pop(content, None)

    def interested_in(self, link: LinkId) -> dict[ContentId, int]:
        """The contents that a neighbour spoke of, and what it offers of each."""
        return self._theirs.get(link, {})

    def tell(self, link: LinkId, content: ContentId) -> None:
        """Tell a neighbour all that we offer it of a content."""
        shown = self.shown(link, content)
        complete = self._complete(content)
        # A seed that offers nothing for now says so with a zero: an empty have would ask for something.
        self._turn.send(link, Have(content, 0, to_have(shown, 0) or b"\0" * complete, complete))
        self._told.setdefault(link, {})[content] = shown

    def _complete(self, content: ContentId) -> bool:
        offer = self._shelf.offers.get(content)
        return offer is not None and offer.complete

    def retell(self, link: LinkId, content: ContentId) -> None:
        """What we offer one neighbour changed: tell it now."""
        told, shown = self._told.get(link, {}), self.shown(link, content)
        if content in told and told[content] != shown:
            for news in self._news_of(content, told[content], shown):
                self._turn.send(link, news)
            told[content] = shown

    def retell_all(self, link: LinkId) -> None:
        """A neighbour may ask from now on: tell it what it was not told yet."""
        for content in list(self._told.get(link, {})):
            self.retell(link, content)

    def interested(self, content: ContentId) -> Iterator[tuple[LinkId, int]]:
        """The neighbours that spoke of a content, and what they offer of it."""
        return ((link, maps[content]) for link, maps in self._theirs.items() if content in maps)

    def theirs(self, link: LinkId, content: ContentId) -> int | None:
        """What a neighbour offers of a content, None if it never spoke of it."""
        return self._theirs.get(link, {}).get(content)

    def is_seed(self, link: LinkId, content: ContentId) -> bool:
        """Whether a neighbour has all of a content, though it may offer less for now."""
        return (link, content) in self._seeds

    def wants_part(self, link: LinkId, content: ContentId) -> bool:
        """Whether a neighbour wants a part of a tree only."""
        return (link, content) in self._part_wanted

    def received(self, link: LinkId, message: Have) -> tuple[int, bool]:
        """Take in a have; returns the neighbour's map now, and whether it must be told ours in return.

        An empty one says that it offers nothing and would like to know what we do.  Of contents
        that are not on our shelf only the interest is kept, and whether it is in a part.
        """
        maps = self._theirs.get(link)
        if maps is None:
            maps = self._theirs[link] = {}
        content, bits = message.content, message.bits
        known = maps.get(content)
        offer = self._offers.get(content)
        elsewhere = offer is None and content not in self.previewed
        if elsewhere and known is None and len(maps) >= MAX_INTERESTS:
            return 0, False
        if not bits and message.first == 0:
            maps[content] = 0
            self._seeds.pop((link, content), None)
            self._part_wanted.pop((link, content), None)
            if message.part:
                self._part_wanted[link, content] = True
            return 0, offer is not None and bool(offer.shown)
        if elsewhere:
            maps[content] = 0
            return 0, False
        mask = apply_have(known or 0, message.first, bits)
        # A content without chunks shows one (Offer.shown).
        whole = (offer.layout.all_chunks or 1) if offer and offer.layout else -1
        mask &= whole
        maps[content] = mask
        if message.complete or mask == whole:
            self._seeds[link, content] = True
        else:
            self._seeds.pop((link, content), None)
        return mask, known is None and offer is not None

    def offered_now(self, content: ContentId) -> None:
        """A content came onto the shelf: tell whoever had asked for it."""
        for link, maps in self._theirs.items():
            if content in maps:
                self.tell(link, content)

    def clear(self, link: LinkId, content: ContentId, chunks: int) -> int:
        """A neighbour does not have these chunks after all; returns its map now."""
        maps = self._theirs.get(link, {})
        maps[content] = maps.get(content, 0) & ~chunks
        return maps[content]

    def changed(self, content: ContentId) -> None:
        """Our offer of a content changed: tell it soon."""
        self._news[content] = True
        self._turn.timers.set_earlier(("haves",), self._turn.now + BATCH_SECONDS)

    def flush(self) -> None:
        """Send the news of every changed content to whoever was told of it."""
        everyone = self._turn.now >= self._slow_at
        if everyone:
            self._news |= self._slow
            self._slow.clear()
            self._slow_at = self._turn.now + SLOW_SECONDS * max(1.0, len(self._told) / SLOW_LINKS)
        for content in self._news:
            self._flush(content, everyone)
        self._news.clear()
        if self._slow:
            self._turn.timers.set_earlier(("haves",), self._slow_at)

    def _flush(self, content: ContentId, everyone: bool) -> None:
        """Send the news of one content, unless none of it is of any use to a neighbour and we do not have all yet."""
        offer = self._shelf.offers.get(content)
        layout = offer.layout if offer else None
        limited = self.limited.get(content) if offer else None
        shown = offer.shown if offer else 0
        made: dict[tuple[int, int], list[Have]] = {}
        whole = layout.all_chunks if layout else -1
        may_ask = self.may_ask
        for link, maps in self._told.items():
            told = maps.get(content)
            if told is None:
                continue
            if limited:
                shown = limited(link)
            if told == shown:
                continue
            if not told & ~shown:
                offered = self._theirs.get(link)
                theirs = offered.get(content, 0) if offered else 0
                if not shown & ~(told | theirs) and shown != whole:
                    continue
                urgent = everyone or not told or (link in may_ask and self._asks_soon(link, layout, told & ~theirs))
                if not urgent:
                    self._slow[content] = True
                    continue
            news = made.get((told, shown))
            if news is None:
                news = made[told, shown] = self._news_of(content, told, shown)
            for message in news:
                self._turn.send(link, message)
            maps[content] = shown

    def _asks_soon(self, link: LinkId, layout: Layout | None, lacking: int) -> bool:
        """Whether a neighbour that may ask will soon have asked for all that it knows of and lacks."""
        size = lacking.bit_count() * layout.size // max(1, layout.chunks) if layout else 0
        return self.asks_soon(link, size)

    def _news_of(self, content: ContentId, told: int, shown: int) -> list[Have]:
        """What to send to who knows of some chunks and is to know of others."""
        complete = self._complete(content)
        if not shown and not complete:
            # An empty have ends the offer; the map is told anew if it comes back.
            return [Have(content, 0, b"")]
        return [Have(content, first, bits, complete) for first, bits in have_blocks(shown, told ^ shown)]

    def withdrawn(self, content: ContentId) -> None:
        """A content left the shelf: end the offer everywhere at once."""
        self._news.pop(content, None)
        for link, told in self._told.items():
            if told.pop(content, 0):
                self._turn.send(link, Have(content, 0, b""))

    def link_lost(self, link: LinkId) -> None:
        for content in self._theirs.get(link, {}):
            self._seeds.pop((link, content), None)
            self._part_wanted.pop((link, content), None)
        self._theirs.pop(link, None)
        self._told.pop(link, None)
