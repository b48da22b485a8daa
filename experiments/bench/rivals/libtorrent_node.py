"""One libtorrent session in a process of its own: a seed or a leecher, told what to do on its input.

    in   Node as JSON        out  its port
    in   ports as JSON       out  when all was complete, as JSON (leechers only)
    in   end of input        out  Totals as JSON

Every peer is told every other by address: no tracker, DHT or local discovery costs time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec
from msgspec import Struct

from experiments.bench.usage import Usage, spent, usage_of

if TYPE_CHECKING:
    import libtorrent as lt

Setting = int | bool | str
SETTINGS: Final[dict[str, Setting]] = {
    "listen_interfaces": "127.0.0.1:0",
    # Nothing but peers that are told.
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # Several peers of one address, connected at once.
    "allow_multiple_connections_per_ip": True,
    "connection_speed": 500,
    "smooth_connects": False,
    "torrent_connect_boost": 255,
    "mixed_mode_algorithm": 0,
    # A limit counts payload, as ours does.
    "rate_limit_ip_overhead": False,
    "auto_sequential": False,
}
"""What all sessions here have in common, beside libtorrent's defaults."""
ANYWHERE: Final = ("0.0.0.0", "255.255.255.255")
_LOOK: Final = 100
"""Milliseconds."""


class Node(Struct, frozen=True):
    """What a session is to do."""

    torrent: str
    """Path of the .torrent file."""
    folder: str
    """Where the content lies or goes."""
    seed: bool
    super_seeding: bool = False
    settings: dict[str, Setting] = {}
    """Over SETTINGS."""
    disk: str = ""
    """Name of a disk I/O constructor; empty: libtorrent's default."""


class Totals(Struct, frozen=True):
    """What a session did, at its end."""

    usage: Usage
    """From the moment when it was told its peers."""
    uploaded: int
    """Payload bytes."""
    redundant: int
    """Payload bytes that it had already."""


def serve(node: Node) -> None:
    """Run the session until the end of the input."""
    import libtorrent as lt

    parameters = lt.session_params()
    chosen = SETTINGS | node.settings | {"alert_mask": lt.alert_category.status | lt.alert_category.storage}
    parameters.settings = cast("lt.settings_pack", dict(parameters.settings) | chosen)
    if node.disk:
        parameters.disk_io_constructor = node.disk
    session = lt.session(parameters)
    # Without this, limits do not hold for addresses of the local network.
    everybody = lt.ip_filter()
    everybody.add_rule(*ANYWHERE, 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everybody)
    handle = _added(session, node)
    print(session.listen_port(), flush=True)
    ports = msgspec.json.decode(sys.stdin.readline(), type=list[int])
    before = usage_of()
    for port in ports:
        handle.connect_peer(("127.0.0.1", port))
    if not node.seed:
        _await_finished(session, handle)
        print(time.monotonic(), flush=True)
    sys.stdin.read()
    status = handle.status()
    used = spent(before, usage_of())
    totals = Totals(used, status.total_payload_upload, status.total_redundant_bytes)
    print(msgspec.json.encode(totals).decode(), flush=True)


def _added(session: lt.session, node: Node) -> lt.torrent_handle:
    import libtorrent as lt

    parameters = lt.load_torrent_file(node.torrent)
    parameters.save_path = node.folder
    flags = lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd | lt.torrent_flags.disable_pex
    if node.seed:
        flags |= lt.torrent_flags.seed_mode
    if node.super_seeding:
        flags |= lt.torrent_flags.super_seeding
    parameters.flags = flags
    return session.add_torrent(parameters)


def _await_finished(session: lt.session, handle: lt.torrent_handle) -> None:
    """Until every piece is verified and handed to the file system: other programs can read it then."""
    import libtorrent as lt

    while True:
        session.wait_for_alert(_LOOK)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()
            if isinstance(alert, lt.cache_flushed_alert):
                return
            if isinstance(alert, lt.torrent_error_alert | lt.file_error_alert):
                sys.exit(alert.message())


def make_torrent(source: Path, torrent: Path, piece: int) -> None:
    """Write the .torrent file of a file or tree (BitTorrent v1: SHA-1).

    Args:
        source: file or folder.
        torrent: the file to write.
        piece: bytes of a piece, a power of two.
    """
    import libtorrent as lt

    files = lt.list_files(str(source))
    made = lt.create_torrent(files, piece, lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, str(source.parent))
    torrent.write_bytes(lt.bencode(made.generate()))


if __name__ == "__main__":
    serve(msgspec.json.decode(sys.stdin.readline(), type=Node))
