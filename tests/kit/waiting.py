"""Waiting for something to become true: the only place in the tests that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    predicate: Callable[[], T], within: float, every: float = 0.02, message: str | Callable[[], str] = ""
) -> T:
    """Call `predicate` until it returns something true, and return that.

    `within` and `every` are seconds. The predicate is called at least once, and once more after the deadline. One that
    raises counts as not yet true. Raises AssertionError, from the last exception if there is one, with the last value
    and `message` (or what it returns, which is asked only on failure: a log's tail, say).
    """
    deadline = time.monotonic() + within
    while True:
        last_try = time.monotonic() >= deadline
        error: Exception | None = None
        value: T | None = None
        try:
            value = predicate()
        except Exception as raised:  # noqa: BLE001 - kept, and reported if nothing better comes
            error = raised
        if value:
            return value
        if last_try:
            outcome = f"raised {error!r}" if error else f"was {value!r}"
            detail = message() if callable(message) else message
            raise AssertionError(f"not true within {within:g} s: last {outcome}{detail and f': {detail}'}") from error
        time.sleep(every)


def hold_for(seconds: float, sample: Callable[[], T], every: float = 0.2) -> list[T]:
    """Call `sample` again and again for so many seconds and return what it gave: for what must stay true meanwhile."""
    deadline = time.monotonic() + seconds
    samples = [sample()]
    while time.monotonic() < deadline:
        time.sleep(every)
        samples.append(sample())
    return samples
