"""What a test tells the stand-in of a peer on its standard input, a line each; listed in fake_peer.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from bus import events, messages
from tests.kit.storm import Storm

if TYPE_CHECKING:
    from tests.kit.fake_peer import FakePeer


def _publish(peer: FakePeer, rest: str) -> None:
    topic, _, fields = rest.partition(" ")
    peer.publish(msgspec.json.decode(fields, type=events.BY_TOPIC[topic].type))


def _found(peer: FakePeer, rest: str) -> None:
    found = msgspec.json.decode(rest, type=messages.FoundContent)
    peer.found[found.id] = found


def _tree(peer: FakePeer, rest: str) -> None:
    content, _, listed = rest.partition(" ")
    peer.trees[content] = [messages.FileRow(path, size, False) for path, size in msgspec.json.decode(listed)]


def _lies(peer: FakePeer, rest: str) -> None:
    content, ready, path = rest.split(" ", 2)
    peer.lies[content] = (path, int(ready))
    if content in peer.transfers:
        peer.publish(msgspec.structs.replace(peer.transfers[content], bytes_done=int(ready)))


def _shares(peer: FakePeer, rest: str) -> None:
    for number in range(int(rest)):
        name, content = f"share {number:05}", hashlib.sha256(rest.encode() + number.to_bytes(4)).hexdigest()
        shared = events.ContentShared(
            content, name, "file", number * 2**20, 1, number, f"/s/{name}", False, "seeding", "", 1e9 + number
        )
        peer.publish(shared)


def _skip(peer: FakePeer, rest: str) -> None:
    stream, skipped, event = rest.split(" ", 2)
    peer.publisher.seqs[stream] = peer.publisher.seqs.get(stream, 0) + int(skipped)
    _publish(peer, event)


def _flood(peer: FakePeer, rest: str) -> None:
    for number in range(int(rest)):
        peer.publish(events.UploadProgress("f" * 64, f"{number % 100:064x}", number, 1.0))
    peer.publish(events.UploadProgress("f" * 64, "e" * 64, int(rest), 0.0))


def _storm(peer: FakePeer, rest: str) -> None:
    rate, seconds = rest.split()
    Storm(peer.reactor, peer.publisher, float(rate), float(seconds), peer.places.data_dir)


def _hang(peer: FakePeer, rest: str) -> None:
    peer.hanging = True
    peer.publisher.close()


ORDERS: Final[dict[str, Callable[[FakePeer, str], None]]] = {
    "publish": _publish,
    "found": _found,
    "tree": _tree,
    "lies": _lies,
    "shares": _shares,
    "skip": _skip,
    "flood": _flood,
    "storm": _storm,
    "hang": _hang,
}
