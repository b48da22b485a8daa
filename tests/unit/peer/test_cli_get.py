"""`shoal get` waits for a download and ends as it ends."""

from __future__ import annotations

import os
import threading
import time

import msgspec
import pytest

from bus.errors import ERR_DISK_FULL, ERR_INTEGRITY, ERR_NOT_FOUND
from bus.events import ContentShared, SourceRow, TransferCompleted, TransferFailed, TransferProgress
from bus.messages import ControlFailed, Done, Get, Snapshot
from peer.cli import fetching
from tests.kit.answering_peer import AnsweringPeer
from tests.kit.command_line import CommandLine
from tests.kit.waiting import eventually

A, P = "a" * 64, "1" * 64
LINK = f"shoal:{A}?name=x&tracker=tcp://127.0.0.1:1&key={P}"
MOVING = TransferProgress(
    id=A, name="iso", kind="file", size=200, path="/d/iso", state="downloading", bytes_done=50, chunks=4,
    chunks_done=1, down_rate=7.0, eta=20.0, seconds=2.0, duplicate_bytes=3, rejected_bytes=0,
    sources=[SourceRow(P, 200, 7.0, 4, "open")], have="", error="", error_code="", added=0.0, finished=0.0,
)  # fmt: skip
DONE = TransferCompleted(**{**msgspec.structs.asdict(MOVING), "state": "seeding", "bytes_done": 200})
ACCOUNT = {
    "id": A, "name": "iso", "path": "/d/iso", "size": 200, "seconds": 2.0, "bytes_per_second": 100.0,
    "duplicate_bytes": 3, "sources": [{"peer": P, "bytes": 200}], "optimum_seconds": None, "optimum_share": None,
}  # fmt: skip


@pytest.fixture
def shoal(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "POLL", 0.01)
    return CommandLine(tmp_path)


@pytest.fixture
def peer(shoal):
    with AnsweringPeer(shoal.places.control) as standing_in:
        standing_in.answers[Get] = lambda request: [Done(0, A)]
        yield standing_in


def states(peer, *shown):
    """The peer shows these states one after the other, and the last from then on."""
    left = list(shown)
    page = peer.answers[Snapshot]

    def answer(request):
        peer.state = left.pop(0) if len(left) > 1 else left[0]
        return page(request)

    peer.answers[Snapshot] = answer


def test_it_waits_until_the_content_is_complete(shoal, peer):
    states(peer, [], [MOVING], [MOVING], [DONE])
    done = shoal("get", A, "--json")
    assert (done.code, done.data, done.err) == (0, ACCOUNT, "")
    assert list(done.data) == list(ACCOUNT)
    assert len(peer.asked) == 5


def test_as_text_it_says_how_and_where(shoal, peer):
    states(peer, [DONE])
    assert shoal("get", A) == (0, "iso: 200 B in 2 s (100 B/s) from 1 peer\n  /d/iso\n", "")


@pytest.mark.parametrize(("named", "asked"), [(A, A), (A[:8].upper(), A[:8]), (LINK, LINK)])
def test_an_id_a_prefix_and_a_link_are_passed_on(shoal, peer, named, asked):
    states(peer, [DONE])
    shoal("get", named)
    assert peer.asked[0] == Get(peer.asked[0].request, asked)


def test_folder_and_chosen_paths_are_passed_on(shoal, peer, tmp_path, monkeypatch):
    states(peer, [DONE])
    monkeypatch.chdir(tmp_path)
    shoal("get", A, "-o", "here", "--only", "docs", "src/a b.c")
    assert peer.asked[0].directory == os.path.join(str(tmp_path), "here")
    assert peer.asked[0].only == ["docs", "src/a b.c"]


def test_what_is_here_already_is_no_download(shoal, peer):
    states(peer, [ContentShared(A, "iso", "file", 200, 1, 1, "/mine/iso", False, "seeding", "", 0.0)])
    done = shoal("get", A, "--json").data
    assert (done["path"], done["sources"], done["seconds"]) == ("/mine/iso", [], 0.0)


def test_a_download_that_was_complete_before_is_no_news(shoal, peer, tmp_path):
    here = tmp_path / "iso"
    here.write_text("x")
    states(peer, [msgspec.structs.replace(DONE, finished=1.0, path=str(here))])
    assert shoal("get", A).out == f"iso: was here already\n  {here}\n"
    assert shoal("get", A, "--json").data == {**ACCOUNT, "path": str(here)}
    here.unlink()
    assert shoal("get", A).out.startswith("iso: was here already, but nothing lies there any more; ")


def test_a_download_that_ends_while_it_is_waited_for_is_news(shoal, peer):
    states(peer, [msgspec.structs.replace(DONE, finished=time.time() + 60)])
    assert shoal("get", A).out.startswith("iso: 200 B in 2 s ")


def test_an_empty_content_that_was_fetched_just_now_is_news_though_nobody_gave_a_byte(shoal, peer):
    empty = msgspec.structs.replace(DONE, size=0, bytes_done=0, sources=[], finished=time.time() + 60)
    states(peer, [empty])
    assert shoal("get", A).out.startswith("iso: 0 B in 2 s\n")


@pytest.mark.parametrize(
    ("only", "line"),
    [
        ([""], "ERR_USAGE: an empty path after --only (a shell variable that is not set?)"),
        (["x" * 4097], f"ERR_PATH: {'x' * 100}... has over 4096 characters; name its folder"),
        (["\udcff"], "ERR_PATH: '\\udcff' is not UTF-8, so no content has it; name its folder"),
        (["x"] * 1001, "ERR_USAGE: --only takes at most 1000 paths, found 1001; name their folders"),
    ],
)
def test_what_no_message_carries_is_refused_before_anything_is_asked(shoal, peer, only, line):
    assert shoal("get", A, "--only", *only) == (2, "", f"shoal: {line}\n")
    assert peer.asked == []


def test_a_folder_too_long_for_a_message_is_refused_before_anything_is_asked(shoal, peer):
    done = shoal("get", A, "-o", "/x" * 2049)
    assert (done.code, done.out) == (2, "")
    assert "has over 4096 characters" in done.err
    assert peer.asked == []


def test_the_longest_of_everything_is_sent(shoal, peer):
    states(peer, [DONE])
    paths = ["x" * 4096, *["y"] * 999]
    assert shoal("get", A, "-o", "/" + "x" * 4095, "--only", *paths).code == 0
    assert peer.asked[0].only == paths


def test_without_a_bar_a_line_says_that_nothing_comes(shoal, peer, monkeypatch):
    monkeypatch.setattr(fetching, "SETTLES_WITHIN", 0.0)
    shown = [[msgspec.structs.replace(MOVING, state=state)] for state in ("no_sources", "stalled", "stalled", "paused")]
    states(peer, [MOVING], *shown, [DONE])
    assert shoal("get", A, "--json").err.splitlines() == [
        "shoal: iso: nobody reached has what is missing; waiting for somebody",
        "shoal: iso: its sources send nothing; waiting for them",
        f"shoal: iso: it is paused; it goes on after: shoal resume {A[:16]}",
    ]
    states(peer, [MOVING], *shown, [DONE])
    assert shoal("get", A, "-q").err == ""


def test_why_there_are_no_sources_is_said_once_where_the_peer_knows_it(shoal, peer, monkeypatch):
    monkeypatch.setattr(fetching, "SETTLES_WITHIN", 0.0)
    why = "security.encryption is true here and false at 1 peer of the swarm; make it the same on both sides"
    waiting = msgspec.structs.replace(MOVING, state="no_sources")
    known = msgspec.structs.replace(waiting, error=why)
    states(peer, [waiting], [known], [known], [MOVING], [DONE])
    said = "shoal: iso: nobody reached has what is missing; waiting for somebody"
    assert shoal("get", A).err.splitlines() == [said, f"{said} ({why})"]


def test_a_moment_without_sources_is_not_worth_a_line(shoal, peer):
    states(peer, [msgspec.structs.replace(MOVING, state="no_sources")], [MOVING], [DONE])
    assert shoal("get", A).err == ""


@pytest.mark.parametrize(
    ("code", "exit_code", "told"),
    [(ERR_DISK_FULL, 1, ERR_DISK_FULL), (ERR_INTEGRITY, 5, ERR_INTEGRITY), ("ERR_LATER", 1, "ERR_FAILURE")],
)
def test_a_download_that_fails_ends_with_its_error(shoal, peer, code, exit_code, told):
    failed = TransferFailed(**{**msgspec.structs.asdict(MOVING), "state": "error", "error": "why", "error_code": code})
    states(peer, [MOVING], [failed])
    assert shoal("get", A, "--json") == (exit_code, "", f"shoal: {told}: why\n")


def test_a_download_that_is_removed_ends_the_waiting(shoal, peer, monkeypatch):
    monkeypatch.setattr(fetching, "APPEARS_WITHIN", 0.1)
    states(peer, [MOVING], [])
    assert shoal("get", A) == (1, "", f"shoal: ERR_STATE: the download of {A} was removed\n")


def test_what_the_peer_does_not_know_is_its_word(shoal, peer):
    peer.answers[Get] = lambda request: [ControlFailed(0, ERR_NOT_FOUND, "no tracker knows it")]
    assert shoal("get", A) == (3, "", "shoal: ERR_NOT_FOUND: no tracker knows it\n")


@pytest.mark.parametrize("named", ["ubuntu", A[:7], "shoal:12", f"shoal:{A}?tracker=x&key=y"])
def test_what_is_no_reference_is_refused_before_anything_is_asked(shoal, peer, named):
    done = shoal("get", named)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("shoal: ERR_USAGE: ")
    assert peer.asked == []


def test_two_contents_are_one_too_many(shoal, peer):
    done = shoal("get", A, P)
    assert (done.code, done.out) == (2, "")
    assert "one content at a time, found 2" in done.err


def test_an_interruption_ends_the_waiting_and_says_that_the_download_goes_on(shoal, peer, monkeypatch):
    states(peer, [MOVING])

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching.Wait, "_show", interrupt)
    done = shoal("get", A)
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith("shoal: the download goes on; see it with: shoal ls, wait again with: shoal get aaaa")


def test_the_hint_names_the_peer_where_it_is_not_the_default(shoal, peer, monkeypatch):
    states(peer, [MOVING])

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching.Wait, "_show", interrupt)
    shoal.config.write_text("peers: [{name: other}, {name: north}]\n")
    hint = shoal("get", A, "--peer", "north").err
    assert f"shoal --peer north ls, wait again with: shoal --peer north get {A[:16]}\n" in hint
    monkeypatch.setenv("SHOAL_PEER", "north")
    assert "see it with: shoal ls, " in shoal("get", A).err


def test_a_peer_that_restarts_is_waited_for(shoal):
    def restart(first):
        eventually(first.gone, within=10)
        with AnsweringPeer(shoal.places.control) as second:
            second.state = [DONE]
            eventually(lambda: second.asked, within=10)
            ended.wait(10)

    ended = threading.Event()
    with AnsweringPeer(shoal.places.control, vanish_after=2) as first:
        first.answers[Get] = lambda request: [Done(0, A)]
        first.state = [MOVING]
        again = threading.Thread(target=restart, args=[first])
        again.start()
        done = shoal("get", A, "--json")
        ended.set()
        again.join()
    assert (done.code, done.data) == (0, ACCOUNT)
    assert done.err == "shoal: the peer does not answer; waiting up to 30 s for it to come back\n"


def test_a_peer_that_stays_away_is_given_up(shoal, monkeypatch):
    monkeypatch.setattr(fetching, "PATIENCE", 0.5)
    with AnsweringPeer(shoal.places.control, vanish_after=1) as peer:
        peer.answers[Get] = lambda request: [Done(0, A)]
        done = shoal("get", A, "--json")
    assert (done.code, done.out) == (4, "")
    assert "ERR_UNREACHABLE" in done.err.splitlines()[-1]


def test_it_says_how_much_of_the_optimum_was_reached_where_that_is_known(shoal, peer):
    known = msgspec.structs.replace(DONE, optimum_seconds=1.5, optimum_share=0.75)
    states(peer, [MOVING], [known])
    done = shoal("get", A, "--json").data
    assert (done["optimum_seconds"], done["optimum_share"]) == (1.5, 0.75)
    assert "75% of the optimum (1.5 s)" in shoal("get", A).out
