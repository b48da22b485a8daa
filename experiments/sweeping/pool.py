"""Runs in processes of their own, a few at a time: one that crashes ends itself only.

A run cannot outlive the sweep, even one that is killed, so a sweep that goes on never meets a run of its former life.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from bus.errors import ERR_FAILURE, ShoalError
from bus.process import Process, told_by
from experiments.backends.state import remove_state
from experiments.interrupting import check_interrupted
from experiments.sweeping.plan import Job

PROGRAM: Final = "experiments.sweeping.single"
_POLL: Final = 0.02
"""Seconds between two looks at the processes."""
PUT_AWAY: Final = 15.0
"""Seconds in which a run that is cut short may end its peers and delete their state."""


class Outcome(Struct, frozen=True):
    """How one run ended."""

    job: Job
    seconds: float
    """Of this machine's time."""
    error: str
    """One line; empty: it has its summary."""


def run_locally(folder: Path, jobs: Sequence[Job], at_once: int) -> Generator[Outcome]:
    """Carry out jobs of the plan in `folder`, so many at once, in whichever order they end.

    Must be used from the main thread, and closed or exhausted: that ends what still runs.
    """
    waiting = deque(jobs)
    running: list[Child] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(Child(folder, waiting.popleft()))
            ended = [child for child in running if child.ended]
            for child in ended:
                running.remove(child)
                yield child.outcome()
            if not ended:
                time.sleep(_POLL)
            check_interrupted()
    finally:
        _end(running)


def _end(running: Sequence[Child]) -> None:
    for child in running:
        child.terminate()
    deadline = time.monotonic() + PUT_AWAY
    while time.monotonic() < deadline and not all(child.ended for child in running):
        time.sleep(_POLL)
    for child in running:
        child.kill()


class Child:
    """One run in its process, from its start."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.job = job
        self._started = time.monotonic()
        clear(job)
        command = [sys.executable, "-P", "-m", PROGRAM, str(folder), str(job.point.number), str(job.seed)]
        self._process = Process(command, {}, job.log.with_suffix(".ready"), job.log)

    @property
    def ended(self) -> bool:
        return self._process.ended() is not None

    def terminate(self) -> None:
        """Ask it to put everything away and end."""
        self._process.terminate()

    def kill(self) -> int:
        """End it, if it has not ended, and delete what it had no time for; its exit code."""
        code = self._process.kill()
        remove_state(self.job.folder)
        return code

    def outcome(self) -> Outcome:
        """How it ended; its log is kept only if it failed."""
        code = self.kill()  # it has ended: this is its exit code
        error = ""
        if code < 0:
            error = f"{ERR_FAILURE}: its process was ended by {signal.Signals(-code).name}"
        elif code or not self.job.done:
            words = self._process.last_words()
            told = told_by(words)
            error = str(told) if told else f"{ERR_FAILURE}: exit code {code}: {words or 'not a word'}"
        if not error:
            self.job.log.unlink(missing_ok=True)
        return Outcome(self.job, round(time.monotonic() - self._started, 3), error)


def clear(job: Job) -> None:
    """Remove what a run that was cut short left behind.

    Raises:
        ShoalError: it cannot be removed.
    """
    try:
        if job.folder.exists():
            shutil.rmtree(job.folder)
        job.log.unlink(missing_ok=True)
    except OSError as error:
        raise ShoalError(ERR_FAILURE, f"{job.folder} cannot be emptied: {error.strerror}") from None
