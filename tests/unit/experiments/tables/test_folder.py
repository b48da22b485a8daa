from __future__ import annotations

import pytest

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.tables.folder import make_tables, read_tables
from experiments.tables.recording import in_order, read_heard
from tests.unit.experiments.hand_made import downloads, heard, write

pytest.importorskip("polars")


def test_tables_are_read_as_they_were_written(tmp_path):
    write(tmp_path, downloads())
    made = make_tables(tmp_path)
    assert all(a.equals(b) and a.schema == b.schema for a, b in zip(made, read_tables(tmp_path), strict=True))


def test_files_of_several_processes_are_read_in_the_order_of_time():
    events = downloads()
    mine = [event for event in events if event.source == "id of b"]
    others = [event for event in events if event.source != "id of b"]
    assert list(in_order([heard(mine), heard(others)])) == heard(events)


def test_a_folder_without_events_or_tables_is_told_so(tmp_path):
    for read in (lambda folder: list(read_heard(folder)), read_tables):
        with pytest.raises(ShoalError) as raised:
            read(tmp_path)
        assert raised.value.code == ERR_UNREADABLE


def test_a_line_that_is_no_event_is_named(tmp_path):
    write(tmp_path, downloads())
    with (tmp_path / "events" / "all.jsonl").open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(ShoalError, match=r"all\.jsonl line 10 is no recorded event"):
        make_tables(tmp_path)
