"""The files of a content that is not here, listed before anything of it is fetched: whole peers in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from bus.boundary import LinkId
from bus.errors import ERR_LIMIT, ERR_MANIFEST, ERR_NOT_FOUND, ERR_STATE, ERR_TIMEOUT, ERR_USAGE
from bus.events import Transfer
from bus.messages import ControlFailed, Done, Files, Get, ListFiles, Message, Pause
from experiments.sim.disk import known_content
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, content_id, peer_id
from experiments.sim.world import Host, HostRates
from peer.core.interface import (
    Command,
    ContentAdded,
    KeepDownload,
    ManifestParsed,
    ManifestRejected,
    Reply,
    Store,
    Stored,
    StoreFailed,
    StoreManifest,
)
from peer.core.previews import FILES_PAGE, KEPT_SECONDS, MOST_ENTRIES, MOST_RUNNING, PATIENCE

MIB = 2**20
FAST = HostRates(up=16 * MIB)
FILES = FILES_PAGE + 50
LINK = f"shoal:{CONTENT}?name=film"


class Onlooker:
    """A seed of some contents, and a peer that has none and asks what is in them."""

    def __init__(self, seeds: int = 1, contents: int = 1) -> None:
        tree = (1000,) * FILES
        scenario = SwarmScenario(0, 0, FAST, FAST, latency=0.002, contents=0, seed=3, tree=tree)
        self.swarm = swarm = SimulatedSwarm(scenario)
        self.world = swarm.world
        for number in range(1, seeds):
            swarm.add_peer(number, complete=True)
        swarm.add_peer(9)
        self.me = swarm.world.hosts[peer_id(9)]
        self.node = swarm.nodes[peer_id(9)]
        self.answers: list[Message] = []
        self.effects: list[Any] = []
        self.lie: type | None = None
        """What the disk says of the next manifest, instead of the truth."""
        self._perform, self.me.perform = self.me.perform, self._note
        for number in range(seeds):
            for content in range(contents):
                known = known_content(content_id(content), swarm.layout, downloaded=False)
                self.world.feed(self.seed(number), ContentAdded(known))
        self.run(1.0)

    def seed(self, number: int = 0) -> Host:
        return self.world.hosts[peer_id(number)]

    def _note(self, host: Host, effect: Any) -> None:
        self.effects.append(effect)
        if isinstance(effect, Reply):
            self.answers.append(effect.message)
        elif isinstance(effect, StoreManifest) and self.lie is not None:
            self.world.feed(host, Stored(effect.job))
            if effect.offset + effect.length == effect.total:
                lie, self.lie = self.lie, None
                reason = (ERR_MANIFEST, "refused") if lie is StoreFailed else ("wrong",)
                self.world.feed(host, lie(effect.content, 0 if lie is StoreFailed else effect.manifest, *reason))
        else:
            self._perform(host, effect)

    def command(self, message: Message) -> None:
        self.world.feed(self.me, Command((LinkId(0), 1), message))

    def ask(self, content: str = CONTENT, first: int = 0, within: float = 30.0) -> Message:
        """The answer to one question."""
        before = len(self.answers)
        self.command(ListFiles(0, content, first))
        assert self.world.run(self.world.now + within, lambda: len(self.answers) > before)
        return self.answers[-1]

    def failed(self, content: str = CONTENT, within: float = 30.0) -> ControlFailed:
        answer = self.ask(content, within=within)
        assert isinstance(answer, ControlFailed)
        return answer

    def run(self, seconds: float) -> None:
        self.world.run(self.world.now + seconds, lambda: False)

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


@pytest.mark.parametrize("named", [CONTENT, LINK], ids=["by id", "by link"])
def test_the_files_are_listed_and_nothing_else_of_it_is_fetched_kept_or_shown(named: str) -> None:
    peer = Onlooker()
    shown: list[Any] = []
    peer.world.on_publish = lambda host, event: shown.append(event) if host is peer.me else None
    found = peer.ask(named)
    assert isinstance(found, Files)
    assert (found.content, found.kind, found.size, found.total) == (CONTENT, "tree", 1000 * FILES, FILES)
    assert (len(found.files), found.next) == (FILES_PAGE, FILES_PAGE)
    peer.run(60)
    assert not peer.of(Store) + peer.of(KeepDownload)
    assert not [event for event in shown if isinstance(event, Transfer)]
    assert not [event for event in shown if type(event).__name__ == "SwarmHasChanged"]
    assert not peer.node.downloads.fetched
    assert not peer.node.shelf.offers, "it would be announced"
    assert not peer.swarm.nodes[peer_id(0)].uploads.slots_used, "the slot is given back"


def test_further_pages_come_from_memory() -> None:
    peer = Onlooker()
    peer.ask()
    peer.world.pause(peer.seed())
    found = peer.ask(CONTENT, FILES_PAGE, within=0.1)
    assert isinstance(found, Files)
    assert (len(found.files), found.next) == (50, 0)
    assert len(peer.of(StoreManifest)) == 1


def test_what_nobody_asks_for_is_forgotten() -> None:
    peer = Onlooker()
    peer.ask()
    peer.run(KEPT_SECONDS + 1)
    peer.ask()
    assert len(peer.of(StoreManifest)) == 2


def test_the_oldest_lists_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peer.core.previews.MOST_ENTRIES", 2 * FILES)
    peer = Onlooker(contents=3)
    for number in (0, 1, 0, 2, 0, 1):  # 1 is the one that was not asked for when 2 came
        peer.ask(content_id(number))
    assert len(peer.of(StoreManifest)) == 4
    assert MOST_ENTRIES >= 100_000, "one manifest always fits"


def test_of_what_nobody_shares_that_is_said_at_once() -> None:
    peer = Onlooker()
    answer = peer.failed("9" * 64, within=1.0)
    assert (answer.code, "no peer shares 999" in answer.message) == (ERR_NOT_FOUND, True)


def test_a_link_of_what_nobody_shares_is_given_up_after_a_while() -> None:
    peer = Onlooker()
    answer = peer.failed(f"shoal:{'9' * 64}")
    assert (answer.code, "no peer that shares" in answer.message) == (ERR_NOT_FOUND, True)
    assert not peer.node.downloads.fetched


def test_what_a_link_names_is_fetched_once_somebody_shares_it() -> None:
    peer = Onlooker(contents=0)
    peer.failed(LINK)
    peer.command(Get(0, LINK))
    peer.run(5)
    assert isinstance(peer.answers[-1], Done)
    peer.world.feed(peer.seed(), ContentAdded(known_content(CONTENT, peer.swarm.layout, downloaded=False)))
    assert peer.world.run(peer.world.now + 60, lambda: peer.swarm.finished(9))


def test_sources_that_send_nothing_are_given_up_after_a_while() -> None:
    peer = Onlooker()
    peer.world.pause(peer.seed())
    began = peer.world.now
    answer = peer.failed()
    assert answer.code == ERR_TIMEOUT
    assert peer.world.now - began <= PATIENCE + 1


def test_a_wrong_manifest_is_charged_to_its_source_and_another_one_is_asked() -> None:
    peer = Onlooker(seeds=2)
    peer.lie = ManifestRejected
    assert isinstance(peer.ask(), Files)
    assert sorted(peer.node.opinions.score(peer_id(n)) < 0.5 for n in (0, 1)) == [False, True]


def test_a_manifest_that_breaks_a_rule_is_refused_with_the_reason() -> None:
    peer = Onlooker()
    peer.lie = StoreFailed
    answer = peer.failed()
    assert (answer.code, answer.message) == (ERR_MANIFEST, "refused")
    assert not peer.node.downloads.fetched


def test_a_download_that_begins_meanwhile_takes_over_and_who_waits_is_answered() -> None:
    peer = Onlooker()
    peer.world.pause(peer.seed())
    peer.command(ListFiles(0, CONTENT))
    peer.command(Get(0, CONTENT))
    peer.run(1)
    assert [type(answer) for answer in peer.answers] == [Done]
    peer.world.resume(peer.seed())
    assert peer.world.run(peer.world.now + 60, lambda: peer.swarm.finished(9))
    assert [type(answer) for answer in peer.answers] == [Done, Files]
    assert not peer.node.downloads.fetched


def test_what_came_for_a_preview_is_not_taken_for_the_download_that_began() -> None:
    peer = Onlooker()
    peer.command(ListFiles(0, CONTENT))
    peer.world.run(peer.world.now + 5, lambda: bool(peer.of(StoreManifest)))
    peer.command(Get(0, CONTENT))
    peer.world.feed(peer.me, ManifestParsed(CONTENT, CONTENT, peer.swarm.layout))
    assert peer.world.run(peer.world.now + 60, lambda: peer.swarm.finished(9))


def test_of_a_download_that_is_paused_before_its_manifest_came_nothing_is_listed() -> None:
    peer = Onlooker()
    peer.world.pause(peer.seed())
    peer.command(Get(0, CONTENT))
    peer.run(1)
    peer.command(Pause(0, CONTENT))
    answer = peer.failed(within=1.0)
    assert (answer.code, "paused" in answer.message) == (ERR_STATE, True)


def test_only_so_many_run_at_a_time() -> None:
    peer = Onlooker()
    for number in range(MOST_RUNNING):
        peer.command(ListFiles(0, f"shoal:{100 + number:064x}"))
    peer.run(1)
    answer = peer.failed(LINK, within=1.0)
    assert (answer.code, answer.message.split()[0]) == (ERR_LIMIT, str(MOST_RUNNING))
    peer.run(PATIENCE + 10)
    assert isinstance(peer.ask(LINK), Files)


@pytest.mark.parametrize("text", ["", "abc", "x" * 64, "shoal:12"])
def test_what_is_neither_id_nor_link_is_refused(text: str) -> None:
    assert Onlooker().failed(text).code == ERR_USAGE


def test_events_of_a_download_are_published_as_before() -> None:
    peer = Onlooker()
    shown: list[str] = []
    peer.world.on_publish = lambda host, event: shown.append(type(event).__name__) if host is peer.me else None
    peer.ask()
    peer.command(Get(0, CONTENT))
    peer.run(30)
    assert {"TransferStarted", "TransferCompleted", "SwarmHasChanged"} <= set(shown)
