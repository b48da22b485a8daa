"""Each command asks the peer for what it should, and prints the documented keys; a stand-in answers for the peer."""

from __future__ import annotations

import io
import os

import msgspec
import pytest

from bus.errors import ERR_NOT_FOUND, ERR_REFUSED
from bus.events import (
    ContentShared,
    LimitsChanged,
    LinkIsUp,
    MetricsSample,
    PeerStarted,
    ReputationChanged,
    TrackerReached,
)
from bus.messages import (
    ControlFailed,
    Done,
    Explain,
    Explained,
    ExplainReputation,
    FoundContent,
    JudgePeer,
    Pause,
    Progress,
    Remove,
    ReputationEvent,
    ReputationExplained,
    Resume,
    SearchContents,
    SearchResults,
    Shared,
    SharePath,
    SourceExplained,
    Unshare,
    Verify,
)
from peer.cli.session import Session
from tests.kit.answering_peer import AnsweringPeer
from tests.kit.command_line import CommandLine

A, P = "a" * 64, "1" * 64
LINK = f"shoal:{A}?name=x&tracker=tcp://127.0.0.1:1&key={P}"
SHARED = ContentShared(A, "iso", "file", 100, 1, 1, "/iso", False, "seeding", "", 0.0)


@pytest.fixture
def shoal(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def peer(shoal):
    with AnsweringPeer(shoal.places.control) as standing_in:
        yield standing_in


def shared(request):
    name = request.name or os.path.basename(request.path)
    return [Progress(0, 1, 2), Shared(0, A, name, "file", 100, 1, 1, 0.5, LINK, ["link: outside the tree"], 1, 100)]


def test_share_gives_absolute_paths_and_prints_an_array(shoal, peer, tmp_path, monkeypatch):
    peer.answers[SharePath] = shared
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").mkdir()
    done = shoal("share", "one", "two", "--json")
    assert done.code == 0
    assert [request.path for request in peer.asked] == [str(tmp_path / "one"), str(tmp_path / "two")]
    assert [list(row)[:8] for row in done.data] == 2 * [
        ["id", "name", "kind", "size", "files", "chunks", "seconds", "link"]
    ]
    assert done.data[0]["name"] == "one"
    assert done.err == 2 * "shoal: skipped link: outside the tree\n"


def test_share_as_text_shows_id_and_link(shoal, peer, tmp_path):
    peer.answers[SharePath] = shared
    done = shoal("-q", "share", str(tmp_path), "--name", "mine")
    assert done == (0, f"mine: 100 B, hashed in 500 ms\n  {A}\n  {LINK}\n", "")
    assert peer.asked[0].name == "mine"


@pytest.mark.parametrize(
    ("path", "code", "line"),
    [
        ("missing", 3, "ERR_NOT_FOUND: {}/missing does not exist; check the path"),
        ("pipe", 2, "ERR_PATH: {}/pipe is neither a file nor a folder; only these can be shared"),
        ("", 2, "ERR_USAGE: an empty path is not shared (a shell variable that is not set?); give . for here"),
        ("\udcff", 2, "ERR_PATH: '\\udcff' is not UTF-8; rename it, then share it"),
    ],
)
def test_what_cannot_be_shared_is_refused_before_anything_is_asked(
    shoal, peer, tmp_path, monkeypatch, path, code, line
):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    assert shoal("share", str(tmp_path), path) == (code, "", f"shoal: {line.format(tmp_path)}\n")
    assert peer.asked == []


def test_one_name_does_not_fit_two_paths(shoal, tmp_path):
    done = shoal("share", str(tmp_path), str(tmp_path), "--name", "x")
    assert (done.code, done.out) == (2, "")
    assert "--name fits one path" in done.err


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", "--name is empty (a shell variable that is not set?); leave it out or give a name"),
        ("x" * 256, "--name has 256 characters, the limit is 255; choose a shorter one"),
        ("\udcff", "--name '\\udcff' is not UTF-8; choose another one"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_asked(shoal, peer, tmp_path, name, line):
    assert shoal("share", str(tmp_path), "--name", name) == (2, "", f"shoal: ERR_USAGE: {line}\n")
    assert peer.asked == []


def test_a_path_too_long_for_a_message_is_refused_before_anything_is_asked(shoal, peer):
    done = shoal("share", "/x" * 2049)
    assert (done.code, done.out) == (2, "")
    assert "ERR_PATH" in done.err
    assert "over 4096" in done.err
    assert peer.asked == []


@pytest.mark.parametrize(("files", "said"), [(0, "0 files"), (1, "1 file"), (1200, "1,200 files")])
def test_one_file_is_not_files(shoal, peer, tmp_path, files, said):
    peer.answers[SharePath] = lambda request: [Shared(0, A, "docs", "tree", 100, files, 1, 0.5, LINK, [])]
    assert shoal("share", str(tmp_path)).out.startswith(f"docs: {said}, 100 B, ")


@pytest.mark.parametrize(
    ("hashed", "said"),
    [((7, 100), "hashed in 500 ms"), ((0, 0), "as it was, looked at in 500 ms"),
     ((1, 40), "of which 1 file, 40 B, hashed anew in 500 ms")],
)  # fmt: skip
def test_share_says_what_was_hashed_anew(shoal, peer, tmp_path, hashed, said):
    peer.answers[SharePath] = lambda request: [Shared(0, A, "docs", "tree", 100, 7, 1, 0.5, LINK, [], *hashed)]
    assert shoal("share", str(tmp_path)).out.startswith(f"docs: 7 files, 100 B, {said}\n")
    assert shoal("share", str(tmp_path), "--json").data[0]["hashed_files"] == hashed[0]


def test_an_interruption_of_share_says_that_hashing_goes_on(shoal, peer, tmp_path, monkeypatch):
    def interrupt(*_arguments, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "ask", interrupt)
    done = shoal("share", str(tmp_path), str(tmp_path))
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith(
        f"shoal: the peer goes on hashing {tmp_path.name} and then offers it; see it with: shoal ls; "
        "1 further path was not shared\n"
    )


def test_search_joins_the_words_and_prints_what_was_found(shoal, peer):
    found = FoundContent(A, "iso", "file", 100, 2, 1)
    peer.answers[SearchContents] = lambda request: [SearchResults(0, [found])]
    done = shoal("search", "big", "iso", "--json")
    assert done.data == [{"id": A, "name": "iso", "kind": "file", "size": 100, "seeds": 2, "leechers": 1}]
    assert peer.asked[0].words == "big iso"
    assert shoal("search", "big").out.splitlines()[1].split() == [A, "iso", "file", "100", "B", "2", "1"]


def test_nothing_found_is_an_empty_array_and_no_error(shoal, peer):
    peer.answers[SearchContents] = lambda request: [SearchResults(0, [])]
    assert shoal("search", "x", "--json") == (0, "[]\n", "")
    assert shoal("search", "x") == (0, "", "shoal: nothing found\n")


@pytest.mark.parametrize("words", [[" "], ["x" * 513]])
def test_a_search_for_nothing_or_too_much_is_refused(shoal, words):
    done = shoal("search", *words)
    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "request_type", "line"),
    [
        (["pause"], Pause, "paused"),
        (["resume"], Resume, "resumed"),
        (["verify"], Verify, "is being verified"),
        (["remove"], Remove, "removed"),
        (["unshare"], Unshare, "no longer offered"),
    ],
)
@pytest.mark.parametrize("named", [A, A[:8], LINK])
def test_an_item_is_named_by_id_prefix_or_link(shoal, peer, arguments, request_type, line, named):
    peer.answers[request_type] = lambda request: [Done(0, A)]
    assert shoal(*arguments, named, "--json") == (0, f'[{{"id":"{A}"}}]\n', f"shoal: {A} {line}\n")
    assert [type(one) for one in peer.asked] == [request_type]
    assert peer.asked[0].content == (A[:8] if named == A[:8] else A)


def test_several_items_are_one_array(shoal, peer):
    peer.answers[Pause] = lambda request: [Done(0, request.content)]
    assert shoal("-q", "--json", "pause", A, P).data == [{"id": A}, {"id": P}]


def test_what_is_no_id_is_refused_before_anything_is_asked(shoal, peer):
    done = shoal("pause", A, "ubuntu")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("shoal: ERR_USAGE: expected a content id")
    assert peer.asked == []


def test_data_is_deleted_only_when_that_was_said(shoal, peer):
    peer.answers[Remove] = lambda request: [Done(0, A)]
    shoal("remove", A)
    shoal("remove", A, "--data", "--yes")
    assert [request.data for request in peer.asked] == [False, True]


def test_nobody_to_ask_is_an_error_and_deletes_nothing(shoal, peer, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = shoal("remove", A, "--data")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert peer.asked == []


def test_ls_prints_the_documented_keys(shoal, peer):
    peer.state = [SHARED]
    assert shoal("ls", "--json").data == [
        {"id": A, "name": "iso", "kind": "file", "size": 100, "bytes_done": 100, "progress": 1.0, "state": "seeding",
         "up_rate": 0.0, "down_rate": 0.0, "error": "", "path": "/iso", "origin": "shared",
         "uploaded": 0}
    ]  # fmt: skip
    head, row = shoal("ls").out.splitlines()
    assert head.split() == ["ID", "NAME", "SIZE", "DONE", "STATE", "UP", "DOWN"]
    assert row.split() == [A, "iso", "100", "B", "100%", "seeding", "-", "-"]


def test_ls_prints_an_error_on_a_line_of_its_own(shoal, peer):
    peer.state = [msgspec.structs.replace(SHARED, state="error", error="the file is gone")]
    _, row, error = shoal("ls").out.splitlines()
    assert row.split()[-3:] == ["error", "-", "-"]
    assert error == "  the file is gone"


def test_status_prints_the_documented_keys(shoal, peer):
    peer.state = [
        PeerStarted("north", P, "0.1", 0.0, "tcp://h:1", "/d"),
        TrackerReached("tcp://t:1", A, "reached", ""),
        MetricsSample({"uptime_seconds": 5.0, "up_rate": 1.0, "down_rate": 2.0, "disk_free": 1024.0}),
    ]
    found = shoal("status", "--json").data
    assert list(found)[:8] == ["name", "id", "version", "uptime", "trackers", "up_rate", "down_rate", "disk_free"]
    assert (found["uptime"], found["disk_free"]) == (5.0, 1024)
    assert found["trackers"] == [{"endpoint": "tcp://t:1", "state": "reached", "reason": ""}]
    assert "tracker    tcp://t:1  reached" in shoal("status").out


def test_status_shows_the_limits(shoal, peer):
    peer.state = [PeerStarted("north", P, "0.1", 0.0, "tcp://h:1", "/d"), LimitsChanged("", 2 * 2**20, 0)]
    assert shoal("status", "--json").data["limits"] == {"up": 2 * 2**20, "down": 0}
    assert "limits     up 2 MiB/s, down unlimited" in shoal("status").out


EXPLAINED = Explained(
    0, A, "iso", "downloading", "rate_limit", "all downloads together are limited to 1 MiB/s", 1048576.0, 40, 30,
    524288, 0, 1048576, "all",
    [SourceExplained(P, "rate_limit", "our own limit lets it send no faster", 1e6, 40, 524288, 7, 0)],
)  # fmt: skip


def test_explain_prints_the_cause_the_numbers_and_every_source(shoal, peer):
    peer.answers[Explain] = lambda request: [EXPLAINED]
    head, cause, numbers, _, row, why = shoal("explain", A[:8]).out.splitlines()
    assert (head, cause) == (
        "iso: downloading, 1 MiB/s",
        "rate limit: all downloads together are limited to 1 MiB/s",
    )
    assert numbers == (
        "missing: 40 chunks, 30 of them asked of nobody; 512 KiB to come, 0 B to be written; limit 1 MiB/s"
    )
    assert row.split() == [P, "rate", "limit", "976.6", "KiB/s", "40", "512", "KiB", "7", "B"]
    assert why == "  our own limit lets it send no faster"
    found = shoal("explain", A[:8], "--json").data
    assert (found["id"], found["cause"], found["limit"], found["limit_of"]) == (A, "rate_limit", 1048576, "all")
    assert found["sources"][0] == {
        "peer": P, "cause": "rate_limit", "text": "our own limit lets it send no faster", "rate": 1e6, "chunks": 40,
        "to_come": 524288, "credit": 7, "unwritten": 0,
    }  # fmt: skip


def test_peers_prints_the_documented_keys(shoal, peer):
    peer.state = [LinkIsUp(P, "south", "10.0.0.1", True, 1.0, 2.0, 3, 4, "")]
    (row,) = shoal("peers", "--json").data
    assert list(row)[:7] == ["peer", "address", "up_rate", "down_rate", "sent", "received", "score"]
    assert row["score"] == 0.5
    assert P in shoal("peers").out


def test_reputation_prints_scores_and_what_made_them(shoal, peer):
    peer.state = [ReputationChanged(P, 0.62, ["newcomer"], {"TIMED_OUT": 2}, "TIMED_OUT")]
    assert shoal("reputation", "--json").data == [
        {"peer": P, "score": 0.62, "flags": ["newcomer"], "events": {"TIMED_OUT": 2}}
    ]
    assert shoal("reputation").out.splitlines()[1].split() == [P, "0.620", "newcomer", "TIMED_OUT:2"]


def test_a_score_is_explained_by_its_events(shoal, peer):
    event = ReputationEvent("2030-01-01T00:00:00Z", "SUCCESSFUL_UPLOAD", A, 64, 0.01, 0.51)
    peer.answers[ExplainReputation] = lambda request: [ReputationExplained(0, P, 0.51, [event])]
    found = shoal("reputation", "--explain", P[:8], "--json").data
    assert [list(row) for row in found] == [["time", "type", "content", "bytes", "change", "score"]]
    assert shoal("reputation", "--explain", P[:8]).out.splitlines()[-1] == f"{P} has 0.5100"
    assert peer.asked[0].peer == P[:8]


def test_an_explanation_says_what_the_user_decided(shoal, peer):
    event = ReputationEvent("2030-01-01T00:00:00Z", "BLOCKED", "", 0, 0.0, 0.5)
    peer.answers[ExplainReputation] = lambda request: [ReputationExplained(0, P, 0.5, [event], "blocked")]
    last = shoal("reputation", "--explain", P).out.splitlines()[-1]
    assert last == f"{P} has 0.5000; you blocked it, whatever its score"


@pytest.mark.parametrize("option", ["--explain", "--trust", "--block", "--clear", "--forget"])
def test_about_reputation_a_peer_is_named_by_its_id(shoal, peer, option):
    assert shoal("reputation", option, "south").code == 2
    assert peer.asked == []


@pytest.mark.parametrize("verdict", ["trust", "block", "clear", "forget"])
def test_a_verdict_is_sent_and_said(shoal, peer, verdict):
    peer.answers[JudgePeer] = lambda request: [Done(0, P)]
    done = shoal("reputation", f"--{verdict}", P[:8].upper(), "--json")
    assert done.data == {"peer": P, "verdict": verdict}
    assert done.err.startswith(f"shoal: {P} is ")
    assert peer.asked == [JudgePeer(1, P[:8], verdict)]


def test_one_verdict_at_a_time(shoal, peer):
    assert shoal("reputation", "--trust", P, "--block", A).code == 2
    assert shoal("reputation", "--explain", P, "--block", A).code == 2
    assert peer.asked == []


@pytest.mark.parametrize(("code", "exit_code"), [(ERR_NOT_FOUND, 3), (ERR_REFUSED, 7)])
def test_what_the_peer_refuses_is_told_in_its_words(shoal, peer, code, exit_code):
    peer.answers[Pause] = lambda request: [ControlFailed(0, code, "no such item")]
    assert shoal("pause", A, "--json") == (exit_code, "", f"shoal: {code}: no such item\n")


def test_a_peer_that_does_not_run_is_unreachable_by_name_of_its_socket(shoal):
    done = shoal("ls", "--json")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("shoal: ERR_UNREACHABLE: ")
    assert shoal.places.control in done.err
    assert "shoal up" in done.err


def test_a_peer_that_is_not_configured_is_not_found(shoal):
    done = shoal("ls", "--peer", "west")
    assert done.code == 3
    assert done.err == "shoal: ERR_NOT_FOUND: peer 'west' is not in the configuration; its peers are: north\n"


def test_a_peer_that_only_its_folder_knows_is_asked(shoal, peer, tmp_path):
    shoal.config.write_text("peers: [{name: other}]\n")
    assert shoal("ls", "--peer", "north").code == 0


def test_the_environment_picks_the_peer_unless_the_command_line_does(shoal, peer, monkeypatch):
    monkeypatch.setenv("SHOAL_PEER", "west")
    assert shoal("ls").code == 3
    assert shoal("--peer", "north", "ls").code == 0


def test_a_wrong_configuration_is_one_line(shoal):
    shoal.config.write_text("nonsense: 1\n")
    done = shoal("ls")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "nonsense" in done.err
