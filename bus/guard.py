"""Who may stand at a listener, how long without a word, and how much of one message.

There is room for so many connections altogether, for so many of one address, and for so many
that have not said anything yet (in clear text: not proved who they are), each of which has its
time.  A core hears of a connection by its first message, so only here is it known before.

And libzmq bounds no message: MAXMSGSIZE counts single frames, a high-water mark whole
messages.  One of which the last frame never comes fills the memory of this process, and its
socket says all the while that there is nothing to read.  But the kernel knows how many bytes
came in on a connection.  So, whenever the memory of this process has grown, each connection of
which nothing whole was heard since is looked at: more bytes than a message can have, and it is
ended.

What a connection said may still lie unread.  So what there is is read before anybody is ended.
"""

from __future__ import annotations

import array
import fcntl
import os
import resource
import socket as sockets
import termios
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import takewhile
from math import inf
from typing import Final, Generic, NamedTuple, TypeVar

from bus.reactor import Reactor

LOOK: Final = 0.25
"""Seconds between looks at the clock and at the memory of this process; 1 Gbit/s brings 30 MB meanwhile."""
GROWTH: Final = 2**24
"""Bytes by which it has to grow before the connections are looked at, which costs some 4 us for each."""
MAX_STANDING: Final = 12_000
"""At one listener: a tracker's 10,000 peers, and some that come again; and at most half of the files that may be open,
because without any left libzmq spins."""
PER_ADDRESS: Final = 64
"""As many as a tracker registers of one address by default."""
MAX_UNPROVED: Final = 256
"""In clear text; as hyperdht's limit of pending handshakes."""
PROOF_PATIENCE: Final = 5.0
"""Seconds to prove who one is, from the first packet on."""
MAX_SILENT: Final = 2048
"""Encrypted: all peers of a tracker come at once after its restart, and each takes a thousandth of a second."""
PATIENCE: Final = 15.0
"""Seconds to say something, from the first packet on: as long as a link may be silent later."""
FIRST: Final = 2**17
"""Bytes of a first message: a greeting, or one page of a list."""
ENDLESS: Final = "it sent more of one message than a message may have"
_LATE: Final = "it said nothing, or did not prove who it is, in time"
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_TCP_INFO_SIZE: Final = 136
_BYTES_RECEIVED: Final = slice(128, 136)
"""tcpi_bytes_received of Linux's struct tcp_info."""


class Standing:
    """One connection, as far as its bytes go."""

    __slots__ = ("descriptor", "heard", "household", "taken")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """libzmq's."""
        self.heard = False
        """It said something whole since the last look; set by whoever reads it."""
        self.taken = 0
        """Bytes that libzmq had taken from it at the last look before which it was heard."""
        self.household = ""
        """For which it counts; empty: for none."""

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


class Room(NamedTuple):
    """For how many connections of an address there is room."""

    per_address: int = PER_ADDRESS
    exempt: Sequence[str] = ()
    """Networks whose addresses are not counted."""


class Memory:
    """What this process has of it."""

    def __init__(self) -> None:
        # Open from the start: there may be no descriptor left when it matters.
        self._statm = open("/proc/self/statm", "rb", buffering=0)  # noqa: SIM115
        self._least = self._resident()

    def close(self) -> None:
        self._statm.close()

    def grown(self) -> bool:
        """Whether it has grown by GROWTH since this was last true."""
        resident = self._resident()
        grown = resident - self._least > GROWTH
        self._least = resident if grown else min(resident, self._least)
        return grown

    def _resident(self) -> int:
        return int(os.pread(self._statm.fileno(), 100, 0).split()[1]) * _PAGE


class Guard(Generic[C]):
    """Watches the connections of one listener.

    Args:
        reactor: the loop.
        standing: the connections, by descriptor.
        longest: bytes of the longest message.
        clear: they are in clear text.
        room: of whom so many may stand.
        read: reads what there is, and tells `judge`.
        end: ends a connection, for that reason.
    """

    def __init__(
        self,
        reactor: Reactor,
        standing: Mapping[int, C],
        longest: int,
        clear: bool,
        room: Room,
        read: Callable[[], None],
        end: Callable[[C, str], None],
    ) -> None:
        self._reactor = reactor
        self._standing = standing
        self._longest = longest
        self._most_silent, self._patience = (MAX_UNPROVED, PROOF_PATIENCE) if clear else (MAX_SILENT, PATIENCE)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = MAX_STANDING if files == resource.RLIM_INFINITY else min(MAX_STANDING, files // 2)
        self._per_address = room.per_address
        self._exempt = [ip_network(network) for network in room.exempt]
        self._read = read
        self._end = end
        self._households: Counter[str] = Counter()
        self._silent: dict[C, float] = {}
        """Those that have not said or proved anything, oldest first; until when they may."""
        self.suspects: list[C] = []
        """Those that are ended unless something of theirs is read first."""
        self._unread = 0
        self._memory = Memory()
        self._timer = reactor.every(LOOK, self._look)

    def close(self) -> None:
        self._timer.cancel()
        self._memory.close()

    def enter(self, connection: C, host: str) -> str:
        """A connection stands; returns why it has to be ended, or nothing if there is room."""
        household = _household_of(host, self._exempt)
        if len(self._standing) > self._most:
            return f"{self._most:,} connections stand already"
        if len(self._silent) >= self._most_silent:
            return f"{self._most_silent:,} others have not said who they are yet"
        if household and self._households[household] >= self._per_address:
            return f"{self._per_address:,} connections of its address stand already"
        connection.household = household
        self._households[household] += 1
        self._silent[connection] = self._reactor.now + self._patience
        return ""

    def known(self, connection: C) -> None:
        """It has said something, or proved who it is."""
        self._silent.pop(connection, None)

    def leave(self, connection: C) -> None:
        """It stands no more."""
        self.known(connection)
        household, connection.household = connection.household, ""
        if household:
            self._households[household] -= 1
            if not self._households[household]:
                del self._households[household]

    def judge(self, read: int | None) -> None:
        """So many messages were read since the last call, or all that there are (None)."""
        # A ROUTER takes of its connections in turn, so in twice as many messages each that said something was heard.
        self._unread -= read or 0
        if read is not None and self._unread > 0:
            return
        suspects, self.suspects = self.suspects, []
        for connection in suspects:
            if self._is_late(connection):
                self.known(connection)
                self._end(connection, _LATE)
            elif not connection.heard:
                self._end(connection, ENDLESS)

    def _is_late(self, connection: C) -> bool:
        return self._silent.get(connection, inf) <= self._reactor.now

    def _look(self) -> None:
        if self.suspects:
            return
        suspects = dict.fromkeys(takewhile(self._is_late, self._silent))
        if self._memory.grown():
            suspects |= dict.fromkeys(one for one in self._standing.values() if one.swollen(self._limit_of(one)))
        self.suspects = list(suspects)
        if self.suspects:
            self._unread = 2 * len(self._standing)
            self._read()

    def _limit_of(self, connection: C) -> int:
        return FIRST if connection in self._silent else self._longest


def _taken_from(descriptor: int, enough: int) -> int:
    """Bytes that libzmq has taken from a connection; those it has not taken yet may count if all are `enough` or less.

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


def _household_of(host: str, exempt: Sequence[IPv4Network | IPv6Network]) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 /64, since a host has a whole one; empty if exempt."""
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return ""  # it is gone already
    if any(ip in network for network in exempt):
        return ""
    return host if ip.version == 4 else str(ip_network((ip, 64), strict=False))
