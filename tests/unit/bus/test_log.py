from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from bus.log import FOLD_SECONDS, LONGEST, Folding, setup
from bus.settings import LoggingSettings
from tests.kit.second_thread import repeated_meanwhile

log = logging.getLogger("shoal.test")


@pytest.fixture(autouse=True)
def the_log_of_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


def written(settings: LoggingSettings | None = None) -> io.StringIO:
    stream = io.StringIO()
    setup(settings or LoggingSettings(), "tracker", stream)
    return stream


def test_a_line_has_time_role_level_and_message():
    stream = written()
    log.warning("port %d is taken", 5570)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z tracker WARNING port 5570 is taken\n", stream.getvalue()
    )


def test_what_is_below_the_level_is_not_written():
    stream = written(LoggingSettings(level="warning"))
    log.info("quiet")
    assert stream.getvalue() == ""


def test_foreign_text_cannot_forge_a_line_or_drive_a_terminal():
    stream = written()
    log.info("peer %s", "a\n2026-01-01 tracker ERROR forged\x1b[2J\u202e\x85")
    assert stream.getvalue().endswith("INFO peer a\\x0a2026-01-01 tracker ERROR forged\\x1b[2J\\u202e\\x85\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_message_is_cut(form: str):
    stream = written(LoggingSettings(format=form))  # type: ignore[arg-type]
    log.info("x" * 5000)
    assert ("x" * LONGEST + "... (5000 characters)" in stream.getvalue(), len(stream.getvalue()) < 1300) == (True, True)


def test_json_is_one_object_a_line():
    stream = written(LoggingSettings(format="json"))
    log.error("two\nlines")
    line = json.loads(stream.getvalue())
    assert {**line, "time": ""} == {
        "time": "", "level": "ERROR", "logger": "shoal.test", "role": "tracker", "message": "two\\x0alines",
    }  # fmt: skip


def test_one_message_again_and_again_is_counted_after_ten_times():
    now = 100.0
    folding = Folding(lambda: now)

    def record(peer: int) -> logging.LogRecord:
        return logging.LogRecord("shoal", logging.INFO, "file", 7, "bad peer %d", (peer,), None)

    assert sum(folding.filter(record(peer)) for peer in range(25)) == 10
    now = 111.0
    last = record(1)
    assert (folding.filter(last), last.getMessage()) == (True, "bad peer 1 (and 15 more like it)")
    again = record(1)
    assert (folding.filter(again), again.getMessage()) == (True, "bad peer 1")


def test_lines_that_other_threads_write_meanwhile_do_not_disturb_the_folding():
    now = 100.0
    folding = Folding(lambda: now)

    def line(text: str) -> logging.LogRecord:
        return logging.LogRecord("shoal", logging.INFO, "file", 7, text, None, None)

    with repeated_meanwhile(lambda n: folding.filter(line(f"line {n} of another thread"))):
        for _ in range(3):
            for n in range(50_000):  # so many that looking through them takes longer than a thread's turn
                folding.filter(line(f"line {n}"))
            now += FOLD_SECONDS
            assert folding.filter(line("the one that folds"))
