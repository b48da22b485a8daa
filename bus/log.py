"""The log of a process: one line an event on stderr, for people or as JSON.

Much of what is logged comes from other peers, so it is treated as foreign text: control
characters are escaped, so that nobody can forge a line or drive a terminal, and long text is
cut.  The same message again and again is written a few times and then counted.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from bus.settings import LoggingSettings

LONGEST: Final = 1000
"""Characters of one message; what lies beyond is cut."""
OFTEN: Final = 10
"""Times that one message is written in `FOLD_SECONDS`; then it is counted."""
FOLD_SECONDS: Final = 10.0

_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    # Line and paragraph separators, and what turns the direction of text around.
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def setup(settings: LoggingSettings, role: str, stream: TextIO | None = None) -> None:
    """Let everything that this process logs go to stderr (or `stream`); `role` says whose line it is."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Folding())
    handler.setFormatter(JsonLines(role) if settings.format == "json" else TextLines(role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # A closed stderr is no reason to write tracebacks to it.
    logging.raiseExceptions = False


def plain(text: str) -> str:
    """Foreign text as one harmless line."""
    text = text.translate(_CONTROL)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


class TextLines(logging.Formatter):
    """`time role LEVEL message`, in UTC; a traceback follows on lines of its own."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        line = f"{moment}Z {self._role} {record.levelname} {plain(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(JsonFormatter):
    """One object a line: time, level, logger, role, message and perhaps traceback."""

    def __init__(self, role: str) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            static_fields={"role": role},
        )

    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        return log_data | {"message": plain(str(log_data["message"]))}


class Folding(logging.Filter):
    """Lets one message through `OFTEN` times in `FOLD_SECONDS`, then counts, and says the count with the next one.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since = clock()
        self._counts: dict[tuple[str, int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        now = self._clock()
        if now - self._since >= FOLD_SECONDS:
            self._since = now
            # Copied in one piece: other threads come here too, before the handler's lock.
            self._counts = {key: -count for key, count in dict(self._counts).items() if count > OFTEN}
        # By the message before its arguments are put in: what differs is mostly a peer's name.
        key = (record.name, record.lineno, str(record.msg))
        count = self._counts.get(key, 0)
        if count < 0:
            record.msg = f"{record.msg} (and {-count - OFTEN} more like it)"
            count = 0
        self._counts[key] = count + 1
        return count < OFTEN
