"""Reading requests and writing answers: typed bodies in, JSON out, lists in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from flask import Response, request
from msgspec import Struct

from bus.errors import ERR_USAGE, ShoalError

JSON: Final = "application/json"
PAGE_SIZE: Final = 100
MAX_PAGE: Final = 1000

B = TypeVar("B", bound=Struct)


class Listing(Struct, frozen=True):
    """One page of a list."""

    items: Sequence[object]
    next_cursor: str | None
    """What to pass as `cursor` for the next page; null at the end."""


def answer(value: object, status: int = 200, location: str = "") -> Response:
    """A JSON response."""
    response = Response(msgspec.json.encode(value), status, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    if location:
        response.headers["Location"] = location
    return response


def no_content() -> Response:
    return Response(status=204)


def body_as(kind: type[B]) -> B:
    """The request's JSON body as a struct.

    Raises:
        ShoalError: ERR_USAGE, naming the field and what was expected.
    """
    # Only a script of our own origin can send this content type without the browser asking us first.
    if request.mimetype != JSON:
        raise ShoalError(ERR_USAGE, f"send the body as {JSON}, not {request.mimetype or 'without a Content-Type'}")
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ShoalError(ERR_USAGE, f"the request's body: {error}") from None


def listing(rows: Sequence[object]) -> Response:
    """One page of `rows`, as the query's `limit` and `cursor` ask."""
    first = number("cursor", 0, 0, 2**53)
    size = number("limit", PAGE_SIZE, 1, MAX_PAGE)
    following = first + size
    return answer(Listing(rows[first:following], str(following) if following < len(rows) else None))


def number(name: str, default: int, low: int, high: int) -> int:
    """A number from the query.

    Raises:
        ShoalError: ERR_USAGE if it is no number or out of range.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise ShoalError(ERR_USAGE, f"{name}={text!r} is no whole number from {low} to {high}")
    return int(text)


def switch(name: str) -> bool:
    """A query parameter that is true, false or absent.

    Raises:
        ShoalError: ERR_USAGE for anything else.
    """
    text = request.args.get(name, "false")
    if text not in {"true", "false"}:
        raise ShoalError(ERR_USAGE, f"{name}={text!r} is neither true nor false")
    return text == "true"
