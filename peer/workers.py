"""Threads that take jobs from a queue, in order."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from bus.errors import ERR_FAILURE, ShoalError
from peer.files import error_of

log = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")
Job = Callable[[], None]


class Workers:
    """One or more threads that share a queue.  With one thread, jobs run one after the other."""

    def __init__(self, name: str, count: int = 1) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        # Daemons: a thread that hangs in a dead disk must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Run a job after those before it.  It answers for its own failures; see `attempt`."""
        self._queue.put(job)

    def close(self) -> None:
        """Take no more jobs; those waiting are still done."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, deadline: float) -> bool:
        """Wait for the threads to end, until `deadline` (monotonic); False if one did not."""
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                job()
            except Exception:  # a bug in one job: those after it are still done
                log.exception("a storage job failed and has no answer")
            del job  # while waiting for the next, hold nothing of the last


def attempt(action: Callable[[], T], failed: Callable[[ShoalError], F], where: str) -> T | F:
    """What `action` returns, or what `failed` makes of the reason why it did not: a job always has an answer."""
    try:
        return action()
    except ShoalError as error:
        return failed(error)
    except OSError as error:
        return failed(error_of(error, where))
    except Exception:  # a bug: said in the log, and answered like any other failure
        log.exception("a storage job failed")
        return failed(ShoalError(ERR_FAILURE, f"internal error with {where}; the log has the details"))
