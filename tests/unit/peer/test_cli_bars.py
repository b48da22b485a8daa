"""A progress bar is one line, however narrow the terminal."""

from __future__ import annotations

import re

import pytest

from peer.cli.bars import bar

MIB = 2**20


@pytest.mark.parametrize("columns", [44, 79, 80, 120])
def test_it_is_one_line_with_the_numbers_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal to rich, although it is none
    with bar("starting") as moved:
        moved(384 * MIB, 999 * MIB, "a name that is far longer than any terminal is wide " * 4)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    lines = [line for line in re.split(r"[\r\n]+", shown) if line]
    assert all(len(line) <= columns for line in lines)
    assert re.match("a name.* 384 MiB/999 MiB", lines[-1])
