"""Hashing without copying: a child process maps the file.  (Reading copies: it takes a third longer.)

Nobody may map a user's file in the peer itself: one that is cut short meanwhile, or a disk that fails, kills whoever
reads the mapping.  When a child dies of it, or cannot be had, its caller reads the same bytes in the usual way and
finds out what is the matter.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import blake3

from peer import hash_child
from peer.manifest import CHUNK_CONTEXT, DIGEST_SIZE

_PROGRAM: Final = str(Path(hash_child.__file__))
_PACKAGES: Final = str(Path(blake3.__file__).parent.parent)
END_SECONDS: Final = 1.0
"""For a child to end by itself when it is not needed any more; then it is killed."""


class Mapper:
    """One hashing child.  Used by one thread."""

    def __init__(self, wanted: bool) -> None:
        """Starts the child if it is `wanted` and there can be one; does not wait for it."""
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._there = False
        if wanted:
            self._start()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-I", "-S", _PROGRAM, str(number), CHUNK_CONTEXT, _PACKAGES]
            nothing = subprocess.DEVNULL
            try:
                # A group of its own: a Ctrl-C in the terminal is the peer's to act on.
                self._process = subprocess.Popen(
                    command, stdin=nothing, stdout=nothing, stderr=nothing, pass_fds=[number], process_group=0
                )
            except OSError:
                ours.close()
                return
        self._socket = ours

    def digests(self, number: int, offset: int, length: int, size: int) -> bytes | None:
        """Digests of the chunks of `size` bytes in a part of an open file; None if they are not to be had this way."""
        if self._socket is None or not (self._there or self._is_there(self._socket)):
            return None
        expected = -(-length // size) * DIGEST_SIZE
        answer = b""
        try:
            socket.send_fds(self._socket, [hash_child.REQUEST.pack(offset, length, size)], [number])
            while len(answer) < expected:
                part = self._socket.recv(expected - len(answer))
                if not part:
                    break
                answer += part
        except OSError:
            pass
        if len(answer) == expected:
            return answer
        self._end()
        return None

    def _is_there(self, connection: socket.socket) -> bool:
        poll = select.poll()  # select() refuses a descriptor from 1,024 on
        poll.register(connection, select.POLLIN)
        if not poll.poll(0):
            return False
        try:
            self._there = bool(connection.recv(1))
        except OSError:
            self._there = False
        if not self._there:
            self._end()
        return self._there

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._process.kill()
            self._process.wait()
            self._process = None
