"""This peer, and what its trackers know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from flask import Response

from bus import messages
from gateway.answers import LIST_QUERY, Listing, answer
from gateway.bodies import Status, TrackerState
from gateway.items import Items
from gateway.query import Number, Text
from gateway.routes import Route
from gateway.view import rows

SEARCH_WORDS: Final = Text("q", "the words to search for, or an id or 8 or more of its first digits", shortest=1)
SEARCH_LIMIT: Final = Number("limit", "contents at most", 50, 1, 200)


class Reading:
    """The handlers.  `stamp` is the wall clock, for display."""

    def __init__(self, items: Items, stamp: Callable[[], datetime]) -> None:
        self._items = items
        self._stamp = stamp

    def routes(self) -> list[Route]:
        searched = (SEARCH_WORDS, SEARCH_LIMIT)
        found = Listing[messages.FoundContent]
        return [
            Route("GET", "/status", self.status, Status),
            Route("GET", "/search", self.search, found, query=searched, asks_peer=True),
            Route("GET", "/peers", self.list_peers, Listing[rows.OtherPeerRow], query=LIST_QUERY),
        ]

    def status(self) -> Response:
        """This peer, its trackers and rates."""
        live = self._items.live
        live.require_peer()
        peer = live.row(rows.PEER, rows.SELF, rows.PeerRow)
        assert peer is not None
        trackers = live.rows(rows.TRACKER, rows.TrackerRow)
        uptime = (self._stamp() - peer.started).total_seconds() if peer.started else 0.0
        return answer(
            Status(
                peer.name,
                peer.id,
                peer.version,
                max(0.0, uptime),
                [TrackerState(tracker.endpoint, tracker.state, tracker.reason) for tracker in trackers],
                peer.up_rate,
                peer.down_rate,
                peer.disk_free,
                peer.download_dir,
                peer.started,
            )
        )

    def search(self) -> Response:
        """Search through the peer's trackers, best first."""
        question = messages.SearchContents(0, SEARCH_WORDS.read(), SEARCH_LIMIT.read())
        return answer(Listing(self._items.ask(question, messages.SearchResults).results, None))

    def list_peers(self) -> Response:
        """Peers known here, rates, bytes, scores."""
        return self._items.listed(rows.PEERS, rows.OtherPeerRow)
