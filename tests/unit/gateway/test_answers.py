"""Lists come filtered, sorted and in pages, as the query asks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from flask import Flask

from bus.errors import ShoalError
from gateway.answers import listing, sortable
from gateway.view.rows import DownloadRow, Row


class Thing(Row, frozen=True):
    """A row."""

    name: str
    size: int
    eta: float | None
    tags: list[str]
    have: str = "ffone"


THINGS = [Thing("b one", 2, None, []), Thing("A two", 1, 5.0, ["x"]), Thing("c one", 3, 1.0, [])]


def names(query: str) -> list[str]:
    return [thing["name"] for thing in page(query)["items"]]


def page(query: str) -> Any:
    with Flask("test").test_request_context(f"/?{query}"):
        keyed = [(thing.name[0], thing) for thing in THINGS]
        return msgspec.json.decode(listing(keyed, Thing, "size").get_data())


def test_a_list_is_sorted_by_a_field_either_way_and_the_unknown_comes_last():
    assert names("sort=name") == ["A two", "b one", "c one"]
    assert names("sort=-size") == ["c one", "b one", "A two"]
    assert names("sort=eta") == ["c one", "A two", "b one"]
    assert names("sort=-eta") == ["A two", "c one", "b one"]


def test_a_list_is_filtered_by_all_words_in_any_case():
    assert names("q=ONE") == ["b one", "c one"]
    assert names("q=one+B") == ["b one"]
    assert names("q=three") == []


def test_pages_are_of_what_is_left_after_the_filter():
    first = page("q=one&limit=1&sort=-name")
    assert [thing["name"] for thing in first["items"]] == ["c one"]
    last = page(f"q=one&limit=1&sort=-name&cursor={first['next_cursor']}")
    assert ([thing["name"] for thing in last["items"]], last["next_cursor"]) == (["b one"], None)


def test_a_list_has_an_order_where_none_is_asked_for():
    assert names("") == names("cursor=0") == names("sort=size")


@pytest.mark.parametrize("query", ["sort=name", "sort=-size", ""])
@pytest.mark.parametrize("cursor", ["7", "-1", "é", "W10", "WyIiLCJ4IiwiYSJd", "WyJzaXplIiwieCIsImEiXQ"])
def test_what_is_no_cursor_of_that_list_is_refused(query, cursor):
    with pytest.raises(ShoalError, match="ERR_USAGE"):
        page(f"{query}&cursor={cursor}")


@pytest.mark.parametrize("query", ["sort=tags", "sort=none", "sort=--name", "limit=0", f"q={'x' * 513}"])
def test_what_a_list_cannot_do_is_refused(query):
    with pytest.raises(ShoalError, match="ERR_USAGE"):
        page(query)


def test_what_has_no_order_cannot_be_sorted_by():
    assert {"name", "size", "eta", "finished", "sequential"} <= set(sortable(DownloadRow))
    assert "sources" not in sortable(DownloadRow)
