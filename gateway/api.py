"""REST: what a program can ask of the peer, under /api/v1.

Reads come from the page's state in memory.  Whatever changes something is a message to the peer, and is answered when
the state shows the change, so that who reads next reads its own write.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from flask import Blueprint, Response, request

from bus import messages
from bus.errors import ERR_NOT_FOUND, ERR_PROTOCOL, ERR_USAGE, ShoalError
from gateway import uploads
from gateway.access import Gate
from gateway.answers import Listing, answer, body_as, listing, no_content, number, switch
from gateway.bodies import (
    DownloadRequest,
    Explanation,
    ItemPatch,
    SessionAnswer,
    SessionOffer,
    SessionRequest,
    SharedContent,
    ShareRequest,
    Started,
    Status,
    TrackerState,
)
from gateway.live import Live
from gateway.view import rows
from gateway.view.page import PageView

PREFIX: Final = "/api/v1"
QUICK: Final = 10.0
"""Seconds of silence after which a request that needs no disk is given up."""
SLOW: Final = 60.0
"""Seconds of silence after which hashing or deleting counts as stuck; progress extends it."""
SHOWN_WITHIN: Final = 2.0
"""Seconds that an answer waits for the state to show what was done."""
SHORTEST_PREFIX: Final = 8
"""Hex digits of an id that may stand for it."""

_CHANGES: Final = {"pause": messages.Pause, "resume": messages.Resume, "verify": messages.Verify}

M = TypeVar("M", bound=messages.Message)
R = TypeVar("R", bound=rows.Row)


class Api:
    """The handlers.  `stamp` is the wall clock, for display."""

    def __init__(
        self,
        live: Live,
        gate: Gate,
        uploads_dir: Path,
        upload_max: int,
        stamp: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._live = live
        self._gate = gate
        self._uploads_dir = uploads_dir
        self._upload_max = upload_max
        self._stamp = stamp

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
        # For the whole application, since a path that is not known belongs to no blueprint.
        blueprint.before_app_request(self._check_token)
        for method, path, handler in self._routes():
            # Every method of a path has its own handler, hence its own name.
            name = f"{method} {path}".replace(".", "")
            blueprint.add_url_rule(path, name, handler, methods=[method], provide_automatic_options=False)
        return blueprint

    def _routes(self) -> list[tuple[str, str, Callable[..., Response]]]:
        return [
            ("GET", "/session", self.offer_session),
            ("POST", "/session", self.open_session),
            ("GET", "/status", self.status),
            ("GET", "/search", self.search),
            ("GET", "/peers", self.list_peers),
            ("GET", "/reputation", self.list_reputation),
            ("GET", "/reputation/<peer>", self.explain_reputation),
            ("GET", "/shares", self.list_shares),
            ("POST", "/shares", self.share),
            ("GET", "/shares/<content>", self.get_share),
            ("PATCH", "/shares/<content>", self.change_share),
            ("DELETE", "/shares/<content>", self.unshare),
            ("GET", "/downloads", self.list_downloads),
            ("POST", "/downloads", self.download),
            ("GET", "/downloads/<content>", self.get_download),
            ("PATCH", "/downloads/<content>", self.change_download),
            ("DELETE", "/downloads/<content>", self.remove_download),
            ("GET", "/contents/<content>/files", self.list_files),
        ]

    def _check_token(self) -> None:
        if request.path.startswith(f"{PREFIX}/") and request.path != f"{PREFIX}/session":
            self._gate.admit_header(request.headers.get("Authorization"))

    # --- sessions

    def offer_session(self) -> Response:
        return answer(SessionOffer(self._gate.has_password))

    def open_session(self) -> Response:
        if not self._gate.has_password:
            raise ShoalError(ERR_NOT_FOUND, "this page has no password; use its token, or set gateway.password_file")
        password = body_as(SessionRequest).password
        return answer(SessionAnswer(self._gate.exchange(password, request.remote_addr or "")))

    # --- reading

    def status(self) -> Response:
        self._live.require_peer()
        peer = self._live.row(rows.PEER, rows.SELF, rows.PeerRow)
        assert peer is not None
        trackers = self._live.rows(rows.TRACKER, rows.TrackerRow)
        uptime = (self._stamp() - peer.started).total_seconds() if peer.started else 0.0
        return answer(
            Status(
                peer.name,
                peer.id,
                peer.version,
                max(0.0, uptime),
                [TrackerState(tracker.endpoint, tracker.state) for tracker in trackers],
                peer.up_rate,
                peer.down_rate,
                peer.disk_free,
                peer.download_dir,
                peer.started,
            )
        )

    def search(self) -> Response:
        words = request.args.get("q", "").strip()
        if not 0 < len(words) <= 512:
            raise ShoalError(ERR_USAGE, "q holds the words to search for, 1 to 512 characters")
        limit = number("limit", 50, 1, 200)
        found = self._ask(messages.SearchContents(0, words, limit), messages.SearchResults, QUICK)
        return answer(Listing(found.results, None))

    def list_peers(self) -> Response:
        return self._list(rows.PEERS, rows.OtherPeerRow)

    def list_reputation(self) -> Response:
        self._live.require_peer()
        ranked = sorted(self._live.rows(rows.REPUTATION, rows.ReputationRow), key=lambda row: (-row.score, row.peer))
        return listing(ranked)

    def explain_reputation(self, peer: str) -> Response:
        told = self._ask(messages.ExplainReputation(0, peer[:512]), messages.ReputationExplained, QUICK)
        return answer(Explanation(told.peer, told.score, told.events))

    def list_shares(self) -> Response:
        return self._list(rows.SHARES, rows.ShareRow)

    def get_share(self, content: str) -> Response:
        return answer(self._find(rows.SHARES, content, rows.ShareRow))

    def list_downloads(self) -> Response:
        return self._list(rows.DOWNLOADS, rows.DownloadRow)

    def get_download(self, content: str) -> Response:
        return answer(self._find(rows.DOWNLOADS, content, rows.DownloadRow))

    def list_files(self, content: str) -> Response:
        first = number("cursor", 0, 0, 2**53)
        files = self._ask(messages.ListFiles(0, content[:512], first), messages.Files, QUICK)
        return answer(Listing(files.files, str(files.next) if files.next else None))

    # --- changing

    def share(self) -> Response:
        """201 once the content is hashed and offered."""
        if request.mimetype == "multipart/form-data":
            shared = self._share_upload()
        else:
            wanted = body_as(ShareRequest)
            shared = self._ask(messages.SharePath(0, wanted.path, wanted.name), messages.Shared, SLOW)
        self._live.wait_for(lambda view: view.row(rows.SHARES, shared.id) is not None, SHOWN_WITHIN)
        told = SharedContent(
            shared.id, shared.name, shared.kind, shared.size, shared.files, shared.chunks, shared.seconds, shared.link,
            shared.skipped,
        )  # fmt: skip
        return answer(told, 201, f"{PREFIX}/shares/{shared.id}")

    def unshare(self, content: str) -> Response:
        """With `data=true` the peer's copy of an upload is deleted too; a file shared in place never is."""
        if switch("data"):
            done = self._ask(messages.Remove(0, content[:512], data=True), messages.Done, SLOW)
        else:
            done = self._ask(messages.Unshare(0, content[:512]), messages.Done, QUICK)
        self._live.wait_for(lambda view: view.row(rows.SHARES, done.content) is None, SHOWN_WITHIN)
        return no_content()

    def download(self) -> Response:
        """202: the download runs, or ran already."""
        wanted = body_as(DownloadRequest)
        if bool(wanted.id) == bool(wanted.link):
            raise ShoalError(ERR_USAGE, "give either the id or the link of what to download")
        done = self._ask(messages.Get(0, wanted.id or wanted.link, only=wanted.only), messages.Done, QUICK)
        self._live.wait_for(lambda view: view.row(rows.DOWNLOADS, done.content) is not None, SHOWN_WITHIN)
        row = self._live.row(rows.DOWNLOADS, done.content, rows.DownloadRow)
        return answer(row or Started(done.content), 202, f"{PREFIX}/downloads/{done.content}")

    def change_download(self, content: str) -> Response:
        return answer(self._find(rows.DOWNLOADS, self._change(content), rows.DownloadRow))

    def change_share(self, content: str) -> Response:
        return answer(self._find(rows.SHARES, self._change(content), rows.ShareRow))

    def remove_download(self, content: str) -> Response:
        """Forgets a download; with `data=true` what it fetched is deleted too."""
        done = self._ask(messages.Remove(0, content[:512], data=switch("data")), messages.Done, SLOW)
        self._live.wait_for(lambda view: view.row(rows.DOWNLOADS, done.content) is None, SHOWN_WITHIN)
        return no_content()

    def _change(self, content: str) -> str:
        action = body_as(ItemPatch).action
        done = self._ask(_CHANGES[action](0, content[:512]), messages.Done, QUICK)
        if action != "verify":  # what that finds is shown when all was hashed, which may take hours
            self._live.wait_for(lambda view: _is_paused(view, done.content) == (action == "pause"), SHOWN_WITHIN)
        return done.content

    def _share_upload(self) -> messages.Shared:
        request.max_content_length = sys.maxsize  # `receive` has a limit of its own
        kind, length = request.content_type or "", request.content_length
        path = uploads.receive(request.stream, kind, length, self._uploads_dir, self._upload_max)
        try:
            return self._ask(messages.SharePath(0, str(path), upload=True), messages.Shared, SLOW)
        except ShoalError:
            uploads.discard(path)
            raise

    # --- the peer

    def _ask(self, question: messages.Message, kind: type[M], timeout: float) -> M:
        reply = self._live.call(question, timeout)
        if not isinstance(reply, kind):
            raise ShoalError(ERR_PROTOCOL, f"the peer answered {type(question).__name__} with {type(reply).__name__}")
        return reply

    def _list(self, section: str, kind: type[R]) -> Response:
        self._live.require_peer()
        return listing(self._live.rows(section, kind))

    def _find(self, section: str, key: str, kind: type[R]) -> R:
        self._live.require_peer()
        row = self._live.row(section, key, kind)
        if row is None and len(key) >= SHORTEST_PREFIX:
            matching = [found for full, found in self._live.items(section, kind) if full.startswith(key)]
            row = matching[0] if len(matching) == 1 else None
        if row is None:
            raise ShoalError(ERR_NOT_FOUND, f"{key[:80]!r} is not among this peer's {section}")
        return row


def _is_paused(view: PageView, content: str) -> bool:
    row = view.row(rows.DOWNLOADS, content) or view.row(rows.SHARES, content)
    return isinstance(row, rows.DownloadRow | rows.ShareRow) and row.state == "paused"
