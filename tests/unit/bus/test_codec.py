"""Frames to records and back: the golden bytes, and one refusal for each rule."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgpack
import msgspec
import pytest
from msgspec import inspect

from bus import events, messages
from bus.codec import (
    MAX_DEPTH,
    MAX_FRAMES,
    decode,
    decode_envelope,
    encode,
    encode_event,
    event_of,
    events_of,
    number_of,
    rows_of,
)
from bus.errors import RemoteProtocolError
from bus.events import Envelope, PeerStopping, SwarmHasChanged
from bus.messages import BOTH, BY_NUMBER, CLIENT, MAX_DATA_PAYLOAD, Channel, Data, Have, Hello, Message, Ping, Want
from tests.unit.bus.make_golden_vectors import FILE

VECTORS: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
PING = encode(Ping(1))


def refused(frames: list[bytes], channel: Channel = "data", sender: str = CLIENT) -> str:
    """The reason for which these frames are refused."""
    with pytest.raises(RemoteProtocolError) as raised:
        decode(frames, channel, sender)
    return str(raised.value)


def frames_of(number: int, fields: object) -> list[bytes]:
    return [bytes([1, 0, number]), msgpack.packb(fields)]


# --- golden vectors ---------------------------------------------------------------------------


def test_every_declared_message_has_a_golden_vector_and_no_other_has():
    assert {int(number) for number in VECTORS} == set(BY_NUMBER)
    assert {vector["message"] for vector in VECTORS.values()} == {row.type.__name__ for row in BY_NUMBER.values()}


@pytest.mark.parametrize("number", VECTORS, ids=[vector["message"] for vector in VECTORS.values()])
def test_a_message_has_exactly_its_golden_bytes(number: str):
    vector, row = VECTORS[number], BY_NUMBER[int(number)]
    message = msgspec.convert(vector["fields"], row.type)
    frames = [bytes.fromhex(vector["header"]), bytes.fromhex(vector["body"])]
    assert encode(message) == frames
    payload = [bytes(vector["payload_bytes"])] if "payload_bytes" in vector else []
    for sender in ("client", "server"):
        if row.sender in (sender, BOTH):
            assert decode([*frames, *payload], row.channel, sender) == message
        else:
            assert "does not belong" in refused(frames, row.channel, sender)


@pytest.mark.parametrize("number", VECTORS, ids=[vector["message"] for vector in VECTORS.values()])
def test_the_bytes_are_those_of_the_msgpack_library(number: str):
    fields = msgspec.convert(VECTORS[number]["fields"], BY_NUMBER[int(number)].type)
    plain = msgspec.to_builtins(fields, builtin_types=(bytes,))
    assert bytes.fromhex(VECTORS[number]["body"]) == msgpack.packb(plain)


# --- the header and the frames ----------------------------------------------------------------


def test_an_unknown_number_is_nothing_whatever_its_body():
    assert decode([b"\x01\xff\xff", b"\xc1"], "data", CLIENT) is None
    assert decode([b"\x01\xff\xff", *[b""] * (MAX_FRAMES - 1)], "data", CLIENT) is None


def test_another_version_says_whom_to_upgrade():
    assert "version 2, this program 1: upgrade this program" in refused([b"\x02\x00\x2c", PING[1]])
    assert "version 0, this program 1: upgrade the program of the other side" in refused([b"\x00\x00\x2c", PING[1]])


@pytest.mark.parametrize("header", [b"", b"\x01", b"\x01\x00", b"\x01\x00\x2c\x00"])
def test_a_header_of_another_length_is_refused(header: bytes):
    assert f"a header has {len(header)} bytes, not 3" in refused([header, PING[1]])


@pytest.mark.parametrize("count", [0, 1, MAX_FRAMES + 1, 1000])
def test_too_few_and_too_many_frames_are_refused(count: int):
    assert f"a message has {count} frames" in refused([b"\x01\xff\xff"] * count)


def test_a_known_number_has_its_frames_and_no_more():
    assert "has 3 frames, not 2" in refused([*PING, b""])
    assert "has 1 frames, not 2" in refused(PING[:1])
    data = encode(Data(1, 0, 1, [(0, 0, 5)]))
    assert "has 2 frames, not 3" in refused(data)


@pytest.mark.parametrize(("channel", "sender"), [("tracker", "client"), ("control", "server"), ("data", "server")])
def test_a_message_of_another_channel_is_refused(channel: Channel, sender: str):
    search = encode(messages.Search(1, "x", 1))
    if channel != "tracker":
        assert f"message 8 does not belong on the {channel} channel from a {sender}" in refused(search, channel, sender)
    assert "message 8 does not belong on the tracker channel from a server" in refused(search, "tracker", "server")


def test_a_proof_is_of_its_own_channel_and_never_reaches_a_link():
    prove = encode(messages.Prove(bytes(64)))
    assert "message 61 does not belong on the data channel from a client" in refused(prove)
    assert "message 44 does not belong on the proof channel from a client" in refused(PING, "proof")
    assert decode(prove, "proof", CLIENT) == messages.Prove(bytes(64))


def test_the_payload_is_as_long_as_its_parts_say_and_no_longer_than_the_limit():
    data = encode(Data(1, 0, 1, [(0, 0, 5), (1, 0, 3)]))
    assert decode([*data, bytes(8)], "data", CLIENT) == Data(1, 0, 1, [(0, 0, 5), (1, 0, 3)])
    assert "a payload has 7 bytes; its parts add up to 8" in refused([*data, bytes(7)])
    long = encode(Data(1, 0, 1, [(0, 0, MAX_DATA_PAYLOAD), (1, 0, 1)]))
    assert f"{MAX_DATA_PAYLOAD} are allowed" in refused([*long, bytes(MAX_DATA_PAYLOAD + 1)])


# --- the body ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x81\xa5nonce",
        msgpack.packb({"nonce": 1}) + b"\0",
        msgpack.packb([1]),
        msgpack.packb(7),
        msgpack.packb(None),
        msgpack.packb({1: 1}),
        msgpack.packb({"nonce": msgpack.ExtType(5, b"")}),
        msgpack.packb({"nonce": msgpack.Timestamp(1)}),
        b"\x81\xa5nonce\xa1\xff",
        b"\x81" * 2000,
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa5nonce\xdd\x7f\xff\xff\xff",
        b"\x81\xa5nonce\xdb\x7f\xff\xff\xff",
        msgpack.packb({"nonce": "x" * 5000}),
        msgpack.packb({f"key{index}": 1 for index in range(65)}),
        msgpack.packb({"nonce": [0] * 8193}),
    ],
)
def test_a_body_that_is_not_the_expected_msgpack_is_refused(body: bytes):
    assert "a body is" in refused([PING[0], body])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"nonce": "1"},
        {"nonce": -1},
        {"nonce": 2**63},
        {"nonce": 1.5},
        {"nonce": True},
        {"nonce": None},
        {"nonce": {}},
    ],
)
def test_a_field_that_is_missing_or_not_as_declared_is_refused(fields: dict[str, object]):
    assert "message 44: " in refused([PING[0], msgpack.packb(fields)])


def test_text_is_no_substitute_for_bytes():
    have = Have("a" * 64, 0, b"\x01")
    fields = msgspec.to_builtins(have, builtin_types=(bytes,))
    assert decode(frames_of(33, fields), "data", CLIENT) == have
    assert "Expected `bytes`" in refused(frames_of(33, {**fields, "bits": "AQ=="}))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
def test_a_number_that_is_not_finite_is_refused(number: float):
    fields = {"request": 1, "status": "ok", "lease": number}
    assert "message 5: " in refused(frames_of(5, fields), "tracker", "server")
    explained = {"request": 1, "peer": "a" * 64, "score": number, "events": []}
    assert "message 79: " in refused(frames_of(79, explained), "control", "server")


def test_unknown_fields_are_passed_over():
    known = {"software": "s", "name": "n"}
    assert decode(frames_of(32, {**known, "colour": {"deep": [1, 2]}}), "data", CLIENT) == Hello("s", "n")


def test_an_unknown_field_may_be_nested_to_a_limit():
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value]
        return value

    known = {"software": "s", "name": "n"}
    assert decode(frames_of(32, {**known, "x": nested(MAX_DEPTH)}), "data", CLIENT) == Hello("s", "n")
    too_deep = f"nested more than {MAX_DEPTH} levels"
    assert too_deep in refused(frames_of(32, {**known, "x": nested(MAX_DEPTH + 1)}))
    assert too_deep in refused(frames_of(32, {**known, "x": nested(1000)}))


def test_the_longest_lists_that_are_declared_pass_the_limits_of_msgpack():
    want: Message = Want(1, 1, "a" * 64, [(index * 2, 1) for index in range(8192)])
    assert decode(encode(want), "data", CLIENT) == want
    have = Have("a" * 64, 0, bytes(2**19))
    assert decode(encode(have), "data", CLIENT) == have
    entry = messages.ContentEntry("a" * 64, "n" * 255, "file", 1, True)
    announce = messages.Announce(1, messages.Version(1, 1), [entry] * 1000, ["b" * 64] * 1000)
    assert decode(encode(announce), "tracker", CLIENT) == announce
    rows: list[tuple[str, dict[str, object]]] = [("swarm.changed", {"content": "x"})] * 10_000
    page = messages.SnapshotPage(1, 1, 0, True, 1, {"swarm": 1}, rows)
    assert decode(encode(page), "control", "server") == page


def test_the_longest_order_of_an_experiment_is_read():
    order = messages.Instruct(1, "x" * 2**15)
    assert decode(encode(order), "control", CLIENT) == order


def longest_text(kind: inspect.Type) -> int:
    """Characters of the longest text inside a declared type."""
    match kind:
        case inspect.StructType():
            return max((longest_text(field.type) for field in kind.fields), default=0)
        case inspect.ListType():
            return longest_text(kind.item_type)
        case inspect.TupleType():
            return max(map(longest_text, kind.item_types))
        case inspect.StrType():
            return kind.max_length or 0
    return 0


@pytest.mark.parametrize("number", VECTORS, ids=[vector["message"] for vector in VECTORS.values()])
@pytest.mark.parametrize("letter", ["x", "🐟"])
def test_the_longest_text_that_is_declared_passes_the_limits_of_msgpack(number: str, letter: str):
    vector, row = VECTORS[number], BY_NUMBER[int(number)]
    # In a field that nobody knows, so that one text serves all records; a request has 64 KiB at most.
    text = letter * min(longest_text(inspect.type_info(row.type)), 2**16 // len(letter.encode()))
    fields = msgspec.msgpack.decode(bytes.fromhex(vector["body"])) | {"unknown": text}
    payload = [bytes(vector["payload_bytes"])] if "payload_bytes" in vector else []
    for sender in ("client", "server") if row.sender == BOTH else (row.sender,):
        message = decode([*frames_of(int(number), fields), *payload], row.channel, sender)
        assert message == msgspec.convert(vector["fields"], row.type)


def unlimited(kind: inspect.Type, path: str) -> list[str]:
    """The lists and maps inside a declared type that may have any length, and what is of no declared type."""
    if isinstance(kind, inspect.StructType):
        return [one for field in kind.fields for one in unlimited(field.type, f"{path}.{field.name}")]
    if isinstance(kind, inspect.ListType):
        return ([path] if kind.max_length is None else []) + unlimited(kind.item_type, f"{path}[]")
    if isinstance(kind, inspect.TupleType | inspect.UnionType):
        inner = kind.item_types if isinstance(kind, inspect.TupleType) else kind.types
        return [one for part in inner for one in unlimited(part, path)]
    plain = inspect.BoolType | inspect.IntType | inspect.FloatType | inspect.StrType | inspect.BytesType
    return [] if isinstance(kind, plain | inspect.LiteralType | inspect.NoneType) else [path]


def test_every_list_in_what_strangers_send_has_a_limit_so_that_it_may_be_read_straight():
    rows = [row for row in BY_NUMBER.values() if row.channel != "control"]
    assert [one for row in rows for one in unlimited(inspect.type_info(row.type), row.type.__name__)] == []


@pytest.mark.parametrize("extra", [{}, {"colour": "red"}])
def test_a_list_over_its_limit_is_refused_before_there_is_room_for_it(extra: dict[str, object]):
    fields = {"request": 1, "version": {"epoch": 1, "n": 1}, **extra, "added": [], "removed": []}
    body = msgpack.packb(fields).replace(b"\xa5added\x90", b"\xa5added\xdd\x7f\xff\xff\xff")
    tracemalloc.start()
    refused([b"\x01\x00\x02", body], "tracker")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def test_the_number_of_a_message_is_the_declared_one():
    assert number_of(Ping(1)) == 44
    assert PING[0] == b"\x01\x00\x2c"


# --- events -----------------------------------------------------------------------------------


def test_an_event_travels_in_its_envelope():
    event = SwarmHasChanged("c", 2, 3)
    topic, body = encode_event(event, 2**63 - 1, 7, 1.5, "me")
    envelope = decode_envelope([topic, body])
    assert topic == b"swarm.changed"
    fields = {"content": "c", "seeds": 2, "leechers": 3}
    assert envelope == Envelope(2**63 - 1, 7, 1.5, "me", "swarm.changed", fields)
    assert event_of(envelope) == event


def test_an_event_of_an_unknown_type_is_nothing_and_one_of_a_known_type_is_checked():
    assert event_of(Envelope(1, 1, 0.0, "x", "weather.changed", {})) is None
    with pytest.raises(RemoteProtocolError, match="event swarm"):
        event_of(Envelope(1, 1, 0.0, "x", "swarm.changed", {"content": 1}))


def test_an_envelope_under_another_topic_is_refused():
    _, body = encode_event(PeerStopping("x"), 1, 1, 0.0, "me")
    for frames in (
        [b"swarm.changed", body],
        [b"peer.stopping"],
        [b"peer.stopping", body, b""],
        [b"peer.stopping", b"\xc1"],
    ):
        with pytest.raises(RemoteProtocolError):
            decode_envelope(frames)


def test_rows_give_the_events_back_and_unknown_ones_are_left_out():
    published = [SwarmHasChanged("c", 2, 3), PeerStopping("x")]
    rows = rows_of(published)
    assert [topic for topic, _ in rows] == ["swarm.changed", "peer.stopping"]
    assert events_of([*rows, ("weather.changed", {"x": 1})]) == published


def test_every_declared_event_survives_its_envelope():
    from tests.unit.bus.make_golden_vectors import example

    for row in events.BY_TOPIC.values():
        event = example(msgspec.inspect.type_info(row.type), 3)
        assert event_of(decode_envelope(encode_event(event, 1, 1, 0.0, "me"))) == event
