"""`shoal` from a process that has loaded it already: hundreds of commands in tests do not wait for Python and imports.

A command is forked, so it is the same code in a process of its own, with its own arguments, environment, folder and
end; what it does not show is that a fresh Python starts it, which `tests.kit.swarm.SHOAL` does.

    test ── order: arguments, environment, folder; files ──▶ server ─fork─▶ watcher ─fork─▶ command
      ◀────── pid of the command, then its exit code ───────────────────────┘

The server ends when the test run does, and whatever it forked ends with it.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from peer.cli import main
from tests.kit.dying import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ORDER = 2**17
"""Bytes; an environment is most of it."""
LOADED = ("peer.cli.entry", "peer.cli.rows", "bus.config", "bus.places", "bus.rpc")
"""What every command needs; each imports the rest when it runs."""
_NUMBER = struct.Struct("i")


class Order(msgspec.Struct, frozen=True):
    """One command."""

    command: list[str]
    environ: dict[str, str]
    folder: str


def run(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, within: float
) -> subprocess.CompletedProcess[str]:
    """Run `shoal`, here the first word of the command, to its end.

    Raises:
        subprocess.TimeoutExpired: it took longer than so many seconds, and was killed.
    """
    order = msgspec.msgpack.encode(Order(list(command), dict(environ), str(folder)))
    assert len(order) < LONGEST_ORDER
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with theirs, open(os.devnull, "rb") as nothing:
            files = [nothing.fileno(), out.fileno(), err.fileno(), theirs.fileno()]
            socket.send_fds(_server(), [order], files)
        ours.settimeout(within)
        (pid,) = _NUMBER.unpack(ours.recv(_NUMBER.size))
        try:
            (code,) = _NUMBER.unpack(ours.recv(_NUMBER.size))
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            ours.recv(_NUMBER.size)  # it has ended
            raise subprocess.TimeoutExpired(command, within, _text(out), _text(err)) from None
        return subprocess.CompletedProcess(command, code, _text(out), _text(err))


@functools.cache
def _server() -> socket.socket:
    """A connection to the server; it ends when nobody holds this any more."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        number = str(theirs.fileno())
        command = [sys.executable, "-m", "tests.kit.forking", number]
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    return ours


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def _serve(orders: socket.socket) -> None:
    """Fork a watcher for each order, until nobody can send one any more; returns in every command too."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        encoded, files, _, _ = socket.recv_fds(orders, LONGEST_ORDER, 4)
        if not encoded:
            sys.exit()
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    orders.close()
    answer = files.pop()
    if pid := os.fork():
        os.write(answer, _NUMBER.pack(pid))
        os.write(answer, _NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
        os._exit(0)
    die_with_parent()
    os.close(answer)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    order = msgspec.msgpack.decode(encoded, type=Order)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environ)
    sys.argv = order.command


if __name__ == "__main__":
    for module in LOADED:
        importlib.import_module(module)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        # Python would clear away all modules one by one, which takes longer than most commands.
        os._exit(int(str(end.code)))
