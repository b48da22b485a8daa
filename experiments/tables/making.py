"""From events in the order of time to tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec
import polars as pl
from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_UNREADABLE, ShoalError
from bus.events import (
    ChunkRejected,
    ContentShared,
    MetricsSample,
    PeerExpired,
    PeerRegistered,
    ReputationChanged,
    StreamRefused,
    Transfer,
    UploadEnded,
    UploadProgress,
)
from experiments.cast import Member
from experiments.tables.columns import Rows
from experiments.tables.holdings import Holdings
from experiments.tables.recording import Heard
from experiments.tables.schema import SCHEMA

_FLAGS: Final = ("refused", "banned")

E = TypeVar("E", bound=Struct)


class Tables(NamedTuple):
    """All tables of one experiment; schema.py says what they hold."""

    members: pl.DataFrame
    contents: pl.DataFrame
    transfers: pl.DataFrame
    progress: pl.DataFrame
    sources: pl.DataFrame
    reputation: pl.DataFrame
    rejected: pl.DataFrame
    refusals: pl.DataFrame
    uploads: pl.DataFrame
    tracker: pl.DataFrame
    presence: pl.DataFrame
    availability: pl.DataFrame


class _Moved(Struct, frozen=True, gc=False):
    """What is read of every transfer event; the rest only of the newest of each download."""

    id: str
    size: int
    bytes_done: int
    chunks: int
    chunks_done: int
    have: str


class _Content(Struct):
    number: int
    size: int = 0
    chunks: int = 0
    seed: str = ""


class _Download(Struct):
    """One member's of one content."""

    started: float | None = None
    completed: float | None = None
    newest: dict[str, msgspec.Raw] = {}
    """Peer id -> the newest record that it published."""


class Making:
    """Takes events in and gives tables out.

    Args:
        cast: who takes part.
    """

    def __init__(self, cast: Sequence[Member]) -> None:
        self._cast = cast
        self._names = {peer: (member.name, place) for member in cast for place, peer in enumerate(member.ids)}
        self._rows = {name: Rows(name) for name in SCHEMA}
        self._contents: dict[str, _Content] = {}
        self._downloads: dict[tuple[str, str], _Download] = {}
        self._sent: dict[tuple[str, str, str], int] = {}
        """(giver's id, taker's id, content) -> bytes of the giver's stream or run, as it told last."""
        self._sent_in_all: dict[tuple[str, str, int], int] = {}
        """(giver, taker, number of the content) -> bytes under all their identities."""
        self._flags: dict[tuple[str, str, str], bool] = {}
        self._holdings = Holdings()
        self._identities: dict[str, str] = {}
        """Member -> the peer id under which it came last."""
        self._leechers = {member.name for member in cast if not member.complete}
        self._seeds = {member.name for member in cast if member.complete}
        self._zero: float | None = None
        self._last = 0.0
        self._readers: dict[str, Callable[[Heard], None]] = {
            "content.shared": _reader(ContentShared, self._shared),
            "chunk.rejected": _reader(ChunkRejected, self._rejected),
            "stream.refused": _reader(StreamRefused, self._stream_refused),
            "upload.progress": _reader(UploadProgress, self._sent_bytes),
            "upload.ended": _reader(UploadEnded, self._sent_bytes),
            "reputation.changed": _reader(ReputationChanged, self._judged),
            "metrics.sample": _reader(MetricsSample, self._sampled),
            "peer.registered": _reader(PeerRegistered, lambda heard, event: self._present(heard, event.peer, True)),
            "peer.expired": _reader(PeerExpired, lambda heard, event: self._present(heard, event.peer, False)),
            "peer.started": lambda heard: self._present(heard, heard.source, True),
            "peer.stopping": lambda heard: self._present(heard, heard.source, False),
        } | {f"transfer.{step}": self._moved for step in ("started", "progress", "failed", "completed")}
        self._read_moved = msgspec.json.Decoder(_Moved).decode

    def take(self, events: Iterable[Heard]) -> Tables:
        """All events of an experiment, in the order of time.

        Raises:
            ShoalError: ERR_FAILURE, they tell of no download; ERR_UNREADABLE, an event is not as declared.
        """
        for heard in events:
            reader = self._readers.get(heard.type)
            if reader is not None:
                try:
                    reader(heard)
                except (msgspec.MsgspecError, ValueError) as error:
                    raise ShoalError(ERR_UNREADABLE, f"a recorded {heard.type} is not as declared: {error}") from None
            self._last = heard.time
        if self._zero is None:
            raise ShoalError(ERR_FAILURE, "the events tell of no download")
        return self._finish(self._zero)

    # --- one event ------------------------------------------------------------------------------

    def _moved(self, heard: Heard) -> None:
        event = self._read_moved(heard.data)
        member = self._name(heard.source)
        content = self._content(event.id)
        content.size, content.chunks = max(content.size, event.size), max(content.chunks, event.chunks)
        download = self._downloads.setdefault((member, event.id), _Download(newest={}))
        download.newest[heard.source] = heard.data
        if download.started is None:
            download.started = heard.time
            if member in self._leechers and self._zero is None:
                self._zero = heard.time
            self._present(heard, heard.source, True)
        if content.number == 0:
            self._holdings.holds(heard.time, member, event.have)
        if download.completed is None:
            self._rows["progress"].add(heard.time, member, content.number, event.bytes_done, event.chunks_done)
            if heard.type == "transfer.completed":
                download.completed = heard.time

    def _shared(self, heard: Heard, event: ContentShared) -> None:
        content = self._content(event.id)
        content.size, content.chunks = event.size, event.chunks
        member = self._name(heard.source)
        content.seed = content.seed or member
        if member in self._seeds:  # taps may have missed the start of its process, never this
            self._present(heard, heard.source, True)
            if content.number == 0:
                self._holdings.shares(heard.time, member)

    def _rejected(self, heard: Heard, event: ChunkRejected) -> None:
        number = self._content(event.content).number
        victim, culprit = self._name(heard.source), self._name(event.peer)
        self._rows["rejected"].add(heard.time, victim, culprit, number, event.chunk)

    def _stream_refused(self, heard: Heard, event: StreamRefused) -> None:
        self._refusal(heard, event.peer, "stream", event.reason)

    def _judged(self, heard: Heard, event: ReputationChanged) -> None:
        observed, identity = self._identity(event.peer)
        flags = [flag in event.flags for flag in ("newcomer", *_FLAGS)]
        observer = self._name(heard.source)
        self._rows["reputation"].add(heard.time, observer, observed, identity, event.score, *flags, event.cause)
        for flag in _FLAGS:
            key = (observer, event.peer, flag)
            if flag in event.flags:
                if not self._flags.get(key, False):
                    self._refusal(heard, event.peer, flag, event.cause)
                self._flags[key] = True
            else:
                self._flags.pop(key, None)

    def _refusal(self, heard: Heard, peer: str, kind: str, reason: str) -> None:
        observed, identity = self._identity(peer)
        self._rows["refusals"].add(heard.time, self._name(heard.source), observed, identity, kind, reason)

    def _sent_bytes(self, heard: Heard, event: UploadProgress | UploadEnded) -> None:
        key = (heard.source, event.peer, event.content)
        before = self._sent.get(key, 0)
        # Less than before: the giver started again, and counts from 0.
        more = event.bytes - before if event.bytes >= before else event.bytes
        self._sent[key] = event.bytes
        giver, taker, number = self._name(heard.source), self._name(event.peer), self._content(event.content).number
        total = self._sent_in_all[giver, taker, number] = self._sent_in_all.get((giver, taker, number), 0) + more
        self._rows["uploads"].add(heard.time, giver, taker, number, total)

    def _sampled(self, heard: Heard, event: MetricsSample) -> None:
        if heard.source in self._names:
            return  # a peer's own
        for name, value in event.values.items():
            self._rows["tracker"].add(heard.time, name, value)

    def _present(self, heard: Heard, peer: str, online: bool) -> None:
        if peer not in self._names:
            return
        member = self._name(peer)
        if online:
            self._identities[member] = peer
        elif self._identities.get(member, peer) != peer:
            return  # it is there under another identity
        if self._holdings.online(heard.time, member, online):
            self._rows["presence"].add(heard.time, member, online)

    # --- all of them ----------------------------------------------------------------------------

    def _finish(self, zero: float) -> Tables:
        for member in self._cast:
            self._rows["members"].add(
                member.name, member.group, member.behaviour, member.complete, member.up, member.down, member.arrives,
                len(member.ids),
            )  # fmt: skip
        for name, content in self._contents.items():
            self._rows["contents"].add(name, content.size, content.chunks, content.seed)
        arrives = {member.name: member.arrives for member in self._cast}
        for (name, content_id), download in sorted(self._downloads.items()):
            self._transfer(name, arrives.get(name, 0.0), self._contents[content_id].number, download)
        for sample in self._holdings.finish(self._last):
            self._rows["availability"].add(*sample)
        return Tables(**{name: rows.frame(zero) for name, rows in self._rows.items()})

    def _transfer(self, member: str, arrives: float, number: int, download: _Download) -> None:
        records = _distinct([msgspec.json.decode(data, type=Transfer) for data in download.newest.values()])
        last = records[-1]
        share = last.optimum_share or None
        self._rows["transfers"].add(
            member, number, arrives, download.started, download.completed, last.bytes_done,
            sum(record.duplicate_bytes for record in records), sum(record.rejected_bytes for record in records),
            share, last.state, last.error,
        )  # fmt: skip
        given: dict[str, int] = {}
        for record in records:
            for row in record.sources:
                giver = self._name(row.peer)
                given[giver] = given.get(giver, 0) + row.bytes
        for giver, size in sorted(given.items()):
            if size:
                self._rows["sources"].add(giver, member, number, size)

    def _content(self, name: str) -> _Content:
        return self._contents.setdefault(name, _Content(len(self._contents)))

    def _identity(self, peer: str) -> tuple[str, int]:
        return self._names.get(peer) or (f"?{peer[:8]}", 0)

    def _name(self, peer: str) -> str:
        return self._identity(peer)[0]


def _reader(kind: type[E], take: Callable[[Heard, E], None]) -> Callable[[Heard], None]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda heard: take(heard, decode(heard.data))


def _distinct(records: list[Transfer]) -> list[Transfer]:
    """The records of one download under each of its peer's ids, without those that a later one goes on with.

    A download that was kept across a change of identity is the same, and keeps the time at which it was added.
    """
    later = {record.added: place for place, record in enumerate(records) if record.added}
    return [record for place, record in enumerate(records) if later.get(record.added, place) == place]
