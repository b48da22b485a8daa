"""The list of hostile names is what it says: so many, each another one, all fit for a file and a share."""

from __future__ import annotations

import pytest

from bus.errors import ERR_PATH, ShoalError
from bus.names import safe_name
from tests.kit.hostile_names import KINDS, NAMES, REFUSED


def test_there_are_two_hundred_and_each_may_be_shared():
    assert len(NAMES) == len(set(NAMES)) == 200
    assert [name for name in NAMES if safe_name(name).path != name or "/" in name] == []


def test_there_are_names_of_255_bytes_in_letters_of_one_two_three_and_four():
    longest = [name for name in KINDS["long"] if len(name.encode()) == 255]
    assert {max(len(letter.encode()) for letter in name) for name in longest} == {1, 2, 3, 4}


@pytest.mark.parametrize(("name", "named"), REFUSED.items())
def test_what_is_never_taken_is_refused_by_its_character(name, named):
    with pytest.raises(ShoalError, match=named.replace("+", r"\+")) as refusal:
        safe_name(name)
    assert refusal.value.code == ERR_PATH
