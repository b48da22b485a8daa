"""The tracker's shell: sockets, database and clock around the core; no decision is made here."""

from __future__ import annotations

import gc
import logging
import secrets
import time
from functools import partial
from random import Random
from typing import Final

import psutil

from bus.auth import ZapLoop
from bus.boundary import HangUp, Publish, Send
from bus.driver import Driver
from bus.errors import ShoalError
from bus.events import MetricsSample, TrackerHeartbeat
from bus.forms import dialable
from bus.guard import Room
from bus.identity import Identity
from bus.link import Links
from bus.places import TrackerPlaces
from bus.publisher import Publisher
from bus.reactor import Reactor
from bus.settings import SecuritySettings, Settings
from bus.sockets import make_context
from bus.tap import WireStream
from tracker.core.interface import Save, SearchFailed, StoreFound, TrackerEffect, TrackerEvent
from tracker.core.node import TrackerCore
from tracker.limits import limits_of
from tracker.store import Store

SAMPLE_SECONDS: Final = 1.0
FLUSH_MS: Final = 200
"""How long answers on their way out may take when the tracker stops."""
CLOSE_SECONDS: Final = 1.0
"""How long the database may take to write what is left when the tracker stops."""

log = logging.getLogger(__name__)


class TrackerService:
    """One tracker on real sockets.  Made, started, run and closed by one thread.

    Raises:
        ShoalError: anything that keeps a tracker from starting, in one line.
    """

    def __init__(self, settings: Settings, places: TrackerPlaces) -> None:
        self._settings = settings
        self._places = places
        self._began = time.monotonic()
        self._process = psutil.Process()
        self.failure: ShoalError | None = None
        """Why the tracker stopped by itself."""
        self.identity = Identity.load_or_create(places.identity_file)
        self._reactor = Reactor()
        self._context = make_context()
        self._zap = ZapLoop(self._context, Gate(settings.security))
        self._core = TrackerCore(limits_of(settings), Random(secrets.randbits(128)))
        self._store = Store(places.tracker_db, self._answered, self._failed)
        self._publisher = Publisher(
            self._reactor, self._context, places.events, self.identity.peer_id,
            settings.events.heartbeat, TrackerHeartbeat,
        )  # fmt: skip
        self._wire = WireStream(self._reactor, self._context, places.wire)
        self._driver: Driver[TrackerEvent, TrackerEffect] = Driver(self._core, self._reactor, self._perform)
        # Twice the identities: each may come again before the end of its old connection is seen.
        room = Room(2 * settings.tracker.keys_per_address, settings.limits.exempt_networks)
        self._links = Links(
            self._reactor, self._context, self.identity, self._driver.feed,
            hwm=settings.network.hwm, wire=self._wire, room=room,
        )  # fmt: skip

    def start(self) -> str:
        """Take over what was saved, and listen.  Returns an endpoint at which this machine reaches the tracker."""
        self._zap.start()
        for effect in self._core.restore(self._store.open(), self._reactor.now):
            self._perform(effect)
        bound = self._links.listen("tracker", self._settings.tracker.listen)
        self._reactor.every(SAMPLE_SECONDS, self._sample)
        # What was loaded lives as long as the process; looking through it costs a full collection 160 ms (measured).
        gc.collect()
        gc.freeze()
        log.info("%r listens on %s, key %s", self._core, bound, self.identity.peer_id)
        return dialable(bound)

    def run(self) -> None:
        """Serve until `stop`.

        Raises:
            ShoalError: ERR_DATABASE, when the database fails for good.
        """
        self._reactor.run()
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Let `run` return; fit for signal handlers and other threads."""
        self._reactor.stop()

    def close(self) -> None:
        """Send what is on its way, write what is left, end the threads."""
        self._links.stop_listening()
        self._links.close(FLUSH_MS)
        self._store.close(CLOSE_SECONDS)
        self._publisher.close()
        self._wire.close()
        self._zap.stop()
        self._context.term()
        self._reactor.close()

    def _perform(self, effect: TrackerEffect) -> None:
        match effect:
            case Send() | HangUp():
                self._links.perform(effect)
            case Publish():
                self._publisher.publish(effect.event)
            case Save():
                self._store.save(effect.changes)
            case _:
                self._store.search(effect)

    def _answered(self, event: StoreFound | SearchFailed) -> None:
        self._reactor.post(partial(self._driver.feed, event))

    def _failed(self, error: ShoalError) -> None:
        self.failure = error
        self.stop()

    def _sample(self) -> None:
        values = self._core.metrics()
        values |= {f"tracker_links_{name}_total": float(count) for name, count in self._links.counts.items()}
        handshakes = dict(self._zap.counts)  # in one piece, because its thread may add a name meanwhile
        values |= {f"tracker_handshakes_{name}_total": float(count) for name, count in handshakes.items()}
        with self._process.oneshot():
            cpu = self._process.cpu_times()
            values["process_cpu_seconds_total"] = cpu.user + cpu.system
            values["process_resident_memory_bytes"] = float(self._process.memory_info().rss)
        values["process_uptime_seconds"] = time.monotonic() - self._began
        self._publisher.publish(MetricsSample(values))


class Gate:
    """Who may connect; called in the authentication thread."""

    def __init__(self, security: SecuritySettings) -> None:
        self._open = security.access == "open"
        self._allowed = frozenset(security.allow)

    def __call__(self, domain: str, peer: str, address: str) -> bool:
        return self._open or peer in self._allowed
