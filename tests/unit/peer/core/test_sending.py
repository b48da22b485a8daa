"""What is read ahead of sending, for whom, and what is remembered of who got it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bus.boundary import LinkId, LinkUp, Received, Send
from bus.messages import (
    Cancel,
    Closed,
    Credit,
    Data,
    Hello,
    Message,
    Open,
    Refused,
    Rejected,
    Unshare,
    Want,
    WantManifest,
)
from peer.core.interface import CheckChunk, ChunkChecked, Command, PartRead, Read, ReadFailed, ReadManifest
from peer.core.layout import Entry, Layout
from peer.core.library import CHECK_AGAIN
from peer.core.node import PeerNode
from peer.core.records import KnownContent
from peer.core.sending import MOST_DROPPED
from peer.core.settings import NodeSettings

MIB = 2**20
CONTENT = "c" * 64
SETTINGS = NodeSettings("1" * 64, "north", "test", "/d", 1, True)
LARGE = Layout("file", [Entry("", 64 * MIB, False, CONTENT)])
HASTY, PATIENT = LinkId(1), LinkId(2)


class Seed:
    """A node with a file of 64 MiB and two linked peers; its disk answers when it is told to."""

    def __init__(self) -> None:
        known = KnownContent(CONTENT, "file", LARGE, "/d/file", upload=False, downloaded=False, added=0.0)
        self.node = PeerNode(SETTINGS, random.Random(1), 0.0, 0.0, [known])
        self.now = 0.1
        self.effects: list[Any] = []
        self.reads: list[Read] = []
        """Those that the disk has not done."""
        for link in (HASTY, PATIENT):
            self.feed(LinkUp(link, "data", f"{link}" * 64, "10.0.0.1", dialled=False))
            self.hear(link, Hello("test", "peer"))

    def feed(self, event: Any) -> None:
        self.effects = self.node.handle(event, self.now)
        self.reads += [effect for effect in self.effects if isinstance(effect, Read)]

    def hear(self, link: LinkId, *messages: Message) -> None:
        for message in messages:
            self.feed(Received(link, message))

    def ask(self, link: LinkId, stream: int, credit: int = 8 * MIB) -> None:
        """A peer opens a stream and wants all."""
        self.hear(link, Open(stream), Want(stream, 1, CONTENT, [(0, LARGE.chunks)]), Credit(stream, credit, 0))

    def disk_does(self, *, fails: bool = False) -> None:
        """The disk answers the oldest read."""
        read = self.reads.pop(0)
        size = sum(length for _, _, length in read.parts)
        self.feed(ReadFailed(read.job, False, "broken") if fails else PartRead(read.job, None, size))

    def sent(self, kind: type) -> list[Any]:
        sends = [effect for effect in self.effects if isinstance(effect, Send)]
        return [send.message for send in sends if isinstance(send.message, kind)]

    def data_to(self) -> list[LinkId]:
        """Who was sent data just now, in order."""
        sends = [effect for effect in self.effects if isinstance(effect, Send)]
        return [send.link for send in sends if isinstance(send.message, Data)]

    @property
    def under_way(self) -> int:
        """Bytes that the disk has still to read."""
        return sum(length for read in self.reads for _, _, length in read.parts)

    @property
    def reading_bytes(self) -> int:
        return self.node.uploads.sending.reading_bytes


# -- reads that nobody waits for any more --


@pytest.mark.parametrize("fails", [False, True])
def test_reads_of_streams_that_ended_count_until_the_disk_has_done_them(fails: bool) -> None:
    seed = Seed()
    for stream in range(1, 201, 2):
        seed.ask(HASTY, stream)
        seed.hear(HASTY, Closed(stream, 0, "done"))
    assert SETTINGS.upload_budget <= seed.under_way <= SETTINGS.upload_budget + MIB
    assert seed.reading_bytes == seed.under_way
    while seed.reads:
        seed.disk_does(fails=fails)
        assert not seed.sent(Data) + seed.sent(Refused)
    assert seed.reading_bytes == 0


def test_small_reads_of_streams_that_ended_are_bounded_too() -> None:
    seed = Seed()
    for stream in range(1, 1001, 2):
        seed.ask(HASTY, stream, credit=1)
        seed.hear(HASTY, Closed(stream, 0, "done"))
    assert len(seed.reads) == MOST_DROPPED


def test_who_waits_for_room_that_such_reads_take_is_read_for_once_they_are_done() -> None:
    seed = Seed()
    for stream in range(1, 21, 2):
        seed.ask(HASTY, stream)
        seed.hear(HASTY, Closed(stream, 0, "done"))
    for_nobody = len(seed.reads)
    seed.ask(PATIENT, 1)
    assert len(seed.reads) == for_nobody
    for _ in range(for_nobody):
        seed.disk_does()
    seed.disk_does()
    assert seed.sent(Data)


def test_a_cancel_of_what_was_not_wanted_reads_nothing_again() -> None:
    seed = Seed()
    seed.ask(HASTY, 1)
    before = len(seed.reads)
    for want, chunk in ((7, 0), (1, 2**20)):
        seed.hear(HASTY, Cancel(1, want, [(chunk, 1)]))
    assert len(seed.reads) == before


def test_a_cancel_of_what_is_being_read_reads_what_is_wanted_after_it() -> None:
    seed = Seed()
    seed.ask(HASTY, 1)
    before = len(seed.reads)
    seed.hear(HASTY, Cancel(1, 1, [(0, 1)]))
    assert seed.sent(Refused) == [Refused(1, 1, [(0, 1)], "cancelled")]
    (first, _, _), *_ = seed.reads[before].parts
    assert first == 1
    assert seed.under_way <= SETTINGS.upload_budget + MIB


# -- manifests --


@pytest.mark.parametrize(("seconds", "second"), [(9.0, HASTY), (11.0, PATIENT)])
def test_of_streams_one_after_the_other_only_the_first_begins_with_a_manifest_before_the_chunks_of_others(
    seconds: float, second: LinkId
) -> None:
    seed = Seed()
    seed.node.limits.set("up", 64 * 2**10, 0.0)
    seed.ask(HASTY, 1)
    while seed.reads:
        seed.disk_does()

    def next_sent(stream: int) -> LinkId:
        """Who is sent something next, after a manifest became ready for the other."""
        seed.hear(PATIENT, Open(stream), WantManifest(stream, 1, CONTENT, CONTENT), Credit(stream, MIB, 0))
        job = next(effect.job for effect in seed.effects if isinstance(effect, ReadManifest))
        seed.feed(PartRead(job, None, 16 * 2**10, 16 * 2**10))
        while not (links := seed.data_to()):
            seed.now += 0.1
            seed.effects = seed.node.on_deadline(seed.now)
        return links[0]

    assert next_sent(1) == PATIENT
    seed.hear(PATIENT, Closed(1, 0, "done"))
    seed.now += seconds
    assert next_sent(3) == second


# -- who got what --


def test_what_a_peer_got_of_a_content_is_forgotten_with_the_content() -> None:
    seed = Seed()
    seed.ask(HASTY, 1)
    seed.disk_does()
    assert seed.node.uploads.sending.served
    seed.feed(Command((LinkId(0), 1), Unshare(0, CONTENT)))
    assert not seed.node.uploads.sending.served


def test_of_very_many_peers_who_got_something_last_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peer.core.sending.MOST_SERVED", 1)
    seed = Seed()
    for link in (HASTY, PATIENT):
        seed.ask(link, 1)
        while seed.reads:
            seed.disk_does()
    assert list(seed.node.uploads.sending.served) == [(CONTENT, f"{PATIENT}" * 64)]


def test_a_rejected_chunk_is_looked_at_again_after_a_while_and_not_remembered_for_longer() -> None:
    seed = Seed()
    seed.ask(HASTY, 1)
    seed.disk_does()
    for now, chunk, looks in ((1.0, 0, 1), (2.0, 0, 0), (CHECK_AGAIN, 1, 1), (CHECK_AGAIN + 1.0, 0, 1)):
        seed.now = now
        seed.hear(HASTY, Rejected(CONTENT, chunk))
        assert [effect for effect in seed.effects if isinstance(effect, CheckChunk)] == [
            CheckChunk(CONTENT, chunk)
        ] * looks
        seed.feed(ChunkChecked(CONTENT, chunk, True))
    assert list(seed.node.library._checked) == [(CONTENT, 1), (CONTENT, 0)]
