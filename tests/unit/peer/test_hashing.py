from __future__ import annotations

import threading

import pytest
from blake3 import blake3

from bus.errors import ERR_STATE, ShoalError
from peer.core.layout import Entry, Layout
from peer.descriptors import Descriptor
from peer.files import FileOps
from peer.hashing import INLINE_BYTES, Hasher, Run
from peer.manifest import CHUNK_CONTEXT, DIGEST_SIZE
from peer.traffic import BUSY_RATE, WINDOW, Traffic

KIB = 1024


class Counting(FileOps):
    """Zeros for bytes; knows how many threads read at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.counting = threading.Lock()

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        with self.counting:
            self.now += 1
            self.most = max(self.most, self.now)
        view[:] = bytes(len(view))
        with self.counting:
            self.now -= 1
        return len(view)


def zeros(*sizes: int) -> Layout:
    return Layout("tree", [Entry(f"{number:04}", size, False, "") for number, size in enumerate(sizes)])


def missing(entry: int, error: OSError) -> None:
    raise error


def digest(length: int) -> bytes:
    return blake3(bytes(length), derive_key_context=CHUNK_CONTEXT).digest()


@pytest.mark.parametrize("threads", [1, 3])
def test_every_chunk_of_every_size_has_its_digest_at_its_place(threads):
    layout = zeros(1, 0, 128 * KIB, 300 * KIB, *[5] * 200, 0, 3 * 2**30, 2**20, 0)
    spans = [range(6), range(10, 205), range(layout.chunks - 30, layout.chunks)]
    done: list[Run] = []
    digests = Hasher(threads, Counting()).hash(layout, spans, Descriptor, missing=missing, hashed=done.extend)
    wanted = {chunk for span in spans for chunk in span}
    known: dict[int, bytes] = {}
    for chunk in range(layout.chunks):
        length = layout.length_of(chunk)
        right = known.setdefault(length, digest(length)) if chunk in wanted else bytes(DIGEST_SIZE)
        assert digests[chunk * DIGEST_SIZE : (chunk + 1) * DIGEST_SIZE] == right
    assert sorted(chunk for run in done for chunk in run.chunks) == sorted(wanted)
    assert all(layout.entry_of(chunk) == run.entry for run in done for chunk in run.chunks)


def test_while_a_transfer_is_busy_only_one_thread_hashes_at_a_time():
    files, layout = Counting(), zeros(*[2 * 2**20] * 32)
    hasher = Hasher(4, files, busy=lambda: True)
    hasher.hash(layout, [range(layout.chunks)], Descriptor, missing=missing)
    assert files.most == 1


def test_several_threads_hash_at_once_when_nothing_else_is_to_be_done():
    both = threading.Barrier(2, timeout=20)

    class Meeting(Counting):
        met = False

        def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
            if not self.met:
                both.wait()
                self.met = True
            return super().read_into(descriptor, view, offset)

    layout = zeros(16 * INLINE_BYTES)
    Hasher(2, Meeting()).hash(layout, [range(layout.chunks)], Descriptor, missing=missing)


def test_hashing_can_be_cancelled():
    layout = zeros(64 * 2**20)
    with pytest.raises(ShoalError) as caught:
        Hasher(2, Counting()).hash(layout, [range(layout.chunks)], Descriptor, missing=missing, cancelled=lambda: True)
    assert caught.value.code == ERR_STATE


def test_transfers_are_busy_from_a_rate_on_and_idle_soon_after():
    now = [100.0]
    traffic = Traffic(lambda: now[0])
    assert not traffic.busy()
    traffic.moved(2 * BUSY_RATE)
    assert not traffic.busy()  # too soon to tell
    now[0] += 1.0
    assert traffic.busy()
    now[0] += WINDOW / 2
    assert traffic.busy()
    now[0] += WINDOW
    assert not traffic.busy()
    traffic.moved(BUSY_RATE // 2)
    now[0] += 1.0
    assert not traffic.busy()
