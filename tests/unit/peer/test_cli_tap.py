"""`shoal tap` shows what a process publishes, and its recordings can be shown again."""

from __future__ import annotations

import json

import msgspec
import pytest

from bus.codec import encode_event
from bus.events import ChunkRejected, Envelope, PeerStopping
from bus.tap import WireRecord
from peer.cli.tapping import as_text
from tests.kit.announcer import Announcer
from tests.kit.command_line import CommandLine

A, P = "a" * 64, "1" * 64
EVENTS = [
    Envelope(7, 1, 0.0, P, "chunk.rejected", {"content": A, "chunk": 3, "peer": P}),
    Envelope(7, 1, 1.0, P, "peer.stopping", {"reason": "\x1b[2J"}),
]
WIRE = [
    WireRecord(0.0, "in", "data", 37, "Want", P, 90, 1, 0, ""),
    WireRecord(1.0, "out", "data", 39, "Data", P, 9000, 1, 512, ""),
    WireRecord(2.0, "event", "data", 0, "", P, 0, 0, 0, "lost: reset"),
]


@pytest.fixture
def shoal(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in EVENTS))
    return str(path)


@pytest.fixture
def recorded_wire(tmp_path):
    path = tmp_path / "wire.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in WIRE))
    return str(path)


def event_frames():
    return [
        encode_event(ChunkRejected(A, 3, P), 7, 1, 0.0, P),
        encode_event(PeerStopping("\x1b[2J"), 7, 1, 1.0, P),
    ]


def lines(done):
    return [json.loads(line) for line in done.out.splitlines()]


def test_events_are_one_envelope_a_line(shoal):
    with Announcer(shoal.places.events, event_frames()):
        done = shoal("tap", "--count", "2", "--json")
        assert done.code == 0
        assert lines(done) == [msgspec.to_builtins(event) for event in EVENTS]
        assert list(lines(done)[0]) == ["epoch", "seq", "time", "source", "type", "data"]


def test_a_topic_picks_events_by_their_beginning(shoal):
    with Announcer(shoal.places.events, event_frames()):
        assert lines(shoal("tap", "--topic", "peer", "--count", "1", "--json"))[0]["type"] == "peer.stopping"


def test_wire_shows_message_headers(shoal):
    with Announcer(shoal.places.wire, [[b"wire", msgspec.msgpack.encode(record)] for record in WIRE]):
        done = shoal("tap", "--wire", "--count", "3", "--json")
        assert lines(done) == [msgspec.to_builtins(record) for record in WIRE]
        assert lines(shoal("tap", "--wire", "--topic", "Data", "--count", "1", "--json"))[0]["message"] == "Data"


def test_an_endpoint_is_any_process(shoal, tmp_path):
    with Announcer(f"ipc://{tmp_path}/other", event_frames()):
        assert shoal("tap", "--endpoint", f"ipc://{tmp_path}/other", "--count", "1", "--json").code == 0


@pytest.mark.usefixtures("recorded")
def test_a_recording_is_what_was_shown(shoal, tmp_path):
    with Announcer(shoal.places.events, event_frames()):
        assert shoal("tap", "--count", "2", "-q", "--record", str(tmp_path / "new")) == (0, "", "")
        assert (tmp_path / "new").read_text() == (tmp_path / "events.jsonl").read_text()


def test_a_recording_is_shown_again(shoal, recorded, recorded_wire):
    assert lines(shoal("tap", "--replay", recorded, "--json")) == [msgspec.to_builtins(event) for event in EVENTS]
    assert len(lines(shoal("tap", "--replay", recorded, "--json", "--topic", "chunk"))) == 1
    assert len(lines(shoal("tap", "--replay", recorded_wire, "--wire", "--json"))) == 3


def test_a_recording_is_never_recorded_over_by_itself(shoal, recorded, tmp_path):
    before = (tmp_path / "events.jsonl").read_bytes()
    (tmp_path / "link").symlink_to("events.jsonl")
    for target in (recorded, str(tmp_path / "link")):
        done = shoal("tap", "--replay", recorded, "--record", target)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("shoal: ERR_USAGE: ")
        assert (tmp_path / "events.jsonl").read_bytes() == before
    assert shoal("tap", "--replay", recorded, "-q", "--record", str(tmp_path / "copy")).code == 0
    assert (tmp_path / "copy").read_bytes() == before


def test_what_is_no_recording_is_one_error(shoal, recorded_wire, tmp_path):
    done = shoal("tap", "--replay", recorded_wire)
    assert (done.code, done.out) == (1, "")
    assert "line 1 is no recorded event" in done.err
    assert "--wire" in done.err
    assert shoal("tap", "--replay", str(tmp_path / "missing")).err.startswith("shoal: ERR_UNREADABLE: ")


def test_a_process_that_does_not_run_is_unreachable(shoal):
    for choice in ([], ["--wire"], ["--tracker"], ["--endpoint", "tcp://127.0.0.1:1"]):
        done = shoal("tap", *choice)
        assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
        assert "nothing publishes at" in done.err


@pytest.mark.parametrize(
    "arguments",
    [["--endpoint", "nonsense"], ["--endpoint", "tcp://h"], ["--tracker", "--endpoint", "ipc:///x"],
     ["--replay", "x", "--tracker"]],
)  # fmt: skip
def test_a_wrong_choice_is_a_usage_error(shoal, arguments):
    done = shoal("tap", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("shoal: ERR_USAGE: ")


def test_text_is_one_line_that_no_terminal_obeys():
    shown = [*map(as_text, EVENTS), *map(as_text, WIRE)]
    assert all(line.isprintable() for line in shown)
    assert shown[0].endswith(f"11111111 chunk.rejected content='{A}' chunk=3 peer='{P}'")
    assert shown[3].endswith("out   data    11111111 Data 9000 B stream 1 at 512")
    assert shown[4].endswith("event data    11111111 lost: reset")


def test_people_are_shown_the_beginning_of_a_long_value():
    long = msgspec.structs.replace(EVENTS[0], data={"have": "0" * 5000, "error": ""})
    assert as_text(long).endswith(f" have='{'0' * 196}... error=''")
