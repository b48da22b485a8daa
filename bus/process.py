"""A program in a process of its own that cannot outlive the one that started it.

    group     it leads a process group: a Ctrl-C in the terminal does not reach it, and what it leaves behind is
              killed with the group when it has ended
    parent    PR_SET_PDEATHSIG ends it when its parent ends, even by kill -9. The signal is SIGKILL: a process that
              hangs would miss one that it has to handle, and what is on disk survives SIGKILL by design. The kernel
              sends it when the *thread* that forked ends, so a process is started from the main thread
    output    goes to a log that is put aside when it is long
    ready     when its ready file holds its pid (`bus/ready.py`)

Linux only: prctl(2), waitid(2) with WNOWAIT.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bus.errors import CODES, ShoalError
from bus.ready import READY_VARIABLE, AnyReady

LOG_MAX: Final = 4 * 2**20
"""Bytes; a longer log is put aside, one old one is kept, when its program is started."""
LAST_WORDS: Final = 8192
"""Bytes at the end of a log in which an error line is looked for."""
PR_SET_PDEATHSIG: Final = 1
"""linux/prctl.h"""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

R = TypeVar("R", bound=AnyReady)


class Process:
    """One run of a program.

    Raises:
        OSError: the system refuses to start it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], ready_file: Path, log: Path) -> None:
        self.ready_file = ready_file
        self.log = log
        parent = os.getpid()

        def die_with_parent() -> None:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

        ready_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ready_file.unlink(missing_ok=True)
        with _open_log(log) as descriptor:
            self._log_start = os.fstat(descriptor).st_size
            self._popen = subprocess.Popen(
                command,
                env={**os.environ, **environment, READY_VARIABLE: str(ready_file)},
                stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  safe: it allocates nothing and takes no lock
            )  # fmt: skip
        self.pid = self._popen.pid

    def served(self, kind: type[R]) -> R | None:
        """What it wrote when it began to serve; None before."""
        try:
            ready = msgspec.json.decode(self.ready_file.read_bytes(), type=kind)
            # The pid may be that of a worker of its group.
            return ready if os.getpgid(ready.pid) == self.pid else None
        except (FileNotFoundError, ProcessLookupError):
            return None

    def ended(self) -> int | None:
        """Its exit code (a signal's number below 0) if it has ended; its group is then gone too."""
        if self._popen.returncode is None and not self._is_zombie():
            return None
        return self.kill()

    def terminate(self) -> None:
        """Ask it to end."""
        self._popen.terminate()

    def kill(self) -> int:
        """End it, if it has not ended, and its group; its exit code."""
        if self._popen.returncode is None:
            # It is not reaped yet, so the number is still its own.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()

    def last_words(self) -> str:
        """Its last error line (`shoal: ...`), else the last line it wrote; empty if it wrote none."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - LAST_WORDS))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("shoal: ")]
            return (errors or lines or [""])[-1]
        return ""

    def _is_zombie(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def told_by(line: str) -> ShoalError | None:
    """The error that a process ended with, if its last words are one."""
    match = re.fullmatch(r"shoal: (ERR_[A-Z_]+): (.+)", line)
    return ShoalError(match[1], match[2]) if match and match[1] in CODES else None


@contextmanager
def _open_log(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_MAX:
            path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
