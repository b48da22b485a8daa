"""tap: watch the events of any process, or a header of every message it sends and receives; record and replay them."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

import click
import msgspec

from bus.errors import ERR_PATH, ERR_UNREACHABLE, ERR_UNREADABLE, ERR_USAGE, ShoalError
from bus.forms import split_host_port
from peer.cli.session import Command, Session
from peer.cli.show import plain

if TYPE_CHECKING:
    from bus.events import Envelope
    from bus.tap import EventTap, WireRecord

T = TypeVar("T", bound="Envelope | WireRecord")

LOOK: Final = 0.25
"""Seconds of waiting at a time, so that Ctrl-C is heard."""
CONNECT: Final = 2.0
LONGEST_VALUE: Final = 200
"""Characters of one field of an event that people are shown."""


@click.command(cls=Command)
@click.option("--tracker", is_flag=True, help="The local tracker's events, not the peer's.")
@click.option("--endpoint", metavar="EP", default="", help="The events of the process at this endpoint.")
@click.option("--wire", is_flag=True, help="A header of every message sent or received, instead of events.")
@click.option("--topic", metavar="PREFIX", default="", help="Only event types (with --wire: messages) that begin so.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after so many.")
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write them to a file, as JSON lines.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="FILE", help="Show a recorded file instead.")
@click.pass_obj
def tap(
    session: Session, tracker: bool, endpoint: str, wire: bool, topic: str, count: int | None,
    record: Path | None, replay: Path | None,
) -> None:  # fmt: skip
    """Watch the events of the peer, the tracker or any process, as they happen."""
    if tracker + bool(endpoint) + (replay is not None) > 1:
        raise ShoalError(ERR_USAGE, "give one of --tracker, --endpoint and --replay")
    if record and replay and _are_same(record, replay):
        raise ShoalError(ERR_USAGE, f"{plain(str(replay))} cannot be replayed into itself; give --record another file")
    if replay is not None:
        source: Iterator[Envelope | WireRecord] = _replayed(replay, wire)
    else:
        place = endpoint or _endpoint(session, tracker, wire)
        _check_reachable(place)
        source = _wire(session, place) if wire else _events(session, place, topic)
    chosen = (one for one in source if _kind(one).startswith(topic))
    file = _open(record) if record is not None else None
    try:
        for one in itertools.islice(chosen, count):
            line = msgspec.json.encode(one).decode()
            if file is not None:
                file.write(f"{line}\n")
                file.flush()
            if not session.quiet:
                click.echo(line if session.json else as_text(one))
    finally:
        if file is not None:
            file.close()


def as_text(one: Envelope | WireRecord) -> str:
    """One event or header on one line."""
    from bus.events import Envelope

    if isinstance(one, Envelope):
        fields = " ".join(f"{name}={_cut(repr(value))}" for name, value in one.data.items())
        return f"{_clock(one.time)} {one.source[:8]} {one.type} {plain(fields)}"
    what = f"{one.message} {one.bytes} B" if one.number else one.note
    stream = f" stream {one.stream} at {one.position}" if one.stream else ""
    return f"{_clock(one.time)} {one.direction:<5} {one.channel:<7} {one.peer[:8]} {plain(what)}{stream}"


def _cut(value: str) -> str:
    """A have-map can be as long as a book; JSON has all of it."""
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 3]}..."


def _clock(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _kind(one: Envelope | WireRecord) -> str:
    from bus.events import Envelope

    return one.type if isinstance(one, Envelope) else one.message


def _endpoint(session: Session, tracker: bool, wire: bool) -> str:
    from bus.places import TrackerPlaces

    places = TrackerPlaces(session.loaded.base_dir) if tracker else session.places
    return places.wire if wire else places.events


def _tap(session: Session, endpoint: str, topic: str = "") -> EventTap:
    from bus.sockets import make_context
    from bus.tap import EventTap

    context = make_context()
    session.opened.callback(context.destroy, linger=0)
    return EventTap(context, endpoint, (topic,))


def _events(session: Session, endpoint: str, topic: str) -> Iterator[Envelope]:
    told = 0
    with _tap(session, endpoint, topic) as source:
        while True:
            yield from source.poll(LOOK)
            # A stream is the first word of its topics: with a part of it chosen, its numbers have holes by nature.
            if source.gaps > told and "." not in topic:
                session.note(f"{source.gaps - told} events were missed: they came faster than they were read")
                told = source.gaps


def _wire(session: Session, endpoint: str) -> Iterator[WireRecord]:
    with _tap(session, endpoint) as source:
        while True:
            yield from source.poll_wire(LOOK)


def _replayed(path: Path, wire: bool) -> Iterator[Envelope | WireRecord]:
    from bus.events import Envelope
    from bus.tap import WireRecord

    kind: type[Envelope] | type[WireRecord] = WireRecord if wire else Envelope
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield msgspec.json.decode(line, type=kind)
                except msgspec.MsgspecError as error:
                    hint = "" if wire else "; a recording of --wire is replayed with --wire"
                    message = f"{plain(str(path))} line {number} is no recorded event: {error}{hint}"
                    raise ShoalError(ERR_UNREADABLE, message) from None
    except OSError as error:
        raise ShoalError(ERR_UNREADABLE, f"{plain(str(path))} cannot be read: {error.strerror}") from None


def _are_same(record: Path, replay: Path) -> bool:
    try:
        return record.samefile(replay)
    except OSError:  # one of them is not there
        return False


def _open(path: Path) -> IO[str]:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{plain(str(path))} cannot be written: {error.strerror}") from None


def _check_reachable(endpoint: str) -> None:
    """A subscriber would wait in silence for a process that is not there."""
    try:
        with _connect(endpoint):
            pass
    except ValueError:
        message = f"expected ipc://PATH or tcp://HOST:PORT, found {endpoint!a}"
        raise ShoalError(ERR_USAGE, message) from None
    except OSError as error:
        message = f"nothing publishes at {plain(endpoint)} ({error.strerror}); start it with: shoal up"
        raise ShoalError(ERR_UNREACHABLE, message) from None


def _connect(endpoint: str) -> socket.socket:
    if endpoint.startswith("ipc://"):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(endpoint.removeprefix("ipc://"))
        except OSError:
            connection.close()
            raise
        return connection
    if not endpoint.startswith("tcp://"):
        raise ValueError(endpoint)
    host, port = split_host_port(endpoint)
    return socket.create_connection((host.strip("[]"), port), CONNECT)


COMMANDS = (tap,)
