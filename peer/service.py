"""The peer's shell: sockets, disk and threads around PeerNode, and nothing that decides.

One reactor thread feeds the one core: control first, then trackers, then data.  Hashing,
files and databases are in worker threads, which hand their answers back through the reactor.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

from bus.boundary import (
    Dial,
    DialFailed,
    HangUp,
    LinkEvent,
    LinkId,
    LinkLost,
    LinkUp,
    Misbehaved,
    Publish,
    Received,
    Send,
)
from bus.driver import Core, Driver
from bus.events import MetricsSample, PeerStarted, PeerStopping
from bus.link import Links
from bus.publisher import PeerPublisher
from bus.reactor import Reactor
from peer.control import Control
from peer.core.interface import CoreEffect, CoreEvent, ForgetReputation, KeepReputation, Reply
from peer.core.limit_record import LocalTime
from peer.core.node import PeerNode
from peer.core.settings import NodeSettings
from peer.core.sharelink import TrackerHint
from peer.local_time import minute_of_week
from peer.reputation_store import ReputationStore
from peer.storage import Storage

log = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 1.0
TIME_SECONDS: Final = 1.0
"""Between two looks at the clock on the wall."""
GOODBYE_MS: Final = 500
"""Milliseconds that the last messages have to leave at a graceful stop."""


class PeerCore(Core[CoreEvent, CoreEffect], Protocol):
    """What the service drives: a PeerNode, or something around one."""

    def start_effects(self) -> list[CoreEffect]: ...

    def stop(self, now: float) -> list[CoreEffect]: ...


Wrap = Callable[[PeerNode], PeerCore]


def as_it_is(node: PeerNode) -> PeerCore:
    """Nothing around the core."""
    return node


class PeerService:
    """One running peer."""

    def __init__(
        self,
        settings: NodeSettings,
        reactor: Reactor,
        publisher: PeerPublisher,
        storage: Storage,
        reputation: ReputationStore,
        links: Links,
        link_trackers: tuple[TrackerHint, ...],
        rng: random.Random,
        wrap: Wrap = as_it_is,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`link_trackers` are named in share links; `rng` makes every random choice of the core.

        `wrap` may put something between the core and the shell; `wall` is the wall clock, for display and schedules.
        """
        self._settings = settings
        self._wall = wall
        self._minute = -1
        """Of the week, as the core was told."""
        self._reactor = reactor
        self._publisher = publisher
        self._storage = storage
        self._reputation = reputation
        self._links = links
        self._control_links: dict[LinkId, bool] = {}
        contents, downloads = storage.load_all()
        standings, run_before = reputation.load()
        self._node = PeerNode(
            settings,
            rng,
            reactor.now,
            wall(),
            contents,
            downloads,
            standings,
            run_before,
            storage.load_limits(),
            storage.load_uploaded(),
        )
        self._core = wrap(self._node)
        self._run_before = run_before
        self._began = reactor.now
        self._driver: Driver[CoreEvent, CoreEffect] = Driver(self._core, reactor, self._perform)
        self.control = Control(
            reactor, storage, publisher, reputation, link_trackers, self._links.perform, self._driver.feed
        )
        self._performers = self._table()

    def start(self, data_endpoint: str) -> None:
        """Publish that we are there, and begin."""
        settings = self._settings
        self._publisher.publish(
            PeerStarted(
                settings.name,
                settings.peer,
                settings.software.removeprefix("shoal "),
                self._wall(),
                data_endpoint,
                settings.download_dir,
            )
        )
        for effect in self._core.start_effects():
            self._perform(effect)
        self._storage.look_at_all()
        self._sample()
        self._reactor.every(SAMPLE_SECONDS, self._sample)
        self._tell_time()
        self._reactor.every(TIME_SECONDS, self._tell_time)

    def _tell_time(self) -> None:
        minute = minute_of_week(self._wall())
        if minute != self._minute:
            self._minute = minute
            self._driver.feed(LocalTime(minute))

    def storage_event(self, event: CoreEvent) -> None:
        """An answer from a worker thread; called in the reactor's thread."""
        self._driver.feed(event)

    def stop(self, reason: str) -> None:
        """Say good-bye to everybody and end the loop."""
        self._publisher.publish(PeerStopping(reason))
        self._links.stop_listening()
        for effect in self._core.stop(self._reactor.now):
            self._perform(effect)
        self._reputation.keep_running_time(self._running_time())
        self._reactor.stop()

    def close(self) -> None:
        """After the loop: let the last messages leave, sync and record what was written."""
        self._links.close(GOODBYE_MS)
        self._storage.close()
        self._reputation.close()
        self._publisher.close()

    def _running_time(self) -> float:
        return self._run_before + self._reactor.now - self._began

    # -- events in --

    def link_event(self, event: LinkEvent) -> None:
        """Control links are the shell's own; all others are the core's."""
        if type(event) is Received:  # nearly all are
            if event.link in self._control_links:
                self.control.received(event)
            else:
                self._driver.feed(event)
            return
        match event:
            case LinkUp(channel="control"):
                self._control_links[event.link] = True
            case LinkLost() if event.link in self._control_links:
                del self._control_links[event.link]
            case Misbehaved() if event.link in self._control_links:
                self.control.not_understood(event)
            case _ if not isinstance(event, DialFailed) and event.link in self._control_links:
                pass
            case _:
                self._driver.feed(event)

    # -- effects out --

    def _perform(self, effect: CoreEffect) -> None:
        self._performers.get(type(effect), self._storage.perform)(effect)

    def _table(self) -> dict[type, Callable[..., object]]:
        """Who carries out which effect; the storage does the rest."""
        return {
            Send: self._links.perform,
            Dial: self._links.perform,
            HangUp: self._links.perform,
            Publish: lambda effect: self._publisher.publish(effect.event),
            Reply: self._reply,
            KeepReputation: lambda effect: self._reputation.keep(effect, self._running_time()),
            ForgetReputation: lambda effect: self._reputation.forget(effect.peer),
        }

    def _reply(self, reply: Reply) -> None:
        if not reply.kept:
            self.control.reply(reply)
            return
        when_kept = self._storage.when_kept if reply.kept == "catalogue" else self._reputation.when_kept
        when_kept(lambda error: self._reactor.post(lambda: self.control.kept(reply, error)))

    def _sample(self) -> None:
        node = self._node
        now = self._reactor.now
        self._publisher.publish(
            MetricsSample(
                {
                    "uptime_seconds": round(now - self._began, 1),
                    "up_rate": round(node.uploads.sending.meter.rate(now), 1),
                    "down_rate": round(node.downloads.fetching.meter.rate(now), 1),
                    "sent_bytes_total": float(node.uploads.sending.meter.total),
                    "received_bytes_total": float(node.downloads.fetching.meter.total),
                    "disk_free": float(self._storage.disk_free()),
                    "links": float(len(node.neighbours.by_link)),
                    "contents": float(len(node.shelf.offers)),
                    "downloads": float(len(node.downloads.active)),
                }
            )
        )
        self._reputation.keep_running_time(self._running_time())
