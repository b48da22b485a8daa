"""Memory: the same for a small and a large file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from bus.units import format_size
from experiments.bench.contest import Case
from experiments.bench.goals import ABSENT, medians, number
from experiments.bench.options import Options
from experiments.bench.records import Figure, Result, Run
from experiments.bench.shoal_transfer import ShoalTransfer
from experiments.bench.transferring import TransferJob

MIB: Final = 2**20
SIZES: Final = (2 * 2**30, 16 * 2**30)
TIMES: Final = 8
"""The large file is so many times as large as the small one when --size gives that."""
WARM_UP: Final = 16 * MIB


class SparseFiles(Struct, frozen=True):
    """Files of nothing but holes, by their size."""

    paths: dict[int, Path]


class ShoalOfSize:
    """Shoal moving the file of one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._transfer = ShoalTransfer()
        self.name = name_of(size)
        self.how = self._transfer.how

    def missing(self) -> str:
        return ""

    def run(self, job: SparseFiles, work: Path) -> Run:
        source = job.paths[self._size]
        run = self._transfer.run(TransferJob(source, source.stat().st_size), work)
        return Run(run.seconds, run.parts, {"MB/s": round(source.stat().st_size / run.seconds / 1e6)})


def memory(options: Options) -> list[Case[SparseFiles]]:
    """Two sizes, sparse sources, destinations on a disk."""
    sizes = SIZES if options.size is None else (options.size, TIMES * options.size)
    written = " and ".join(map(format_size, sizes))
    title = f"memory while a file of {written} is moved: a sparse source, the destination on a disk"
    contenders = [ShoalOfSize(size) for size in sizes if options.chosen(name_of(size))]

    def made(folder: Path, length: int | None = None) -> SparseFiles:
        paths = {}
        for size in sizes:
            paths[size] = folder / f"{size}.bin"
            with paths[size].open("xb") as file:
                file.truncate(length or size)
        return SparseFiles(paths)

    def warm_up(folder: Path) -> SparseFiles:
        return made(folder, WARM_UP)

    def figures(result: Result) -> list[Figure]:
        peaks = [
            number(result, f"peak of a peer, {format_size(size)}", name_of(size), _peak, ("<=", 120), " MiB")
            for size in sizes
        ]
        return [*peaks, _difference(result, sizes)]

    return [Case("memory", title, 0, contenders, made, figures, options.disk, sizes[-1], warm_up)]


def name_of(size: int) -> str:
    """Of the contender that moves a file of this size."""
    return f"shoal-{format_size(size).replace(' ', '')}"


def _peak(run: Run) -> float:
    """MiB: the largest peer's VmHWM less shared memory."""
    return max(part.usage.own_bytes for part in run.parts if part.role != "tracker") / MIB


def _difference(result: Result, sizes: tuple[int, ...]) -> Figure:
    what, wanted = "peaks apart", "<= 10 MiB"
    runs = [result.runs_of(name_of(size)) for size in sizes]
    if not all(runs):
        return Figure(what, wanted, ABSENT, False)
    small, large = (medians(found, _peak) for found in runs)
    return Figure(what, wanted, f"{large - small:+.1f} MiB", abs(large - small) <= 10)
