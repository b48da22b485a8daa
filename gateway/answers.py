"""Reading requests and writing answers: typed bodies in, JSON out, lists sorted, filtered and in pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec
from flask import Response, request
from msgspec import Struct, inspect

from bus.errors import ERR_USAGE, ShoalError
from gateway.query import MAX_NUMBER, Number, Text

JSON: Final = "application/json"
MAX_PAGE: Final = 1000

CURSOR: Final = Number("cursor", "the `next_cursor` of the page before", 0, 0, MAX_NUMBER)
LIMIT: Final = Number("limit", "rows of one page", 100, 1, MAX_PAGE)
SORT: Final = Text("sort", "a field to sort by, with `-` before it from high to low")
WORDS: Final = Text("q", "only rows that have each of these words in some text")
LIST_QUERY: Final = (CURSOR, LIMIT, SORT, WORDS)
"""What every list of rows takes."""
_NO_WORDS: Final = ("have",)
"""Fields that are text only in form."""

B = TypeVar("B", bound=Struct)
T = TypeVar("T")


class Listing(Struct, Generic[T], frozen=True):
    """One page of a list."""

    items: Sequence[T]
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


def body_as(kind: type[T]) -> T:
    """The request's JSON body as a value of that type.

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


def listing(rows: Sequence[B], kind: type[B]) -> Response:
    """One page of `rows`, as the query asks (`LIST_QUERY`)."""
    chosen = _sorted(_matching(rows, WORDS.read()), kind, SORT.read())
    first = CURSOR.read()
    following = first + LIMIT.read()
    return answer(Listing(chosen[first:following], str(following) if following < len(chosen) else None))


def _matching(rows: Sequence[B], words: str) -> Sequence[B]:
    wanted = words.casefold().split()
    return [row for row in rows if _holds(row, wanted)] if wanted else rows


def _holds(row: Struct, words: Sequence[str]) -> bool:
    texts = (getattr(row, field) for field in row.__struct_fields__ if field not in _NO_WORDS)
    text = "\n".join(text for text in texts if isinstance(text, str)).casefold()
    return all(word in text for word in words)


def _sorted(rows: Sequence[B], kind: type[B], order: str) -> Sequence[B]:
    field = order.removeprefix("-")
    if not field:
        return rows
    if field not in sortable(kind):
        raise ShoalError(ERR_USAGE, f"sort={order[:80]!r}: give one of {', '.join(sortable(kind))}, or - and one")
    # What is not known comes last, whichever way.
    known = [row for row in rows if getattr(row, field) is not None]
    unknown = [row for row in rows if getattr(row, field) is None]
    return [*sorted(known, key=lambda row: _rank(getattr(row, field)), reverse=order.startswith("-")), *unknown]


def _rank(value: Any) -> Any:
    """What a value of a sortable field is sorted by."""
    return value.casefold() if isinstance(value, str) else value


@cache
def sortable(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a row that have an order: texts, numbers, times, switches."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    collections = (inspect.CollectionType, inspect.DictType, inspect.StructType)
    return tuple(field.name for field in described.fields if not isinstance(field.type, collections))
