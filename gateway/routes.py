"""What one endpoint of the REST interface is: handlers declare it, Flask and the OpenAPI document are made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Response
from msgspec import Struct

from bus.errors import CODES, ERR_HOST, ERR_RATE, ERR_TOKEN, ERR_TOO_LARGE
from gateway.query import Parameter

PREFIX: Final = "/api/v1"

_OWN: Final = (ERR_TOKEN, ERR_HOST, ERR_TOO_LARGE, ERR_RATE)
"""Codes that only the gateway itself uses."""
OF_PEER: Final = tuple(sorted({outcome.http_status for code, outcome in CODES.items() if code not in _OWN}))
"""Statuses of what a peer may refuse with: it may have any reason that there is."""

EVERYWHERE: Final = (400, 414, 421, 431, 500)
"""Statuses of what any request may be refused with, before a handler sees it."""


class Route(Struct, frozen=True):
    """One method of one path."""

    method: str
    path: str
    """As Flask writes it, below PREFIX."""
    handler: Callable[..., Response]
    """Its docstring says what the endpoint does."""
    answers: object = None
    """Type of the JSON answer, if there is one."""
    status: int = 200
    """Of the answer if all went well."""
    body: object = None
    """Type of the request's, if it takes one."""
    or_answers: object = None
    """Type of the answer while there is nothing of the first type to tell."""
    takes_upload: bool = False
    """The body may be a multipart upload instead."""
    query: tuple[Parameter, ...] = ()
    open: bool = False
    """It takes no token."""
    asks_peer: bool = False
    """It sends the peer a message, which may be refused for any reason."""
    further: tuple[int, ...] = ()
    """Other statuses that it may answer with."""

    @property
    def text(self) -> str:
        """What it does: the handler's docstring, on one line."""
        return " ".join((inspect.getdoc(self.handler) or "").split())

    @property
    def sends_bytes(self) -> bool:
        """Its answer is the bytes of a file, or a part of them."""
        return HTTPStatus.PARTIAL_CONTENT in self.further

    @property
    def parameters(self) -> list[str]:
        """The names of its path's variable parts."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("<")]

    @property
    def statuses(self) -> list[int]:
        """Every status that it may answer with."""
        found = {self.status: None, **dict.fromkeys(EVERYWHERE)}
        found.update(dict.fromkeys(self.further))
        if not self.open:
            found.update({401: None, 503: None})
        if self.parameters:
            found[404] = None
        if self.body:
            found[413] = None
        if self.method == "GET":
            found[304] = None
        if self.method == "POST" and not self.open:  # the Idempotency-Key
            found.update({409: None, 422: None})
        if self.asks_peer:
            found.update(dict.fromkeys(OF_PEER))
        return sorted(found)
