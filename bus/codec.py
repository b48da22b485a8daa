"""Frames to typed records and back, with every limit set before anything is allocated.

    message   [header, body]            or, for data, [header, body, payload]
    header    version u8, number u16, big-endian
    body      msgpack map of the fields
    event     [topic, envelope]         the envelope is a msgpack map, its type repeats the topic

Unknown numbers and unknown fields are skipped, so that a newer program can talk to an older
one.  Everything else that is not as declared in `bus/messages.py` is a RemoteProtocolError.

The number in the header picks the record before the body is looked at: converting to a union
of all records costs eight times as much.  A body with as many fields as the record is read
straight into it, in a quarter of the time; msgspec looks at the limits of the types before it
makes room for a value.  Whatever that does not take (unknown fields, something wrong) is read
again with msgpack's own limits, and that reading decides.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, Final, NamedTuple, NoReturn

import msgpack
import msgspec

from bus import events, messages
from bus.errors import RemoteProtocolError
from bus.events import Envelope, Event
from bus.messages import BOTH, MAX_DATA_PAYLOAD, PROTOCOL_VERSION, Channel, Data, Message

MAX_FRAMES: Final = 8
"""Frames of one message; a newer version may add some, so unknown numbers may have this many."""
MAX_DEPTH: Final = 8
"""Levels of nesting in fields that this program does not know."""

_HEADER: Final = struct.Struct(">BH")
_FIXMAP: Final = 0x80
_FIXMAP_FIELDS: Final = 16
"""msgpack's first byte of a map of fewer fields than this is _FIXMAP and their number."""


class BodyLimits(NamedTuple):
    """What msgpack may build from one body; the records' own limits are checked after it."""

    array: int
    map: int
    text: int
    binary: int


_LIMITS: Final[dict[tuple[Channel, str], BodyLimits]] = {
    # Longest by sender: a page of 1,000 contents; 200 search results or 50 peers of 24 addresses each.
    ("tracker", "client"): BodyLimits(1000, 64, 4096, 4096),
    ("tracker", "server"): BodyLimits(1000, 64, 4096, 4096),
    # A want of 8,192 ranges; a have-map of 2^22 bits.
    ("data", "client"): BodyLimits(8192, 64, 4096, 2**19),
    ("data", "server"): BodyLimits(8192, 64, 4096, 2**19),
    # A key, a nonce, a signature, from anybody.
    ("proof", "client"): BodyLimits(64, 64, 4096, 4096),
    ("proof", "server"): BodyLimits(64, 64, 4096, 4096),
    # From our own programs: an order of 2^15 characters, a path of 4,096; a body has 64 KiB at most.
    ("control", "client"): BodyLimits(1000, 64, 2**16, 4096),
    # Towards a client of the control socket: a snapshot's page of at most 256 KiB, from our own peer.
    ("control", "server"): BodyLimits(2**14, 4096, 2**16, 4096),
}


class _Reader(NamedTuple):
    """All that decoding one kind of message takes, looked up once."""

    number: int
    fields: frozenset[str]
    frames: int
    unpack: Callable[[bytes], object]
    """With the limits of the channel and the sending side."""
    convert: Callable[[object], Message]
    shape: int
    """First byte of a body with exactly the declared fields; -1 if this record is never read straight."""
    read: Callable[[bytes], Message]
    """From such a body straight to the record."""


def _refuse_extension(code: int, _data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} is not used")


def _unpacker(limits: BodyLimits) -> Callable[[bytes], object]:
    return functools.partial(
        msgpack.unpackb,
        raw=False,
        strict_map_key=True,
        ext_hook=_refuse_extension,
        max_ext_len=0,
        max_array_len=limits.array,
        max_map_len=limits.map,
        max_str_len=limits.text,
        max_bin_len=limits.binary,
    )


def _reader(row: messages.Declared, unpack: Callable[[bytes], object]) -> _Reader:
    declared = msgspec.structs.fields(row.type)
    names = frozenset(field.encode_name for field in declared)
    convert = functools.partial(msgspec.convert, type=row.type)
    if any(bytes in _leaves(field.type) for field in declared):
        # Else text would be taken as base64 for bytes.  It doubles the time, so only records with bytes get it.
        convert = functools.partial(msgspec.convert, type=row.type, builtin_types=(bytes,))
    # Not for control, where a list may have any length that msgpack's limits allow.
    shape = _FIXMAP | len(names) if row.channel != "control" and len(names) < _FIXMAP_FIELDS else -1
    read = msgspec.msgpack.Decoder(row.type).decode
    return _Reader(row.number, names, 3 if row.type is Data else 2, unpack, convert, shape, read)


def _leaves(annotation: Any) -> set[Any]:
    """The types an annotation is built of."""
    inner = [*getattr(annotation, "__args__", ()), getattr(annotation, "__origin__", None)]
    return {annotation}.union(*(_leaves(part) for part in inner if part is not None))


class _Readers(dict[bytes, "_Reader | None"]):
    """By header, the readers of what one side may send on a channel: each is made when its first message comes.

    No program meets all of them, and every start of a program would wait for what it takes to make them.
    """

    def __init__(self, channel: Channel, sender: str) -> None:
        super().__init__()
        self._rows = {
            _HEADER.pack(PROTOCOL_VERSION, row.number): row
            for row in messages.BY_NUMBER.values()
            if row.channel == channel and row.sender in {sender, BOTH}
        }
        self._unpack = _unpacker(_LIMITS[channel, sender])

    def __missing__(self, header: bytes) -> _Reader | None:
        row = self._rows.get(header)
        if row is None:
            return None  # not kept: anybody may make up headers
        reader = self[header] = _reader(row, self._unpack)
        return reader


_READERS: Final = {side: _Readers(*side) for side in _LIMITS}
_HEADERS: Final = {row.type: _HEADER.pack(PROTOCOL_VERSION, row.number) for row in messages.BY_NUMBER.values()}
_unpack_envelope: Final = _unpacker(BodyLimits(2**14, 4096, 2**16, 4096))
_pack: Final = msgspec.msgpack.Encoder().encode  # the same bytes as msgpack makes, in a fifth of the time


def encode(message: Message) -> list[bytes]:
    """The header and body frames of a message; the payload of a data message is its own frame after them."""
    return [_HEADERS[type(message)], _pack(message)]


def decode(frames: Sequence[bytes | Sized], channel: Channel, sender: str) -> Message | None:
    """Turn the frames of one message into its record.

    Args:
        frames: header and body as bytes; of a payload only the length is looked at.
        channel: the channel of the socket it arrived on.
        sender: the sending side, "client" or "server".

    Returns:
        The record, or None if the number is not known to this version.

    Raises:
        RemoteProtocolError: the frames are no message of that channel from that side.
    """
    reader = _READERS[channel, sender][frames[0]] if frames else None  # type: ignore[index]  # always bytes
    if reader is None:
        _explain(frames, channel, sender)
        return None
    if len(frames) != reader.frames:
        raise RemoteProtocolError(f"message {reader.number} has {len(frames)} frames, not {reader.frames}")
    body = frames[1]
    message = _read_straight(reader, body) or _read_slowly(reader, body)  # type: ignore[arg-type]  # bytes
    if type(message) is Data:
        _check_payload(message, len(frames[2]))
    return message


def number_of(message: Message) -> int:
    """The number a message has in its header."""
    return messages.BY_TYPE[type(message)].number


def _explain(frames: Sequence[bytes | Sized], channel: Channel, sender: str) -> None:
    """Say what is wrong with a message that no reader of its channel takes; nothing is, if its number is unknown."""
    if not 2 <= len(frames) <= MAX_FRAMES:
        raise RemoteProtocolError(f"a message has {len(frames)} frames; 2 to {MAX_FRAMES} are allowed")
    header = frames[0]
    if not isinstance(header, bytes) or len(header) != _HEADER.size:
        raise RemoteProtocolError(f"a header has {len(header)} bytes, not {_HEADER.size}")
    version, number = _HEADER.unpack(header)
    if version != PROTOCOL_VERSION:
        older = "this program" if version > PROTOCOL_VERSION else "the program of the other side"
        raise RemoteProtocolError(
            f"the other side speaks protocol version {version}, this program {PROTOCOL_VERSION}: upgrade {older}"
        )
    if number in messages.BY_NUMBER:
        raise RemoteProtocolError(f"message {number} does not belong on the {channel} channel from a {sender}")


def _read_straight(reader: _Reader, body: bytes) -> Message | None:
    """The record, or None if that takes a closer look."""
    if not body or body[0] != reader.shape:
        return None
    try:
        return reader.read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_slowly(reader: _Reader, body: bytes) -> Message:
    fields = _fields(reader.unpack, body)
    if not fields.keys() <= reader.fields:
        _check_unknown(fields, reader.fields)
    try:
        return reader.convert(fields)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RemoteProtocolError(f"message {reader.number}: {error}") from None


def _fields(unpack: Callable[[bytes], object], body: bytes | Sized) -> dict[str, object]:
    try:
        fields = unpack(body)  # type: ignore[arg-type]  # what is no buffer is a TypeError
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"a body is not the expected msgpack: {str(error) or type(error).__name__}") from None
    if type(fields) is not dict:
        raise RemoteProtocolError(f"a body is a {type(fields).__name__}, not a map")
    return fields


def _check_unknown(fields: dict[str, object], known: frozenset[str]) -> None:
    """What is not converted is not checked by its type, so its depth is checked here."""
    level: list[object] = [value for name, value in fields.items() if name not in known]
    for _ in range(MAX_DEPTH + 1):
        inner: list[object] = []
        for value in level:
            if type(value) is dict:
                inner.extend(value.values())
            elif type(value) is list:
                inner.extend(value)
        if not inner:
            return
        level = inner
    raise RemoteProtocolError(f"an unknown field is nested more than {MAX_DEPTH} levels deep")


def _check_payload(message: Data, size: int) -> None:
    expected = sum([length for _, _, length in message.parts])
    if size != expected or size > MAX_DATA_PAYLOAD:
        raise RemoteProtocolError(
            f"a payload has {size} bytes; its parts add up to {expected}, and {MAX_DATA_PAYLOAD} are allowed"
        )


# --- events -----------------------------------------------------------------------------------


def encode_event(event: Event, epoch: int, seq: int, time: float, source: str) -> list[bytes]:
    """The topic and envelope frames of an event; see `bus.events.Envelope` for the arguments."""
    topic = events.BY_TYPE[type(event)].topic
    return [topic.encode(), _pack(Envelope(epoch, seq, time, source, topic, msgspec.to_builtins(event)))]


def decode_envelope(frames: Sequence[bytes]) -> Envelope:
    """The envelope of an event's two frames.

    Raises:
        RemoteProtocolError: they are no such frames.
    """
    if len(frames) != 2:
        raise RemoteProtocolError(f"an event has {len(frames)} frames, not 2")
    try:
        envelope = msgspec.convert(_fields(_unpack_envelope, frames[1]), Envelope)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RemoteProtocolError(f"an event's envelope: {error}") from None
    if envelope.type.encode() != frames[0]:
        raise RemoteProtocolError(f"an event of type {envelope.type!r} came under the topic {frames[0]!r}")
    return envelope


def event_of(envelope: Envelope) -> Event | None:
    """The event inside an envelope, or None if this version does not know its type.

    Raises:
        RemoteProtocolError: the type is known and the fields are not as declared.
    """
    return _event(envelope.type, envelope.data)


def rows_of(published: Iterable[Event]) -> list[tuple[str, dict[str, object]]]:
    """Events as the rows of a snapshot's page: (type, fields)."""
    return [(events.BY_TYPE[type(event)].topic, msgspec.to_builtins(event)) for event in published]


def events_of(rows: Iterable[tuple[str, dict[str, object]]]) -> list[Event]:
    """The events of a snapshot's rows; types that this version does not know are left out.

    Raises:
        RemoteProtocolError: a row's fields are not as declared.
    """
    return [event for topic, fields in rows if (event := _event(topic, fields)) is not None]


def _event(topic: str, fields: dict[str, object]) -> Event | None:
    row = events.BY_TOPIC.get(topic)
    if row is None:
        return None
    try:
        return msgspec.convert(fields, row.type)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RemoteProtocolError(f"event {topic}: {error}") from None
