"""Shares: what this peer offers from where it lies, and uploads that become one."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from flask import Response, request

from bus import messages
from bus.errors import ERR_UNREACHABLE, ERR_USAGE, ShoalError
from gateway import uploads
from gateway.answers import LIST_QUERY, Listing, answer, body_as, no_content
from gateway.bodies import FolderListing, SharedContent, SharePatch, ShareRequest
from gateway.folders import Folders
from gateway.items import SLOW, Items
from gateway.query import Switch, Text
from gateway.rest.downloads import change_item
from gateway.routes import PREFIX, Route
from gateway.view import rows

DATA: Final = Switch("data", "delete the peer's copy of an upload too")
PATH: Final = Text("path", "a folder, as an entry of another one names it; empty: where to begin", longest=4096)
RESTARTS_WITHIN: Final = 15.0
"""Seconds that an upload which is here waits for a peer that went away meanwhile."""


class Shares:
    """The handlers."""

    def __init__(self, items: Items, uploads_dir: Path, upload_max: int, folders: Folders) -> None:
        self._items = items
        self._folders = folders
        self._uploads_dir = uploads_dir
        self._upload_max = upload_max

    def routes(self) -> list[Route]:
        one, row, posted = "/shares/<content>", rows.ShareRow, SharedContent
        return [
            Route("GET", "/shares", self.list_shares, Listing[rows.ShareRow], query=LIST_QUERY),
            Route("POST", "/shares", self.share, posted, 201, ShareRequest, takes_upload=True, asks_peer=True),
            Route("GET", one, self.get_share, row),
            Route("PATCH", one, self.change_share, row, body=SharePatch, asks_peer=True),
            Route("DELETE", one, self.unshare, status=204, query=(DATA,), asks_peer=True),
            Route("GET", "/folders", self.look_into, FolderListing, query=(PATH,), further=(404, 409, 422)),
        ]

    def list_shares(self) -> Response:
        """What this peer offers from where it lies, the oldest first."""
        return self._items.listed(rows.SHARES, rows.ShareRow, "added")

    def get_share(self, content: str) -> Response:
        """One share, by its id or 8 or more of its first digits."""
        return answer(self._items.find(rows.SHARES, content, rows.ShareRow))

    def share(self) -> Response:
        """Share a path of the peer's machine, or a multipart upload of one file or folder: 201 once it is hashed and
        offered. An upload to a peer that does not answer is refused before its bytes come.
        """
        if request.mimetype == "multipart/form-data":
            shared = self._share_upload()
        else:
            wanted = body_as(ShareRequest)
            shared = self._items.ask(messages.SharePath(0, wanted.path, wanted.name), messages.Shared, SLOW)
        self._items.wait_until_shown(lambda view: view.row(rows.SHARES, shared.id) is not None)
        told = SharedContent(
            shared.id, shared.name, shared.kind, shared.size, shared.files, shared.chunks, shared.seconds, shared.link,
            shared.skipped,
        )  # fmt: skip
        return answer(told, 201, f"{PREFIX}/shares/{shared.id}")

    def change_share(self, content: str) -> Response:
        """Pause, resume or verify it, or change its limits; what is not named stays as it is."""
        patch = body_as(SharePatch)
        if patch == SharePatch():
            raise ShoalError(ERR_USAGE, "say what to change: action or limits")
        content = self._items.find(rows.SHARES, content, rows.ShareRow).id
        change_item(self._items, content, patch)
        return answer(self._items.find(rows.SHARES, content, rows.ShareRow))

    def unshare(self, content: str) -> Response:
        """Stop offering; with `data=true` an upload is deleted too, a file that was shared in place never is."""
        data, content = DATA.read(), self._items.find(rows.SHARES, content, rows.ShareRow).id
        if data:
            self._items.ask(messages.Remove(0, content, data=True), messages.Done, SLOW)
        else:
            self._items.ask(messages.Unshare(0, content), messages.Done)
        self._items.wait_until_shown(lambda view: view.row(rows.SHARES, content) is None)
        return no_content()

    def look_into(self) -> Response:
        """What is in a folder of the peer's machine, to choose what to share: of those that `gateway.folders` names,
        and below them; hidden names and symbolic links are left out.
        """
        return answer(self._folders.look(PATH.read()))

    def _share_upload(self) -> messages.Shared:
        self._items.live.require_peer()  # before the body has come for nothing
        request.max_content_length = sys.maxsize  # `receive` has a limit of its own
        kind, length = request.content_type or "", request.content_length
        path = uploads.receive(request.stream, kind, length, self._uploads_dir, self._upload_max)
        gone_at = time.monotonic() + RESTARTS_WITHIN
        while True:
            try:
                return self._items.ask(messages.SharePath(0, str(path), upload=True), messages.Shared, SLOW)
            except ShoalError as error:
                left = gone_at - time.monotonic() if error.code == ERR_UNREACHABLE else 0.0
                if left <= 0.0 or not self._items.live.wait_for(lambda view: not view.is_stale, left):
                    uploads.discard(path)
                    raise
