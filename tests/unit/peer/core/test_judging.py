"""Verdicts among whole peers in virtual time: what trust, block, clear and forget do at once and later."""

from __future__ import annotations

import pytest

from bus.boundary import DialFailed, LinkId
from bus.errors import ERR_NOT_FOUND, ERR_USAGE
from bus.events import Event, LinkIsLost, ReputationChanged, ReputationForgotten, StreamClosed
from bus.messages import ControlFailed, Done, Explain, Explained, JudgePeer, Message
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import Host, HostRates
from peer.core.footing import Footing
from peer.core.interface import Command, CoreEffect, ForgetReputation, KeepReputation, Reply
from peer.core.standing import CORRUPTED_DATA, SUCCESSFUL_UPLOAD

MIB = 2**20
RATES = HostRates(up=4 * MIB)
PAIR = SwarmScenario(leechers=1, size=32 * MIB, seed_rates=RATES, leecher_rates=RATES)
SEED, LEECHER = peer_id(0), peer_id(1)
STRANGER = "5" * 64


class Told:
    """A swarm, and what its peers published."""

    def __init__(self, scenario: SwarmScenario = PAIR) -> None:
        self.swarm = SimulatedSwarm(scenario)
        self.published: list[tuple[str, Event]] = []
        note = self.swarm.world.on_publish
        assert note is not None

        def listen(host: Host, event: Event) -> None:
            self.published.append((host.name, event))
            note(host, event)

        self.swarm.world.on_publish = listen

    def begin(self) -> None:
        """Run until the leecher holds something."""
        node = self.swarm.nodes[LEECHER]
        assert self.swarm.world.run(60.0, lambda: any(one.held for one in node.downloads.active.values()))

    def pass_time(self, seconds: float) -> None:
        self.swarm.world.run(self.swarm.world.now + seconds, lambda: False)

    def ask(self, asker: str, message: Message) -> tuple[Reply, list[CoreEffect]]:
        effects = self.swarm.nodes[asker].handle(Command((LinkId(0), 1), message), self.swarm.world.now)
        self.swarm.world.carry_out(self.swarm.world.hosts[asker], effects)
        (reply,) = [effect for effect in effects if isinstance(effect, Reply)]
        return reply, effects

    def judge(self, judge: str, peer: str, verdict: str) -> list[CoreEffect]:
        reply, effects = self.ask(judge, JudgePeer(0, peer, verdict))  # type: ignore[arg-type]
        assert reply.message == Done(0, peer)
        assert reply.kept == "reputation"
        return effects

    def linked(self, one: str, other: str) -> bool:
        return other in self.swarm.nodes[one].neighbours.by_peer

    def fetched(self) -> int:
        return self.swarm.nodes[LEECHER].downloads.fetching.meter.total

    def told(self, by: str, kind: type[Event]) -> list[Event]:
        return [event for name, event in self.published if name == by and isinstance(event, kind)]


@pytest.mark.parametrize(("judge", "judged"), [(SEED, LEECHER), (LEECHER, SEED)])
def test_a_blocked_peer_loses_its_link_at_once_and_gets_none_until_it_is_cleared(judge: str, judged: str) -> None:
    told = Told()
    told.begin()
    told.judge(judge, judged, "block")
    assert not told.linked(judge, judged)
    (closed,) = told.told(judge, StreamClosed)
    assert isinstance(closed, StreamClosed)
    assert (closed.peer, closed.reason) == (judged, "access")
    (lost,) = told.told(judge, LinkIsLost)
    assert isinstance(lost, LinkIsLost)
    assert (lost.peer, lost.reason) == (judged, "blocked here")
    told.pass_time(1.0)
    before = told.fetched()
    told.pass_time(120.0)
    assert told.fetched() == before
    assert not told.linked(judge, judged)
    assert not told.linked(judged, judge)
    told.judge(judge, judged, "clear")
    assert told.swarm.run(told.swarm.world.now + 60.0)


def test_a_blocked_source_is_explained_and_others_are_asked_instead() -> None:
    told = Told(SwarmScenario(leechers=2, size=32 * MIB, seed_rates=RATES, leecher_rates=RATES))
    told.begin()
    told.judge(LEECHER, SEED, "block")
    told.pass_time(1.0)
    reply, _ = told.ask(LEECHER, Explain(0, CONTENT))
    assert isinstance(reply.message, Explained)
    (row,) = [row for row in reply.message.sources if row.peer == SEED]
    assert row.cause == "blocked"
    assert "shoal reputation --clear" in row.text
    assert told.swarm.run(120.0), "the other leecher passes on what it gets"


def test_who_is_cleared_is_dialled_soon_though_others_send() -> None:
    told = Told(SwarmScenario(leechers=2, size=256 * MIB, seed_rates=RATES, leecher_rates=RATES))
    told.begin()
    told.judge(LEECHER, SEED, "block")
    told.pass_time(20.0)
    assert told.linked(LEECHER, peer_id(2))
    assert not told.linked(LEECHER, SEED)
    told.judge(LEECHER, SEED, "clear")
    told.pass_time(2.0)
    assert told.linked(LEECHER, SEED)


def test_a_leecher_that_is_let_in_again_need_not_wait_until_it_dials_again() -> None:
    told = Told()
    told.begin()
    told.judge(SEED, LEECHER, "block")
    world, leecher = told.swarm.world, told.swarm.nodes[LEECHER].neighbours
    assert world.run(300.0, lambda: leecher.may_dial_at(SEED) > world.now + 8.0)
    told.judge(SEED, LEECHER, "clear")
    told.pass_time(2.0)
    assert told.linked(SEED, LEECHER)


def test_who_is_let_in_again_may_be_dialled_at_once_whatever_failed_before() -> None:
    told = Told()
    told.begin()
    leecher = told.swarm.nodes[LEECHER]
    told.judge(LEECHER, SEED, "block")
    for _ in range(6):
        leecher.handle(DialFailed("data", SEED, "no answer"), told.swarm.world.now)
    assert leecher.neighbours.may_dial_at(SEED) > told.swarm.world.now + 4.0
    told.judge(LEECHER, SEED, "clear")
    told.pass_time(2.0)
    assert told.linked(LEECHER, SEED)


def test_where_only_blocked_peers_have_it_that_is_why_there_is_no_source() -> None:
    told = Told()
    told.begin()
    told.judge(LEECHER, SEED, "block")
    reply, _ = told.ask(LEECHER, Explain(0, CONTENT))
    assert isinstance(reply.message, Explained)
    assert reply.message.cause == "no_source"
    assert "1 peer blocked here" in reply.message.text


def test_a_peer_may_be_blocked_before_anybody_has_met_it() -> None:
    told = Told()
    effects = told.judge(LEECHER, SEED, "block")
    (kept,) = [effect for effect in effects if isinstance(effect, KeepReputation)]
    assert (kept.type, kept.change, kept.standing.verdict) == ("BLOCKED", 0.0, "blocked")
    told.pass_time(30.0)
    assert not told.linked(LEECHER, SEED)
    assert told.fetched() == 0
    (changed,) = told.told(LEECHER, ReputationChanged)
    assert changed == ReputationChanged(SEED, 0.5, ["blocked"], {}, "BLOCKED")


def banned() -> Told:
    """A leecher that has banned the only seed."""
    told = Told()
    told.begin()
    leecher = told.swarm.nodes[LEECHER]
    for _ in range(2):
        leecher.opinions.record(SEED, CORRUPTED_DATA, CONTENT, MIB)
    told.swarm.world.carry_out(told.swarm.world.hosts[LEECHER], leecher.turn.take_effects())
    assert leecher.opinions.banned(SEED)
    told.judge(LEECHER, SEED, "clear")  # says nothing new, and ends what the ban forbids
    told.pass_time(60.0)
    assert not told.swarm.finished(1)
    return told


def test_who_is_trusted_is_asked_again_though_it_is_banned() -> None:
    told = banned()
    told.judge(LEECHER, SEED, "trust")
    opinions = told.swarm.nodes[LEECHER].opinions
    assert not opinions.banned(SEED)
    assert not opinions.refused(SEED)
    assert opinions.score(SEED) == 0.5
    assert told.swarm.run(told.swarm.world.now + 60.0)
    told.judge(LEECHER, SEED, "clear")
    assert opinions.banned(SEED)


def test_who_is_forgotten_is_a_newcomer_and_may_begin_anew() -> None:
    told = banned()
    effects = told.judge(LEECHER, SEED, "forget")
    assert ForgetReputation(SEED) in effects
    assert told.told(LEECHER, ReputationForgotten) == [ReputationForgotten(SEED)]
    opinions = told.swarm.nodes[LEECHER].opinions
    assert opinions.newcomer(SEED)
    assert opinions.score(SEED) == 0.5
    assert told.swarm.run(told.swarm.world.now + 60.0)
    standing = opinions.book.standing(SEED)
    assert standing is not None
    assert list(standing.events) == [SUCCESSFUL_UPLOAD]


def test_who_is_trusted_counts_as_known_to_a_peer_that_it_gave_nothing() -> None:
    told = Told()
    told.begin()
    seed = told.swarm.nodes[SEED]
    assert seed._footing(LEECHER) is Footing.NEWCOMER
    told.judge(SEED, LEECHER, "trust")
    assert seed._footing(LEECHER) is Footing.KNOWN
    told.judge(SEED, LEECHER, "forget")
    assert seed._footing(LEECHER) is Footing.NEWCOMER


def test_bad_chunks_of_a_trusted_peer_are_found_and_fetched_from_it_again() -> None:
    told = Told()
    told.judge(LEECHER, SEED, "trust")
    told.swarm.disks[SEED].corrupt_reads = 3
    assert told.swarm.run(200.0)
    opinions = told.swarm.nodes[LEECHER].opinions
    standing = opinions.book.standing(SEED)
    assert standing is not None
    assert standing.events[CORRUPTED_DATA] >= 3
    assert opinions.score(SEED) >= 0.5
    told.judge(LEECHER, SEED, "clear")
    assert opinions.banned(SEED)


def test_a_peer_is_named_by_its_id_or_by_digits_that_only_one_known_peer_begins_with() -> None:
    told = Told()
    told.begin()
    leecher, known = told.swarm.nodes[LEECHER], [STRANGER, STRANGER[:-1] + "6"]
    for peer in known:
        told.judge(LEECHER, peer, "block")
    reply, _ = told.ask(LEECHER, JudgePeer(0, known[1][:64], "clear"))
    assert reply.message == Done(0, known[1])
    told.judge(LEECHER, known[1], "forget")
    assert told.ask(LEECHER, JudgePeer(0, STRANGER[:8], "clear"))[0].message == Done(0, STRANGER)
    assert leecher.opinions.book.verdict(STRANGER) == ""
    told.judge(LEECHER, known[1], "trust")
    wrong = {
        STRANGER[:8]: ERR_USAGE,
        "beefbeef": ERR_NOT_FOUND,
        "5555": ERR_USAGE,
        "north": ERR_USAGE,
        LEECHER: ERR_USAGE,
    }
    for text, code in wrong.items():
        reply, effects = told.ask(LEECHER, JudgePeer(0, text, "block"))
        assert isinstance(reply.message, ControlFailed)
        assert reply.message.code == code
        assert len(effects) == 1


def test_a_verdict_said_twice_is_kept_once_and_answered_twice() -> None:
    told = Told()
    assert any(isinstance(effect, KeepReputation) for effect in told.judge(SEED, STRANGER, "trust"))
    assert not any(isinstance(effect, KeepReputation) for effect in told.judge(SEED, STRANGER, "trust"))
    told.judge(SEED, STRANGER, "forget")
    assert not any(isinstance(effect, ForgetReputation) for effect in told.judge(SEED, STRANGER, "forget"))
