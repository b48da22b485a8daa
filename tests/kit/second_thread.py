"""A second thread that gets in between wherever Python lets it."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def repeated_meanwhile(act: Callable[[int], object]) -> Iterator[None]:
    """Call `act` with 0, 1, 2 and so on in another thread; what it raises comes out at the end."""
    done = threading.Event()

    def repeat() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            act(number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(1) as pool:
            repeating = pool.submit(repeat)
            try:
                yield
            finally:
                done.set()
            repeating.result()
    finally:
        sys.setswitchinterval(before)
