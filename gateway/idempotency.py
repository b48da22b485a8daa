"""Idempotency-Key: a POST that is sent again with the same key is answered again, and nothing is done twice.

Answers of the newest KEPT keys are remembered, as long as the gateway runs.  What failed is not: nothing was done, so
the same key may try again.

Source: draft-ietf-httpapi-idempotency-key-header-07, whose 409 and 422 these are.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from flask import Response, request
from msgspec import Struct
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bus.errors import ERR_USAGE, ShoalError
from gateway.answers import JSON

HEADER: Final = "Idempotency-Key"
MAX_KEY: Final = 255
"""Characters."""
KEPT: Final = 256
LONGEST: Final = 64 * 1024
"""Bytes of one answer that is remembered; with KEPT it bounds the memory."""
ASK_AGAIN: Final = 1
"""Seconds after which to ask for an answer that is being made."""


class _Done(Struct, frozen=True):
    """What was asked under a key, and the answer; no answer while it is being made."""

    asked: bytes
    status: int = 0
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class _UnderWay(Conflict):
    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*arguments, **options), ("Retry-After", str(ASK_AGAIN))]


class Repeats:
    """The answers that may be given again; thread-safe."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, _Done] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, make: Callable[..., Response], **arguments: str) -> Response:
        """The answer of `make`, or the one that its request had before."""
        key = request.headers.get(HEADER)
        if key is None:
            return make(**arguments)
        if not (0 < len(key) <= MAX_KEY and key.isascii()):
            raise ShoalError(ERR_USAGE, f"{HEADER} is 1 to {MAX_KEY} ASCII characters, a UUID for example")
        asked = _fingerprint()
        with self._lock:
            known = self._done.get(key)
            if known is None:
                self._done[key] = _Done(asked)
                while len(self._done) > KEPT:
                    self._done.popitem(last=False)
        if known is None:
            return self._make(key, asked, make, arguments)
        if known.asked != asked:
            raise UnprocessableEntity(f"the {HEADER} was used for another request; make a new one for each")
        if not known.status:
            raise _UnderWay(f"the request with this {HEADER} is still being carried out; ask again in a moment")
        return Response(known.body, known.status, known.headers)

    def _make(self, key: str, asked: bytes, make: Callable[..., Response], arguments: dict[str, str]) -> Response:
        try:
            response = make(**arguments)
        except BaseException:
            with self._lock:
                self._done.pop(key, None)
            raise
        with self._lock:
            if response.status_code < 300 and len(response.get_data()) <= LONGEST:
                self._done[key] = _Done(asked, response.status_code, response.get_data(), tuple(response.headers))
            else:
                self._done.pop(key, None)
        return response


def _fingerprint() -> bytes:
    """What tells one request from another; of an upload, whose bytes are read only once, its length."""
    whole = hashlib.sha256(f"{request.method} {request.full_path} {request.mimetype}\n".encode())
    whole.update(request.get_data() if request.mimetype == JSON else str(request.content_length).encode())
    return whole.digest()
