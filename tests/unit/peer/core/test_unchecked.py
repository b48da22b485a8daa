"""A content of an earlier run is offered once its files were looked at; a damaged one is listed and not offered."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bus.boundary import LinkId, Publish
from bus.errors import ERR_CHANGED
from bus.events import ContentShared, ContentWithdrawn, ItemState, Transfer
from bus.messages import ControlFailed, Done, Get, Pause, Resume, Unshare
from peer.core.interface import Command, FilesLooked, KeepPaused, Reply, Verified, VerifyData
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.records import KnownContent
from peer.core.settings import NodeSettings

CONTENT = "c" * 64
LAYOUT = Layout("tree", [Entry("a", 1000, False, "0" * 64)])
SETTINGS = NodeSettings("1" * 64, "south", "test", "/d", 1, True)
WRONG = "/d/tree/a is not the file that was hashed"


class Peer:
    """A node that finds a content of an earlier run."""

    def __init__(self, *, downloaded: bool = False, paused: bool = False) -> None:
        known = KnownContent(CONTENT, "tree", LAYOUT, "/d/tree", False, downloaded, 0.0, paused, unchecked=True)
        self.node = PeerNode(SETTINGS, random.Random(1), 0.0, 0.0, [known])
        self.effects: list[Any] = self.node.start_effects()
        self.state: ItemState | None = None
        self.error = ""
        self._note()

    def feed(self, event: Any) -> None:
        self.effects = self.node.handle(event, 1.0)
        self._note()

    def ask(self, message: Any) -> Any:
        self.feed(Command((LinkId(1), 1), message))
        return next((effect.message for effect in self.effects if isinstance(effect, Reply)), None)

    def does(self, kind: type) -> bool:
        return any(isinstance(effect, kind) for effect in self.effects)

    def _note(self) -> None:
        for effect in self.effects:
            if isinstance(effect, Publish) and isinstance(effect.event, ContentShared | Transfer):
                self.state, self.error = effect.event.state, effect.event.error

    @property
    def offered(self) -> bool:
        return CONTENT in self.node.shelf.offers


@pytest.mark.parametrize("downloaded", [False, True])
def test_it_is_offered_once_its_files_were_looked_at(downloaded: bool) -> None:
    peer = Peer(downloaded=downloaded)
    assert (peer.offered, peer.state) == (False, "verifying")
    peer.feed(FilesLooked(CONTENT, ""))
    assert (peer.offered, peer.state) == (True, "seeding")


@pytest.mark.parametrize("downloaded", [False, True])
def test_it_is_in_error_if_its_files_changed_until_they_were_verified(downloaded: bool) -> None:
    peer = Peer(downloaded=downloaded)
    peer.feed(FilesLooked(CONTENT, WRONG))
    assert (peer.offered, peer.state, peer.error.startswith(WRONG)) == (False, "error", True)
    answer = peer.ask(Get(0, CONTENT))
    assert isinstance(answer, ControlFailed)
    assert answer.code == ERR_CHANGED
    peer.feed(Verified(CONTENT, 1, ""))
    assert (peer.offered, peer.state, peer.error) == (True, "seeding", "")


def test_one_that_is_paused_is_found_damaged_as_well_and_stays_paused_when_it_is_right() -> None:
    peer = Peer(paused=True)
    assert peer.state == "paused"
    peer.feed(FilesLooked(CONTENT, WRONG))
    assert (peer.offered, peer.state) == (False, "error")
    peer.feed(Verified(CONTENT, 1, ""))
    assert (peer.offered, peer.state) == (False, "paused")


def test_a_pause_does_not_heal_it() -> None:
    peer = Peer()
    peer.feed(FilesLooked(CONTENT, WRONG))
    peer.ask(Pause(0, CONTENT))
    assert (peer.does(KeepPaused), peer.state) == (True, "error")
    peer.ask(Resume(0, CONTENT))
    assert (peer.does(VerifyData), peer.offered, peer.state) == (True, False, "error")


def test_it_can_be_paused_and_asked_for_before_its_files_were_looked_at() -> None:
    peer = Peer()
    assert isinstance(peer.ask(Get(0, CONTENT)), Done)
    peer.ask(Pause(0, CONTENT))
    peer.feed(FilesLooked(CONTENT, ""))
    assert (peer.offered, peer.state) == (False, "paused")


def test_what_is_only_paused_or_damaged_is_never_off_the_list() -> None:
    peer = Peer()
    topics: list[type] = []
    for step in (FilesLooked(CONTENT, ""), Command((LinkId(1), 1), Pause(0, CONTENT)),
                 Command((LinkId(1), 2), Resume(0, CONTENT)), Verified(CONTENT, 0, WRONG),
                 Command((LinkId(1), 3), Unshare(0, CONTENT))):  # fmt: skip
        peer.feed(step)
        topics += [type(effect.event) for effect in peer.effects if isinstance(effect, Publish)]
    assert [topic for topic in topics if topic is not ContentShared] == [ContentWithdrawn]
    assert topics.count(ContentShared) == 4


def test_a_look_that_came_too_late_changes_nothing() -> None:
    peer = Peer()
    peer.feed(FilesLooked(CONTENT, ""))
    peer.feed(FilesLooked(CONTENT, WRONG))
    assert (peer.offered, peer.state) == (True, "seeding")
