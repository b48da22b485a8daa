"""The settings that are in force, with what each does."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response
from msgspec import Struct

from bus.config import Loaded
from bus.errors import ShoalError
from gateway.answers import answer
from gateway.bodies import LimitsPatch
from gateway.described import SettingsShown, describe
from gateway.items import Items
from gateway.rest.limits import change_limits
from gateway.routes import Route


class Configured(Struct, frozen=True):
    """The configuration of one peer."""

    peer: str
    """Its name."""
    loaded: Loaded
    """As it was when the gateway began."""
    load_again: Callable[[], Loaded]
    """Reads it anew; raises ShoalError."""


class SettingsGroup:
    """The handlers."""

    def __init__(self, items: Items, configured: Configured) -> None:
        self._items = items
        self._configured = configured

    def routes(self) -> list[Route]:
        return [Route("GET", "/settings", self.show, SettingsShown, asks_peer=True)]

    def show(self) -> Response:
        """Every setting: what it does, what it may be, what it is and why, and what a restart would make of it."""
        limits = change_limits(self._items, "", LimitsPatch())
        configured, now, problem = self._configured, None, ""
        try:
            now = configured.load_again()
        except ShoalError as error:
            problem = error.message
        return answer(describe(configured.loaded, now, problem, configured.peer, limits))
