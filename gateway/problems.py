"""Errors on the web: every one is an application/problem+json document (RFC 9457) with the program's stable code."""

from __future__ import annotations

from typing import Final

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException

from bus.errors import (
    CODES,
    ERR_FAILURE,
    ERR_LIMIT,
    ERR_NOT_FOUND,
    ERR_REFUSED,
    ERR_STATE,
    ERR_TOKEN,
    ERR_TOO_LARGE,
    ERR_USAGE,
    ShoalError,
)

CONTENT_TYPE: Final = "application/problem+json"

_CODE_OF_STATUS: Final = {
    401: ERR_TOKEN,
    403: ERR_REFUSED,
    404: ERR_NOT_FOUND,
    409: ERR_STATE,
    412: ERR_STATE,
    413: ERR_TOO_LARGE,
    414: ERR_TOO_LARGE,
    431: ERR_TOO_LARGE,
    500: ERR_FAILURE,
    503: ERR_LIMIT,
}
"""Codes for what the web framework refuses by itself; any other status is a request of a wrong form."""


class Problem(msgspec.Struct, frozen=True):
    """The body of every error."""

    type: str
    title: str
    """What the code means, the same for every occurrence."""
    status: int
    detail: str
    """What happened here: the line that the command line would print."""
    instance: str
    """Path of the request."""
    code: str


def problem(code: str, detail: str, instance: str, status: int | None = None) -> Problem:
    """The document for an error; its status is the code's unless another is given."""
    outcome = CODES[code]
    return Problem(f"urn:shoal:error:{code}", outcome.meaning, status or outcome.http_status, detail, instance, code)


def encode(document: Problem) -> bytes:
    return msgspec.json.encode(document)


def respond(code: str, detail: str, status: int | None = None) -> Response:
    """The response for an error of the request being served."""
    document = problem(code, detail, request.path, status)
    response = Response(encode(document), document.status, content_type=CONTENT_TYPE)
    if document.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if document.status == 429:
        response.headers["Retry-After"] = "60"
    return response


def respond_to_error(error: ShoalError) -> Response:
    # A peer may be newer than its gateway and use a code that this one does not know.
    return respond(error.code if error.code in CODES else ERR_FAILURE, error.message)


def respond_to_refusal(error: HTTPException) -> Response:
    """What the framework refuses: unknown paths and methods, bodies that are too long or malformed."""
    status = error.code or 500
    response = respond(_CODE_OF_STATUS.get(status, ERR_USAGE), error.description or error.name, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            response.headers[name] = value
    return response
