"""Lists in pages, while rows come and go between them: what stays is told once, in order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.answers import listing
from gateway.view.rows import Row

APP = Flask("test")


class Thing(Row, frozen=True):
    """A row."""

    key: str
    name: str
    size: int
    eta: float | None
    added: datetime | None
    complete: bool


# Few values, so that many rows are equal in what they are sorted by.
things = st.builds(
    Thing,
    key=st.integers(0, 30).map(lambda n: f"{n:02}"),
    name=st.sampled_from(["", "a", "A", "é", "ß", "ss", "漢" * 1200]),
    size=st.sampled_from([0, 1, 2**60, 2**60 + 1]),
    eta=st.sampled_from([None, 0.5, 1.0]),
    added=st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, UTC)]),
    complete=st.booleans(),
)
many = st.lists(things, max_size=12, unique_by=lambda thing: thing.key)
orders = st.sampled_from(["", *(sign + name for sign in ("", "-") for name in Thing.__struct_fields__)])


def page(rows: dict[str, Thing], order: str, limit: int, cursor: str | None) -> Any:
    with APP.test_request_context("/", query_string={"sort": order, "limit": limit, "cursor": cursor}):
        return msgspec.json.decode(listing(rows.items(), Thing, "-size").get_data())


@settings(max_examples=50)
@given(begun=many, order=orders, limit=st.integers(1, 4), changes=st.lists(st.tuples(many, many), max_size=8))
def test_rows_that_stay_are_neither_left_out_nor_told_twice_whatever_comes_or_goes(begun, order, limit, changes):
    rows = {thing.key: thing for thing in begun}
    stay, told = set(rows), []
    cursor: str | None = ""
    for added, removed in [*changes, *[([], [])] * 40]:
        shown = page(rows, order, limit, cursor)
        told += [row["key"] for row in shown["items"]]
        cursor = shown["next_cursor"]
        if cursor is None:
            break
        for thing in removed:
            rows.pop(thing.key, None)
            stay.discard(thing.key)
        for thing in added:
            rows.setdefault(thing.key, thing)
    assert cursor is None
    whole = [row["key"] for row in page(rows, order, 1000, "")["items"]]
    assert [key for key in told if key in stay] == [key for key in whole if key in stay]
