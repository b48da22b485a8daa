"""The storage against everything that may happen to a disk: what is called held has the right bytes.

A machine of random steps plays honest and dishonest sources, kills, power cuts and failing
operations; and a small download is run once for every file operation in it, with that one failing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bus.errors import CODES, ShoalError
from bus.settings import TransferSettings
from peer.core.bitmap import chunks_in
from peer.core.interface import Forget, KeepDownload, Prepared, Store, Stored, StoreFailed, Verified, VerifyData
from peer.core.records import KnownContent
from peer.core.selection import upwards, wanted_chunks, wanted_entries, with_less, with_more
from tests.kit.faults import OPERATIONS, VolatileFiles, fail_at
from tests.kit.storing import Disk, FailedError, record_of

CHUNK = 128 * 1024
NEVER = TransferSettings(sync_interval=3600.0, min_free_disk=0)
"""Only what is asked for is synced."""
EXAMPLES = int(os.environ.get("SHOAL_STORAGE_EXAMPLES", "40"))
"""Downloads that the machine plays; raise it for a long run."""
FAST = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
"""Hundreds of small downloads: what is tested is order, not the disk."""


def a_tree(root: Path) -> Path:
    (root / "sub" / "bare").mkdir(parents=True)
    (root / "big").write_bytes(random.Random(1).randbytes(3 * CHUNK - 77))
    (root / "empty").touch()
    (root / "sub" / "small").write_bytes(b"small\n")
    (root / "sub" / "zeros").write_bytes(bytes(CHUNK + 10))
    (root / "sub" / "run").write_bytes(b"#!/bin/sh\n")
    (root / "sub" / "run").chmod(0o755)
    return root


def a_file(path: Path) -> Path:
    path.write_bytes(random.Random(2).randbytes(4 * CHUNK - 5))
    return path


def same(one: Path, other: Path, but: Sequence[str] = ()) -> bool:
    """Whether both are alike, but for these paths, which the other has not."""
    if one.is_file():
        return other.is_file() and one.read_bytes() == other.read_bytes()
    names = sorted({str(path.relative_to(one)) for path in one.rglob("*")} - set(but))
    if names != sorted(str(path.relative_to(other)) for path in other.rglob("*")):
        return False
    return all(
        (one / name).read_bytes() == (other / name).read_bytes()
        and os.access(one / name, os.X_OK) == os.access(other / name, os.X_OK)
        for name in names
        if (one / name).is_file()
    )


class Swarm:
    """A seed, and a fresh folder for each downloader."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(dir=FAST))
        self.seed = Disk(self.base, "north")
        self.paths = {"tree": a_tree(self.base / "tree"), "file": a_file(self.base / "file")}
        self.contents = {name: self.seed.share(path) for name, path in self.paths.items()}
        self._count = 0

    def fresh(self) -> Path:
        self._count += 1
        return self.base / f"run{self._count}"

    def close(self) -> None:
        self.seed.close()
        shutil.rmtree(self.base)


def bytes_on_disk(content: KnownContent, folder: Path, chunk: int) -> bytes:
    """A chunk's bytes as they lie in whatever the download has made so far."""
    layout = content.layout
    entry = layout.entry_of(chunk)
    tops = list(folder.iterdir())
    assert len(tops) == 1, tops
    path = tops[0] / layout.entries[entry].path if layout.kind == "tree" else tops[0]
    with path.open("rb") as file:
        file.seek(layout.offset_of(chunk, entry))
        return file.read(layout.length_of(chunk))


# --- random steps -----------------------------------------------------------------------------


class DownloadMachine(RuleBasedStateMachine):
    """One download and everything that may befall it."""

    swarm: Swarm

    def __init__(self) -> None:
        super().__init__()
        self.disk: Disk | None = None
        self.boots = 0

    @initialize(kind=st.sampled_from(["tree", "file"]), seed=st.integers(0, 2**32))
    def begin(self, kind: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self.kind = kind
        self.content = self.swarm.contents[kind]
        self.layout = self.content.layout
        self.base = self.swarm.fresh()
        self.folder = self.base / "got"
        self.record = record_of(self.content, self.folder)
        self.files = VolatileFiles()
        self.disk = Disk(self.base, "south", self.files, NEVER, "boot 0")
        self.truth = {
            chunk: self.swarm.seed.read(self.content.id, ((chunk, 0, self.layout.length_of(chunk)),))
            for chunk in range(self.layout.chunks)
        }
        self.received: dict[int, int] = {}
        self.failed = False
        self.finished = False
        self.take(self.disk.begin(self.swarm.seed, self.record))

    def take(self, prepared: Prepared) -> None:
        self.held = prepared.held
        self.failed = False
        self.received = {}

    def teardown(self) -> None:
        if self.disk is not None:
            self.disk.close()
            shutil.rmtree(self.base)

    # -- what sources do --

    @precondition(lambda self: not self.finished)
    @rule(pick=st.integers(0, 100), honest=st.booleans(), cut=st.integers(0, 3), again=st.booleans())
    def bytes_arrive(self, pick: int, honest: bool, cut: int, again: bool) -> None:
        """A part of some chunk, from where it is: whole, or the next piece of it, or from the beginning."""
        assert self.disk is not None
        chunk = pick % self.layout.chunks
        offset = 0 if again else self.received.get(chunk, 0)
        rest = len(self.truth[chunk]) - offset
        length = rest if cut == 0 else max(1, rest * cut // 4)
        data = bytearray(self.truth[chunk][offset : offset + length])
        if not honest:
            data[pick % length] ^= 1
        answer = self.store(chunk, offset, bytes(data))
        if answer is not None:
            self.received[chunk] = offset + length if offset + length < len(self.truth[chunk]) else 0
            assert not (honest and cut == 0 and offset == 0 and answer.rejected)

    @precondition(lambda self: not self.finished and not self.failed)
    @rule()
    def the_rest_arrives(self) -> None:
        for chunk in chunks_in(self.wanted & ~self.held):
            if self.store(chunk, 0, self.truth[chunk]) is None:
                return

    def store(self, chunk: int, offset: int, data: bytes) -> Stored | None:
        assert self.disk is not None
        job = 10**6 + chunk
        parts = ((-1, 0, 3), (chunk, offset, len(data)))
        self.disk.perform(Store(job, self.content.id, parts, b"???" + data))
        answer: Stored | StoreFailed = self.disk.answer(Stored, StoreFailed, to=lambda event: bool(event.job == job))
        if isinstance(answer, StoreFailed):
            assert answer.code in CODES
            self.failed = True
            return None
        for held in answer.held:
            self.held |= 1 << held
        return answer

    @precondition(lambda self: not self.finished)
    @rule(mask=st.integers(0, 255))
    def wants_are_cancelled(self, mask: int) -> None:
        assert self.disk is not None
        chunks = tuple(chunk for chunk in chunks_in(mask) if chunk < self.layout.chunks)
        self.disk.perform(Forget(self.content.id, chunks))
        for chunk in chunks:
            self.received.pop(chunk, None)

    # -- what its user does --

    @property
    def wanted(self) -> int:
        return wanted_chunks(self.layout, self.record)

    @precondition(lambda self: not self.finished and self.kind == "tree")
    @rule(paths=st.lists(st.sampled_from(["big", "sub", "sub/small", "sub/zeros", "sub/run"]), min_size=1, max_size=2))
    def files_are_left_out(self, paths: list[str]) -> None:
        assert self.disk is not None
        with contextlib.suppress(ShoalError):
            self.record = with_less(self.record, self.layout, self.held, paths)
            self.disk.perform(KeepDownload(self.record))

    @precondition(lambda self: not self.finished)
    @rule()
    def all_of_it_is_wanted_after_all(self) -> None:
        assert self.disk is not None
        self.record = with_more(self.record, self.layout, [])
        self.disk.perform(KeepDownload(self.record))
        self.it_is_prepared_again()

    # -- what the disk does --

    @precondition(lambda self: not self.finished)
    @rule()
    def the_sync_thread_comes_by(self) -> None:
        assert self.disk is not None
        download = self.disk.storage._contents.downloads.get(self.content.id)
        if download is not None:
            self.disk.storage._sync._sync(download)

    @rule(name=st.sampled_from(OPERATIONS), error=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EROFS]))
    def the_disk_begins_to_fail(self, name: str, error: int) -> None:
        self.files.fails = lambda operation, count: error if operation == name else 0

    @rule()
    def the_disk_is_well_again(self) -> None:
        self.files.fails = lambda operation, count: 0

    # -- what the process and the machine do --

    @precondition(lambda self: not self.finished)
    @rule()
    def it_is_prepared_again(self) -> None:
        assert self.disk is not None
        try:
            self.take(self.disk.prepare(self.record))
        except FailedError:
            self.failed = True

    @precondition(lambda self: not self.finished)
    @rule(power=st.booleans())
    def the_process_is_killed(self, power: bool) -> None:
        """Nothing more reaches the disk or the catalogue; when the power fails, what was not synced may be lost."""
        assert self.disk is not None
        self.files.fails = lambda operation, count: errno.EIO
        self.disk.storage.close()
        if power:
            self.boots += 1
            self.files.cut_power(self.rng)
        self.files.fails = lambda operation, count: 0
        self.disk = Disk(self.base, "south", self.files, NEVER, f"boot {self.boots}")
        (_, (kept,)) = self.disk.storage.load_all()
        assert (kept.id, kept.finished, kept.left_out) == (self.content.id, 0.0, self.record.left_out)
        self.take(self.disk.prepare(kept))

    @precondition(lambda self: not self.finished and not self.failed)
    @rule()
    def it_is_verified(self) -> None:
        assert self.disk is not None
        self.disk.perform(VerifyData(self.content.id))
        answer = self.disk.answer(Verified, StoreFailed)
        if isinstance(answer, Verified):
            # Perhaps more than before: a chunk of zeros is right as soon as its file has its length.
            self.held = answer.held
        self.received = {}
        self.failed = not isinstance(answer, Verified)

    @precondition(lambda self: not self.finished and not self.failed and not self.wanted & ~self.held)
    @rule()
    def it_is_finished(self) -> None:
        assert self.disk is not None
        try:
            path = Path(self.disk.finish(self.content.id).path)
        except FailedError:
            self.failed = True
            return
        self.finished = True
        assert os.listdir(self.folder) == [path.name]
        assert same(self.swarm.paths[self.kind], path, self.left_out())

    def left_out(self) -> list[str]:
        """The paths that are not there when it is finished: left out, and folders of which all is."""
        entries = self.layout.entries
        kept = {one for number in wanted_entries(self.layout, self.record) for one in upwards(entries[number].path)}
        return sorted({one for entry in entries for one in upwards(entry.path)} - kept)

    # -- what must hold --

    @invariant()
    def what_is_held_has_the_right_bytes(self) -> None:
        if self.disk is None or self.finished or self.failed:
            return
        for chunk in chunks_in(self.held):
            assert bytes_on_disk(self.content, self.folder, chunk) == self.truth[chunk], chunk

    @invariant()
    def nothing_shows_under_its_name_before_it_is_complete(self) -> None:
        if self.disk is not None and not self.finished and self.wanted & ~self.held:
            assert [name for name in os.listdir(self.folder) if not name.startswith(".")] == []


@pytest.fixture(scope="module")
def swarm():
    swarm = Swarm()
    yield swarm
    swarm.close()


def test_whatever_happens_what_is_held_is_right(swarm):
    run_state_machine_as_test(
        type("Machine", (DownloadMachine,), {"swarm": swarm}),
        settings=settings(max_examples=EXAMPLES, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )


# --- every operation, once --------------------------------------------------------------------


def attempt(swarm: Swarm, kind: str, disk: Disk, folder: Path) -> Path | None:
    """A whole download; None if it ended in an error, which then is one line with a known code."""
    try:
        return disk.fetch(swarm.seed, swarm.contents[kind], folder)
    except FailedError as error:
        event = error.event
    assert event.code in CODES
    assert event.message
    assert "\n" not in event.message
    return None


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("kind", ["file", "tree"])
def test_when_any_operation_fails_the_download_is_right_or_says_why_and_goes_on(swarm, kind, error):
    content = swarm.contents[kind]
    number, ended = 0, False
    while not ended:
        number += 1
        base = swarm.fresh()
        files = fail_at(number, error)
        with Disk(base, "south", files, NEVER) as disk:
            path = attempt(swarm, kind, disk, base / "got")
            ended = not files.failed
            assert path is not None or not ended
        with Disk(base, "south", settings=NEVER) as again:
            contents, downloads = again.storage.load_all()
            if path is None:
                assert [record.id for record in downloads] == [content.id], "the list lost an entry"
                path = goes_on(swarm, again, kind, base / "got")
            else:
                assert [known.id for known in contents] == [content.id]
            assert same(swarm.paths[kind], path), f"operation {number}: {files.failed}"
            assert os.listdir(base / "got") == [path.name]
        shutil.rmtree(base)
    assert number > 15


def goes_on(swarm: Swarm, disk: Disk, kind: str, folder: Path) -> Path:
    """What a resume does: prepare, check what is called held, fetch the rest, finish."""
    content = swarm.contents[kind]
    record = record_of(content, folder)
    try:
        prepared = disk.prepare(record)
    except FailedError:  # the manifest was not kept yet
        disk.perform(KeepDownload(record))
        prepared = disk.begin(swarm.seed, record)
    for chunk in chunks_in(prepared.held):
        length = content.layout.length_of(chunk)
        right = swarm.seed.read(content.id, ((chunk, 0, length),))
        assert bytes_on_disk(content, folder, chunk) == right
    for manifest, _ in prepared.lists:
        disk.store_manifest(content.id, manifest, swarm.seed.read_manifest(content.id, manifest))
    disk.store_all(swarm.seed, content.id, prepared.wanted & ~prepared.held, content.layout)
    return Path(disk.finish(content.id).path)
