"""Rate limits: of all contents together, and of one."""

from __future__ import annotations

from typing import Literal

from flask import Response
from msgspec import UNSET, UnsetType

from bus import messages
from bus.readable import LimitsInForce, Schedule, limits_in_force, scheduled_limits
from gateway.answers import answer, body_as
from gateway.bodies import AllLimitsPatch, LimitsPatch
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
            Route("PATCH", "/limits", self.change, LimitsInForce, body=AllLimitsPatch, asks_peer=True),
        ]

    def show(self) -> Response:
        """The rate limits of all contents together, and the contents with limits of their own; 0: unlimited."""
        return answer(change_limits(self._items, "", LimitsPatch()))

    def change(self) -> Response:
        """Change the rate limits of all contents together, or when other ones hold; at once and for good.

        What is not named stays as it is.
        """
        return answer(change_limits(self._items, "", body_as(AllLimitsPatch)))


def change_limits(items: Items, content: str, patch: LimitsPatch) -> LimitsInForce:
    """Change the limits of a content, or with "" of all together; what is in force then."""
    schedule = patch.schedule if isinstance(patch, AllLimitsPatch) else UNSET
    question = messages.ChangeLimits(0, content[:512], _rate(patch.up), _rate(patch.down), _scheduled(schedule))
    told = items.ask(question, messages.Limits)
    if patch not in (LimitsPatch(), AllLimitsPatch()):
        items.wait_until_shown(lambda view: _shows(view, told))
    return limits_in_force(told)


def _rate(wanted: int | Literal["default"] | UnsetType | None) -> int:
    """The number that the peer's message has for it."""
    if wanted is UNSET:
        return messages.LIMIT_KEPT
    if isinstance(wanted, str):
        return messages.LIMIT_DEFAULT
    return wanted or 0


def _scheduled(wanted: Schedule | UnsetType | None) -> messages.ScheduledLimits | Literal["", "none"]:
    if wanted is UNSET:
        return ""
    return "none" if wanted is None else scheduled_limits(wanted)


def _shows(view: PageView, told: messages.Limits) -> bool:
    if not told.content:
        peer = view.row(rows.PEER, rows.SELF)
        in_force = (told.effective_up, told.effective_down, told.scheduled)
        return isinstance(peer, rows.PeerRow) and (peer.up_limit, peer.down_limit, peer.limits_scheduled) == in_force
    return all(
        (row.up_limit, row.down_limit) == (told.up, told.down)
        for section in (rows.SHARES, rows.DOWNLOADS)
        if isinstance(row := view.row(section, told.content), rows.ShareRow | rows.DownloadRow)
    )
