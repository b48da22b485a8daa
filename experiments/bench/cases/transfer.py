"""Transfers as fast as they go: one file to one and to four, trees, and hashing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bus.units import format_size
from experiments.bench.contest import Case, Contender
from experiments.bench.goals import at_least
from experiments.bench.options import Options
from experiments.bench.pump import Pump
from experiments.bench.records import Figure, Result
from experiments.bench.rivals.b3sum import B3sum
from experiments.bench.rivals.libtorrent import LibtorrentTransfer
from experiments.bench.rivals.nginx import NginxAria2, NginxCurl
from experiments.bench.rivals.rsync import Rsync
from experiments.bench.sendfile import Sendfile
from experiments.bench.shoal_share import ShoalShare
from experiments.bench.shoal_transfer import ShoalTransfer
from experiments.bench.transferring import TransferJob
from experiments.bench.trees import MIXED_SIZE, SMALL, mixture, write_tree
from experiments.bench.writers import digests_of
from experiments.material import write_material

SIZE: Final = 2 * 2**30
FOUR: Final = 4
SEED: Final = 1

ENCRYPTED, CLEAR = "shoal", "shoal-clear"

Goals = Sequence[tuple[str, str, float]]
"""Contender, rival, and how many times as fast."""

ONE: Final[Goals] = (
    (CLEAR, "libtorrent", 4.0),
    (CLEAR, "pump", 0.85),
    (CLEAR, "nginx+curl", 0.75),
    (ENCRYPTED, "libtorrent", 2.0),
    (ENCRYPTED, "pump-curve", 0.85),
)
DISK: Final[Goals] = ((CLEAR, "pump", 0.85), (ENCRYPTED, "pump-curve", 0.85))
AGGREGATE: Final[Goals] = ((ENCRYPTED, "pump-curve", 0.85), (CLEAR, "pump", 0.85))
TREE: Final[Goals] = ((ENCRYPTED, "rsync", 1.0),)
HASH: Final[Goals] = ((ENCRYPTED, "b3sum", 0.85),)


def one(options: Options) -> list[Case[TransferJob]]:
    """One file from one to one, on the RAM disk."""
    size = options.size or SIZE
    title = f"one file of {format_size(size)} from one to one, from RAM disk to RAM disk"
    return [_case(options, "one", title, size, _file(size), _programs(), ONE)]


def disk(options: Options) -> list[Case[TransferJob]]:
    """The same on a disk; Shoal and the pump end when all is durable, nobody else does."""
    size = options.size or SIZE
    title = (
        f"one file of {format_size(size)} from one to one, on a disk; Shoal, pump and sendfile end when all is "
        "durable, the others when it is written"
    )
    return [_case(options, "disk", title, size, _file(size), _programs(), DISK, on_disk=True)]


def four(options: Options) -> list[Case[TransferJob]]:
    """One file from one to four at once."""
    size = options.size or SIZE
    title = (
        f"one file of {format_size(size)} from one to four at once, RAM disk; timed to the last finisher, so the ratio "
        "of the times is that of the aggregates"
    )
    return [_case(options, "four", title, FOUR * size, _file(size, FOUR), _programs(), AGGREGATE)]


def small(options: Options) -> list[Case[TransferJob]]:
    """Many small files."""
    sizes = [SMALL] * options.files
    title = f"a tree of {options.files} files of {format_size(SMALL)}, RAM disk"
    return [_case(options, "small", title, sum(sizes), _tree(sizes), _tree_programs(), TREE)]


def mixed(options: Options) -> list[Case[TransferJob]]:
    """A tree of large and small files."""
    sizes = mixture(options.size or MIXED_SIZE)
    title = f"a mixed tree of {len(sizes)} files, {format_size(sum(sizes))}, RAM disk"
    return [_case(options, "mixed", title, sum(sizes), _tree(sizes), _tree_programs(), ())]


def share(options: Options) -> list[Case[TransferJob]]:
    """Hashing one file."""
    size = options.size or SIZE
    title = f"hashing one file of {format_size(size)} to share it, RAM disk"
    return [_case(options, "share", title, size, _file(size), [ShoalShare(), B3sum()], HASH)]


def _programs() -> list[Contender[TransferJob]]:
    return [
        ShoalTransfer(),
        Pump(encrypted=True),
        ShoalTransfer(encrypted=False),
        Pump(encrypted=False),
        Sendfile(),
        LibtorrentTransfer(),
        NginxCurl(),
        NginxAria2(),
        Rsync(),
    ]


def _tree_programs() -> list[Contender[TransferJob]]:
    return [ShoalTransfer(), ShoalTransfer(encrypted=False), Rsync(), LibtorrentTransfer()]


def _case(
    options: Options,
    name: str,
    title: str,
    moved: int,
    prepare: Callable[[Path], TransferJob],
    contenders: Sequence[Contender[TransferJob]],
    goals: Goals,
    on_disk: bool = False,
) -> Case[TransferJob]:
    chosen = [contender for contender in contenders if options.chosen(contender.name)]

    def figures(result: Result) -> list[Figure]:
        return [at_least(result, f"{ours} beside {theirs}", ours, theirs, wanted) for ours, theirs, wanted in goals]

    directory = options.disk if on_disk else options.ram_disk
    # What one contender at a time fetches, and the source, which is at most as much.
    return Case(name, title, moved, chosen, prepare, figures, directory, moved + min(moved, options.size or SIZE))


def _file(size: int, receivers: int = 1) -> Callable[[Path], TransferJob]:
    def prepare(folder: Path) -> TransferJob:
        source, digests = folder / "source" / "content.bin", folder / "digests"
        source.parent.mkdir()
        write_material(source, size, SEED)
        digests.write_bytes(digests_of(source))
        return TransferJob(source, size, receivers, digests)

    return prepare


def _tree(sizes: Sequence[int]) -> Callable[[Path], TransferJob]:
    def prepare(folder: Path) -> TransferJob:
        source = folder / "source" / "content"
        write_tree(source, sizes)
        return TransferJob(source, sum(sizes))

    return prepare
