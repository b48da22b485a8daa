"""`python -m peer NAME`: one peer.  Reads the configuration once and wires the parts."""

from __future__ import annotations

import gc
import os
import random
import sys

from bus.auth import ZapLoop
from bus.config import Loaded, load
from bus.events import PeerHeartbeat
from bus.forms import split_host_port
from bus.identity import Identity
from bus.link import Links
from bus.log import setup
from bus.places import DirectoryLock, PeerPlaces
from bus.program import Arguments, exit_code, give_up_later, stop_on_signals
from bus.publisher import Publisher
from bus.reactor import Reactor
from bus.ready import PeerReady, announce_ready
from bus.sockets import make_context
from bus.tap import WireStream
from peer.allocator import keep_freed_memory
from peer.assembly import access_rule, link_trackers, node_settings, tcp_endpoint
from peer.catalogue import Catalogue
from peer.files import FileOps
from peer.reputation_store import ReputationStore
from peer.service import PeerService
from peer.storage import Storage


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
    """Wire the parts, say that they serve, and run the loop."""
    settings = loaded.settings
    identity = Identity.load_or_create(places.identity_file)
    context = make_context()
    zap = ZapLoop(context, access_rule(settings.security))
    zap.start()
    reactor = Reactor()
    publisher = Publisher(reactor, context, places.events, identity.peer_id, settings.events.heartbeat, PeerHeartbeat)
    wire = WireStream(reactor, context, places.wire)
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
        encryption=settings.security.encryption,
    )
    data = links.listen("data", tcp_endpoint(settings.network.bind, port))
    links.listen("control", places.control)
    storage = Storage(
        places,
        settings.transfer,
        Catalogue(places.catalogue_file),
        FileOps(),
        lambda event: reactor.post(lambda: services[0].storage_event(event)),
    )
    node = node_settings(loaded, name, identity, places, split_host_port(data)[1])
    reputation = ReputationStore(places.reputation_file)
    trackers = link_trackers(loaded, node)
    service = PeerService(node, reactor, publisher, storage, reputation, links, trackers, random.Random())
    services.append(service)
    service.start(data)
    stop_on_signals(lambda name: reactor.post(lambda: service.stop(name)))
    gc.freeze()
    announce_ready(ready_record(name, identity, places, data), os.environ)
    try:
        reactor.run()
    finally:
        give_up_later(f"peer {name}")
        service.close()
        wire.close()
        zap.stop()
        context.destroy(0)


def ready_record(name: str, identity: Identity, places: PeerPlaces, data: str) -> PeerReady:
    return PeerReady(
        name=name,
        id=identity.peer_id,
        data=data,
        control=places.control,
        events=places.events,
        wire=places.wire,
        pid=os.getpid(),
        data_dir=str(places.data_dir),
        download_dir=str(places.download_dir),
    )


def main() -> int:
    """Run until a signal; the exit code."""

    def program() -> None:
        parser = Arguments("shoal peer", "Run one peer until SIGTERM or Ctrl-C.")
        parser.add_argument("name", metavar="NAME", help="the peer, as config.yaml names it")
        chosen = parser.parse_args()
        keep_freed_memory(os.environ)
        loaded = load(chosen.config, os.environ, chosen.base_dir)
        setup(loaded.settings.logging, f"peer {chosen.name}")
        serve(chosen.name, loaded)

    return exit_code(program)


if __name__ == "__main__":
    sys.exit(main())
