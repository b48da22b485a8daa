"""What this peer thinks of others, and what its user decides about one of them."""

from __future__ import annotations

from typing import Final, Literal

from flask import Response

from bus import messages
from gateway.answers import LIST_QUERY, Listing, answer, body_as, no_content
from gateway.bodies import Explanation, Judged, ReputationPatch
from gateway.items import Items
from gateway.routes import Route
from gateway.view import rows

_WORDS: Final[dict[str | None, Literal["trust", "block", "clear"]]] = {
    "trusted": "trust",
    "blocked": "block",
    None: "clear",
}


class Opinions:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        one, row, patch = "/reputation/<peer>", rows.ReputationRow, ReputationPatch
        return [
            Route("GET", "/reputation", self.list_reputation, Listing[rows.ReputationRow], query=LIST_QUERY),
            Route("GET", one, self.explain_reputation, Explanation, asks_peer=True),
            Route("PATCH", one, self.judge, row, body=patch, or_answers=Judged, asks_peer=True),
            Route("DELETE", one, self.forget, status=204, asks_peer=True),
        ]

    def list_reputation(self) -> Response:
        """Scores, best first, and how often each event was seen."""
        return self._items.listed(rows.REPUTATION, rows.ReputationRow, "-score")

    def explain_reputation(self, peer: str) -> Response:
        """The events that made one score, oldest first."""
        told = self._items.ask(messages.ExplainReputation(0, peer[:512]), messages.ReputationExplained)
        return answer(Explanation(told.peer, told.score, told.events, told.verdict))

    def judge(self, peer: str) -> Response:
        """Trust or block a peer, or let its score decide again; at once and for good.  A whole id need not be known."""
        wanted = body_as(ReputationPatch).verdict
        judged = self._items.ask(messages.JudgePeer(0, peer[:512], _WORDS[wanted]), messages.Done).content
        self._items.wait_until_shown(lambda view: _verdict_of(view.row(rows.REPUTATION, judged)) == (wanted or ""))
        row = self._items.live.row(rows.REPUTATION, judged, rows.ReputationRow)
        return answer(row or Judged(judged, wanted or ""))

    def forget(self, peer: str) -> Response:
        """Drop all that is kept of a peer, the user's verdict too: it is a newcomer."""
        forgotten = self._items.ask(messages.JudgePeer(0, peer[:512], "forget"), messages.Done).content
        self._items.wait_until_shown(lambda view: view.row(rows.REPUTATION, forgotten) is None)
        return no_content()


def _verdict_of(row: rows.Row | None) -> str:
    return row.verdict if isinstance(row, rows.ReputationRow) else ""
