"""Uploads: a multipart request streamed to the peer's uploads folder as it arrives.

    <uploads>/.incoming-<random>/    while it arrives; removed if it does not end well
    <uploads>/<random>/NAME          once it is complete: one file or one folder, which the peer then shares

A part's file name is its relative path, checked like every name from others; a field `folder` names an empty folder.
One request carries one file or one folder.  Memory stays at a few buffers whatever is sent.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from bus.errors import ERR_DISK, ERR_DISK_FULL, ERR_PATH, ERR_TOO_LARGE, ERR_USAGE, ShoalError
from bus.names import MAX_PATH, safe_relpath
from bus.units import format_size

INCOMING: Final = ".incoming-"
MAX_PARTS: Final = 1_000_000
"""Files and empty folders of one upload."""
_BLOCK: Final = 256 * 1024
_DECODER_MEMORY: Final = 4 * _BLOCK


class Readable(Protocol):
    """The body of a request."""

    def read(self, size: int, /) -> bytes: ...


def receive(body: Readable, content_type: str, length: int | None, uploads: Path, limit: int) -> Path:
    """Store the upload in `body`, and return the path of the file or folder that it brought.

    `length` is the announced length in bytes, if there is one; more than `limit` bytes are refused.

    Raises:
        ShoalError: ERR_USAGE, ERR_PATH, ERR_TOO_LARGE, ERR_DISK_FULL or ERR_DISK; nothing is left behind then.
    """
    boundary = _boundary_of(content_type)
    if length is not None and length > limit:
        raise _too_large(limit)
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(uploads).free
    if length is not None and length > free:
        message = f"the upload of {format_size(length)} does not fit: {format_size(free)} are free at {uploads}"
        raise ShoalError(ERR_DISK_FULL, f"{message}; free some and try again")
    name = secrets.token_hex(16)
    arriving = uploads / f"{INCOMING}{name}"
    arriving.mkdir(mode=0o700)
    try:
        top = _Tree(arriving).store(_events(body, boundary, limit))
        arriving.rename(uploads / name)
    except BaseException:
        shutil.rmtree(arriving, ignore_errors=True)
        raise
    return uploads / name / top


def discard(received: Path) -> None:
    """Delete what `receive` stored, when it could not be shared."""
    shutil.rmtree(received.parent, ignore_errors=True)


def remove_unfinished(uploads: Path) -> None:
    """Delete what a gateway left that was killed in the middle of an upload."""
    for path in uploads.glob(f"{INCOMING}*"):
        shutil.rmtree(path, ignore_errors=True)


class _Tree:
    """The files of one upload, written below `root` as their parts come."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tops: set[str] = set()
        self._file: FileIO | None = None
        self._field = b""
        self._in_folder_field = False

    def store(self, events: Iterator[Field | File | Data]) -> str:
        """Write everything; returns the name of the one file or folder."""
        try:
            for event in events:
                self._take(event)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise ShoalError(ERR_DISK_FULL, f"the disk is full at {self._root.parent}; free some room") from None
            raise ShoalError(
                ERR_DISK, f"the upload cannot be stored at {self._root.parent}: {error.strerror}"
            ) from None
        finally:
            if self._file is not None:
                self._file.close()
        if len(self._tops) != 1:
            raise ShoalError(
                ERR_USAGE, f"an upload is one file or one folder, not {len(self._tops)}; send each by itself"
            )
        return self._tops.pop()

    def _take(self, event: Field | File | Data) -> None:
        if isinstance(event, File):
            self._file = self._create(event.filename)
        elif isinstance(event, Field):
            self._in_folder_field, self._field = event.name == "folder", b""
        elif self._file is not None:
            unwritten = memoryview(event.data)
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
            if not event.more_data:
                self._file.close()
                self._file = None
        elif self._in_folder_field:
            self._field += event.data
            if len(self._field) > MAX_PATH or not event.more_data:
                path = self._place(self._field)
                path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _create(self, name: str) -> FileIO:
        path = self._place(name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ShoalError(ERR_PATH, f"path {name!r} refused: the upload has it twice, or as a folder too") from None
        return FileIO(descriptor, "wb")

    def _place(self, name: str | bytes) -> Path:
        safe = safe_relpath(name)
        self._tops.add(safe.parts[0])
        return self._root.joinpath(*safe.parts)


def _events(body: Readable, boundary: bytes, limit: int) -> Iterator[Field | File | Data]:
    decoder = MultipartDecoder(boundary, _DECODER_MEMORY, max_parts=MAX_PARTS)
    received = 0
    while True:
        data = _read(body)
        received += len(data)
        if received > limit:
            raise _too_large(limit)
        try:
            decoder.receive_data(data or None)
            while not isinstance(event := decoder.next_event(), NeedData):
                if isinstance(event, Epilogue):
                    return
                if isinstance(event, Field | File | Data):
                    yield event
        except ValueError:
            raise ShoalError(ERR_USAGE, "the upload ended early or is no multipart/form-data; send it again") from None
        except RequestEntityTooLarge:
            raise ShoalError(ERR_TOO_LARGE, f"an upload has at most {MAX_PARTS:,} files with short headers") from None


def _read(body: Readable) -> bytes:
    try:
        return body.read(_BLOCK)
    except OSError as error:
        # The connection, not the disk.
        raise ShoalError(ERR_USAGE, f"the upload broke off: {error}") from None


def _boundary_of(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= 70:  # RFC 2046 section 5.1.1
        raise ShoalError(ERR_USAGE, 'send {"path": ...} as application/json, or an upload as multipart/form-data')
    return boundary.encode()


def _too_large(limit: int) -> ShoalError:
    return ShoalError(ERR_TOO_LARGE, f"the upload is longer than gateway.upload_max ({format_size(limit)})")
