"""The simulated disk: the shell of one simulated peer, where reads, writes and hashing take time and no space.

    disk = SimulatedDisk(world, layout_of, DiskRates(read=200 * MIB, write=100 * MIB, hash=1000 * MIB))
    host = Host(name, node, rates, disk.perform)

A payload is None, or CORRUPT if a bit of it is flipped: its chunk is then rejected, as its digest would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from bus.boundary import ContentId
from experiments.sim.network import CORRUPT
from experiments.sim.world import Host, World
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    Finish,
    Finished,
    ManifestParsed,
    PartRead,
    Prepare,
    Prepared,
    Read,
    ReadFailed,
    ReadManifest,
    Store,
    Stored,
    StoreManifest,
)
from peer.core.layout import Layout
from peer.core.records import KnownContent

READ_SECONDS: Final = 0.0005
WRITE_SECONDS: Final = 0.0005
"""What a job takes beside its bytes."""
MANIFEST_HEADER: Final = 13


class DiskRates(Struct, frozen=True):
    """Bytes a second; 0 is no limit.  Reads queue behind reads, writes with their hashing behind writes."""

    read: float = 0.0
    write: float = 0.0
    hash: float = 0.0
    """How fast digests are computed of what is to be written."""


class SimulatedDisk:
    """Answers the effects about files.  `corrupt`, `corrupt_reads` and `failing_reads` may be set at any time."""

    __slots__ = (
        "_bad", "_layout_of", "_read_free", "_world", "_write_free", "corrupt", "corrupt_reads", "failing_reads",
        "rates",
    )  # fmt: skip

    def __init__(self, world: World, layout_of: Callable[[ContentId], Layout], rates: DiskRates | None = None) -> None:
        self._world = world
        self._layout_of = layout_of
        self.rates = rates or DiskRates()
        self.corrupt = False
        """Flip a bit in every chunk that is read."""
        self.corrupt_reads = 0
        """Flip a bit in so many more reads."""
        self.failing_reads = 0
        """Fail so many more reads."""
        self._read_free = 0.0
        self._write_free = 0.0
        """When the disk is through with what it was given."""
        self._bad: dict[tuple[ContentId, int], bool] = {}
        """Chunks of which a part came with a flipped bit."""

    def perform(self, host: Host, effect: Any) -> None:
        """Carry out what is not about links; what needs no answer is nothing here."""
        kind = type(effect)
        if kind is Read or kind is ReadManifest:
            answer = self._read(effect)
            self._answer_read(host, answer, getattr(answer, "size", 0))
        elif kind is Store:
            self._store(host, effect)
        elif kind is StoreManifest:
            self._answer_write(host, Stored(effect.job), effect.length)
            if effect.offset + effect.length == effect.total:
                layout = None if effect.keep else self._layout_of(effect.content)
                self._answer_write(host, ManifestParsed(effect.content, effect.manifest, layout), 0)
        elif kind is Prepare:
            layout = self._layout_of(effect.record.id)
            prepared = Prepared(effect.record.id, layout.kind, layout, "/sim/file", 0, layout.all_chunks, ())
            self._answer_write(host, prepared, 0)
        elif kind is Finish:
            content = known_content(effect.content, self._layout_of(effect.content), downloaded=True)
            self._answer_write(host, Finished(content), 0)
        elif kind is CheckChunk:
            size = self._layout_of(effect.content).length_of(effect.chunk)
            self._answer_read(host, ChunkChecked(effect.content, effect.chunk, True), size)

    def _read(self, effect: Read | ReadManifest) -> PartRead | ReadFailed:
        if isinstance(effect, ReadManifest):
            total = MANIFEST_HEADER + 32 * self._layout_of(effect.content).chunks
            return PartRead(effect.job, None, min(effect.length, total - effect.offset), total)
        if self.failing_reads > 0:
            self.failing_reads -= 1
            return ReadFailed(effect.job, False, "the disk failed")
        corrupt = self.corrupt or self.corrupt_reads > 0
        self.corrupt_reads = max(0, self.corrupt_reads - 1)
        size = sum([length for _, _, length in effect.parts])
        return PartRead(effect.job, CORRUPT if corrupt else None, size)

    def _answer_read(self, host: Host, event: Any, size: int) -> None:
        done = self._world.now
        if self.rates.read:
            done = self._read_free = max(done, self._read_free) + size / self.rates.read
        self._world.at_time(done + READ_SECONDS, self._answer, (host, event))

    def _answer_write(self, host: Host, event: Any, size: int) -> None:
        done, rates = self._world.now, self.rates
        if rates.write or rates.hash:
            took = (size / rates.write if rates.write else 0.0) + (size / rates.hash if rates.hash else 0.0)
            done = self._write_free = max(done, self._write_free) + took
        self._world.at_time(done + WRITE_SECONDS, self._answer, (host, event))

    def _answer(self, host: Host, event: Any) -> None:
        if self._world.hosts.get(host.name) is host:
            self._world.feed(host, event)

    def _store(self, host: Host, effect: Store) -> None:
        held: list[int] = []
        rejected: list[int] = []
        layout, bad = self._layout_of(effect.content), self._bad
        size = 0
        for chunk, offset, length in effect.parts:
            size += length
            if chunk < 0:
                continue
            if offset == 0:
                bad.pop((effect.content, chunk), None)
            if effect.payload == CORRUPT:
                bad[effect.content, chunk] = True
            if offset + length == layout.length_of(chunk):
                (rejected if bad.pop((effect.content, chunk), False) else held).append(chunk)
        self._answer_write(host, Stored(effect.job, tuple(held), tuple(rejected)), size)


def known_content(content: ContentId, layout: Layout, *, downloaded: bool) -> KnownContent:
    """A content that a simulated peer has from the start, or has finished."""
    return KnownContent(content, layout.kind, layout, "/sim/file", upload=False, downloaded=downloaded, added=0.0)
