"""One peer in one thread: the parts made and wired, started, run, and closed again.

`python -m peer` runs one in its main thread.  An experiment may put something around the core (`wrap`), or run several
in one process.
"""

from __future__ import annotations

import os
import random

from bus.auth import ZapLoop
from bus.config import Loaded
from bus.forms import split_host_port
from bus.guard import Room
from bus.identity import Identity
from bus.link import Links
from bus.places import PeerPlaces
from bus.publisher import PeerPublisher
from bus.reactor import Reactor
from bus.ready import PeerReady
from bus.sockets import make_context
from bus.tap import WireStream
from peer.assembly import access_rule, link_trackers, node_settings, tcp_endpoint
from peer.catalogue import Catalogue
from peer.files import FileOps
from peer.reputation_store import ReputationStore
from peer.service import PeerService, Wrap, as_it_is
from peer.storage import Storage


def places_of(loaded: Loaded, name: str) -> PeerPlaces:
    """Where a configured peer keeps its state."""
    configured = loaded.settings.peer(name)
    download_dir = loaded.resolve(configured.download_dir) if configured.download_dir else ""
    return PeerPlaces(loaded.base_dir, name, download_dir)


class RunningPeer:
    """Made, started, run and closed by one thread, which holds the lock on `places`.

    Args:
        loaded: the configuration.
        name: of the peer in it.
        places: prepared.
        wrap: puts something around the core.
        ears: seconds to wait for a subscriber before anything is published, at most.

    Raises:
        ShoalError: anything that keeps a peer from starting, in one line.
    """

    def __init__(self, loaded: Loaded, name: str, places: PeerPlaces, wrap: Wrap = as_it_is, ears: float = 0.0) -> None:
        settings = loaded.settings
        identity = Identity.load_or_create(places.identity_file)
        self._context = make_context()
        self._zap = ZapLoop(self._context, access_rule(settings.security))
        self._zap.start()
        self.reactor = reactor = Reactor()
        publisher = PeerPublisher(reactor, self._context, places.events, identity.peer_id, settings.events.heartbeat)
        if ears:
            publisher.await_subscriber(ears)
        self._wire = WireStream(reactor, self._context, places.wire)
        # The sockets are bound before the core is made, which must know the data port.  Nothing is
        # delivered before the reactor runs, so the service is there by the first event.
        links = Links(
            reactor,
            self._context,
            identity,
            lambda event: self._service.link_event(event),  # noqa: PLW0108  there is no service yet
            hwm=settings.network.hwm,
            wire=self._wire,
            encryption=settings.security.encryption,
            room=Room(exempt=settings.limits.exempt_networks),
        )
        data = links.listen("data", tcp_endpoint(settings.network.bind, settings.peer(name).data_port))
        links.listen("control", places.control)
        storage = Storage(
            places,
            settings.transfer,
            Catalogue(places.catalogue_file),
            FileOps(),
            lambda event: reactor.post(lambda: self._service.storage_event(event)),
        )
        node = node_settings(loaded, name, identity.peer_id, str(places.download_dir), split_host_port(data)[1])
        reputation = ReputationStore(places.reputation_file)
        trackers = link_trackers(loaded, node)
        self._service = PeerService(
            node, reactor, publisher, storage, reputation, links, trackers, random.Random(), wrap
        )
        self.record = _record(name, identity, places, data)
        """How to reach it."""

    def start(self) -> None:
        """Publish that it is there, and begin."""
        self._service.start(self.record.data)

    def run(self) -> None:
        """Serve until `stop`."""
        self.reactor.run()

    def stop(self, reason: str) -> None:
        """Say good-bye to everybody and let `run` return; fit for signal handlers and other threads."""
        self.reactor.post(lambda: self._service.stop(reason))

    def close(self) -> None:
        """After `run`: let the last messages leave, sync and record what was written, end the threads."""
        self._service.close()
        self._wire.close()
        self._zap.stop()
        self._context.destroy(0)
        self.reactor.close()


def _record(name: str, identity: Identity, places: PeerPlaces, data: str) -> PeerReady:
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
