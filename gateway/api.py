"""REST: what a program can ask of the peer, under /api/v1.

Reads come from the page's state in memory.  Whatever changes something is a message to the peer, and is answered when
the state shows the change, so that who reads next reads its own write.  The handlers are in gateway/rest/; here they
become one interface, with what holds for all of them: the token, ETags, and POSTs that may be sent again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, Response, request

from bus.errors import ERR_NOT_FOUND, ERR_USAGE, ShoalError
from gateway.access import Gate
from gateway.answers import JSON, answer, body_as
from gateway.bodies import SessionAnswer, SessionOffer, SessionRequest
from gateway.described import Configured
from gateway.folders import Folders
from gateway.idempotency import Repeats
from gateway.items import Items
from gateway.live import Live
from gateway.openapi import document
from gateway.rest.contents import DATA_PATH, TICKET, ContentsGroup
from gateway.rest.diaries import DiaryGroup
from gateway.rest.downloads import Downloads
from gateway.rest.limits import LimitsGroup
from gateway.rest.opinions import Opinions
from gateway.rest.pieces import PiecesGroup
from gateway.rest.rates import RatesGroup
from gateway.rest.reading import Reading
from gateway.rest.settings import SettingsGroup
from gateway.rest.shares import Shares
from gateway.routes import PREFIX, Route


class Api:
    """The whole interface.  `stamp` is the wall clock, for display; `streams` reads of data may go on at a time;
    `folders` may be looked into.
    """

    def __init__(
        self,
        live: Live,
        gate: Gate,
        uploads_dir: Path,
        upload_max: int,
        streams: int,
        configured: Configured,
        folders: Sequence[Path] = (),
        stamp: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gate = gate
        self._repeats = Repeats()
        items = Items(live)
        self.routes: list[Route] = [
            Route("GET", "/openapi.json", self.describe),
            Route("GET", "/session", self.offer_session, SessionOffer, open=True),
            Route(
                "POST", "/session", self.open_session, SessionAnswer, body=SessionRequest, open=True,
                further=(401, 404, 429),
            ),
            *Reading(items, stamp).routes(),
            *Opinions(items).routes(),
            *Shares(items, uploads_dir, upload_max, Folders(folders)).routes(),
            *Downloads(items).routes(),
            *ContentsGroup(items, gate, streams).routes(),
            *LimitsGroup(items).routes(),
            *RatesGroup(items, stamp).routes(),
            *PiecesGroup(items).routes(),
            *DiaryGroup(items).routes(),
            *SettingsGroup(items, configured).routes(),
        ]  # fmt: skip
        self._description = b""

    def blueprint(self, admitted: Callable[[], None] = lambda: None) -> Blueprint:
        """All routes; `admitted` is called for every request that has shown a token or ticket."""
        self._admitted = admitted
        blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
        # For the whole application, since a path that is not known belongs to no blueprint.
        blueprint.before_app_request(self._check_token)
        blueprint.after_request(_tag)
        for route in self.routes:
            # Every method of a path has its own handler, hence its own name.
            name = f"{route.method} {route.path}".replace(".", "")
            handler = route.handler
            if route.method == "POST" and not route.open:
                handler = functools.partial(self._repeats.once, handler)
            blueprint.add_url_rule(route.path, name, handler, methods=[route.method], provide_automatic_options=False)
        return blueprint

    def _check_token(self) -> None:
        if not request.path.startswith(f"{PREFIX}/") or request.path == f"{PREFIX}/session":
            return
        ticket = request.args.get(TICKET.name)
        if ticket is not None and request.url_rule is not None and request.url_rule.rule == f"{PREFIX}{DATA_PATH}":
            self._gate.tickets.check((request.view_args or {}).get("content", ""), ticket)
        else:
            self._gate.admit_header(request.headers.get("Authorization"))
        self._admitted()

    def describe(self) -> Response:
        """This interface as an OpenAPI 3.1 document, made from the code."""
        if not self._description:
            self._description = answer(document(self.routes)).get_data()
        return Response(self._description, content_type=JSON)

    # --- sessions

    def offer_session(self) -> Response:
        """Whether the page has a password."""
        return answer(SessionOffer(self._gate.has_password))

    def open_session(self) -> Response:
        """The token, for the page's password; 5 failures a minute and address."""
        if not self._gate.has_password:
            raise ShoalError(ERR_NOT_FOUND, "this page has no password; use its token, or set gateway.password_file")
        if request.content_length is None:  # a body without one is read as it drips in, by a thread
            raise ShoalError(ERR_USAGE, "send the password with a Content-Length")
        password = body_as(SessionRequest).password
        return answer(SessionAnswer(self._gate.exchange(password, request.remote_addr or "")))


def _tag(response: Response) -> Response:
    """Answers that may be asked for again carry what tells whether they changed."""
    if request.method in ("GET", "HEAD") and response.status_code == 200 and response.mimetype == JSON:
        response.add_etag()
        response.make_conditional(request)
    return response
