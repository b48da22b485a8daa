"""`shoal limit` and `shoal priority`: what they ask for and what they print."""

from __future__ import annotations

import click
import pytest

from bus.errors import ERR_NOT_FOUND, ERR_STATE
from bus.events import TransferStarted
from bus.messages import (
    LIMIT_DEFAULT,
    LIMIT_KEPT,
    ChangeDownload,
    ChangeLimits,
    ContentLimits,
    ControlFailed,
    Done,
    FilePriority,
    Get,
    Held,
    Limits,
    ListHeld,
    ScheduledLimits,
    Weekday,
)
from peer.cli import steering
from peer.cli.session import Session
from tests.kit.answering_peer import AnsweringPeer
from tests.kit.command_line import CommandLine

A = "a" * 64
MIB = 2**20
WORKDAYS: list[Weekday] = ["mon", "tue", "wed", "thu", "fri"]


@pytest.fixture
def shoal(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def peer(shoal):
    with AnsweringPeer(shoal.places.control) as standing_in:
        standing_in.answers[ChangeLimits] = lambda request: [
            Limits(0, "", 2 * MIB, 0, True, False, 2 * MIB, 0, [ContentLimits(A, 0, MIB)])
        ]
        standing_in.answers[ChangeDownload] = lambda request: [Done(0, A)]
        yield standing_in


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], ChangeLimits(1)),
        (["--up", "2 MiB/s"], ChangeLimits(1, "", 2 * MIB, LIMIT_KEPT)),
        (["--down", "unlimited", "--up", "default"], ChangeLimits(1, "", LIMIT_DEFAULT, 0)),
        (["--down", "65536", A], ChangeLimits(1, A, LIMIT_KEPT, 65536)),
    ],
)
def test_limit_asks_for_what_was_given(shoal, peer, arguments, asked):
    assert shoal("limit", *arguments).code == 0
    (request,) = peer.asked
    assert (request.content, request.up, request.down) == (asked.content, asked.up, asked.down)


@pytest.mark.parametrize(
    ("arguments", "up", "schedule"),
    [
        (["mon-fri 8:00-18:30", "--up", "1 MiB/s"], LIMIT_KEPT, ScheduledLimits(MIB, 0, WORKDAYS, 480, 1110)),
        (["daily 22:00-06:00", "--down", "5"], LIMIT_KEPT, ScheduledLimits(0, 5, [*WORKDAYS, "sat", "sun"], 1320, 360)),
        (["Sat,Sun 00:00 - 24:00"], LIMIT_KEPT, ScheduledLimits(0, 0, ["sat", "sun"], 0, 0)),
        (["sun-mon 01:00-02:00"], LIMIT_KEPT, ScheduledLimits(0, 0, ["mon", "sun"], 60, 120)),
        (["off", "--up", "7"], 7, "none"),
    ],
)
def test_limit_asks_for_limits_at_certain_times(shoal, peer, arguments, up, schedule):
    assert shoal("limit", "--schedule", *arguments).code == 0
    (request,) = peer.asked
    assert (request.up, request.down, request.schedule) == (up, LIMIT_KEPT, schedule)


@pytest.mark.parametrize("times", ["mon-fri", "noon", "mon 25:00-26:00", "moon 08:00-09:00", "mon-fri 8-18"])
def test_times_that_are_none_are_refused_with_an_example(shoal, peer, times):
    done = shoal("limit", "--schedule", times)
    assert (done.code, peer.asked) == (2, [])
    assert "'mon-fri 08:00-18:00'" in done.err


def test_limit_shows_the_schedule_and_whether_it_holds(shoal, peer):
    there = ScheduledLimits(MIB, 0, WORKDAYS, 480, 1080)
    peer.answers[ChangeLimits] = lambda _: [Limits(0, "", 2 * MIB, 0, True, False, MIB, 0, [], there, True)]
    shown = shoal("limit").out
    assert "mon-fri 08:00-18:00: up 1 MiB/s, down unlimited; they hold now" in shown
    told = shoal("limit", "--json").data
    assert told["schedule"] == {"up": MIB, "down": 0, "days": WORKDAYS, "begin": "08:00", "end": "18:00"}
    assert told["scheduled"] is True


def test_limit_shows_what_is_in_force(shoal, peer):
    up, down, head, row = shoal("limit").out.splitlines()
    assert (up, down) == ("up    2 MiB/s", "down  unlimited (default)")
    assert (head.split(), row.split()) == (["CONTENT", "UP", "DOWN"], [A, "unlimited", "1", "MiB/s"])
    assert shoal("limit", "--json").data == {
        "id": "", "up": 2 * MIB, "down": 0, "up_is_set": True, "down_is_set": False, "effective_up": 2 * MIB,
        "effective_down": 0, "contents": [{"id": A, "up": 0, "down": MIB}], "schedule": None,
        "scheduled": False,
    }  # fmt: skip


def test_limit_of_a_content_shows_the_smaller_one_of_all(shoal, peer):
    peer.answers[ChangeLimits] = lambda request: [Limits(0, A, 0, 5, False, True, MIB, 5, [])]
    assert shoal("limit", A).out == "up    unlimited (all together: 1 MiB/s)\ndown  5 B/s\n"


@pytest.mark.parametrize("rate", ["fast", "-1", "2 Mb/s", ""])
def test_a_rate_that_is_none_is_refused_before_anything_is_asked(shoal, peer, rate):
    done = shoal("limit", f"--up={rate}")
    assert (done.code, done.out, peer.asked) == (2, "", [])
    assert done.err == (
        "shoal: ERR_USAGE: --up: expected a rate such as 10 MiB/s, a whole number of bytes a second, or unlimited, "
        f"found {rate!r}; or default\n"
    )


@pytest.mark.parametrize(
    ("arguments", "level", "order", "said"),
    [
        (["high"], "high", "", "with high priority"),
        (["--sequential"], "", "sequential", "from first to last"),
        (["low", "--any-order"], "low", "default", "with low priority, in any order"),
    ],
)
def test_priority_asks_for_what_was_given(shoal, peer, arguments, level, order, said):
    assert shoal("priority", A, *arguments) == (0, "", f"shoal: {A} is fetched {said}\n")
    (request,) = peer.asked
    assert (request.content, request.priority, request.order) == (A, level, order)


def running(kind: str) -> TransferStarted:
    return TransferStarted(
        id=A, name="iso", kind=kind, size=9, path="", state="downloading", bytes_done=0, chunks=1, chunks_done=0,
        down_rate=0.0, eta=-1.0, seconds=0.0, duplicate_bytes=0, rejected_bytes=0, sources=[], have="", error="",
        error_code="", added=0.0, finished=0.0, priority="low", sequential=True,
    )  # fmt: skip


def test_priority_without_a_level_shows_it(shoal, peer):
    peer.state = [running("file")]
    assert shoal("priority", A[:8]).out == f"id        {A}\npriority  low\nchunks    from first to last\n"
    assert shoal("priority", A, "--json").data == {"id": A, "priority": "low", "sequential": True, "paths": []}
    assert shoal("priority", "b" * 64).code == 3


@pytest.mark.parametrize(("paths", "said"), [(["season/1"], "of season/1"), (["season/1", "film"], "of 2 paths in it")])
def test_priority_is_asked_for_of_files_in_it(shoal, peer, paths, said):
    options = [word for path in paths for word in ("--path", path)]
    done = shoal("priority", A, "high", "--sequential", *options)
    assert done == (0, "", f"shoal: {A} is fetched with high priority {said}, from first to last\n")
    (request,) = peer.asked
    assert (request.priority, request.order, request.paths) == ("high", "sequential", paths)


@pytest.mark.parametrize("options", [["--path", "film"], ["high", "--path", ""], ["low", "--path", "x" * 4097]])
def test_priority_of_files_without_a_level_or_a_path_is_refused(shoal, peer, options):
    done = shoal("priority", A, *options)
    assert (done.code, done.out, peer.asked) == (2, "", [])
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(("paths", "said"), [(["season/1"], "season/1"), (["season/1", "film"], "2 paths in it")])
def test_files_are_left_out_of_a_download(shoal, peer, paths, said):
    assert shoal("leave-out", A, *paths) == (0, "", f"shoal: {A} is fetched without {said}\n")
    (request,) = peer.asked
    assert (request.content, request.leave_out, request.priority, request.order) == (A, paths, "", "")


@pytest.mark.parametrize("paths", [[], [""], ["x" * 4097]])
def test_leaving_out_nothing_that_can_be_a_path_is_refused(shoal, peer, paths):
    done = shoal("leave-out", A, *paths)
    assert (done.code, done.out, peer.asked) == (2, "", [])
    assert len(done.err.splitlines()) == 1


def test_priority_shows_what_is_set_in_a_folder(shoal, peer):
    peer.state = [running("tree")]
    peer.answers[ListHeld] = lambda _: [Held(0, [], 0, [FilePriority("film", "low"), FilePriority("season", "high")])]
    shown = [line.split() for line in shoal("priority", A).out.splitlines()[3:]]
    assert shown == [["PATH", "PRIORITY"], ["film", "low"], ["season", "high"]]
    told = shoal("priority", A, "--json").data["paths"]
    assert told == [{"path": "film", "priority": "low"}, {"path": "season", "priority": "high"}]
    peer.answers[ListHeld] = lambda _: [ControlFailed(0, ERR_NOT_FOUND, "not known")]
    assert shoal("priority", A).out.endswith("paths     told when its files are known\n")
    assert shoal("priority", A, "--json").data["paths"] is None
    peer.answers[ListHeld] = lambda _: [ControlFailed(0, ERR_STATE, "no")]
    assert shoal("priority", A).code == 1


def test_levels_and_peers_are_completed(tmp_path):
    (tmp_path / "peers" / "northwest").mkdir(parents=True)
    (tmp_path / "config.yaml").write_text("peers: [{name: north}, {name: south}]")
    session = Session()
    session.config, session.base_dir = tmp_path / "config.yaml", tmp_path
    options = {option.name: option for option in steering.priority.params}
    context = click.Context(steering.priority, obj=session)
    assert [one.value for one in options["level"].shell_complete(context, "")] == ["high", "normal", "low"]
    assert [one.value for one in options["peer"].shell_complete(context, "nor")] == ["north", "northwest"]
    session = Session()
    session.config = tmp_path / "missing.yaml"
    assert options["peer"].shell_complete(click.Context(steering.priority, obj=session), "") == []


@pytest.mark.parametrize("arguments", [["urgent"]])
def test_priority_without_a_known_level_is_refused(shoal, peer, arguments):
    done = shoal("priority", A, *arguments)
    assert (done.code, peer.asked) == (2, [])
    assert "high, normal or low" in done.err


def test_an_error_of_the_peer_is_one_line(shoal, peer):
    peer.answers[ChangeDownload] = lambda request: [ControlFailed(0, ERR_STATE, "it is complete")]
    assert shoal("priority", A, "high") == (1, "", "shoal: ERR_STATE: it is complete\n")


def test_get_asks_for_order(shoal, peer):
    peer.answers[Get] = lambda request: [ControlFailed(0, ERR_STATE, "no")]
    shoal("get", A, "--sequential")
    assert [request.sequential for request in peer.asked] == [True]
