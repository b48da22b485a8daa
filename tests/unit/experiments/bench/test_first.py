from __future__ import annotations

import shutil

import pytest

from bus.errors import ERR_DISK_FULL, ERR_USAGE, ShoalError
from experiments.bench.first import BEGIN, END, check_room, record


def test_a_file_that_does_not_fit_twice_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ShoalError, match="are needed; choose a --size") as raised:
        check_room(shutil.disk_usage(tmp_path).total, tmp_path)
    assert raised.value.code == ERR_DISK_FULL


def test_the_record_replaces_only_what_stands_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    record("new\n", page)
    record("newer\n", page)
    assert page.read_text() == f"above\n{BEGIN}\nnewer\n{END}\nbelow\n"


def test_a_page_without_marks_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(ShoalError) as raised:
        record("new\n", page)
    assert raised.value.code == ERR_USAGE
    assert page.read_text() == "text\n"
