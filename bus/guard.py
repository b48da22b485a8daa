"""Who sends without end: libzmq bounds no message, so the bytes of each connection are watched.

MAXMSGSIZE counts single frames and a high-water mark whole messages.  A message of which the
last frame never comes fills the memory of this process, and its socket says all the while
that there is nothing to read.  But the kernel knows how many bytes came in on a connection.
So, whenever the memory of this process has grown, each connection of which nothing whole was
heard since is looked at: more bytes than its longest message can have, and it is ended.

What a connection said whole may still lie unread.  So whoever looks reads what there is
before it ends anybody.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket as sockets
import termios
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from bus.reactor import Reactor

LOOK: Final = 0.25
"""Seconds between looks at the memory of this process; a link of 1 Gbit/s brings 30 MB meanwhile."""
GROWTH: Final = 2**24
"""Bytes by which it has to grow before the connections are looked at, which costs some 4 us for each."""
ENDLESS: Final = "it sent more of one message than a message may have"
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_TCP_INFO_SIZE: Final = 136
_BYTES_RECEIVED: Final = slice(128, 136)
"""tcpi_bytes_received of Linux's struct tcp_info."""


class Standing:
    """One connection, as far as its bytes go."""

    __slots__ = ("descriptor", "heard", "taken")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """libzmq's."""
        self.heard = False
        """It said something whole since the last look; set by whoever reads it."""
        self.taken = 0
        """Bytes that libzmq had taken from it at the last look before which it was heard."""

    def swollen(self, most: int) -> bool:
        """Look at it: whether more than `most` bytes came since it was last heard.

        If it is heard after this all the same, by who reads what there is now, they were whole.
        """
        try:
            taken = _taken_from(self.descriptor, self.taken + most)
        except OSError:
            return False  # its end is on the way
        if self.heard:
            self.heard, self.taken = False, taken
            return False
        return taken - self.taken > most


C = TypeVar("C", bound=Standing)


class Growth:
    """Calls `look` when the memory of this process has grown by GROWTH since it last did."""

    def __init__(self, reactor: Reactor, look: Callable[[], None]) -> None:
        self._look = look
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._least = self._resident()
        self._timer = reactor.every(LOOK, self._check)

    def close(self) -> None:
        self._timer.cancel()
        os.close(self._statm)

    def _check(self) -> None:
        resident = self._resident()
        grown = resident - self._least > GROWTH
        self._least = resident if grown else min(resident, self._least)
        if grown:
            self._look()

    def _resident(self) -> int:
        """Bytes of memory that this process has."""
        return int(os.pread(self._statm, 100, 0).split()[1]) * _PAGE


class Guard(Generic[C]):
    """Watches the connections of one listener.

    Args:
        reactor: the loop.
        standing: the connections, by descriptor.
        most: bytes of the longest message.
        read: reads what there is, and tells `judge`.
        end: ends a connection.
    """

    def __init__(
        self,
        reactor: Reactor,
        standing: Mapping[int, C],
        most: int,
        read: Callable[[], None],
        end: Callable[[C], None],
    ) -> None:
        self._standing = standing
        self._most = most
        self._read = read
        self._end = end
        self.suspects: list[C] = []
        """Those that are ended unless something whole of theirs is read first."""
        self._unread = 0
        self._growth = Growth(reactor, self._look)

    def close(self) -> None:
        self._growth.close()

    def judge(self, read: int | None) -> None:
        """So many messages were read since the last call, or all that there are (None)."""
        # A ROUTER takes of its connections in turn, so in twice as many messages each that said something was heard.
        self._unread -= read or 0
        if read is None or self._unread <= 0:
            suspects, self.suspects = self.suspects, []
            for connection in suspects:
                if not connection.heard:
                    self._end(connection)

    def _look(self) -> None:
        self.suspects = [connection for connection in self._standing.values() if connection.swollen(self._most)]
        self._unread = 2 * len(self._standing)
        if self.suspects:
            self._read()


def _taken_from(descriptor: int, enough: int) -> int:
    """Bytes that libzmq has taken from a connection; those it has not taken yet may count if all are `enough`or less.

    Raises:
        OSError: it is no connection any more.
    """
    borrowed = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM, 0, descriptor)
    try:
        info = borrowed.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _TCP_INFO_SIZE)
    finally:
        borrowed.detach()  # the descriptor is libzmq's
    received = int.from_bytes(info[_BYTES_RECEIVED], "little")
    if received <= enough:
        return received
    unread = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, unread)
    return received - unread[0]
