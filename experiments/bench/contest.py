"""Contenders, cases, and the rounds in which they meet.

A round runs every contender of a case once, one right after the other, so that what else the machine did meets all;
each begins from nothing, and the next round begins with another one of them. Round 0 is the warm-up.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from bus.errors import ERR_DISK_FULL, ShoalError
from bus.units import format_size
from experiments.bench.records import Entry, Figure, Result, Run
from experiments.bench.usage import Others
from experiments.bench.warming import touch_memory
from experiments.provenance import provenance

HEADROOM: Final = 2**30
"""Bytes that must be free beside what a case needs: the processes, and what a download leaves free of its disk."""

SCRATCH: Final = "shoal-bench-"
"""Beginning of the name of a case's folder; the process that has it stands behind."""

J_contra = TypeVar("J_contra", contravariant=True)
K = TypeVar("K")


class Contender(Protocol[J_contra]):
    """One program, or one limit, that does a case's job; each in a file of its own."""

    @property
    def name(self) -> str: ...

    @property
    def how(self) -> str:
        """Its exact command line or settings, for the table."""

    def missing(self) -> str:
        """What is not installed and how to install it, in one line; empty if it can run here."""

    def run(self, job: J_contra, work: Path) -> Run:
        """Do the job once.

        Args:
            job: what to do; the same for all contenders.
            work: an empty folder for everything that comes into being; removed afterwards.

        Raises:
            ShoalError: it failed.
        """


class Case(Struct, Generic[K], frozen=True):
    """Something to measure."""

    name: str
    title: str
    moved: int
    """Bytes that every contender moves or hashes in one run; 0: rates say nothing here."""
    contenders: Sequence[Contender[K]]
    prepare: Callable[[Path], K]
    """Makes what is moved in an empty folder, once for all runs."""
    figures: Callable[[Result], list[Figure]]
    """The goals, from the measured runs."""
    directory: Path
    """The disk where everything lies."""
    room: int
    """Bytes of that disk in use at a time at most."""
    warm_up: Callable[[Path], K] | None = None
    """Makes a smaller job for the warm-up; None: the same job."""


class Contest(Generic[K]):
    """One case being measured.

    Args:
        case: what to measure.
        rounds: counted ones.
        note: hears one line about each run.
        warms_up: whether a round that does not count comes first.
    """

    def __init__(self, case: Case[K], rounds: int, note: Callable[[str], object], warms_up: bool = True) -> None:
        self._case = case
        self._warms_up = warms_up
        self._rounds = rounds
        self._note = note
        self._entries = [self._entry(contender) for contender in case.contenders]
        self._others: list[float] = []
        self._stolen: list[float] = []

    def measure(self, command: str) -> Result:
        """All rounds.

        Raises:
            ShoalError: ERR_DISK_FULL, no room.
        """
        case = self._case
        check_room(case.room, case.directory)
        remove_left(case.directory)
        with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-", dir=case.directory) as made:
            folder = Path(made)
            job = self._made(case.prepare, folder / "job")
            if self._warms_up:
                self._round(0, job if case.warm_up is None else self._made(case.warm_up, folder / "warm-up"), folder)
            for number in range(1, self._rounds + 1):
                others = Others()
                self._round(number, job, folder)
                self._others.append(others.share())
                self._stolen.append(others.stolen())
        result = Result(
            case.name, case.title, case.moved, command, provenance(), self._rounds, self._warms_up, self._others,
            self._stolen, self._entries,
        )  # fmt: skip
        return msgspec.structs.replace(result, figures=[*case.figures(result), *_completeness(result)])

    @staticmethod
    def _made(prepare: Callable[[Path], K], folder: Path) -> K:
        folder.mkdir()
        return prepare(folder)

    def _entry(self, contender: Contender[K]) -> Entry:
        absent = contender.missing()
        if absent:
            self._note(f"NOT MEASURED: {contender.name}: {absent}")
        return Entry(contender.name, contender.how, absent=absent)

    def _round(self, number: int, job: K, folder: Path) -> None:
        order = list(range(len(self._entries)))
        first = number % len(order)
        for place in order[first:] + order[:first]:
            if not self._entries[place].absent:
                self._run(place, number, job, folder / "work")

    def _run(self, place: int, number: int, job: K, work: Path) -> None:
        entry, contender = self._entries[place], self._case.contenders[place]
        work.mkdir()
        if work.stat().st_dev != Path("/dev/shm").stat().st_dev:
            os.sync()  # what the run before left to be written is not this one's burden
        # What a run writes, and some for its processes: check_room found more.
        touch_memory(self._case.moved + min(self._case.moved, HEADROOM) // 2)
        try:
            run = contender.run(job, work)
        except ShoalError as error:
            # One that fails must not take the others' hours with it; it counts as absent, and is said so loudly.
            reason = f"failed: {error}".replace(f"{work}/", "")
            self._note(f"NOT MEASURED: {entry.name} {reason}")
            self._entries[place] = msgspec.structs.replace(entry, runs=[], absent=reason)
            return
        finally:
            shutil.rmtree(work)
        label = f"round {number}" if number else "warm-up"
        numbers = "".join(f", {name} {value:.6g}" for name, value in run.numbers.items())
        self._note(
            f"{self._case.name} {label}: {entry.name}: {run.seconds:.3f} s, CPU {run.cpu_seconds:.2f} s{numbers}"
        )
        if number:
            entry.runs.append(run)


def remove_left(directory: Path) -> None:
    """Remove what runs left that were killed: gigabytes of a RAM disk, often."""
    for folder in directory.glob(f"{SCRATCH}*-*"):
        pid = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _completeness(result: Result) -> list[Figure]:
    """A table without one of its contenders has not reached its goal, whatever the others say."""
    absent = [entry.name for entry in result.entries if not entry.runs]
    measured = f"without {', '.join(absent)}" if absent else "all"
    return [Figure("contenders measured", "all", measured, not absent)] if len(result.entries) > 1 else []


def check_room(needed: int, directory: Path) -> None:
    """Raises ShoalError, ERR_DISK_FULL, unless so many bytes fit; on a RAM disk in the memory too, without swap."""
    places = {f"{directory} has": shutil.disk_usage(directory).free}
    if directory.is_relative_to("/dev/shm"):
        places["the machine's memory has"] = _memory_free()
    for place, free in places.items():
        if free < needed + HEADROOM:
            wanted = format_size(needed + HEADROOM)
            raise ShoalError(ERR_DISK_FULL, f"{place} {format_size(free)} free, {wanted} are needed; choose a --size")


def _memory_free() -> int:
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return next(int(row[1]) * 1024 for row in rows if row[0] == "MemAvailable:")


def say(line: str) -> None:
    """One line about what goes on."""
    print(f"bench: {line}", file=sys.stderr, flush=True)
