"""The tables: what each holds, and the type and meaning of every column.

`member` columns hold names from the cast; a peer that the cast does not know is `?` and the start of its id.  `content`
is a row of the table `contents`, counted from 0.  Times are seconds since the first `transfer.started` of a leecher.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Kind = DataType | DataTypeClass


class Column(NamedTuple):
    """One column."""

    kind: Kind
    meaning: str


class Table(NamedTuple):
    """One table."""

    meaning: str
    columns: dict[str, Column]

    @property
    def schema(self) -> dict[str, Kind]:
        return {name: column.kind for name, column in self.columns.items()}


_TIME: Final = Column(pl.Float64, "seconds since the first start")
_CONTENT: Final = Column(pl.UInt16, "row of `contents`")
TIMES: Final = frozenset({"time", "started", "completed"})
"""Columns that count from the first start."""

SCHEMA: Final[dict[str, Table]] = {
    "members": Table(
        "who took part, as the cast says",
        {
            "member": Column(pl.String, "name"),
            "group": Column(pl.String, "as the scenario names it"),
            "behaviour": Column(pl.String, "how it acts"),
            "complete": Column(pl.Boolean, "a seed from the start"),
            "up": Column(pl.Int64, "upload limit, bytes a second; 0: unlimited"),
            "down": Column(pl.Int64, "download limit, bytes a second; 0: unlimited"),
            "arrives": Column(pl.Float64, "planned, seconds after the start of the experiment"),
            "identities": Column(pl.UInt16, "peer ids it took"),
        },
    ),
    "contents": Table(
        "what was shared, in the order in which it was heard of",
        {
            "id": Column(pl.String, "content id"),
            "size": Column(pl.Int64, "bytes"),
            "chunks": Column(pl.Int64, "how many"),
            "seed": Column(pl.String, "member that offered it first; empty if no event tells"),
        },
    ),
    "transfers": Table(
        "one row for each member and content that it fetched",
        {
            "member": Column(pl.String, "who fetched"),
            "content": _CONTENT,
            "arrives": Column(pl.Float64, "planned, seconds after the start of the experiment"),
            "started": _TIME,
            "completed": Column(pl.Float64, "seconds since the first start; null if it did not"),
            "bytes": Column(pl.Int64, "verified"),
            "duplicate": Column(pl.Int64, "bytes received more than once"),
            "rejected": Column(pl.Int64, "bytes of chunks that failed verification"),
            "optimum_share": Column(pl.Float64, "of the optimum, by its own account; null if unknown"),
            "state": Column(pl.String, "at the end"),
            "error": Column(pl.String, "at the end; empty if none"),
        },
    ),
    "progress": Table(
        "verified bytes of each download over time",
        {
            "time": _TIME,
            "member": Column(pl.String, "who fetches"),
            "content": _CONTENT,
            "bytes": Column(pl.Int64, "verified so far"),
            "chunks": Column(pl.Int64, "verified so far"),
        },
    ),
    "sources": Table(
        "verified bytes from each member to each other, as the receiver counts them",
        {
            "giver": Column(pl.String, "from"),
            "taker": Column(pl.String, "to"),
            "content": _CONTENT,
            "bytes": Column(pl.Int64, "verified"),
        },
    ),
    "reputation": Table(
        "every change of a score",
        {
            "time": _TIME,
            "observer": Column(pl.String, "whose opinion"),
            "observed": Column(pl.String, "of whom"),
            "identity": Column(pl.UInt16, "which of the observed member's peer ids, from 0"),
            "score": Column(pl.Float64, "0 to 1; 0.5 is neutral"),
            "newcomer": Column(pl.Boolean, "never sent verified bytes to the observer"),
            "refused": Column(pl.Boolean, "neither served nor asked"),
            "banned": Column(pl.Boolean, "refused for a set time"),
            "cause": Column(pl.String, "kind of the event that changed it; empty at a start"),
        },
    ),
    "rejected": Table(
        "every chunk that failed verification",
        {
            "time": _TIME,
            "victim": Column(pl.String, "who received it"),
            "culprit": Column(pl.String, "who sent it"),
            "content": _CONTENT,
            "chunk": Column(pl.Int64, "which"),
        },
    ),
    "refusals": Table(
        "every time a member began to refuse or to ban another, or refused it a stream",
        {
            "time": _TIME,
            "observer": Column(pl.String, "who refuses"),
            "observed": Column(pl.String, "who is refused"),
            "identity": Column(pl.UInt16, "which of the observed member's peer ids, from 0"),
            "kind": Column(pl.String, "refused, banned, or stream: an upload slot was denied"),
            "reason": Column(pl.String, "kind of the event that led to it, or why the stream was refused"),
        },
    ),
    "uploads": Table(
        "bytes sent from each member to each other over time, verified or not",
        {
            "time": _TIME,
            "giver": Column(pl.String, "from"),
            "taker": Column(pl.String, "to"),
            "content": _CONTENT,
            "bytes": Column(pl.Int64, "sent so far, restarts of the giver and all identities included"),
        },
    ),
    "tracker": Table(
        "the counters and gauges of the tracker",
        {
            "time": _TIME,
            "name": Column(pl.String, "of the counter, as Prometheus sees it without the prefix"),
            "value": Column(pl.Float64, "since the tracker's start, or now"),
        },
    ),
    "presence": Table(
        "who came and went",
        {"time": _TIME, "member": Column(pl.String, "who"), "online": Column(pl.Boolean, "from then on")},
    ),
    "availability": Table(
        "copies of the first content's parts among those online, just before each time; the last row is the end",
        {
            "time": _TIME,
            "lowest": Column(pl.Float64, "copies of the rarest part"),
            "median": Column(pl.Float64, "copies of the middle part"),
            "highest": Column(pl.Float64, "copies of the commonest part"),
            "online": Column(pl.Int64, "members online: the most copies there could be"),
        },
    ),
}
