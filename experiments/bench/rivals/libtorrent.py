"""libtorrent, through its Python wheel: one session in a process of its own for each seed and leecher.

Pieces, hashes: BitTorrent v1 (SHA-1), nothing encrypted. TCP, because uTP is slower by far on one machine.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from experiments.bench.children import Child, Children
from experiments.bench.downloads import check_same
from experiments.bench.records import Part, Run
from experiments.bench.rivals.libtorrent_node import Node, Setting, Totals
from experiments.bench.swarming import Member, SwarmJob, swarm_numbers
from experiments.bench.transferring import TransferJob

INSTALL: Final = "its Python wheel is not installed: .venv/bin/pip install libtorrent"
PLAIN_TCP: Final[dict[str, Setting]] = {
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "out_enc_policy": 2,
    "in_enc_policy": 2,
}
"""No uTP, no obfuscation."""
SWARM: Final[dict[str, Setting]] = {**PLAIN_TCP, "unchoke_slots_limit": 4}
"""Four slots were quicker than 2, 3, 5, 8 and unlimited ones, and than super-seeding, in swarms of 10."""
FAST: Final[dict[str, Setting]] = {
    **PLAIN_TCP,
    "max_out_request_queue": 2000,
    "request_queue_time": 10,
    "send_buffer_watermark": 16 * 2**20,
    "send_buffer_low_watermark": 2**20,
    "send_buffer_watermark_factor": 150,
    "max_queued_disk_bytes": 256 * 2**20,
    "hashing_threads": 2,
}
PIECE: Final = 4 * 2**20
"""Bytes."""
_SETTLE: Final = 0.2
"""Seconds between telling the seeds and telling the leechers."""


def missing() -> str:
    """Why libtorrent cannot be used here, in one line, or nothing."""
    return "" if importlib.util.find_spec("libtorrent") else INSTALL


def version() -> str:
    """The name with the wheel's version; the name alone if it is not installed."""
    try:
        return f"libtorrent {metadata.version('libtorrent')}"
    except metadata.PackageNotFoundError:
        return "libtorrent"


def written(settings: dict[str, Setting]) -> str:
    """Settings as they stand in a table."""
    return ", ".join(f"{name} {str(value).lower()}" for name, value in settings.items())


class LibtorrentSwarm:
    """A swarm with upload limits.

    Args:
        super_seeding: the seeds use it.
    """

    def __init__(self, super_seeding: bool = False) -> None:
        self._super_seeding = super_seeding
        self.name = "libtorrent"
        self.how = f"{version()}, upload_rate_limit of each, super_seeding {super_seeding}, {written(SWARM)}"

    def missing(self) -> str:
        return missing()

    def run(self, job: SwarmJob, work: Path) -> Run:
        from experiments.bench.rivals.libtorrent_node import make_torrent

        torrent = work / "content.torrent"
        make_torrent(job.source, torrent, job.chunk)
        seed = Node(str(torrent), str(job.source.parent), True, self._super_seeding)
        with Children(work) as children:
            seeds = [started(children, f"seed{n}", _limited(seed, rate)) for n, rate in enumerate(job.seeds)]
            leechers = []
            for number, rate in enumerate(job.leechers):
                folder = work / f"leecher{number}"
                folder.mkdir()
                node = Node(str(torrent), str(folder), False)
                leechers.append(started(children, f"leecher{number}", _limited(node, rate)))
            begin, ends = connect(seeds, leechers)
            totals = [totals_of(child) for child, _ in (*seeds, *leechers)]
        sent = sum(total.uploaded for total in totals[: len(seeds)])
        taking = totals[len(seeds) :]
        members = [Member(at, total.redundant) for at, total in zip(ends, taking, strict=True)]
        numbers = swarm_numbers(job, begin, members, sent)
        if len(seeds) > 1:
            numbers |= {f"from seed {n}": float(total.uploaded) for n, total in enumerate(totals[: len(seeds)], 1)}
        roles = [*("seed" for _ in seeds), *("leecher" for _ in leechers)]
        parts = [Part(role, total.usage) for role, total in zip(roles, totals, strict=True)]
        return Run(round(max(ends) - begin, 4), parts, numbers)


class LibtorrentTransfer:
    """One seed and some leechers without limits."""

    name = "libtorrent"
    how = f"{version()}, v1 torrent, pieces of {PIECE >> 20} MiB (a tree: chosen by libtorrent), {written(FAST)}"

    def missing(self) -> str:
        return missing()

    def run(self, job: TransferJob, work: Path) -> Run:
        from experiments.bench.rivals.libtorrent_node import make_torrent

        torrent = job.source.parent / "content.torrent"
        if not torrent.exists():  # hashing is not what is timed; the first run makes it for all
            make_torrent(job.source, torrent, PIECE if job.source.is_file() else 0)
        with Children(work) as children:
            seed = started(children, "seed", Node(str(torrent), str(job.source.parent), True, settings=FAST))
            leechers, folders = [], [work / f"leecher{number}" for number in range(job.receivers)]
            for folder in folders:
                folder.mkdir()
                node = Node(str(torrent), str(folder), False, settings=FAST)
                leechers.append(started(children, folder.name, node))
            begin, ends = connect([seed], leechers)
            totals = [totals_of(child) for child, _ in (seed, *leechers)]
        for folder in folders:
            check_same(job.source, folder / job.source.name)
        roles = ["seed", *("leecher" for _ in leechers)]
        parts = [Part(role, total.usage) for role, total in zip(roles, totals, strict=True)]
        return Run(round(max(ends) - begin, 4), parts)


Session = tuple[Child, int]
"""A session's process and its port."""


def started(children: Children, name: str, node: Node) -> Session:
    """A session that waits to be told its peers."""
    child = children.start([sys.executable, "-P", "-m", "experiments.bench.rivals.libtorrent_node"], name)
    child.tell(msgspec.json.encode(node))
    return child, int(child.line())


def connect(seeds: Sequence[Session], leechers: Sequence[Session]) -> tuple[float, list[float]]:
    """Tell all of each other: when the first leecher was told, and when each was complete; monotonic clock."""
    for child, _ in seeds:
        child.tell(b"[]")
    time.sleep(_SETTLE)
    ports = [port for _, port in seeds]
    begin = time.monotonic()
    for child, port in leechers:
        child.tell(msgspec.json.encode(ports))
        ports.append(port)  # of each pair the later one dials
    return begin, [float(child.line()) for child, _ in leechers]


def totals_of(child: Child) -> Totals:
    """End a session, and hear what it did."""
    child.end_input()
    return msgspec.json.decode(child.line(), type=Totals)


def _limited(node: Node, rate: int) -> Node:
    return msgspec.structs.replace(node, settings={**SWARM, "upload_rate_limit": rate})
