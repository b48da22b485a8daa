"""Limits, priorities and order as their user asks for them, through whole peers in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from bus.boundary import LinkId, Publish
from bus.errors import ERR_NOT_FOUND, ERR_STATE, ERR_USAGE
from bus.events import LimitsChanged, LimitsCleared, TransferProgress
from bus.messages import (
    LIMIT_DEFAULT,
    ChangeDownload,
    ChangeLimits,
    ContentLimits,
    ControlFailed,
    Done,
    Get,
    Limits,
    Message,
    Pause,
    Remove,
    Resume,
    ScheduledLimits,
)
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, content_id, peer_id
from experiments.sim.world import HostRates
from peer.core.download import Download
from peer.core.interface import Command, DataRemoved, KeepDownload, KeepLimits, Reply
from peer.core.limit_record import DAY, LimitRecord, LocalTime

KIB = 2**10
MIB = 2**20
FAST = HostRates(up=16 * MIB)
NIGHTS = ScheduledLimits(0, 2 * MIB, ["mon"], 22 * 60, 6 * 60)


def swarm_of(contents: int = 1, size: int = 256 * MIB) -> SimulatedSwarm:
    swarm = SimulatedSwarm(SwarmScenario(1, size, FAST, FAST, latency=0.002, contents=contents, seed=3))
    assert swarm.world.run(10.0, lambda: all(part.held for part in downloads(swarm)))
    return swarm


def downloads(swarm: SimulatedSwarm) -> list[Download]:
    active = swarm.nodes[peer_id(1)].downloads.active
    return [active[content_id(n)] for n in range(swarm.scenario.contents)]


def ask(swarm: SimulatedSwarm, message: Message, number: int = 1) -> tuple[Message, list[Any]]:
    """What a peer answers to a command at once, and all effects."""
    name = peer_id(number)
    effects = swarm.nodes[name].handle(Command((LinkId(0), 1), message), swarm.world.now)
    swarm.world.carry_out(swarm.world.hosts[name], effects)
    (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
    return reply, effects


def seconds_pass(swarm: SimulatedSwarm, seconds: float) -> None:
    swarm.world.run(swarm.world.now + seconds, lambda: False)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (Pause(0, CONTENT), KeepDownload),
        (ChangeLimits(0, CONTENT, up=MIB), KeepLimits),
        (ChangeDownload(0, CONTENT, priority="high"), KeepDownload),
        (Resume(0, CONTENT), KeepDownload),
    ],
)
def test_what_a_command_changed_is_kept_before_it_is_answered(message: Message, kept: type) -> None:
    swarm = swarm_of()
    if isinstance(message, Resume):
        ask(swarm, Pause(0, CONTENT))
    _, effects = ask(swarm, message)
    kinds = [type(effect) for effect in effects]
    assert kinds.index(kept) < kinds.index(Reply)
    assert next(effect for effect in effects if isinstance(effect, Reply)).kept


# -- limits --


def test_a_limit_set_while_running_holds_is_kept_and_is_published() -> None:
    swarm = swarm_of()
    reply, effects = ask(swarm, ChangeLimits(0, up=MIB), number=0)
    assert reply == Limits(0, "", MIB, 0, True, False, MIB, 0, [])
    assert KeepLimits(LimitRecord("", MIB, None)) in effects
    assert Publish(LimitsChanged("", MIB, 0)) in effects
    seconds_pass(swarm, 2)
    sent = swarm.nodes[peer_id(0)].uploads.sending.meter
    before = sent.total
    seconds_pass(swarm, 10)
    assert sent.total - before == pytest.approx(10 * MIB, rel=0.05)


def test_a_removed_limit_lets_waiting_streams_go_on_at_once() -> None:
    swarm = swarm_of()
    for number, limited, free in (
        (0, ChangeLimits(0, up=KIB), ChangeLimits(0, up=0)),
        (1, ChangeLimits(0, down=KIB), ChangeLimits(0, down=0)),
    ):
        ask(swarm, limited, number)
        seconds_pass(swarm, 5)
        before = downloads(swarm)[0].meter.total
        ask(swarm, free, number)
        seconds_pass(swarm, 1)
        assert downloads(swarm)[0].meter.total - before > 10 * MIB


def test_asking_without_a_change_keeps_nothing() -> None:
    swarm = swarm_of()
    reply, effects = ask(swarm, ChangeLimits(0))
    assert reply == Limits(0, "", 0, 0, False, False, 0, 0, [])
    assert not [effect for effect in effects if isinstance(effect, KeepLimits)]


def test_a_content_s_limit_is_shown_with_what_applies_to_it() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeLimits(0, down=2 * MIB))
    reply, effects = ask(swarm, ChangeLimits(0, CONTENT[:60], down=MIB))
    own = [ContentLimits(CONTENT, 0, MIB)]
    assert reply == Limits(0, CONTENT, 0, MIB, False, True, 0, MIB, own)
    assert Publish(LimitsChanged(CONTENT, 0, MIB)) in effects
    assert ask(swarm, ChangeLimits(0))[0] == Limits(0, "", 0, 2 * MIB, False, True, 0, 2 * MIB, own)
    reply, effects = ask(swarm, ChangeLimits(0, CONTENT, down=LIMIT_DEFAULT))
    assert reply == Limits(0, CONTENT, 0, 0, False, False, 0, 2 * MIB, [])
    assert KeepLimits(LimitRecord(CONTENT)) in effects
    assert Publish(LimitsCleared(CONTENT)) in effects


def it_is(swarm: SimulatedSwarm, minute: int) -> list[Any]:
    """It is that minute of the week for the leecher; the effects."""
    effects = swarm.nodes[peer_id(1)].handle(LocalTime(minute), swarm.world.now)
    swarm.world.carry_out(swarm.world.hosts[peer_id(1)], effects)
    return effects


def test_a_schedule_s_limits_hold_at_its_time_and_the_others_before_and_after() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeLimits(0, down=8 * MIB))
    reply, effects = ask(swarm, ChangeLimits(0, schedule=NIGHTS))
    assert reply == Limits(0, "", 0, 8 * MIB, False, True, 0, 8 * MIB, [], NIGHTS, False)
    assert KeepLimits(LimitRecord("", None, 8 * MIB, NIGHTS)) in effects
    meter = downloads(swarm)[0].meter
    for minute, rate in ((22 * 60 - 1, 8 * MIB), (22 * 60, 2 * MIB), (DAY + 6 * 60, 8 * MIB)):
        it_is(swarm, minute)
        seconds_pass(swarm, 3)  # what was granted before comes first
        before = meter.total
        seconds_pass(swarm, 5)
        assert meter.total - before == pytest.approx(5 * rate, rel=0.1)


def test_when_a_schedule_begins_to_hold_that_is_published_and_what_is_set_meanwhile_waits() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeLimits(0, up=MIB, schedule=NIGHTS))
    assert Publish(LimitsChanged("", 0, 2 * MIB, True)) in it_is(swarm, 23 * 60)
    assert it_is(swarm, 23 * 60 + 1) == []
    reply, _ = ask(swarm, ChangeLimits(0, up=3 * MIB))
    assert reply == Limits(0, "", 3 * MIB, 0, True, False, 0, 2 * MIB, [], NIGHTS, True)
    assert Publish(LimitsChanged("", 3 * MIB, 0)) in it_is(swarm, DAY + 6 * 60)


def test_a_schedule_that_is_dropped_at_its_time_ends_at_once() -> None:
    swarm = swarm_of()
    it_is(swarm, 23 * 60)
    reply, effects = ask(swarm, ChangeLimits(0, schedule=NIGHTS))
    assert reply == Limits(0, "", 0, 0, False, False, 0, 2 * MIB, [], NIGHTS, True)
    reply, effects = ask(swarm, ChangeLimits(0, schedule="none"))
    assert reply == Limits(0, "", 0, 0, False, False, 0, 0, [])
    assert KeepLimits(LimitRecord("")) in effects


def test_a_schedule_is_not_for_one_content() -> None:
    reply, _ = ask(swarm_of(), ChangeLimits(0, CONTENT, schedule=NIGHTS))
    assert isinstance(reply, ControlFailed)
    assert reply.code == ERR_USAGE


def test_a_kept_schedule_holds_again_after_a_restart() -> None:
    swarm = swarm_of()
    swarm.world.remove(swarm.world.hosts[peer_id(1)])
    swarm.add_peer(1, limits=[LimitRecord("", 9, None, NIGHTS)])
    it_is(swarm, 22 * 60)
    assert ask(swarm, ChangeLimits(0))[0] == Limits(0, "", 9, 0, True, False, 0, 2 * MIB, [], NIGHTS, True)


def test_what_was_set_in_an_earlier_run_wins_over_the_configuration_until_its_default_is_asked_for() -> None:
    swarm = swarm_of()
    swarm.world.remove(swarm.world.hosts[peer_id(1)])
    swarm.add_peer(1, {"limit_up": 7, "limit_down": 8}, limits=[LimitRecord("", 9, None)])
    assert ask(swarm, ChangeLimits(0))[0] == Limits(0, "", 9, 8, True, False, 9, 8, [])
    assert ask(swarm, ChangeLimits(0, up=LIMIT_DEFAULT))[0] == Limits(0, "", 7, 8, False, False, 7, 8, [])


def test_the_limits_of_a_removed_content_are_forgotten() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeLimits(0, CONTENT, up=MIB))
    node = swarm.nodes[peer_id(1)]
    node.handle(Command((LinkId(0), 2), Remove(0, CONTENT)), swarm.world.now)
    effects = node.handle(DataRemoved(CONTENT, ""), swarm.world.now)
    assert KeepLimits(LimitRecord(CONTENT)) in effects


def test_a_limit_of_an_unknown_content_is_refused() -> None:
    reply, _ = ask(swarm_of(), ChangeLimits(0, "f" * 64, up=1))
    assert isinstance(reply, ControlFailed)
    assert reply.code == ERR_NOT_FOUND


# -- priority and order --


def test_equal_downloads_share_the_rate() -> None:
    swarm = swarm_of(contents=3)
    before = [part.meter.total for part in downloads(swarm)]
    seconds_pass(swarm, 10)
    moved = [part.meter.total - first for part, first in zip(downloads(swarm), before, strict=True)]
    assert sum(moved) > 0.9 * 10 * 16 * MIB
    assert min(moved) > 0.9 * max(moved)


def test_a_download_of_higher_priority_goes_first_and_one_of_lower_priority_last() -> None:
    swarm = swarm_of(contents=3)
    assert ask(swarm, ChangeDownload(0, content_id(2), "high"))[0] == Done(0, content_id(2))
    ask(swarm, ChangeDownload(0, content_id(0), "low"))
    seconds_pass(swarm, 2)
    before = [part.meter.total for part in downloads(swarm)]
    seconds_pass(swarm, 8)
    low, normal, high = (part.meter.total - first for part, first in zip(downloads(swarm), before, strict=True))
    assert high > 0.95 * 8 * 15 * MIB
    assert (normal, low) == (0, 0)


def test_priority_and_order_are_kept_and_published() -> None:
    swarm = swarm_of()
    _, effects = ask(swarm, ChangeDownload(0, CONTENT, "low", "sequential"))
    (kept,) = [effect.record for effect in effects if isinstance(effect, KeepDownload)]
    assert (kept.priority, kept.sequential) == ("low", True)
    seconds_pass(swarm, 1)
    shown = swarm.results[peer_id(1)]
    assert isinstance(shown, TransferProgress)
    assert (shown.priority, shown.sequential) == ("low", True)


def test_a_sequential_download_holds_a_beginning_and_nothing_else() -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    swarm.scenario = SwarmScenario(1, 64 * MIB, FAST, FAST, latency=0.002, seed=3)
    swarm.add_peer(1, sequential=True)
    assert swarm.world.run(60.0, lambda: bool(downloads(swarm)) and downloads(swarm)[0].held.bit_count() >= 100)
    held = downloads(swarm)[0].held
    assert held & (held + 1) == 0


def test_order_can_be_asked_for_while_running_and_taken_back() -> None:
    swarm = swarm_of()
    (part,) = downloads(swarm)
    ask(swarm, Get(0, CONTENT, sequential=True))
    assert part.record.sequential
    seconds_pass(swarm, 2)
    lowest = (part.missing & -part.missing).bit_length() - 1
    seconds_pass(swarm, 2)
    assert (part.missing & -part.missing).bit_length() - 1 > lowest + 100
    ask(swarm, ChangeDownload(0, CONTENT, order="default"))
    assert not part.record.sequential


def test_a_complete_content_has_no_priority() -> None:
    reply, _ = ask(swarm_of(), ChangeDownload(0, CONTENT, "high"), number=0)
    assert isinstance(reply, ControlFailed)
    assert reply.code == ERR_STATE
