"""A peer's storage without a peer: effects go in by hand, answers come out of a queue."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from bus.errors import ShoalError
from bus.places import PeerPlaces
from bus.settings import TransferSettings
from peer.catalogue import Catalogue
from peer.core.bitmap import chunks_in
from peer.core.interface import (
    CoreEvent,
    Finish,
    Finished,
    KeepDownload,
    ManifestParsed,
    Part,
    PartRead,
    Prepare,
    Prepared,
    Read,
    ReadFailed,
    ReadManifest,
    Store,
    Stored,
    StoreFailed,
    StoreManifest,
)
from peer.core.layout import Layout
from peer.core.records import DownloadRecord, KnownContent
from peer.files import FileOps
from peer.sharing import Hashed
from peer.storage import Storage

E = TypeVar("E")

MESSAGE = 2**20
"""Bytes of one data message."""
QUICK = TransferSettings(sync_interval=0.02, min_free_disk=0)
PATIENCE = 20.0
"""Seconds for any one answer, on a busy machine."""

_jobs = itertools.count(1)


class FailedError(Exception):
    """The storage answered with an error event."""

    def __init__(self, event: StoreFailed | ReadFailed) -> None:
        super().__init__(event)
        self.event: Any = event


class Disk:
    """One peer's disk."""

    def __init__(
        self,
        base: Path,
        name: str = "south",
        files: FileOps | None = None,
        settings: TransferSettings = QUICK,
        boot: str = "this boot",
    ) -> None:
        self.places = PeerPlaces(base, name)
        self.places.prepare()
        self.files = files or FileOps()
        self.settings = settings
        self.boot = boot
        self.answers: queue.SimpleQueue[CoreEvent] = queue.SimpleQueue()
        self.set_aside: list[CoreEvent] = []
        self.last_job = 0
        self.catalogue = Catalogue(self.places.catalogue_file)
        self.storage = Storage(self.places, settings, self.catalogue, self.files, self.answers.put, boot)

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *reason: object) -> None:
        self.storage.close()

    def close(self) -> None:
        assert self.storage.close(), "a storage thread did not end"

    def perform(self, effect: Any) -> None:
        self.storage.perform(effect)

    def answer(self, *kinds: type, to: Callable[[Any], bool] = lambda event: True) -> Any:
        """The next answer of one of these kinds; others are kept for later calls."""
        for event in list(self.set_aside):
            if isinstance(event, kinds) and to(event):
                self.set_aside.remove(event)
                return event
        while True:
            try:
                event = self.answers.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no {kinds} came, only {self.set_aside}") from None
            if isinstance(event, kinds) and to(event):
                return event
            self.set_aside.append(event)

    # -- sharing --

    def share(self, path: Path | str, name: str = "", upload: bool = False) -> KnownContent:
        content, _ = self.share_and_see(path, name, upload)
        return content

    def share_and_see(
        self, path: Path | str, name: str = "", upload: bool = False
    ) -> tuple[KnownContent, tuple[str, ...]]:
        hashed = self.share_and_count(path, name, upload)
        return hashed.content, hashed.skipped

    def share_and_count(self, path: Path | str, name: str = "", upload: bool = False) -> Hashed:
        results: queue.SimpleQueue[Hashed | ShoalError] = queue.SimpleQueue()
        self.storage.share(str(path), name, upload, lambda hashing: None, results.put)
        hashed = results.get(timeout=PATIENCE)
        if isinstance(hashed, ShoalError):
            raise hashed
        return hashed

    # -- serving --

    def read(self, content: str, parts: tuple[Part, ...]) -> bytes:
        job = next(_jobs)
        self.perform(Read(job, content, parts))
        event = self.answer(PartRead, ReadFailed, to=_answering(job))
        if isinstance(event, ReadFailed):
            raise FailedError(event)
        return bytes(event.payload)

    def read_manifest(self, content: str, manifest: str) -> bytes:
        collected = b""
        while True:
            job = next(_jobs)
            self.perform(ReadManifest(job, content, manifest, len(collected), MESSAGE))
            event = self.answer(PartRead, ReadFailed, to=_answering(job))
            if isinstance(event, ReadFailed):
                raise FailedError(event)
            collected += bytes(event.payload)
            if len(collected) == event.total:
                return collected

    # -- fetching --

    def begin(self, seed: Disk, record: DownloadRecord) -> Prepared:
        """Fetch the manifest, prepare, and fetch the digest lists."""
        self.perform(KeepDownload(record))
        self.store_manifest(record.id, record.id, seed.read_manifest(record.id, record.id))
        prepared = self.prepare(record)
        for manifest, _ in prepared.lists:
            self.store_manifest(record.id, manifest, seed.read_manifest(record.id, manifest))
        return prepared

    def prepare(self, record: DownloadRecord) -> Prepared:
        self.perform(Prepare(record))
        return self._expect(Prepared)

    def store_manifest(self, content: str, manifest: str, raw: bytes) -> None:
        for offset in range(0, len(raw), MESSAGE):
            part = raw[offset : offset + MESSAGE]
            self.perform(StoreManifest(next(_jobs), content, manifest, offset, len(part), len(raw), part))
            self.answer(Stored)
        event = self.answer(ManifestParsed, StoreFailed)
        if isinstance(event, StoreFailed):
            raise FailedError(event)

    def store(self, content: str, parts: tuple[Part, ...], payload: Any) -> Stored:
        self.last_job = job = next(_jobs)
        self.perform(Store(job, content, parts, payload))
        event: Stored | StoreFailed = self.answer(Stored, StoreFailed, to=_answering(job))
        if isinstance(event, StoreFailed):
            raise FailedError(event)
        return event

    def store_all(self, seed: Disk, content: str, mask: int, layout: Layout) -> int:
        """Fetch chunks; returns the mask of those that the answers called held."""
        held = 0
        for parts in messages(layout, mask):
            for chunk in self.store(content, parts, seed.read(content, parts)).held:
                held |= 1 << chunk
        return held

    def finish(self, content: str) -> KnownContent:
        self.perform(Finish(content))
        return self._expect(Finished).content

    def fetch(self, seed: Disk, content: KnownContent, directory: Path | str, only: tuple[str, ...] = ()) -> Path:
        """A whole download."""
        record = record_of(content, directory, only)
        prepared = self.begin(seed, record)
        self.store_all(seed, content.id, prepared.wanted & ~prepared.held, content.layout)
        return Path(self.finish(content.id).path)

    def _expect(self, kind: type[E]) -> E:
        event: E | StoreFailed = self.answer(kind, StoreFailed)
        if isinstance(event, StoreFailed):
            raise FailedError(event)
        return event


def _answering(job: int) -> Callable[[Any], bool]:
    return lambda event: bool(event.job == job)


def record_of(content: KnownContent, directory: Path | str, only: tuple[str, ...] = ()) -> DownloadRecord:
    return DownloadRecord(content.id, content.name, str(directory), "", only, (), False, 1000.0)


def messages(layout: Layout, mask: int, size: int = MESSAGE) -> Iterator[tuple[Part, ...]]:
    """The parts of the data messages that bring these chunks."""
    parts: list[Part] = []
    room = size
    for chunk in chunks_in(mask):
        length, offset = layout.length_of(chunk), 0
        while offset < length:
            if not room:
                yield tuple(parts)
                parts, room = [], size
            taken = min(room, length - offset)
            parts.append((chunk, offset, taken))
            offset += taken
            room -= taken
    if parts:
        yield tuple(parts)
