"""doctor: whether this machine is fit to run what the configuration says."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from msgspec import Struct

from bus.errors import FAILURE, ShoalError
from bus.forms import split_host_port
from bus.units import format_size
from peer.cli.session import Command, Session
from peer.cli.show import Column, print_json, print_table

if TYPE_CHECKING:
    from bus.places import Places


GATEWAY_LOCK: Final = "gateway.lock"
"""In the peer's data directory; held while its page is served."""


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


@click.command(cls=Command)
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check configuration, folders, keys, ports, disk and tracker."""
    session = context.ensure_object(Session)
    checks = list(_checks(session))
    if session.json:
        print_json(checks)
    else:
        cells = [("ok" if one.ok else "NOT OK", one.check, one.detail) for one in checks]
        print_table([Column("RESULT"), Column("CHECK"), Column("DETAIL", elastic=True)], cells)
    if not all(one.ok for one in checks):
        context.exit(FAILURE)


def _checks(session: Session) -> Iterator[Check]:
    from bus.places import PeerPlaces, TrackerPlaces

    loaded = session.loaded  # a wrong configuration is an error of its own
    settings = loaded.settings
    yield Check("configuration", True, str(loaded.file) if loaded.file else "no file, defaults only")
    yield _folder(loaded.base_dir)
    least = settings.transfer.min_free_disk
    yield _disk("disk", loaded.base_dir, least)
    for peer in settings.peers:
        if peer.download_dir:
            yield _disk(f"disk of {peer.name}", loaded.resolve(peer.download_dir), least)
    places: list[tuple[str, Places]] = []
    if settings.tracker.run:
        tracker = TrackerPlaces(loaded.base_dir)
        places.append(("tracker", tracker))
        yield _port("tracker", settings.tracker.listen, tracker.lock_file)
    for peer in settings.peers:
        own = PeerPlaces(loaded.base_dir, peer.name)
        places.append((f"peer {peer.name}", own))
        yield _port(f"peer {peer.name}", f"{_bracketed(settings.network.bind)}:{peer.data_port}", own.lock_file)
        page = f"{_bracketed(settings.gateway.host)}:{peer.web_port}"
        yield _port(f"page of {peer.name}", page, own.data_dir / GATEWAY_LOCK)
    for label, place in places:
        yield _private(label, place)
        yield _key(label, place)
    yield _tracker(session)


def _folder(base_dir: Path) -> Check:
    existing = next(path for path in (base_dir, *base_dir.parents) if path.exists())
    ok = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return Check("folder", ok, f"{base_dir}{'' if ok else f': {existing} cannot be written to'}")


def _disk(name: str, folder: Path, least: int) -> Check:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return Check(name, free > least, f"{format_size(free)} free; downloads leave {format_size(least)} free")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _port(label: str, address: str, lock_file: Path) -> Check:
    host, port = split_host_port(address)
    name = f"port of {label}"
    if not port:
        return Check(name, True, "any free one")
    try:
        with socket.create_server((host.strip("[]*"), port), family=socket.AF_INET6 if "[" in host else socket.AF_INET):
            return Check(name, True, f"{port} is free")
    except OSError as error:
        holder = _running(lock_file)
        if holder:
            return Check(name, True, f"{port} is in use; {label} runs (pid {holder})")
        # Python puts the address into its own words a second time.
        reason = os.strerror(error.errno) if error.errno else str(error)
        wanted = "stop that program or set another port" if error.errno == errno.EADDRINUSE else "set another port"
        return Check(name, False, f"{port} on {host}: {reason}; {wanted}")


def _running(lock_file: Path) -> int:
    """Pid of the process that holds the lock; 0 if none does."""
    import fcntl

    try:
        with lock_file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read().strip() or 0)
    except (OSError, ValueError):
        pass
    return 0


def _private(label: str, places: Places) -> Check:
    name = f"folder of {label}"
    if not places.data_dir.exists():
        return Check(name, True, "made at the first start")
    try:
        places.check()
    except ShoalError as error:
        return Check(name, False, error.message)
    except OSError:  # its folder for sockets lies elsewhere and is made at the next start
        pass
    return Check(name, True, str(places.data_dir))


def _key(label: str, places: Places) -> Check:
    from bus.identity import Identity

    name = f"key of {label}"
    if not places.identity_file.exists():
        return Check(name, True, "made at the first start")
    try:
        return Check(name, True, Identity.load_or_create(places.identity_file).peer_id)
    except ShoalError as error:
        return Check(name, False, error.message)


def _tracker(session: Session) -> Check:
    from bus.events import TrackerRow

    settings = session.loaded.settings
    tracker = settings.tracker
    if not tracker.known:
        return Check("tracker", False, "none: set tracker.run, or tracker.endpoint and tracker.public_key")
    if not settings.peers or not _running(session.places.lock_file):
        return Check("tracker", True, "not asked: no peer runs here")
    try:
        rows = session.state("trackers").of(TrackerRow, "trackers")
    except ShoalError as error:
        return Check("tracker", False, error.message)
    reached = [row.endpoint for row in rows if row.state == "reached"]
    lost = "; ".join(f"{row.endpoint} {row.state}: {row.reason}" for row in rows) or "the peer knows no tracker"
    return Check("tracker", bool(reached), f"{reached[0]} reached" if reached else lost)


COMMANDS = (doctor,)
