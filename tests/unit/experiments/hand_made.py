"""Recordings written by hand, small enough to be judged on paper.

    s   seed, uploads at 500
    b   honest, starts at 0, has all at 4
    c   honest, starts at 0.5, has all at 5.5
    x   corrupter, starts at 1, never finishes

The content has 1,000 bytes in 4 chunks.  The clock stands at 100 at time 0.
"""

from __future__ import annotations

import msgspec

from bus.events import (
    BY_TYPE,
    ChunkRejected,
    ContentShared,
    Envelope,
    MetricsSample,
    ReputationChanged,
    SourceRow,
    StreamRefused,
    TransferCompleted,
    TransferProgress,
    TransferStarted,
    UploadEnded,
    UploadProgress,
)
from experiments.cast import Member
from experiments.tables.making import Making
from experiments.tables.recording import Heard

CONTENT = "c0" * 32
SIZE = 1000
CLOCK = 100.0
CAST = (
    Member("s", ["id of s"], "seeds", complete=True, up=500),
    Member("b", ["id of b"], "leechers", up=250),
    Member("c", ["id of c"], "leechers", up=250),
    Member("x", ["id of x"], "crooks", behaviour="corrupter", up=250),
)
HELD = ["00000000", "ff000000", "ffff0000", "ffffff00", "ffffffff"]
"""The have-map of 0 to 4 chunks."""


def envelope(who, time, event):
    data = msgspec.to_builtins(event)
    return Envelope(1, 1, CLOCK + time, f"id of {who}", BY_TYPE[type(event)].topic, data)


def moved(kind, done=0, *, sources=(), duplicate=0, rejected=0, error="", content=CONTENT, added=50.0, size=SIZE):
    """A transfer event with so many bytes done."""
    rows = [SourceRow(f"id of {peer}", given, 0.0, 0, "open") for peer, given in sources]
    chunks = done * 4 // SIZE
    return kind(
        content, "file", "file", size, "/x", "downloading", done, 4, chunks, 0.0, -1.0, 0.0, duplicate, rejected, rows,
        HELD[chunks], error, "", added, 0.0,
    )  # fmt: skip


def shared(content=CONTENT):
    return ContentShared(content, "file", "file", SIZE, 1, 4, "/x", False, "seeding", "", 0.0)


def judged(peer, score, flags=(), cause="SUCCESSFUL_UPLOAD"):
    return ReputationChanged(f"id of {peer}", score, list(flags), {}, cause)


def rejected(peer, chunk=0):
    return ChunkRejected(CONTENT, chunk, f"id of {peer}")


def refused(peer, reason="reputation"):
    return StreamRefused(f"id of {peer}", reason)


def sent(peer, size, kind=UploadProgress):
    rest = {"rate": 0.0} if kind is UploadProgress else {}
    return kind(CONTENT, f"id of {peer}", size, **rest)


def ended(peer, size):
    return sent(peer, size, UploadEnded)


def requests(count):
    return MetricsSample({"tracker_requests_total": float(count), "tracker_links": 4.0})


def downloads():
    """b has 700 from s and 300 from c, 10 twice; c has 400 from s and 600 from b, and 7 that were bad; x has 250."""
    return [
        envelope("s", -10, shared()),
        envelope("b", 0, moved(TransferStarted, size=0)),
        envelope("c", 0.5, moved(TransferStarted, size=0)),
        envelope("x", 1, moved(TransferStarted)),
        envelope("b", 2, moved(TransferProgress, 250)),
        envelope("x", 3, moved(TransferProgress, 250, sources=[("s", 250)])),
        envelope("b", 4, moved(TransferCompleted, SIZE, sources=[("s", 700), ("c", 300)], duplicate=10)),
        envelope("b", 4.5, shared()),
        envelope("c", 5.5, moved(TransferCompleted, SIZE, sources=[("s", 400), ("b", 600)], rejected=7)),
    ]


def heard(events):
    """As a recording is read, in the order of time."""
    lines = [msgspec.json.encode(event) for event in sorted(events, key=lambda event: event.time)]
    return [msgspec.json.decode(line, type=Heard) for line in lines]


def tables_of(events, cast=CAST):
    return Making(cast).take(heard(events))


def write(folder, events, cast=CAST):
    """Leave a recording as backends do, one file for all."""
    from experiments.cast import write_cast

    (folder / "events").mkdir(parents=True)
    write_cast(folder, list(cast))
    lines = [msgspec.json.encode(event) + b"\n" for event in sorted(events, key=lambda event: event.time)]
    (folder / "events" / "all.jsonl").write_bytes(b"".join(lines))
