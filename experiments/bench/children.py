"""Programs under measurement: each in a session of its own, ended whatever happens, its usage read from outside.

A session of its own, as the supervisor gives each peer: where the kernel shares the processors out by sessions
(autogroup), two processes in one would get half of what two peers get on a busy machine.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from experiments.bench.usage import Usage, usage_of

LONGEST: Final = 900.0
"""Seconds that one run may take."""
_SAMPLE: Final = 0.1
"""Seconds between two looks at the memory of programs that do not report their own: what looks takes processors from
them, which Shoal and the pump do not suffer."""
_SEARCH: Final = 1.0
"""Seconds between two searches for the processes that such a program has started: a search walks all of /proc."""
_PR_SET_PDEATHSIG: Final = 1
"""linux/prctl.h"""
_LAST_LINES: Final = 3

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Ended(Struct, frozen=True):
    """A program that has ended well."""

    at: float
    """Monotonic clock, seconds."""
    usage: Usage
    """Of it and what it started; the memory is the largest process's, looked at every 100 ms."""


class _Memory:
    """Of one process, from several looks."""

    def __init__(self) -> None:
        self.peak = 0
        self._unshared = 0
        self._shares = False

    def look(self, usage: Usage) -> None:
        self.peak = max(self.peak, usage.peak_bytes)
        self._unshared = max(self._unshared, usage.resident_bytes - usage.shared_bytes)
        self._shares = self._shares or usage.shared_bytes > 0

    @property
    def own(self) -> int:
        """The peak, which is exact; or, if part of it was shared at some time, the most that was not at any look."""
        return self._unshared if self._shares else self.peak


class Child:
    """One program.  Its error output goes to a file in `folder`, whose end is part of an error's text."""

    def __init__(self, command: Sequence[str], folder: Path, name: str) -> None:
        self.name = name
        self._errors = folder / f"{name}.stderr"
        with self._errors.open("wb") as errors:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=folder,
                start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509  it takes no lock
            )  # fmt: skip
        self.pid = self._popen.pid
        self._memory: dict[int, _Memory] = {}
        self._searched = -_SEARCH

    def tell(self, line: bytes) -> None:
        """Write a line to its input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(line + b"\n")
        self._popen.stdin.flush()

    def end_input(self) -> None:
        """Close its input."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()

    def line(self, within: float = LONGEST) -> bytes:
        """The next line of its output.

        Raises:
            ShoalError: ERR_FAILURE, it ended instead; ERR_TIMEOUT.
        """
        assert self._popen.stdout is not None
        if not select.select([self._popen.stdout], [], [], within)[0]:
            raise ShoalError(ERR_TIMEOUT, f"{self.name} says nothing within {within:g} s")
        line = self._popen.stdout.readline()
        if not line:
            raise ShoalError(ERR_FAILURE, f"{self.name} ended with {self._popen.wait()}{self.last_words()}")
        return line

    def usage(self) -> Usage:
        """Of its whole session so far, children that ended and were waited for included."""
        cpu = sum(usage.cpu_seconds for usage in self._look(_session(self.pid)))
        largest = max(self._memory.values(), key=lambda memory: memory.own, default=_Memory())
        return Usage(cpu, largest.peak, largest.peak - largest.own)

    def watch(self) -> None:
        """Look at the memory of those of its session that are known, at little cost."""
        now = time.monotonic()
        if now < self._searched + _SEARCH:
            self._look(list(self._memory))
        else:
            self._searched = now
            self._look(_session(self.pid))

    def _look(self, pids: Sequence[int]) -> list[Usage]:
        found = []
        for pid in pids:
            if (usage := _seen(pid)) is not None:
                found.append(usage)
                self._memory.setdefault(pid, _Memory()).look(usage)
        return found

    def finish(self) -> float:
        """Reap it after its end: the processor time of it and all that it waited for.

        Raises:
            ShoalError: ERR_FAILURE, its exit code was not 0.
        """
        _, status, used = os.wait4(self.pid, 0)
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        if self._popen.returncode:
            raise ShoalError(ERR_FAILURE, f"{self.name} ended with {self._popen.returncode}{self.last_words()}")
        return used.ru_utime + used.ru_stime

    def stop(self) -> None:
        """End it and everything in its session; whatever state it is in."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._popen.wait()

    def last_words(self) -> str:
        """The end of its error output, for an error's text."""
        lines = self._errors.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return ": " + " / ".join(lines) if lines else ""


class Children:
    """The programs of one run; all are ended at the end of the `with`.

    Args:
        folder: where they stand and where their error output goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            child.stop()

    def start(self, command: Sequence[str], name: str) -> Child:
        """Start a program.

        Args:
            command: what to run, an absolute path or found on PATH first.
            name: for its error file and for errors; once a run.
        """
        child = Child(command, self._folder, name)
        self._children.append(child)
        return child


def wait_all(children: Sequence[Child], beside: Sequence[Child] = (), within: float = LONGEST) -> list[Ended]:
    """Wait until all have ended by themselves.

    Args:
        children: whose end is awaited.
        beside: others whose memory is looked at meanwhile.
        within: seconds.

    Raises:
        ShoalError: one failed, or ERR_TIMEOUT.
    """
    ends: dict[int, float] = {}
    watched = {os.pidfd_open(child.pid): number for number, child in enumerate(children)}
    deadline = time.monotonic() + within
    try:
        while watched.keys() - ends.keys():
            for descriptor in select.select(list(watched.keys() - ends.keys()), [], [], _SAMPLE)[0]:
                ends[descriptor] = time.monotonic()
            for child in (*beside, *(children[watched[descriptor]] for descriptor in watched.keys() - ends.keys())):
                child.watch()
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"{children[0].name} has not ended within {within:g} s")
    finally:
        for descriptor in watched:
            os.close(descriptor)
    ended = []
    for descriptor, number in watched.items():
        memory = children[number].usage()
        used = Usage(children[number].finish(), memory.peak_bytes, memory.shared_bytes)
        ended.append(Ended(ends[descriptor], used))
    return ended


def await_port(port: int, child: Child, within: float = 10.0) -> None:
    """Wait until a server answers on a port of this machine.

    Raises:
        ShoalError: ERR_TIMEOUT.
    """
    deadline = time.monotonic() + within
    while not _answers(port):
        if time.monotonic() > deadline:
            raise ShoalError(ERR_TIMEOUT, f"{child.name} does not listen within {within:g} s{child.last_words()}")
        time.sleep(_SAMPLE)


def free_port() -> int:
    """A TCP port of this machine that nobody has now; for programs that cannot take port 0 and tell."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _session(leader: int) -> list[int]:
    """All processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found


def _seen(pid: int) -> Usage | None:
    try:
        return usage_of(pid, with_children=True)
    except OSError:
        return None  # it ended meanwhile
