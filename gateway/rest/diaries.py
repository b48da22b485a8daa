"""What happened to a content, as long as the gateway has run."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response

from gateway.answers import Listing, answer
from gateway.bodies import ContentEvent
from gateway.items import Items
from gateway.routes import Route


class DiaryGroup:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        return [Route("GET", "/contents/<content>/events", self.of_one, Listing[ContentEvent])]

    def of_one(self, content: str) -> Response:
        """The last 100 things that happened to it since the gateway started, oldest first; of the 500 contents to which
        something happened last."""
        entries = self._items.live.happened(self._items.content(content).id)
        told = [
            ContentEvent(one.number, datetime.fromtimestamp(one.time, UTC), one.type, one.tone, one.text, one.peer)
            for one in entries
        ]
        return answer(Listing(told, None))
