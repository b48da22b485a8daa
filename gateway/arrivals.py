"""What has arrived of a request that no thread reads yet: its head, and a body that is short.

Pure bookkeeping: `gateway.worker` feeds it and decides what becomes of the connection.
"""

from __future__ import annotations

import re
from typing import Final

MAX_HEAD: Final = 32 * 1024
"""Bytes of a request line and its headers; gunicorn's own limits of each hold too."""
MAX_SHORT: Final = 64 * 1024
"""Bytes of a body that is waited for without a thread; a longer one is read as it comes."""
_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})[ \t]*\r\n", re.IGNORECASE)


class Arrival:
    """One request; complete when a thread can read its head, and a short body, without waiting."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.data = bytearray()
        self._needed = 0  # bytes; 0 until the head is there

    def add(self, data: bytes) -> None:
        """More has come."""
        searched = max(0, len(self.data) - len(_END) + 1)
        self.data += data if self.data else data.lstrip(b"\r\n")  # empty lines before a request mean nothing
        end = -1 if self._needed else self.data.find(_END, searched)
        if end >= 0:
            self._needed = end + len(_END) + _short_body(bytes(self.data[: end + 2]))

    @property
    def is_complete(self) -> bool:
        return 0 < self._needed <= len(self.data)

    @property
    def is_too_long(self) -> bool:
        """Whether the head is longer than any that is taken."""
        return not self._needed and len(self.data) > MAX_HEAD

    @property
    def has_first_line(self) -> bool:
        return b"\r\n" in self.data


def _short_body(head: bytes) -> int:
    """The length of the body that a head announces, 0 unless it is short."""
    announced = _LENGTH.search(head)
    length = int(announced[1]) if announced else 0
    return length if length <= MAX_SHORT else 0
