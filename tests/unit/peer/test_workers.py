from __future__ import annotations

import threading
import time

from peer.workers import Workers


def fail() -> None:
    raise ZeroDivisionError


def test_a_job_that_fails_does_not_end_the_thread_of_the_others(caplog):
    done = threading.Event()
    workers = Workers("test")
    workers.submit(fail)
    workers.submit(done.set)
    assert done.wait(20)
    workers.close()
    assert workers.join(time.monotonic() + 20)
    assert "ZeroDivisionError" in caplog.text
