"""Which parts of a content are here, file by file and in all, and who offers them."""

from __future__ import annotations

from flask import Response

from bus import messages
from gateway.answers import CURSOR, Listing, answer
from gateway.bodies import ContentPieces, FileHeld, PiecesOfPeer
from gateway.items import Items
from gateway.routes import Route


class PiecesGroup:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        one = "/contents/<content>"
        return [
            Route("GET", f"{one}/held", self.list_held, Listing[FileHeld], query=(CURSOR,), asks_peer=True),
            Route("GET", f"{one}/pieces", self.show_pieces, ContentPieces, asks_peer=True),
        ]

    def list_held(self, content: str) -> Response:
        """How much of each of its files is here, whether it is fetched at all, and how early; in their order."""
        first = CURSOR.read()
        told = self._items.ask(messages.ListHeld(0, content[:512], first), messages.Held)
        rows = [
            FileHeld(first + place, row.wanted, row.bytes_done, row.priority) for place, row in enumerate(told.files)
        ]
        return answer(Listing(rows, str(told.next) if told.next else None))

    def show_pieces(self, content: str) -> Response:
        """Which parts of it are here, how many linked peers have each, and which ones each of them offers."""
        told = self._items.ask(messages.ShowPieces(0, content[:512]), messages.Pieces)
        peers = [PiecesOfPeer(one.peer, one.complete, one.chunks, one.offered.hex()) for one in told.peers]
        return answer(ContentPieces(told.chunks, told.here.hex(), told.copies.hex(), told.linked, peers))
