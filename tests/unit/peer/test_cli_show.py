"""Text for people: aligned, whole in a pipe, and nothing in it that a terminal would obey."""

from __future__ import annotations

import pytest

from peer.cli.show import Column, plain, print_fields, print_table, short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.iso", "plain name.iso"),
        ("über 東京", "über 東京"),
        ("\x1b[2Jgone", "\ufffd[2Jgone"),
        ("two\nlines", "two\ufffdlines"),
        ("gpj\u202eexe", "gpj\ufffdexe"),
        ("\x9b31m", "\ufffd31m"),
    ],
)
def test_what_a_terminal_would_obey_is_replaced(text, shown):
    assert plain(text) == shown


def test_a_table_in_a_pipe_is_aligned_and_cuts_nothing(capsys):
    print_table(
        [Column("ID"), Column("SIZE", right=True), Column("NAME")], [("a" * 64, "1 B", "x\n"), ("b", "10 B", "")]
    )
    assert capsys.readouterr().out.splitlines() == [
        "ID" + " " * 62 + "  SIZE  NAME",
        "a" * 64 + "   1 B  x\ufffd",
        "b" + " " * 63 + "  10 B",
    ]


def test_a_table_without_rows_has_its_head(capsys):
    print_table([Column("ID"), Column("NAME")], [])
    assert capsys.readouterr().out == "ID  NAME\n"


def test_an_id_in_a_pipe_is_whole():
    assert short("a" * 64) == "a" * 64


def test_fields_are_aligned(capsys):
    print_fields([("name", "north"), ("tracker", "t"), ("id", "")])
    assert capsys.readouterr().out == "name     north\ntracker  t\nid\n"
