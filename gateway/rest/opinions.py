"""What this peer thinks of others; what its user decides about one of them belongs here too."""

from __future__ import annotations

from flask import Response

from bus import messages
from gateway.answers import LIST_QUERY, Listing, answer, listing
from gateway.bodies import Explanation
from gateway.items import Items
from gateway.routes import Route
from gateway.view import rows


class Opinions:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/reputation", self.list_reputation, Listing[rows.ReputationRow], query=LIST_QUERY),
            Route("GET", "/reputation/<peer>", self.explain_reputation, Explanation, asks_peer=True),
        ]

    def list_reputation(self) -> Response:
        """Scores, best first, and how often each event was seen."""
        live = self._items.live
        live.require_peer()
        ranked = sorted(live.rows(rows.REPUTATION, rows.ReputationRow), key=lambda row: (-row.score, row.peer))
        return listing(ranked, rows.ReputationRow)

    def explain_reputation(self, peer: str) -> Response:
        """The events that made one score, oldest first."""
        told = self._items.ask(messages.ExplainReputation(0, peer[:512]), messages.ReputationExplained)
        return answer(Explanation(told.peer, told.score, told.events, told.verdict))
