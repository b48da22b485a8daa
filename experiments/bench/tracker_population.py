"""Whom the tracker under test knows: peers and contents that are the same in every process that counts them out.

    peers      number k has the key made of the seed k; the first of them connect, the others are only registered
    contents   number i has a swarm of `swarm_size(i)` peers: most are small, a few have more than one answer holds
    requests   ask for a content the more often the more peers have it

They are put into the tracker's own database, as a tracker leaves it behind, so that 10,000 peers need not be connected
to be registered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from bus.database import open_database
from bus.identity import Identity
from bus.messages import Version
from tracker import schema

VERSION: Final = Version(1, 1)
"""Of every peer's list, so that any of them can renew with the same words."""
PORT: Final = 4000
NAME: Final = "number {} of the benchmark.bin"
_STEP: Final = 17
"""Between the numbers of a swarm's members."""
_SIZES: Final = (60, *(5 * [20]), *(14 * [4]), *(20 * [2]), *(60 * [1]))
"""Of a hundred swarms: one that no answer holds, a few well-known ones, and the many that one peer or two have."""


class Population(Struct, frozen=True):
    """How many there are."""

    peers: int = 10_000
    connected: int = 500
    contents: int = 100_000


def identity_of(peer: int) -> Identity:
    """The keys of a peer that connects."""
    return Identity(peer.to_bytes(32, "big"))


def address_of(peer: int, population: Population) -> str:
    """Where the tracker sees a peer; those that connect have a loopback address each."""
    network = 127 if peer < population.connected else 10
    return f"{network}.1.{peer >> 8}.{peer & 255}"


def content_id(content: int) -> str:
    return hashlib.sha256(b"content %d" % content).hexdigest()


def swarm_size(content: int) -> int:
    """How many peers have a content."""
    return _SIZES[content % len(_SIZES)]


def draw_contents(population: Population, count: int, rng: Random) -> list[int]:
    """Contents that are asked for, in order."""
    return rng.choices(range(population.contents), [swarm_size(i) for i in range(population.contents)], k=count)


def write_database(path: Path, population: Population) -> None:
    """Make the database of a tracker that has heard from all of them.

    Past the tracker's own writing, which keeps an index for searches that is made anew at every start anyway.
    """
    connection, _, _ = open_database(path, schema.SCHEMA, lambda _: None)
    with closing(connection):
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO peers (peer, name, address, port, loopback, advertise, addresses, epoch, n)"
            " VALUES (?, ?, ?, ?, 0, '[]', '[]', ?, ?)",
            _peers(population),
        )
        connection.executemany(
            "INSERT INTO offers (peer, content, name, kind, size, complete) VALUES (?, ?, ?, 'file', ?, ?)",
            sorted(_offers(population)),
        )
        connection.executemany(
            "INSERT INTO contents (id, name, kind, size) VALUES (?, ?, 'file', ?)",
            ((content_id(content), NAME.format(content), _size(content)) for content in range(population.contents)),
        )
        connection.execute("COMMIT")


def _peers(population: Population) -> Iterator[tuple[str, str, str, int, int, int]]:
    for peer in range(population.peers):
        yield _id(peer, population), f"peer {peer}", address_of(peer, population), PORT, VERSION.epoch, VERSION.n


def _offers(population: Population) -> Iterator[tuple[str, str, str, int, bool]]:
    ids = [_id(peer, population) for peer in range(population.peers)]
    for content in range(population.contents):
        one, name, size = content_id(content), NAME.format(content), _size(content)
        for member in range(min(swarm_size(content), population.peers)):
            yield ids[(37 * content + _STEP * member) % population.peers], one, name, size, member % 2 == 0


def _size(content: int) -> int:
    return 2**20 + content


def _id(peer: int, population: Population) -> str:
    return identity_of(peer).peer_id if peer < population.connected else hashlib.sha256(b"peer %d" % peer).hexdigest()
