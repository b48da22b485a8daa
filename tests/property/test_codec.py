"""Any message survives its frames; any bytes are a message, or nothing, or a RemoteProtocolError."""

from __future__ import annotations

import time
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgpack
import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta

from bus.codec import _READERS, _read_slowly, _read_straight, decode, decode_envelope, encode, event_of
from bus.errors import RemoteProtocolError
from bus.messages import BOTH, BY_NUMBER, Channel, Data, Declared, Message
from tests.unit.bus.make_golden_vectors import vector

SIDES: list[tuple[Channel, str]] = [
    (channel, sender) for channel in ("tracker", "data", "control", "proof") for sender in ("client", "server")
]


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type, within what its annotation allows."""
    if get_origin(annotation) is Annotated:
        base, *rest = get_args(annotation)
        limits = {
            name: getattr(meta, name)
            for meta in rest
            if isinstance(meta, Meta)
            for name in ("ge", "le", "lt", "multiple_of", "max_length", "min_length", "pattern")
            if getattr(meta, name) is not None
        }
        return limited(base, limits)
    return limited(annotation, {})


def limited(base: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    if get_origin(base) is Annotated:
        return values(base)
    if base is int:
        return integers(limits)
    if base is float:
        return st.floats(limits.get("ge", -1e9), limits.get("le", 1e9))
    if base is str:
        if "pattern" in limits:
            return st.text("0123456789abcdef", min_size=64, max_size=64)
        return st.text(max_size=min(limits.get("max_length", 20), 20))
    if base is bytes:
        low = limits.get("min_length", 0)
        return st.binary(min_size=low, max_size=max(low, 100) if low < limits.get("max_length", 100) else low)
    return compound(base, limits)


def integers(limits: dict[str, Any]) -> st.SearchStrategy[int]:
    top = limits["lt"] - 1 if "lt" in limits else limits.get("le", 2**63 - 1)
    step = limits.get("multiple_of", 1)
    return st.integers(-(-limits.get("ge", -(2**63)) // step), top // step).map(lambda value: value * step)


def compound(base: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(base), get_args(base)
    if origin is list:
        low = limits.get("min_length", 0)
        return st.lists(values(inner[0]), min_size=low, max_size=max(low, 4))
    if origin is tuple:
        return st.tuples(*map(values, inner))
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), values(inner[1]), max_size=4)
    if origin in (Union, UnionType):
        return st.one_of(*map(values, inner))
    if base is type(None):
        return st.none()
    if base is bool:
        return st.booleans()
    if base is object:
        return st.recursive(
            st.none() | st.integers(-9, 9) | st.text(max_size=5), lambda leaf: st.lists(leaf, max_size=3)
        )
    if hasattr(base, "__struct_fields__"):
        hints = get_type_hints(base, include_extras=True)
        return st.builds(base, *(values(hints[name]) for name in base.__struct_fields__))
    return st.sampled_from(get_args(base))


def frames_for(message: Message) -> list[bytes]:
    if isinstance(message, Data):
        return [*encode(message), bytes(sum(length for _, _, length in message.parts))]
    return encode(message)


def small_enough(message: Message) -> bool:
    return not isinstance(message, Data) or sum(length for _, _, length in message.parts) <= 2**20


MESSAGES = st.sampled_from(list(BY_NUMBER.values())).flatmap(
    lambda row: st.tuples(st.just(row), values(row.type).filter(small_enough))
)


@given(MESSAGES)
def test_every_message_is_what_it_was_after_its_frames(declared: tuple[Declared, Message]):
    row, message = declared
    for sender in ("client", "server") if row.sender == BOTH else (row.sender,):
        assert decode(frames_for(message), row.channel, sender) == message


def judged(frames: list[bytes]) -> None:
    """On every channel from every side: a message, nothing, or the one error."""
    for channel, sender in SIDES:
        began = time.thread_time()
        try:
            message = decode(frames, channel, sender)
        except RemoteProtocolError as error:
            assert "\n" not in str(error)  # noqa: PT017 - any other exception fails the test by itself
            message = None
        assert time.thread_time() - began < 0.5
        assert message is None or type(message) in {row.type for row in BY_NUMBER.values()}


@given(st.lists(st.binary(max_size=200), max_size=10))
@example([b"\x01\x00\x20", b"\x81" * 5000])
@example([b"\x01\x00\x20", b"\xde\xff\xff"])
def test_any_frames_are_judged(frames: list[bytes]):
    judged(frames)


@given(st.sampled_from(sorted(BY_NUMBER)), st.binary(max_size=200), st.binary(max_size=20))
def test_any_body_of_a_known_number_is_judged(number: int, body: bytes, payload: bytes):
    judged([bytes([1, 0, number]), body])
    judged([bytes([1, 0, number]), body, payload])


@given(st.sampled_from(sorted(BY_NUMBER)), st.data())
def test_a_message_with_changed_bytes_is_judged(number: int, data: st.DataObject):
    entry = vector(number)
    body = bytearray(bytes.fromhex(str(entry["body"])))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    header = bytes.fromhex(str(entry["header"]))
    judged([header, bytes(body)])
    judged([header, bytes(body[:cut])])


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=70)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)


@given(st.sampled_from(list(BY_NUMBER.values())), st.data())
def test_a_map_with_the_right_names_and_any_values_is_judged(row: Declared, data: st.DataObject):
    fields = data.draw(st.fixed_dictionaries(dict.fromkeys(row.type.__struct_fields__, ANYTHING)))
    judged([bytes([1, 0, row.number]), msgpack.packb(fields)])


@given(st.binary(max_size=300))
def test_any_bytes_are_an_envelope_or_the_one_error(body: bytes):
    for topic in (b"", b"swarm.changed"):
        try:
            event_of(decode_envelope([topic, body]))
        except RemoteProtocolError:
            continue


# Of a record whose fields may be left out, an unknown field can take the place of one; nobody looks at it then.
COMPLETE = [
    number for number, row in sorted(BY_NUMBER.items()) if all(one.required for one in msgspec.structs.fields(row.type))
]


@given(st.sampled_from(COMPLETE), st.data())
def test_reading_a_body_straight_gives_what_reading_it_slowly_gives(number: int, data: st.DataObject):
    body = bytearray(bytes.fromhex(str(vector(number)["body"])))
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    row = BY_NUMBER[number]
    sender = "client" if row.sender == BOTH else row.sender
    reader = _READERS[row.channel, sender][bytes([1, 0, number])]
    assert reader is not None
    straight = _read_straight(reader, bytes(body))
    if straight is None:
        return
    slowly: Message | str
    try:
        slowly = _read_slowly(reader, bytes(body))
    except RemoteProtocolError as error:
        slowly = str(error)
    # The name of a field that nobody knows is passed over unread.
    assert straight == slowly or "'utf-8' codec" in str(slowly)
