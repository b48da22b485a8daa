"""Rates over time: of all contents together, and of one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from flask import Response

from gateway.answers import answer
from gateway.bodies import RatesOverTime
from gateway.items import Items
from gateway.query import Choice
from gateway.routes import Route
from gateway.view.history import STEPS

SPAN: Final = Choice("span", "how far back", tuple(STEPS))


class RatesGroup:
    """The handlers.  `stamp` is the wall clock, for display."""

    def __init__(self, items: Items, stamp: Callable[[], datetime]) -> None:
        self._items = items
        self._stamp = stamp

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/rates", self.of_all, RatesOverTime, query=(SPAN,)),
            Route("GET", "/contents/<content>/rates", self.of_one, RatesOverTime, query=(SPAN,)),
        ]

    def of_all(self) -> Response:
        """How fast bytes came and went over the last minutes or hours, as the gateway saw it since it started."""
        self._items.live.require_peer()
        return self._answer("")

    def of_one(self, content: str) -> Response:
        """The same of one content."""
        return self._answer(self._items.content(content).id)

    def _answer(self, content: str) -> Response:
        course = self._items.live.rates(SPAN.read(), content)
        return answer(RatesOverTime(self._stamp(), course.step, course.up, course.down))
