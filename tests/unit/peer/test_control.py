"""Answers of the control socket that the shell makes itself."""

from __future__ import annotations

from peer.control import shown_skipped


def test_of_much_that_was_left_out_the_last_line_says_how_much_more() -> None:
    lines = tuple(f"{number}: a symbolic link to nothing, left out" for number in range(377))
    shown = shown_skipped(lines)
    assert shown[:99] == list(lines[:99])
    assert shown[99:] == ["278 more, left out for such reasons"]
    assert shown_skipped(lines[:100]) == list(lines[:100])
