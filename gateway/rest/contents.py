"""Contents, whatever brought them here: their files, their bytes, and why they move as fast as they do.

Bytes are data and nothing else, whatever they look like: an attachment of no particular type, in a sandbox, so that a
page of somebody else's that lies in a content never runs as ours.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable, ServiceUnavailable
from werkzeug.http import parse_range_header

from bus import messages
from bus.errors import ERR_NOT_FOUND, ERR_STATE, ERR_USAGE, ShoalError
from bus.readable import ContentExplanation, content_explanation
from gateway.access import CONNECTION, Gate
from gateway.answers import CURSOR, answer
from gateway.bodies import FileItem, FileListing, Ticket
from gateway.items import Items
from gateway.query import Number, Text
from gateway.reader import Reader
from gateway.routes import PREFIX, Route
from gateway.view import rows

FILE: Final = Text("file", "of a tree: which file, by its index in the list of files, or its path", longest=4096)
TICKET: Final = Text("ticket", "a ticket, instead of the token")
FILES_LIMIT: Final = Number("limit", "files of one page", 200, 1, 10_000)
LINK: Final = Text("link", "a link to it: the trackers that it names are asked too", longest=4096)
MANIFEST_WITHIN: Final = 40.0
"""Seconds for a list of files that the peer fetches first; it gives up before."""
DATA_PATH: Final = "/contents/<content>/data"
LONGEST_INDEX: Final = 9
"""Digits."""

log = logging.getLogger(__name__)


class ContentsGroup:
    """The handlers.  `streams` is how many reads of data, and how many waits for a manifest, may go on at a time: each
    keeps a thread.
    """

    def __init__(self, items: Items, gate: Gate, streams: int) -> None:
        self._items = items
        self._gate = gate
        self._streams = threading.BoundedSemaphore(streams)
        self._previews = threading.BoundedSemaphore(streams)

    def routes(self) -> list[Route]:
        one = "/contents/<content>"
        explained, listed = ContentExplanation, (CURSOR, FILES_LIMIT, LINK)
        return [
            Route("GET", f"{one}/files", self.list_files, FileListing, query=listed, asks_peer=True),
            Route("GET", f"{one}/explanation", self.explain, explained, asks_peer=True),
            Route("GET", DATA_PATH, self.data, query=(FILE, TICKET), asks_peer=True, further=(206, 304, 416)),
            Route("POST", f"{one}/tickets", self.make_ticket, Ticket, 201),
        ]

    def list_files(self, content: str) -> Response:
        """The files of a content, which need not be here: the peer then looks for it, and fetches and checks the list
        of its files, and nothing else. That may take 30 seconds; the list is remembered for some minutes.
        """
        link = LINK.read()
        if link and not link.lower().startswith(f"shoal:{content}"):
            raise ShoalError(ERR_USAGE, "the link is one to another content")
        if not self._previews.acquire(blocking=False):
            raise ServiceUnavailable("too many lists of files of this peer are waited for; try again in a moment")
        try:
            return answer(self._listed(link or content[:512], CURSOR.read(), FILES_LIMIT.read()))
        finally:
            self._previews.release()

    def _listed(self, named: str, first: int, limit: int) -> FileListing:
        """The files from one place in the list on, up to so many."""
        files: list[FileItem] = []
        following = first
        while True:
            found = self._items.ask(messages.ListFiles(0, named, following), messages.Files, MANIFEST_WITHIN)
            files += [
                FileItem(following + place, file.path, file.size, file.executable)
                for place, file in enumerate(found.files)
            ]
            following = found.next
            if not following or len(files) >= limit:
                break
        more = str(first + limit) if following or len(files) > limit else None
        return FileListing(files[:limit], more, found.content, found.name, found.kind, found.size, found.total)

    def explain(self, content: str) -> Response:
        """Why it is as fast as it is, or stuck: what decides, and each source; of a share, how fast it goes out."""
        told = self._items.ask(messages.Explain(0, content[:512]), messages.Explained)
        return answer(content_explanation(told))

    def make_ticket(self, content: str) -> Response:
        """A ticket: whoever has it may read this content's data for an hour, and do nothing else."""
        content = self._items.content(content).id
        ticket, expires = self._gate.tickets.make(content)
        url = f"{PREFIX}/contents/{content}/data?ticket={ticket}"
        return answer(Ticket(ticket, datetime.fromtimestamp(expires, UTC), url), 201, url)

    def data(self, content: str) -> Response:
        """The bytes of a content that is one file, or of one file of a tree, as an attachment; Range gives a part.

        Of a running download only verified bytes are sent: what is not there yet is fetched first and waited for.
        """
        item = self._items.content(content)
        located = self._locate(item, FILE.read())
        headers = _headers(item, located)
        response = Response(status=200, headers=headers)
        if request.if_none_match.contains(response.get_etag()[0] or ""):
            response.status_code = 304
            return response
        part = _range(located.size, response.headers["ETag"])
        start, stop = part or (0, located.size)
        if part:
            response.status_code = 206
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{located.size}"
        if request.method == "GET" and start < stop:
            self._send(response, Reader(self._items, item.id, located.file), start, stop)
        response.headers["Content-Length"] = str(stop - start)
        return response

    def _locate(self, item: rows.ShareRow | rows.DownloadRow, file: str) -> messages.Located:
        by_index = file.isascii() and file.isdecimal() and len(file) <= LONGEST_INDEX
        question = messages.Locate(0, item.id, int(file) if by_index else 0, "" if by_index else file)
        try:
            located = self._items.ask(question, messages.Located)
        except ShoalError as error:
            if error.code == ERR_NOT_FOUND and isinstance(item, rows.DownloadRow) and not item.chunks:
                message = (
                    f"the files of {item.name} are not known yet: its manifest has not come; try again in a moment"
                )
                raise ShoalError(ERR_STATE, message) from None
            raise
        if located.kind == "tree" and not file:
            raise ShoalError(
                ERR_USAGE, f"{item.name} is a folder; say which file: ?file=INDEX, as its files are listed"
            )
        return located

    def _send(self, response: Response, reader: Reader, start: int, stop: int) -> None:
        """Give the response a body of these bytes; waits for the first of them, so that a failure can be told."""
        if not self._streams.acquire(blocking=False):
            raise ServiceUnavailable("too many files of this peer are being read; close a player or wait")
        response.call_on_close(self._streams.release)
        try:
            reader.wait(start)
        except BaseException:
            response.close()
            raise
        response.response = _sent(reader, start, stop, request.environ.get(CONNECTION))


def _sent(reader: Reader, start: int, stop: int, connection: object) -> Iterator[bytes]:
    try:
        yield from reader.blocks(start, stop)
    except ShoalError as error:
        # Too late for a status.  Fewer bytes than were announced, and no connection any more, say that it failed.
        log.info("a reader is cut off: %s", error)
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):  # it is gone already
                connection.shutdown(socket.SHUT_RDWR)


def _headers(item: rows.ShareRow | rows.DownloadRow, located: messages.Located) -> dict[str, str]:
    name = located.name.rpartition("/")[2] or item.name
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{located.content}-{located.file}"',  # the id says what the bytes are
    }


def _range(size: int, etag: str) -> tuple[int, int] | None:
    """(start, stop) of the one range that the request names; None: all of it."""
    if request.method != "GET":  # RFC 9110 section 14.2
        return None
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    ((first, end),) = asked.ranges
    start = max(0, size + first) if first < 0 else first
    stop = size if end is None else min(end, size)
    if start >= stop:
        raise RequestedRangeNotSatisfiable(size, "bytes", f"the file has {size:,} bytes, none of them in that range")
    return start, stop
