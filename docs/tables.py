"""The generated parts of the documents, each made from the declarations that the program itself uses.

Nothing here is written down twice: who adds a message, event, setting, error code, state or command runs
`docs/generate.py`, and a test fails until it was run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct, inspect

from bus import errors, events, messages
from bus.codec import MAX_DEPTH, MAX_FRAMES
from bus.units import format_size
from bus.wording import field_texts, figure, one_line, struct_of, text_of, type_in_words
from docs.commands import command_list
from docs.rest import endpoints, rest_records
from docs.rooms import rooms
from docs.scenarios import behaviours, scenario_keys
from docs.settings import setting_sections
from docs.wording import table
from peer import manifest
from peer.core import download, layout, source, upload

S = TypeVar("S", bound=Enum)

SENDERS: Final = {messages.CLIENT: "client", messages.SERVER: "server", messages.BOTH: "both"}


# --- messages ----------------------------------------------------------------------------------


def channel_table(channel: messages.Channel) -> str:
    """The messages of one channel."""
    declared = [row for _, row in sorted(messages.BY_NUMBER.items()) if row.channel == channel]
    return table(
        "no.", "message", "from", "fields", "meaning",
        rows=(
            (str(row.number), f"**{row.type.__name__}**", SENDERS[row.sender], _fields(row.type), text_of(row.type))
            for row in declared
        ),
    )  # fmt: skip


def message_records() -> str:
    """The records inside messages."""
    return _records(row.type for _, row in sorted(messages.BY_NUMBER.items()))


def _records(kinds: Iterable[type[Struct]]) -> str:
    found: dict[type[Struct], None] = {}
    for kind in kinds:
        for field in struct_of(kind).fields:
            _collect(field.type, found)
    return table(
        "record", "fields", "meaning",
        rows=((f"`{record.__name__}`", _fields(record), text_of(record)) for record in found),
    )  # fmt: skip


def _collect(kind: object, found: dict[type[Struct], None]) -> None:
    """Every record that a field's type is built of, in order of appearance."""
    match kind:
        case inspect.StructType(cls=record, fields=fields):
            found.setdefault(record)
            for field in fields:
                _collect(field.type, found)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            _collect(item, found)
        case inspect.TupleType(item_types=items):
            for item in items:
                _collect(item, found)
        case inspect.DictType(value_type=value):
            _collect(value, found)
        case inspect.UnionType(types=kinds):
            for one in kinds:
                _collect(one, found)


def _fields(kind: type[Struct]) -> str:
    texts = field_texts(kind)
    lines = []
    for field in struct_of(kind).fields:
        optional = "" if field.required else ", optional"
        text = f": {texts[field.name]}" if field.name in texts else ""
        lines.append(f"`{field.name}` ({type_in_words(field.type)}{optional}){text}")
    return "<br>".join(lines) or "none"


def limits() -> str:
    """Limits that hold for every message."""
    rows = [
        ("protocol version", str(messages.PROTOCOL_VERSION)),
        ("frames of one message", figure(MAX_FRAMES)),
        ("levels of nesting in unknown fields", figure(MAX_DEPTH)),
        ("payload of one data message", format_size(messages.MAX_DATA_PAYLOAD)),
        ("a manifest or digest list", f"{messages.MAX_MANIFEST:,} bytes"),
        ("files and empty folders of a tree", f"{manifest.MAX_ENTRIES:,}"),
        ("chunks of a file", figure(messages.MAX_CHUNKS_PER_FILE)),
        ("chunks of a tree", figure(messages.MAX_CHUNKS)),
        (
            "a chunk",
            f"{format_size(layout.MIN_CHUNK_SIZE)} to {format_size(messages.MAX_CHUNK_SIZE)}, the last shorter",
        ),
    ]
    return table("limit", "value", rows=iter(rows))


# --- events ------------------------------------------------------------------------------------


def event_table() -> str:
    """Every event type."""
    return table(
        "topic", "state it makes", "fields", "meaning",
        rows=(
            (f"`{row.topic}`", _state(row), _event_fields(row.type), text_of(row.type))
            for row in events.BY_TOPIC.values()
        ),
    )  # fmt: skip


def event_records() -> str:
    """The records that several events carry, and those inside them."""
    bases = {_base(row.type): None for row in events.BY_TOPIC.values() if _base(row.type) is not row.type}
    rows = [(f"`{base.__name__}`", _fields(base), text_of(base)) for base in bases]
    inner: dict[type[Struct], None] = {}
    for row in events.BY_TOPIC.values():
        for field in struct_of(row.type).fields:
            _collect(field.type, inner)
    rows += [(f"`{record.__name__}`", _fields(record), text_of(record)) for record in inner]
    return table("record", "fields", "meaning", rows=iter(rows))


def _base(kind: type[events.Event]) -> type[events.Event]:
    """The record whose fields an event carries: its own, or that of its family."""
    parent = kind.__bases__[0]
    return parent if issubclass(parent, events.Event) and parent is not events.Event else kind


def _event_fields(kind: type[events.Event]) -> str:
    base = _base(kind)
    return _fields(kind) if base is kind else f"those of `{base.__name__}`"


def _state(row: events.Declared) -> str:
    if not row.section:
        return "none"
    key = f" by {', '.join(f'`{name}`' for name in row.key)}" if row.key else ""
    return f"{'removes from' if row.removes else 'sets'} `{row.section}`{key}"


def envelope() -> str:
    """What surrounds every event."""
    return _field_table(events.Envelope)


def _field_table(kind: type[Struct]) -> str:
    texts = field_texts(kind)
    return table(
        "field", "type", "meaning",
        rows=(
            (f"`{field.name}`", type_in_words(field.type), texts.get(field.name, ""))
            for field in struct_of(kind).fields
        ),
    )  # fmt: skip


# --- states, errors ----------------------------------------------------------------------------


def state_diagram(transitions: Mapping[S, Mapping[str, S]]) -> str:
    """A transition table as a diagram; the first state is where it begins."""
    lines = [f"    [*] --> {next(iter(transitions)).value}"]
    lines += [
        f"    {state.value} --> {following.value}: {event}"
        for state, row in transitions.items()
        for event, following in row.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def error_table() -> str:
    """Every error code."""
    return table(
        "code", "exit code", "HTTP status", "when",
        rows=(
            (f"`{code}`", str(outcome.exit_code), str(outcome.http_status), one_line(outcome.meaning))
            for code, outcome in errors.CODES.items()
        ),
    )  # fmt: skip


def contexts() -> str:
    """The derive-key contexts of content ids."""
    rows = [("chunk", manifest.CHUNK_CONTEXT), ("file", manifest.FILE_CONTEXT), ("tree", manifest.TREE_CONTEXT)]
    return table("hash of", "BLAKE3 derive-key context", rows=((kind, f'`"{context}"`') for kind, context in rows))


# -----------------------------------------------------------------------------------------------

TABLES: Final[dict[str, Callable[[], str]]] = {
    "limits": limits,
    "tracker messages": partial(channel_table, "tracker"),
    "data messages": partial(channel_table, "data"),
    "proof messages": partial(channel_table, "proof"),
    "control messages": partial(channel_table, "control"),
    "records in messages": message_records,
    "envelope": envelope,
    "events": event_table,
    "records in events": event_records,
    "upload states": partial(state_diagram, upload.TRANSITIONS),
    "source states": partial(state_diagram, source.TRANSITIONS),
    "download states": partial(state_diagram, download.TRANSITIONS),
    "contexts": contexts,
    "error codes": error_table,
    "settings": setting_sections,
    "commands": command_list,
    "scenario keys": scenario_keys,
    "behaviours": behaviours,
    "endpoints": endpoints,
    "rest records": rest_records,
    "rooms": rooms,
}
"""Name in the documents -> what makes it."""
