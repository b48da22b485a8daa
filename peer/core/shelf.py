"""What this peer offers: whole contents and the held chunks of running downloads."""

from __future__ import annotations

from msgspec import Struct

from bus.boundary import ContentId
from bus.events import ContentShared
from bus.messages import ContentEntry
from peer.core.layout import Layout
from peer.core.records import KnownContent
from peer.core.turn import Turn


class Offer(Struct):
    """One content, whole or in part."""

    layout: Layout | None
    """None until the manifest is known."""
    held: int
    """Chunks held, verified."""
    known: KnownContent | None
    """Set if it is no running download."""
    entry: ContentEntry
    """As the tracker is to list it."""

    @property
    def complete(self) -> bool:
        return self.known is not None and self.held == self.known.layout.all_chunks

    @property
    def shown(self) -> int:
        """The have-map to tell others: a content without chunks (an empty file) shows one, so that it can be had."""
        return self.held or int(self.complete)


class Shelf:
    """Every content this peer would serve now, by id.  Those paused, unchecked or damaged stand in `paused`."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.offers: dict[ContentId, Offer] = {}
        self.paused: dict[ContentId, KnownContent] = {}
        self.damaged: dict[ContentId, str] = {}
        """What is wrong with those whose data is not what was hashed."""

    def put_known(self, content: KnownContent, held: int) -> None:
        """Offer, or only list, a finished content, of which we hold these chunks: all, or a part of a tree."""
        self.damaged.pop(content.id, None)
        if content.paused or content.unchecked:
            self.paused[content.id] = content
            self.offers.pop(content.id, None)
        else:
            self.paused.pop(content.id, None)
            layout = content.layout
            entry = ContentEntry(content.id, content.name, layout.kind, layout.size, held == layout.all_chunks)
            self.offers[content.id] = Offer(layout, held, content, entry)
        if not content.downloaded:
            self._publish(content)

    def put_partial(self, content: ContentId, name: str, layout: Layout | None, held: int) -> None:
        """Offer what a download holds so far."""
        size = layout.size if layout else 0
        entry = ContentEntry(content, name, layout.kind if layout else "", size, False)
        self.offers[content] = Offer(layout, held, None, entry)

    def known(self, content: ContentId) -> KnownContent | None:
        """A content we have whole, offered or paused."""
        offer = self.offers.get(content)
        return offer.known if offer else self.paused.get(content)

    def set_damaged(self, content: KnownContent, error: str) -> None:
        """Keep listing a content whose data is not what was hashed, without offering it."""
        self.paused[content.id] = content
        self.damaged[content.id] = error
        if not content.downloaded:
            self._publish(content, error)

    def all_known(self) -> list[KnownContent]:
        whole = [offer.known for offer in self.offers.values() if offer.known is not None]
        return whole + list(self.paused.values())

    def drop(self, content: ContentId) -> None:
        """Offer a content no longer."""
        for listed in (self.damaged, self.offers, self.paused):
            listed.pop(content, None)

    def _publish(self, content: KnownContent, error: str = "") -> None:
        layout = content.layout
        self._turn.publish(
            ContentShared(
                id=content.id,
                name=content.name,
                kind=layout.kind,
                size=layout.size,
                files=sum(1 for entry in layout.entries if not entry.directory),
                chunks=layout.chunks,
                path=content.path,
                upload=content.upload,
                state="error" if error else content.state,
                error=error,
                added=content.added,
            )
        )
