"""`python -m peer NAME`: one peer.  Reads the configuration once and wires the parts."""

from __future__ import annotations

import argparse
import gc
import os
import random
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from bus.auth import ZapLoop
from bus.config import Loaded, load
from bus.errors import ERR_CONFIG, ERR_USAGE, ShoalError
from bus.events import PeerHeartbeat
from bus.forms import is_loopback, split_host_port
from bus.identity import Identity
from bus.link import Links
from bus.log import setup
from bus.places import DirectoryLock, PeerPlaces, TrackerPlaces
from bus.publisher import Publisher
from bus.reactor import Reactor
from bus.ready import PeerReady, announce_ready
from bus.settings import Settings
from bus.sockets import make_context
from bus.tap import WireStream
from peer.catalogue import Catalogue
from peer.core.settings import NodeSettings, ReputationSettings, TrackerAddress
from peer.core.sharelink import TrackerHint
from peer.files import FileOps
from peer.reputation_store import ReputationStore
from peer.service import PeerService
from peer.storage import Storage

SWITCH_INTERVAL = 0.0005
"""Seconds between thread switches: a worker in Python code must not delay the reactor by Python's 5 ms."""


class Arguments(argparse.ArgumentParser):
    """Reports a wrong command line as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        raise ShoalError(ERR_USAGE, f"{message}; see {self.prog} --help")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Arguments("shoal peer", description="Run one peer until SIGTERM or Ctrl-C.")
    parser.add_argument("name", metavar="NAME", help="the peer, as config.yaml names it")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: config.yaml)")
    parser.add_argument("--base-dir", type=Path, metavar="DIR", help="folder of all state")
    return parser.parse_args(arguments)


def tracker_addresses(loaded: Loaded) -> tuple[TrackerAddress, ...]:
    """The trackers to register with; the local one if the configuration names no other."""
    tracker = loaded.settings.tracker
    found = []
    if tracker.endpoint:
        if not tracker.public_key:
            raise ShoalError(ERR_CONFIG, "tracker.public_key is missing beside tracker.endpoint; `shoal up` prints it")
        found.append(TrackerAddress(tracker.endpoint, tracker.public_key))
    elif tracker.run:
        key_file = TrackerPlaces(loaded.base_dir).identity_file
        if key_file.exists():
            found.append(TrackerAddress(tracker.listen, Identity.load_or_create(key_file).peer_id))
    found.extend(TrackerAddress(other.endpoint, other.public_key) for other in tracker.others)
    return tuple(found)


def interface_addresses() -> tuple[str, ...]:
    """This machine's addresses that others may dial: no loopback, no link-local ones."""
    found = []
    for rows in psutil.net_if_addrs().values():
        for row in rows:
            address = row.address.partition("%")[0]
            usable = row.family.name in ("AF_INET", "AF_INET6") and not is_loopback(address)
            if usable and not address.startswith(("169.254.", "fe80:")):
                found.append(address)
    return tuple(found[:16])


def link_trackers(loaded: Loaded, settings: NodeSettings) -> tuple[TrackerHint, ...]:
    """The trackers to name in links for others: a tracker of this machine by an address that others can dial."""
    listen = split_host_port(loaded.settings.tracker.listen.removeprefix("tcp://"))[0]
    advertised = [split_host_port(text)[0] for text in settings.advertise]
    ours = next(iter([*advertised, *settings.addresses]), "")
    hints = []
    for tracker in settings.trackers:
        host, port = split_host_port(tracker.endpoint.removeprefix("tcp://"))
        if loaded.settings.tracker.run and ours and is_loopback(host) and not is_loopback(listen):
            host = f"[{ours}]" if ":" in ours else ours
        hints.append(TrackerHint(f"tcp://{host}:{port}", tracker.public_key))
    return tuple(hints)


def node_settings(loaded: Loaded, name: str, identity: Identity, places: PeerPlaces, data_port: int) -> NodeSettings:
    """What the core is told, from the configuration."""
    settings: Settings = loaded.settings
    network, transfer, reputation = settings.network, settings.transfer, settings.reputation
    return NodeSettings(
        peer=identity.peer_id,
        name=name,
        software=f"shoal {version('shoal')}",
        download_dir=str(places.download_dir),
        data_port=data_port,
        loopback=is_loopback(network.bind),
        advertise=tuple(network.advertise),
        addresses=() if is_loopback(network.bind) else interface_addresses(),
        trackers=tracker_addresses(loaded),
        window=transfer.window,
        window_total=transfer.window_total,
        upload_budget=transfer.upload_budget,
        upload_slots=transfer.upload_slots,
        data_message_max=transfer.data_message_max,
        chunk_timeout=transfer.chunk_timeout,
        links_per_content=transfer.links_per_content,
        links=transfer.links,
        picker=transfer.picker,
        idle_ping=network.idle_ping,
        link_timeout=network.link_timeout,
        limit_up=settings.limits.up,
        limit_down=settings.limits.down,
        progress_interval=settings.events.progress_interval,
        renew=settings.tracker.renew,
        reputation=ReputationSettings(
            **{field: getattr(reputation, field) for field in ReputationSettings.__struct_fields__}
        ),
    )


def serve(name: str, loaded: Loaded) -> None:
    """Run one peer until a signal."""
    settings = loaded.settings
    configured = settings.peer(name)
    download_dir = loaded.resolve(configured.download_dir) if configured.download_dir else ""
    places = PeerPlaces(loaded.base_dir, name, download_dir)
    places.prepare()
    with DirectoryLock(places.lock_file):
        run(loaded, name, places, configured.data_port)


def run(loaded: Loaded, name: str, places: PeerPlaces, port: int) -> None:
    settings = loaded.settings
    identity = Identity.load_or_create(places.identity_file)
    context = make_context()
    security = settings.security
    allowed = frozenset(security.allow)
    zap = ZapLoop(context, lambda domain, peer, address: security.access == "open" or peer in allowed)
    zap.start()
    reactor = Reactor()
    publisher = Publisher(reactor, context, places.events, identity.peer_id, settings.events.heartbeat, PeerHeartbeat)
    wire = WireStream(reactor, context, places.wire)
    catalogue = Catalogue(places.catalogue_file)
    reputation = ReputationStore(places.reputation_file)
    # The sockets are bound before the core is made, which must know the data port.  Nothing is
    # delivered before the reactor runs, so the service is there by the first event.
    services: list[PeerService] = []
    links = Links(
        reactor,
        context,
        identity,
        lambda event: services[0].link_event(event),  # noqa: PLW0108  there is no service yet
        hwm=settings.network.hwm,
        wire=wire,
    )
    host = f"[{settings.network.bind}]" if ":" in settings.network.bind else settings.network.bind
    data = links.listen("data", f"tcp://{host}:{port}")
    links.listen("control", places.control)
    data_port = split_host_port(data.removeprefix("tcp://"))[1]
    storage = Storage(
        places,
        settings.transfer,
        catalogue,
        FileOps(),
        lambda event: reactor.post(lambda: services[0].storage_event(event)),
    )
    node = node_settings(loaded, name, identity, places, data_port)
    service = PeerService(
        node,
        reactor,
        publisher,
        storage,
        reputation,
        links,
        link_trackers(loaded, node),
        random.Random(),
    )
    services.append(service)
    service.start(data)
    _stop_on_signals(reactor, service)
    gc.freeze()
    announce_ready(
        PeerReady(
            name=name,
            id=identity.peer_id,
            data=data,
            control=places.control,
            events=places.events,
            wire=places.wire,
            pid=os.getpid(),
            data_dir=str(places.data_dir),
            download_dir=str(places.download_dir),
        ),
        os.environ,
    )
    try:
        reactor.run()
    finally:
        service.close()
        wire.close()
        zap.stop()
        context.destroy(0)


def _stop_on_signals(reactor: Reactor, service: PeerService) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        reactor.post(lambda: service.stop(signal.Signals(number).name))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def main() -> int:
    try:
        arguments = parse(sys.argv[1:])
        loaded = load(arguments.config, os.environ, arguments.base_dir)
        setup(loaded.settings.logging, f"peer {arguments.name}")
        sys.setswitchinterval(SWITCH_INTERVAL)
        serve(arguments.name, loaded)
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
