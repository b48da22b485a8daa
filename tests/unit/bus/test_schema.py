from __future__ import annotations

from typing import Annotated

import pytest
from msgspec import Meta, Struct, inspect

from bus import forms
from bus.schema import read_value

Name = Annotated[str, Meta(extra={"form": forms.PEER_NAME})]


class Row(Struct):
    count: int = 0


class Rows(Struct):
    rows: dict[Name, Row] = {}


ROWS = inspect.type_info(Rows)


def test_a_map_of_free_names_is_read_name_by_name():
    assert read_value(ROWS, "", {"rows": {"a": {"count": 1}, "b": None}}) == {"rows": {"a": {"count": 1}, "b": {}}}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"rows": {"A B": {}}}, "rows: name: expected 1 to 32 of a-z"),
        ({"rows": {1: {}}}, "rows: name: expected 1 to 32 of a-z"),
        ({"rows": {"a": {"count": "x"}}}, "rows.a.count: expected a whole number"),
        ({"rows": {"a": {"cuont": 1}}}, "rows.a.cuont: unknown key; did you mean rows.a.count?"),
        ({"rows": ["a"]}, "rows: expected a map of names, found a list"),
    ],
)
def test_what_is_wrong_in_it_is_named_with_its_path(found, problem):
    with pytest.raises(ValueError, match=r"^rows") as raised:
        read_value(ROWS, "", found)
    assert problem in str(raised.value)
