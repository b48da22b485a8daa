"""What a benchmark run leaves: runs of contenders, by case, and the figures made of them.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from experiments.bench.usage import Usage
from experiments.provenance import Provenance


class Part(Struct, frozen=True):
    """One process of a run, or several of the same role together."""

    role: str
    usage: Usage


class Run(Struct, frozen=True):
    """One contender, once."""

    seconds: float
    """Of the timed span."""
    parts: list[Part]
    numbers: dict[str, float] = {}
    """What else was measured, by name; each case says what its names mean."""

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all its processes in the timed span."""
        return sum(part.usage.cpu_seconds for part in self.parts)

    @property
    def peak_bytes(self) -> int:
        """Peak memory less shared memory of its largest process."""
        return max((part.usage.own_bytes for part in self.parts), default=0)


class Spread(Struct, frozen=True):
    """Several measurements of one thing."""

    median: float
    lowest: float
    highest: float


class Figure(Struct, frozen=True):
    """One goal and what came of it."""

    what: str
    wanted: str
    measured: str
    reached: bool


class Entry(Struct, frozen=True):
    """A contender of a case."""

    name: str
    how: str
    """Its exact command line or settings."""
    runs: list[Run] = []
    """One a counted round; empty if it did not take part."""
    absent: str = ""
    """Why it did not take part, in one line."""


class Result(Struct, frozen=True):
    """One case."""

    case: str
    title: str
    moved: int
    """Bytes that every contender moves or hashes in one run; 0: rates say nothing here."""
    command: str
    made_by: Provenance
    rounds: int
    """Counted ones, without the warm-up."""
    warmed: bool
    """Whether a warm-up came before them."""
    others: list[float]
    """Share of the processors' time that other programs had, by round."""
    stolen: list[float]
    """Share of it that the hypervisor kept, by round."""
    entries: list[Entry]
    figures: list[Figure] = []

    def runs_of(self, name: str) -> Sequence[Run]:
        """The runs of a contender; empty if it did not take part."""
        return next((entry.runs for entry in self.entries if entry.name == name), [])

    @property
    def reached(self) -> bool:
        return all(figure.reached for figure in self.figures)


def spread(values: Sequence[float]) -> Spread:
    """Raises statistics.StatisticsError if there is no value."""
    return Spread(median(values), min(values), max(values))
