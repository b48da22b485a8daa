"""How many copies of each part of a content are online, as the have-maps in the transfer events tell.

An event's have-map has at most 256 bytes, each the share held of one part of the content, 0 to 255: with up to 256
chunks a part is a chunk, with more it is several, and its copies are fractions.
"""

from __future__ import annotations

from typing import Final

import numpy as np

WHOLE: Final = 255
FIRST_STEP: Final = 0.05
"""Seconds between two samples; it doubles whenever there are MOST."""
MOST: Final = 1024

Sample = tuple[float, float, float, float, int]
"""time, lowest, median, highest, online"""


class Holdings:
    """What each member online holds; at first nobody is, and times must not fall."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._complete: dict[str, bool] = {}
        """Who shares what it had from the start."""
        self._online: dict[str, bool] = {}
        self._held: dict[str, np.ndarray] = {}
        """Of those who fetch."""
        self._copies = np.zeros(0, np.int64)
        """Of each part, times WHOLE, by those who fetch and are online."""
        self._step = FIRST_STEP
        self._next = float("-inf")

    def online(self, time: float, member: str, online: bool) -> bool:
        """A member came or went; returns whether that is news."""
        if self._online.get(member, False) == online:
            return False
        self._sample(time)
        self._online[member] = online
        held = self._held.get(member)
        if held is not None:
            self._copies += held if online else -held
        return True

    def shares(self, time: float, member: str) -> None:
        """A member has everything, and did not fetch it; it counts while the member is online."""
        if member not in self._complete:
            self._sample(time)
            self._complete[member] = True

    def holds(self, time: float, member: str, have: str) -> None:
        """A member's have-map, in hex; it counts while the member is online.

        Raises:
            ValueError: it is no hex, or of another number of parts than the first.
        """
        now = np.frombuffer(bytes.fromhex(have), np.uint8).astype(np.int64)
        if not len(now) or member in self._complete:
            return
        self._sample(time)
        if not len(self._copies):
            self._copies = np.zeros(len(now), np.int64)
        if len(now) != len(self._copies):
            raise ValueError(f"a have-map of {len(now)} parts, after one of {len(self._copies)}")
        if self._online.get(member, False):
            self._copies += now - self._held.get(member, 0)
        self._held[member] = now

    def finish(self, time: float) -> list[Sample]:
        """All samples, the last one at `time`."""
        if len(self._copies):
            self._look(time)
        return self.samples

    def _sample(self, time: float) -> None:
        """Look before something changes, if it is time to."""
        if time < self._next or not len(self._copies):
            return
        self._look(time)
        if len(self.samples) >= MOST:
            del self.samples[1::2]
            self._step *= 2
        self._next = self.samples[-1][0] + self._step

    def _look(self, time: float) -> None:
        seeds = sum(self._online.get(member, False) for member in self._complete)
        copies = self._copies / WHOLE + seeds
        low, middle, high = (round(float(value), 3) for value in np.quantile(copies, (0.0, 0.5, 1.0)))
        self.samples.append((time, low, middle, high, sum(self._online.values())))
