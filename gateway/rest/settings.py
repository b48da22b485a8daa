"""The settings: what is in force, with what each does, and changes of the file that they stand in."""

from __future__ import annotations

from typing import cast

from flask import Response, request
from werkzeug.exceptions import PreconditionFailed

from bus.errors import ShoalError
from bus.readable import LimitsInForce
from gateway.answers import answer, body_as
from gateway.bodies import LimitsPatch
from gateway.changing import SettingsPatch, Value, changed_content
from gateway.config_file import ConfigFile
from gateway.described import Configured, SettingsShown, describe
from gateway.items import Items
from gateway.rest.limits import change_limits
from gateway.routes import Route


class SettingsGroup:
    """The handlers."""

    def __init__(self, items: Items, configured: Configured) -> None:
        self._items = items
        self._configured = configured

    def routes(self) -> list[Route]:
        refused = (403, 409, 412, 422)
        return [
            Route("GET", "/settings", self.show, SettingsShown, asks_peer=True),
            Route(
                "PATCH", "/settings", self.change, SettingsShown, body=SettingsPatch, asks_peer=True, further=refused
            ),
        ]

    def show(self) -> Response:
        """Every setting: what it does, what it may be, what it is and why, and what a restart would make of it."""
        return self._shown(self._limits())

    def change(self) -> Response:
        """Write settings into the configuration file, all of them or none: each key as `/settings` tells it, with its
        value as it would stand there.

        They hold after a restart. `If-Match` with the ETag of `/settings` refuses with 412 if those have changed since.
        """
        patch = body_as(cast("type[dict[str, Value]]", SettingsPatch))
        limits, configured = self._limits(), self._configured
        with ConfigFile(configured.file) as file:
            if request.if_match and not request.if_match.contains(self._shown(limits).get_etag()[0] or ""):
                raise PreconditionFailed("the settings changed since they were read; look at them again")
            content = changed_content(file.content, patch, configured.peer, configured.file, configured.begun)
            configured.read(content)  # refuses what a start would refuse
            file.replace(content)
            return self._shown(limits)

    def _limits(self) -> LimitsInForce:
        return change_limits(self._items, "", LimitsPatch())

    def _shown(self, limits: LimitsInForce) -> Response:
        now, problem = None, ""
        try:
            now = self._configured.read(None)
        except ShoalError as error:
            problem = error.message
        response = answer(describe(self._configured, now, problem, limits))
        response.add_etag()
        return response
