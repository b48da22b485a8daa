"""How a process says that it serves: one JSON file, written in one step, named by the environment.

The supervisor names the file in SHOAL_READY_FILE, starts the process and waits for a file with its pid; whoever runs a
process by hand has no such variable and gets no file. The supervisor's own report is made of the same records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

READY_VARIABLE: Final = "SHOAL_READY_FILE"


class TrackerReady(Struct, frozen=True):
    """A tracker that serves."""

    endpoint: str
    """`tcp://host:port`, the port as bound."""
    public_key: str
    events: str
    wire: str
    pid: int
    data_dir: str


class PeerReady(Struct, frozen=True):
    """A peer that serves."""

    name: str
    id: str
    data: str
    """Endpoint of its data socket, the port as bound."""
    control: str
    events: str
    wire: str
    pid: int
    data_dir: str
    download_dir: str


class GatewayReady(Struct, frozen=True):
    """A gateway that serves."""

    name: str
    """The peer's."""
    url: str
    """Origin of the page, the port as bound."""
    token_file: str
    pid: int


AnyReady = TrackerReady | PeerReady | GatewayReady


class PeerUp(PeerReady, frozen=True):
    """One peer and its page, in the supervisor's report; None where it has no page."""

    url: str | None
    token_file: str | None
    gateway_pid: int | None


class Report(Struct, frozen=True):
    """Everything that the supervisor runs."""

    tracker: TrackerReady | None
    """None if none runs here."""
    peers: list[PeerUp]


def announce_ready(record: AnyReady, environ: Mapping[str, str]) -> None:
    """Say that this process serves, to whoever asked for it."""
    if environ.get(READY_VARIABLE):
        write_record(Path(environ[READY_VARIABLE]), record)


def write_record(path: Path, record: Struct) -> None:
    """Replace the file in one step: a reader sees all of it or the old one. Readable by its owner only."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(record) + b"\n")
    partial.replace(path)


def for_people(report: Report, with_token: bool) -> str:
    """The report as text. A page's token goes only where nobody else reads it."""
    lines = [f"tracker  {report.tracker.endpoint}  key {report.tracker.public_key}"] if report.tracker else []
    width = max([len("tracker"), *(len(peer.name) for peer in report.peers)])
    for peer in report.peers:
        token = Path(peer.token_file).read_text().strip() if with_token and peer.token_file else ""
        lines.append(f"{peer.name:<{width}}  {peer.data}  {peer.url or ''}{token and '/#token='}{token}".rstrip())
    return "\n".join([*lines, "Ready. Ctrl-C stops everything."])
