"""The storage's threads."""

from __future__ import annotations

import os
from queue import SimpleQueue

import pytest

from peer.workers import Workers

SECONDS = 10.0


def policy_of_a_job() -> int:
    """The scheduling class in which a worker runs its jobs."""
    answers: SimpleQueue[int] = SimpleQueue()
    workers = Workers("test")
    workers.submit(lambda: answers.put(os.sched_getscheduler(0)))
    workers.close()
    return answers.get(timeout=SECONDS)


def test_a_worker_that_wakes_up_interrupts_nobody_and_others_are_as_they_were() -> None:
    before = os.sched_getscheduler(0)
    assert policy_of_a_job() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == before


def test_a_worker_works_where_it_may_not_choose_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    assert policy_of_a_job() == os.sched_getscheduler(0)
