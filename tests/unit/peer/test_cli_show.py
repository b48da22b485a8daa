"""Text for people: aligned, whole in a pipe, and nothing in it that a terminal would obey."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

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


def test_a_long_name_in_a_pipe_moves_only_its_own_row(capsys):
    print_table([Column("NAME", elastic=True), Column("SIZE", right=True)], [("x" * 300, "1 B"), ("y", "10 B")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME" + " " * 36 + "  SIZE",
        "x" * 300 + "   1 B",
        "y" + " " * 39 + "  10 B",
    ]


LS = [Column("ID"), Column("NAME", elastic=True), Column("SIZE", True), Column("DONE", True), Column("STATE"),
      Column("UP", True), Column("DOWN", True)]  # fmt: skip


@pytest.mark.parametrize("name", ["x" * 255, "\u6771\u4eac" * 60, "short"])
def test_on_a_narrow_terminal_only_the_name_is_cut(capsys, monkeypatch, name):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    row = ("a" * 16, name, "325.4 MiB", "100%", "downloading", "12.3 MiB/s", "-")
    print_table(LS, [row, row], ["", "why it failed"])
    head, first, _, note = capsys.readouterr().out.splitlines()
    assert cell_len(first) <= 80
    assert all(cell in first.split("  ") for cell in ("a" * 16, "325.4 MiB", "100%", "downloading", "12.3 MiB/s"))
    assert ("\u2026" in first) == (name != "short")
    assert head.split()[1] == "NAME"
    assert note == "  why it failed"


def test_an_id_in_a_pipe_is_whole():
    assert short("a" * 64) == "a" * 64


def test_fields_are_aligned(capsys):
    print_fields([("name", "north"), ("tracker", "t"), ("id", "")])
    assert capsys.readouterr().out == "name     north\ntracker  t\nid\n"
