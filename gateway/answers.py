"""Reading requests and writing answers: typed bodies in, JSON out, lists sorted, filtered and in pages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
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
"""Of what never changes: a place in the list."""
AFTER: Final = Text(
    "cursor",
    "the `next_cursor` of the page before, with the same `sort`: the page goes on after the last row of that one, "
    "whatever rows come or go meanwhile, so that no row that stays is left out or comes twice",
    longest=8000,
)
BEGIN: Final = "0"
LONGEST_VALUE: Final = 1000
"""Characters of a text that lists are sorted by."""
LIMIT: Final = Number("limit", "rows of one page", 100, 1, MAX_PAGE)
SORT: Final = Text("sort", "a field to sort by, with `-` before it from high to low")
WORDS: Final = Text("q", "only rows that have each of these words in some text")
LIST_QUERY: Final = (AFTER, LIMIT, SORT, WORDS)
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


class Place(Struct, frozen=True, array_like=True):
    """Where a row stands in a list."""

    order: str
    """What the list is sorted by, as in the query."""
    value: str | int | float | None
    """Null if it is not known: that comes last, whichever way."""
    key: str
    """Decides among equal values."""

    def is_after(self, other: Place) -> bool:
        if self.value == other.value:
            return self.key > other.key
        if self.value is None or other.value is None:
            return self.value is None
        greater: bool = self.value > other.value  # type: ignore[operator]
        return greater != self.order.startswith("-")


def listing(rows: Iterable[tuple[str, B]], kind: type[B], usual: str = "") -> Response:
    """One page of `rows`, which have a key each, as the query asks (`LIST_QUERY`); `usual` is how they are sorted if
    it does not say.
    """
    order, words = SORT.read() or usual, WORDS.read().casefold().split()
    after, limit = AFTER.read() or BEGIN, LIMIT.read()
    field = order.removeprefix("-")
    if order and field not in sortable(kind):
        raise ShoalError(ERR_USAGE, f"sort={order[:80]!r}: give one of {', '.join(sortable(kind))}, or - and one")
    found = [(_place(order, key, getattr(row, field, "")), row) for key, row in rows if _holds(row, words)]
    if after != BEGIN:
        found = _after(found, _place_of(after, order))
    found = _sorted(found, order)
    more = _cursor(found[limit - 1][0]) if len(found) > limit else None
    return answer(Listing([row for _, row in found[:limit]], more))


def _after(found: list[tuple[Place, B]], begin: Place) -> list[tuple[Place, B]]:
    try:
        return [(place, row) for place, row in found if place.is_after(begin)]
    except TypeError:
        raise ShoalError(ERR_USAGE, "the cursor is not the next_cursor of a page of this list") from None


def _sorted(found: list[tuple[Place, B]], order: str) -> list[tuple[Place, B]]:
    found = sorted(found, key=lambda one: one[0].key)
    known = [one for one in found if one[0].value is not None]
    known.sort(key=lambda one: one[0].value, reverse=order.startswith("-"))  # type: ignore[arg-type,return-value]
    return known + [one for one in found if one[0].value is None]


def _place(order: str, key: str, value: Any) -> Place:
    if isinstance(value, datetime):
        value = value.timestamp()
    elif isinstance(value, str):
        value = value.casefold()[:LONGEST_VALUE]
    return Place(order, int(value) if isinstance(value, bool) else value, key)


def _cursor(place: Place) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def _place_of(cursor: str, order: str) -> Place:
    """Raises ShoalError (ERR_USAGE) for what is no cursor of a list in this order."""
    try:
        place = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise ShoalError(ERR_USAGE, f"cursor={cursor[:80]!r} is not the next_cursor of a page") from None
    if place.order != order:
        raise ShoalError(ERR_USAGE, f"the cursor is of a list with sort={place.order[:80]!r}; begin without a cursor")
    return place


def _holds(row: Struct, words: Sequence[str]) -> bool:
    if not words:
        return True
    texts = (getattr(row, field) for field in row.__struct_fields__ if field not in _NO_WORDS)
    text = "\n".join(text for text in texts if isinstance(text, str)).casefold()
    return all(word in text for word in words)


@cache
def sortable(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a row that have an order: texts, numbers, times, switches."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    collections = (inspect.CollectionType, inspect.DictType, inspect.StructType)
    return tuple(field.name for field in described.fields if not isinstance(field.type, collections))
