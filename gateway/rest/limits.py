"""Rate limits: of all contents together, and of one."""

from __future__ import annotations

from typing import Literal

from flask import Response
from msgspec import UNSET, UnsetType

from bus import messages
from bus.readable import LimitsInForce, limits_in_force
from gateway.answers import answer, body_as
from gateway.bodies import LimitsPatch
from gateway.items import Items
from gateway.routes import Route
from gateway.view import rows
from gateway.view.page import PageView


class LimitsGroup:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/limits", self.show, LimitsInForce, asks_peer=True),
            Route("PATCH", "/limits", self.change, LimitsInForce, body=LimitsPatch, asks_peer=True),
        ]

    def show(self) -> Response:
        """The rate limits of all contents together, and the contents with limits of their own; 0: unlimited."""
        return answer(change_limits(self._items, "", LimitsPatch()))

    def change(self) -> Response:
        """Change the rate limits of all contents together, at once and for good; what is not named stays as it is."""
        return answer(change_limits(self._items, "", body_as(LimitsPatch)))


def change_limits(items: Items, content: str, patch: LimitsPatch) -> LimitsInForce:
    """Change the limits of a content, or with "" of all together; what is in force then."""
    question = messages.ChangeLimits(0, content[:512], _rate(patch.up), _rate(patch.down))
    told = items.ask(question, messages.Limits)
    if patch != LimitsPatch():
        items.wait_until_shown(lambda view: _shows(view, told))
    return limits_in_force(told)


def _rate(wanted: int | Literal["default"] | UnsetType | None) -> int:
    """The number that the peer's message has for it."""
    if wanted is UNSET:
        return messages.LIMIT_KEPT
    if isinstance(wanted, str):
        return messages.LIMIT_DEFAULT
    return wanted or 0


def _shows(view: PageView, told: messages.Limits) -> bool:
    sections = (rows.SHARES, rows.DOWNLOADS) if told.content else (rows.PEER,)
    shown = [row for section in sections if (row := view.row(section, told.content or rows.SELF))]
    return all(
        (row.up_limit, row.down_limit) == (told.up, told.down)
        for row in shown
        if isinstance(row, rows.PeerRow | rows.ShareRow | rows.DownloadRow)
    )
