"""Downloads: starting, watching and steering them."""

from __future__ import annotations

from typing import Final, Literal

from flask import Response
from msgspec import UNSET, UnsetType

from bus import messages
from bus.errors import ERR_STATE, ERR_USAGE, ShoalError
from gateway.answers import LIST_QUERY, Listing, answer, body_as, no_content
from gateway.bodies import DownloadPatch, DownloadRequest, SharePatch, Started
from gateway.items import SLOW, Items
from gateway.query import Switch
from gateway.rest.limits import change_limits
from gateway.routes import PREFIX, Route
from gateway.view import rows
from gateway.view.page import PageView

DATA: Final = Switch("data", "delete what it fetched too")

_ACTIONS: Final = {"pause": messages.Pause, "resume": messages.Resume, "verify": messages.Verify}
_ORDERS: Final[dict[bool | UnsetType, Literal["", "default", "sequential"]]] = {
    UNSET: "",
    True: "sequential",
    False: "default",
}


class Downloads:
    """The handlers."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def routes(self) -> list[Route]:
        row = rows.DownloadRow
        one = "/downloads/<content>"
        return [
            Route("GET", "/downloads", self.list_downloads, Listing[rows.DownloadRow], query=LIST_QUERY),
            Route("POST", "/downloads", self.download, row, 202, DownloadRequest, or_answers=Started, asks_peer=True),
            Route("GET", one, self.get_download, row),
            Route("PATCH", one, self.change_download, row, body=DownloadPatch, asks_peer=True),
            Route("DELETE", one, self.remove_download, status=204, query=(DATA,), asks_peer=True),
        ]

    def list_downloads(self) -> Response:
        """Downloads, running and finished, the oldest first."""
        return self._items.listed(rows.DOWNLOADS, rows.DownloadRow, "added")

    def get_download(self, content: str) -> Response:
        """One download, by its id or 8 or more of its first digits."""
        return answer(self._items.find(rows.DOWNLOADS, content, rows.DownloadRow))

    def download(self) -> Response:
        """Fetch a content, by its id or link: it runs when this is answered, or ran already.

        `only` names files or folders of a tree; asked again, it adds to what is fetched.
        """
        wanted = body_as(DownloadRequest)
        if bool(wanted.id) == bool(wanted.link):
            raise ShoalError(ERR_USAGE, "give either the id or the link of what to download")
        question = messages.Get(0, wanted.id or wanted.link, only=wanted.only, sequential=wanted.sequential)
        done = self._items.ask(question, messages.Done)
        if wanted.priority is not UNSET:
            try:
                self._items.ask(messages.ChangeDownload(0, done.content, wanted.priority), messages.Done)
            except ShoalError as error:
                if error.code != ERR_STATE:  # of what is here already nothing is fetched first
                    raise
        self._items.wait_until_shown(lambda view: view.row(rows.DOWNLOADS, done.content) is not None)
        row = self._items.live.row(rows.DOWNLOADS, done.content, rows.DownloadRow)
        return answer(row or Started(done.content), 202, f"{PREFIX}/downloads/{done.content}")

    def change_download(self, content: str) -> Response:
        """Pause, resume or verify it; change its priority, the order of its chunks, or its limits, while it runs.

        With `paths`, the priority is that of these files or folders in it. What is there of files in `leave_out` stays
        until the download is finished, and `POST /downloads` with `only` fetches them after all. What is not named
        stays as it is.
        """
        patch = body_as(DownloadPatch)
        if patch == DownloadPatch():
            raise ShoalError(ERR_USAGE, "say what to change: action, priority, sequential, leave_out or limits")
        content = self._items.find(rows.DOWNLOADS, content, rows.DownloadRow).id
        if patch.priority is not UNSET or patch.sequential is not UNSET or patch.paths or patch.leave_out:
            self._reorder(content, patch)
        change_item(self._items, content, SharePatch(patch.action, patch.limits))
        return answer(self._items.find(rows.DOWNLOADS, content, rows.DownloadRow))

    def remove_download(self, content: str) -> Response:
        """Forget a download; with `data=true` what it fetched is deleted too."""
        data, content = DATA.read(), self._items.find(rows.DOWNLOADS, content, rows.DownloadRow).id
        self._items.ask(messages.Remove(0, content, data=data), messages.Done, SLOW)
        self._items.wait_until_shown(lambda view: view.row(rows.DOWNLOADS, content) is None)
        return no_content()

    def _reorder(self, content: str, patch: DownloadPatch) -> None:
        """Change when it is fetched, in which order its chunks, and what not at all."""
        level = "" if patch.priority is UNSET else patch.priority
        order = _ORDERS[patch.sequential]
        question = messages.ChangeDownload(0, content, level, order, patch.paths, patch.leave_out)
        self._items.ask(question, messages.Done)

        def is_shown(view: PageView) -> bool:
            row = view.row(rows.DOWNLOADS, content)
            return (
                isinstance(row, rows.DownloadRow)
                and (bool(patch.paths) or patch.priority in (UNSET, row.priority))
                and patch.sequential in (UNSET, row.sequential)
            )

        self._items.wait_until_shown(is_shown)


def change_item(items: Items, content: str, patch: SharePatch) -> None:
    """Change what downloads and shares have in common."""
    if patch.limits is not UNSET:
        change_limits(items, content, patch.limits)
    action = patch.action
    if action is UNSET:
        return
    items.ask(_ACTIONS[action](0, content), messages.Done)
    if action != "verify":  # what that finds is shown when all was hashed, which may take hours
        items.wait_until_shown(lambda view: _is_paused(view, content) == (action == "pause"))


def _is_paused(view: PageView, content: str) -> bool:
    row = view.row(rows.DOWNLOADS, content) or view.row(rows.SHARES, content)
    return isinstance(row, rows.DownloadRow | rows.ShareRow) and row.state == "paused"
