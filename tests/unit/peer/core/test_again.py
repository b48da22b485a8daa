"""Downloads that are here already: what is fetched of them grows and is lessened; a full disk is waited for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bus.boundary import LinkId, LinkUp, Publish, Received, Send
from bus.errors import ERR_DISK, ERR_DISK_FULL, ERR_NOT_FOUND, ERR_STATE
from bus.events import Transfer
from bus.messages import (
    ChangeDownload,
    Closed,
    ControlFailed,
    Done,
    Get,
    Have,
    Hello,
    Message,
    Open,
    Opened,
    Pause,
    Resume,
    Verify,
)
from peer.core.bitmap import Range, to_have
from peer.core.download import Download, DownloadState
from peer.core.interface import (
    CheckSpace,
    Command,
    Finish,
    Finished,
    KeepDownload,
    Prepare,
    Prepared,
    ReopenContent,
    Reopened,
    ReopenFailed,
    Reply,
    SpaceChecked,
    StoreFailed,
    Verified,
)
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.records import DownloadRecord, KnownContent
from peer.core.settings import NodeSettings

CONTENT = "c" * 64
PATHS = ("a/x", "a/y", "b/z", "c")
LAYOUT = Layout("tree", [Entry(path, 1000, False, f"{n:064x}") for n, path in enumerate(PATHS)])
SETTINGS = NodeSettings("1" * 64, "south", "test", "/d", 1, True)
TOKEN = (LinkId(1), 1)


class Peer:
    """A node without links, and the disk under it."""

    def __init__(
        self,
        *only: str,
        held: int = 0,
        finished: bool = False,
        paused: bool = False,
        looked: bool = True,
        left_out: tuple[Range, ...] = (),
    ) -> None:
        record = DownloadRecord(
            CONTENT, "tree", "/d", "/d/tree", only, (), paused, 0.0, finished=float(finished), left_out=left_out
        )
        known = KnownContent(CONTENT, "tree", LAYOUT, "/d/tree", upload=False, downloaded=True, added=0.0)
        self.node = PeerNode(SETTINGS, random.Random(1), 0.0, 0.0, [known] if finished else [], [record])
        self.effects: list[Any] = self.node.start_effects()
        if looked and not finished:
            self.prepared(held)

    def prepared(self, held: int) -> None:
        """The disk answers to the newest Prepare."""
        (record,) = self.of(Prepare)[-1:]
        only = record.record.only
        wanted = LAYOUT.mask_of(only) if only else LAYOUT.all_chunks
        self.feed(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", held, wanted, ()))

    def feed(self, event: Any) -> None:
        self.effects = self.node.handle(event, 1.0)

    def get(self, *only: str, directory: str = "") -> None:
        self.feed(Command(TOKEN, Get(0, CONTENT, directory, list(only))))

    def leave_out(self, *paths: str) -> None:
        self.feed(Command(TOKEN, ChangeDownload(0, CONTENT, leave_out=list(paths))))

    def source(self, link: LinkId) -> None:
        """A linked seed opens the stream that it is asked for."""
        self.feed(LinkUp(link, "data", f"{link:064x}", "10.0.0.1", dialled=True))
        for message in (Hello("test", "seed"), Have(CONTENT, 0, to_have(LAYOUT.all_chunks, 0), True), Opened(1)):
            self.feed(Received(link, message))

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def report(self) -> Transfer:
        """What is published of the download when a report is due."""
        self.effects = self.node.on_deadline(2.0)
        (event,) = [effect.event for effect in self.of(Publish) if isinstance(effect.event, Transfer)]
        return event

    @property
    def answer(self) -> Any:
        (reply,) = self.of(Reply)
        return reply.message

    def is_in(self, state: DownloadState) -> bool:
        return self.download.state is state

    @property
    def download(self) -> Download:
        return self.node.downloads.active[CONTENT]


@pytest.mark.parametrize(
    ("more", "only", "wanted"),
    [
        (("b",), ("a", "b"), 0b0111),
        (("c", "a/x"), ("a", "c"), 0b1011),
        ((), (), 0b1111),
        (("a",), ("a",), 0b0011),
    ],
)
def test_a_running_download_wants_more_and_keeps_what_it_holds(
    more: tuple[str, ...], only: tuple[str, ...], wanted: int
) -> None:
    peer = Peer("a", held=0b01)
    peer.get(*more)
    assert isinstance(peer.answer, Done)
    if only != ("a",):
        assert peer.of(KeepDownload)[-1].record.only == only
        assert peer.is_in(DownloadState.PREPARING)
        peer.prepared(0b01)
    assert (peer.download.wanted, peer.download.held) == (wanted, 0b01)
    assert peer.is_in(DownloadState.FETCHING)


@pytest.mark.parametrize("again", [Get(0, CONTENT, "", ["b"]), Verify(0, CONTENT)], ids=["widen", "verify"])
def test_nothing_is_asked_for_while_the_disk_is_looked_at_again(again: Message) -> None:
    peer = Peer("a")
    busy, idle = LinkId(3), LinkId(5)
    for link in (busy, idle):
        peer.source(link)
    peer.feed(Command(TOKEN, again))
    assert [(send.link, type(send.message)) for send in peer.of(Send)] == [(busy, Closed), (idle, Closed)]
    if isinstance(again, Get):
        peer.prepared(0)
    else:
        peer.feed(Verified(CONTENT, 0, ""))
    assert [type(send.message) for send in peer.of(Send)] == [Open, Open]


def test_a_paused_download_goes_on_with_more() -> None:
    peer = Peer("a", held=0b01)
    peer.feed(Command(TOKEN, Pause(0, CONTENT)))
    peer.get("b")
    assert isinstance(peer.answer, Done)
    peer.prepared(0b01)
    assert (peer.download.wanted, peer.download.held, peer.download.record.paused) == (0b0111, 0b01, False)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_paused_download_that_is_resumed_while_it_is_verified_goes_on_after_that(resumed: bool) -> None:
    peer = Peer(held=0b11)
    peer.feed(Command(TOKEN, Pause(0, CONTENT)))
    peer.feed(Command(TOKEN, Verify(0, CONTENT)))
    if resumed:
        peer.feed(Command(TOKEN, Resume(0, CONTENT)))
        assert isinstance(peer.answer, Done)
        assert not peer.of(KeepDownload)[-1].record.paused
    peer.feed(Verified(CONTENT, 0b01, ""))
    assert peer.download.held == 0b01
    assert peer.is_in(DownloadState.PREPARING if resumed else DownloadState.PAUSED)
    assert (CONTENT in peer.node.shelf.offers, bool(peer.of(Prepare))) == (resumed, resumed)
    if resumed:
        peer.prepared(0b01)
        assert peer.is_in(DownloadState.FETCHING)


@pytest.mark.parametrize("happens", ["the peer stops", "it gets a priority"])
def test_a_paused_download_that_is_verified_is_kept_as_paused(happens: str) -> None:
    peer = Peer(held=0b11)
    peer.feed(Command(TOKEN, Pause(0, CONTENT)))
    peer.feed(Command(TOKEN, Verify(0, CONTENT)))
    if happens == "the peer stops":
        peer.effects = peer.node.stop(2.0)
    else:
        peer.feed(Command(TOKEN, ChangeDownload(0, CONTENT, "high")))
    (kept,) = peer.of(KeepDownload)
    assert kept.record.paused


def test_a_paused_download_whose_disk_is_full_when_it_is_verified_stays_paused_until_it_is_resumed() -> None:
    peer = Peer(held=0b11)
    peer.feed(Command(TOKEN, Pause(0, CONTENT)))
    peer.feed(Command(TOKEN, Verify(0, CONTENT)))
    peer.feed(StoreFailed(CONTENT, 0, ERR_DISK_FULL, "disk full"))
    assert peer.is_in(DownloadState.FAILED)
    (kept,) = peer.of(KeepDownload)
    assert kept.record.paused
    peer.effects = peer.node.handle(SpaceChecked(CONTENT, True), 32.0)
    assert peer.is_in(DownloadState.FAILED)
    peer.feed(Command(TOKEN, Resume(0, CONTENT)))
    assert not peer.of(KeepDownload)[-1].record.paused
    peer.prepared(0b11)
    assert peer.is_in(DownloadState.FETCHING)


def test_what_a_download_that_was_paused_before_the_start_holds_is_known_and_it_stays_paused() -> None:
    peer = Peer(held=0b11, paused=True)
    assert peer.is_in(DownloadState.PAUSED)
    assert (peer.download.held, peer.download.size, CONTENT in peer.node.shelf.offers) == (0b11, 4000, False)
    transfer = peer.report()
    assert (transfer.state, transfer.size, transfer.bytes_done) == ("paused", 4000, 2000)
    peer.feed(Command(TOKEN, Verify(0, CONTENT)))
    assert isinstance(peer.answer, Done)


def test_one_that_is_resumed_before_its_disk_was_looked_at_goes_on() -> None:
    peer = Peer(paused=True, looked=False)
    peer.feed(Command(TOKEN, Resume(0, CONTENT)))
    peer.feed(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", 0b1, LAYOUT.all_chunks, ()))
    assert peer.is_in(DownloadState.PREPARING)  # the first answer; resume has asked again
    peer.feed(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", 0b1, LAYOUT.all_chunks, ()))
    assert peer.is_in(DownloadState.FETCHING)


def test_one_whose_disk_cannot_be_used_stays_paused_and_tells_its_size() -> None:
    peer = Peer(paused=True, looked=False)
    peer.feed(StoreFailed(CONTENT, 0, ERR_DISK, "not mounted", "tree", 4000))
    assert peer.is_in(DownloadState.PAUSED)
    transfer = peer.report()
    assert (transfer.state, transfer.kind, transfer.size) == ("paused", "tree", 4000)


@pytest.mark.parametrize(("had", "asked"), [((), ("a",)), (("a", "b"), ("b",)), (("a",), ("a/x",))])
def test_less_than_is_being_fetched_is_refused(had: tuple[str, ...], asked: tuple[str, ...]) -> None:
    peer = Peer(*had, held=0b01)
    peer.get(*asked)
    assert isinstance(peer.answer, ControlFailed)
    assert peer.answer.code == ERR_STATE
    assert peer.download.record.only == had


def test_a_path_that_is_not_in_the_tree_changes_nothing() -> None:
    peer = Peer("a", held=0b01)
    peer.get("nowhere")
    assert peer.answer.code == ERR_NOT_FOUND
    assert peer.download.record.only == ("a",)


def test_what_is_wanted_while_the_files_are_opened_is_looked_for_right_after() -> None:
    peer = Peer("a", held=0b01)
    peer.get("b")
    first = peer.of(Prepare)[-1]
    peer.get("c")
    assert isinstance(peer.answer, Done)
    peer.feed(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", 0b01, LAYOUT.mask_of(first.record.only), ()))
    assert peer.is_in(DownloadState.PREPARING)
    peer.prepared(0b01)
    assert peer.is_in(DownloadState.FETCHING)
    assert peer.download.wanted == 0b1111


def test_one_that_is_being_finished_is_not_widened() -> None:
    peer = Peer("a", held=0b11)
    peer.get("b")
    assert peer.answer.code == ERR_STATE


@pytest.mark.parametrize(("more", "only"), [(("b",), ("a", "b")), ((), ())])
def test_a_finished_part_is_opened_again_for_the_rest(more: tuple[str, ...], only: tuple[str, ...]) -> None:
    peer = Peer("a", finished=True)
    peer.get(*more)
    assert not peer.of(Reply)
    (effect,) = peer.of(ReopenContent)
    assert effect == ReopenContent(CONTENT, only)
    peer.feed(Reopened(DownloadRecord(CONTENT, "tree", "/d", "/d/tree", only, (), False, 0.0), "more"))
    assert isinstance(peer.answer, Done)
    peer.prepared(0b0011)
    assert peer.download.held == 0b0011
    assert peer.is_in(DownloadState.FETCHING)


def test_a_finished_part_that_cannot_be_opened_again_stays_and_the_reason_is_told() -> None:
    peer = Peer("a", finished=True)
    peer.get("b")
    peer.feed(ReopenFailed(CONTENT, ERR_STATE, "no"))
    assert peer.answer == ControlFailed(0, ERR_STATE, "no")
    assert CONTENT in peer.node.shelf.offers


def test_a_download_that_a_full_disk_stopped_goes_on_by_itself_when_there_is_room() -> None:
    peer = Peer(held=0b01)
    peer.feed(StoreFailed(CONTENT, 0, ERR_DISK_FULL, "disk full"))
    assert peer.is_in(DownloadState.FAILED)
    for now in (31.1, 62.2):
        peer.effects = peer.node.on_deadline(now)
        assert len(peer.of(CheckSpace)) == 1
        peer.effects = peer.node.handle(SpaceChecked(CONTENT, False), now)
        assert peer.is_in(DownloadState.FAILED)
    peer.effects = peer.node.handle(SpaceChecked(CONTENT, True), 63.0)
    assert peer.download.error == ""
    peer.prepared(0b01)
    assert peer.is_in(DownloadState.FETCHING)
    peer.effects = peer.node.on_deadline(100.0)
    assert not peer.of(CheckSpace)


@pytest.mark.parametrize("code", [ERR_NOT_FOUND, ERR_STATE])
def test_what_stopped_for_another_reason_waits_for_its_user(code: str) -> None:
    peer = Peer(held=0b01)
    peer.feed(StoreFailed(CONTENT, 0, code, "broken"))
    peer.effects = peer.node.on_deadline(100.0)
    assert not peer.of(CheckSpace)
    peer.effects = peer.node.handle(SpaceChecked(CONTENT, True), 101.0)
    assert peer.is_in(DownloadState.FAILED)


def test_one_that_was_paused_after_its_disk_was_full_stays_paused() -> None:
    peer = Peer(held=0b01)
    peer.feed(StoreFailed(CONTENT, 0, ERR_DISK_FULL, "disk full"))
    peer.feed(Command(TOKEN, Pause(0, CONTENT)))
    peer.effects = peer.node.on_deadline(31.1)
    assert not peer.of(CheckSpace)
    peer.effects = peer.node.handle(SpaceChecked(CONTENT, True), 32.0)
    assert peer.is_in(DownloadState.PAUSED)


def test_a_finished_part_is_widened_by_what_has_no_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [*LAYOUT.entries, Entry("empty", 0, False, "e" * 64)]
    monkeypatch.setattr(f"{__name__}.LAYOUT", Layout("tree", entries))
    peer = Peer("a", finished=True)
    peer.get("a/x")
    assert not peer.of(ReopenContent)
    peer.get("empty")
    assert peer.of(ReopenContent) == [ReopenContent(CONTENT, ("a", "empty"))]
    whole = Peer(finished=True)
    whole.get("empty")
    assert not whole.of(ReopenContent)


# -- less of it --


def test_what_is_left_out_is_wanted_no_more_and_what_is_held_of_it_stays() -> None:
    peer = Peer(held=0b0001)
    peer.leave_out("b", "c")
    assert isinstance(peer.answer, Done)
    assert (peer.download.wanted, peer.download.held, peer.download.missing) == (0b0011, 0b0001, 0b0010)
    assert peer.of(KeepDownload)[-1].record.left_out == ((2, 2),)
    assert peer.is_in(DownloadState.FETCHING)
    transfer = peer.report()
    assert (transfer.size, transfer.bytes_done, transfer.chunks) == (2000, 1000, 2)
    assert peer.node.shelf.offers[CONTENT].held == 0b0001


def test_when_all_that_is_still_wanted_is_there_it_is_finished() -> None:
    peer = Peer(held=0b0101)
    peer.leave_out("a/y", "c")
    kinds = [type(effect) for effect in peer.effects if isinstance(effect, KeepDownload | Finish)]
    assert kinds.index(KeepDownload) < kinds.index(Finish)  # whoever finishes it knows what is left out
    known = KnownContent(CONTENT, "tree", LAYOUT, "/d/tree", upload=False, downloaded=True, added=0.0)
    peer.feed(Finished(known))
    offer = peer.node.shelf.offers[CONTENT]
    assert (offer.held, offer.complete) == (0b0101, False)


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        (("a/x",), ERR_STATE),
        (("a", "b", "c"), ERR_STATE),
        (("nowhere",), ERR_NOT_FOUND),
        (("b", "nowhere"), ERR_NOT_FOUND),
    ],
)
def test_what_cannot_be_left_out_changes_nothing(paths: tuple[str, ...], code: str) -> None:
    peer = Peer(held=0 if len(paths) == 3 else 0b0001)
    before = peer.download.wanted
    peer.leave_out(*paths)
    assert peer.answer.code == code
    assert (peer.download.wanted, peer.of(KeepDownload)) == (before, [])


def test_a_refused_part_of_a_change_changes_nothing_at_all() -> None:
    peer = Peer()
    peer.feed(Command(TOKEN, ChangeDownload(0, CONTENT, "high", paths=["nowhere"], leave_out=["c"])))
    assert peer.answer.code == ERR_NOT_FOUND
    assert peer.download.wanted == 0b1111
    peer.feed(Command(TOKEN, ChangeDownload(0, CONTENT, "high", paths=["b"], leave_out=["c"])))
    assert (peer.download.wanted, peer.download.record.file_priorities) == (0b0111, (("b", "high"),))


def test_a_paused_download_stays_paused_with_less_and_goes_on_with_less() -> None:
    peer = Peer(held=0b0001, paused=True)
    peer.leave_out("b", "c")
    assert (peer.is_in(DownloadState.PAUSED), peer.report().size) == (True, 2000)
    peer.feed(Command(TOKEN, Resume(0, CONTENT)))
    assert peer.of(Prepare)[-1].record.left_out == ((2, 2),)
    peer.prepared(0b0001)
    assert (peer.download.wanted, peer.download.size) == (0b0011, 2000)


def test_a_paused_download_that_has_all_of_less_is_finished_when_it_goes_on() -> None:
    peer = Peer(held=0b0001, paused=True)
    peer.leave_out("a/y", "b", "c")
    assert not peer.of(Finish)
    peer.feed(Command(TOKEN, Resume(0, CONTENT)))
    peer.prepared(0b0001)
    assert len(peer.of(Finish)) == 1


def test_what_is_left_out_while_the_disk_is_looked_at_is_left_out_of_its_answer() -> None:
    peer = Peer(held=0b0001)
    peer.feed(Command(TOKEN, Verify(0, CONTENT)))
    peer.leave_out("c")
    assert isinstance(peer.answer, Done)
    peer.feed(Verified(CONTENT, 0b0001, ""))
    assert (peer.is_in(DownloadState.FETCHING), peer.download.wanted) == (True, 0b0111)


def test_one_that_is_being_finished_is_not_lessened() -> None:
    peer = Peer(held=0b1111)
    peer.leave_out("c")
    assert peer.answer.code == ERR_STATE


def test_after_a_restart_it_is_still_left_out() -> None:
    peer = Peer(held=0b0001, left_out=((2, 2),))
    assert (peer.download.wanted, peer.download.size) == (0b0011, 2000)


@pytest.mark.parametrize(("more", "wanted"), [(("c",), 0b1011), ((), 0b1111), (("b", "c"), 0b1111)])
def test_what_was_left_out_is_fetched_after_all(more: tuple[str, ...], wanted: int) -> None:
    peer = Peer(held=0b0001, left_out=((2, 2),))
    peer.get(*more)
    assert isinstance(peer.answer, Done)
    assert peer.is_in(DownloadState.PREPARING)
    peer.prepared(0b0001)
    assert peer.download.wanted == wanted


def test_less_than_is_fetched_is_still_no_way_to_ask_for_more_of_what_nothing_was_left_out_of() -> None:
    peer = Peer(held=0b0001, left_out=((2, 2),))
    peer.get("a")
    assert peer.answer.code == ERR_STATE
    assert "leave out" in peer.answer.message


def test_a_finished_download_is_opened_again_for_what_was_left_out() -> None:
    peer = Peer(finished=True, left_out=((2, 2),))
    peer.get("c")
    assert peer.of(ReopenContent) == [ReopenContent(CONTENT, (), ((2, 1),))]
    peer = Peer(finished=True, left_out=((2, 2),))
    peer.leave_out("a")
    assert peer.answer.code == ERR_STATE


def test_a_digest_list_is_fetched_for_what_is_still_wanted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 2 * 128 * 1024
    entries = [Entry(path, size, False, file * 64) for path, file in (("one", "1"), ("same", "1"), ("two", "2"))]
    layout = Layout("tree", entries)
    monkeypatch.setattr(f"{__name__}.LAYOUT", layout)
    peer = Peer(looked=False)
    lists = (("1" * 64, ((0, 2), (2, 2))), ("2" * 64, ((4, 2),)))
    peer.feed(Prepared(CONTENT, "tree", layout, "/d/tree", 0, layout.all_chunks, lists))
    peer.leave_out("one", "two")
    assert peer.download.lists == {"1" * 64: ((2, 2),)}
    peer.download.list_known("1" * 64)
    assert peer.download.open_chunks == 0b001100
