"""The tracker's core: every decision of the tracker, with the clock and the dice handed in.

    links      who is connected, and still alive         (links.py)
    routes     which link speaks for a peer              (routes.py)
    registry   leases and swarms: who has what           (registry.py)
    watches    who is told when a swarm changes          (watches.py)
    lookups    queries and searches                      (lookups.py)

This module joins them: it turns each message into a call and what the call returns into
effects.  Work is per message and per announced content, never per chunk, and an answer costs
the same whatever the size of its swarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from random import Random
from typing import Any, Final

from bus.boundary import (
    HangUp,
    LinkBlocked,
    LinkId,
    LinkLost,
    LinkUp,
    LinkWritable,
    Misbehaved,
    PeerId,
    Publish,
    Received,
)
from bus.errors import ERR_LIMIT, ERR_PROTOCOL, ERR_RATE, LocalProtocolError, RemoteProtocolError, ShoalError
from bus.messages import (
    Announce,
    Leave,
    Message,
    Query,
    Register,
    Renew,
    Search,
    TrackerPing,
    TrackerPong,
    Unwatch,
    Watch,
)
from tracker.core.addresses import Network, place_of
from tracker.core.interface import Limits, Save, SavedState, SearchFailed, StoreFound, TrackerEffect, TrackerEvent
from tracker.core.leasing import Leasing
from tracker.core.links import Link, Links
from tracker.core.lookups import Lookups
from tracker.core.outbox import Outbox
from tracker.core.rates import RequestRates
from tracker.core.registry import Changes, Registry
from tracker.core.routes import Routes
from tracker.core.timers import Timers
from tracker.core.watches import Watches, Watching

KINDS: Final[dict[type[Message], str]] = {
    Register: "register",
    Announce: "announce",
    Renew: "renew",
    Leave: "leave",
    Query: "query",
    Search: "search",
    Watch: "watch",
    Unwatch: "unwatch",
    TrackerPing: "ping",
    TrackerPong: "pong",
}
"""What requests are called in metrics."""


class TrackerCore:
    """One tracker.  `handle` and `on_deadline` return what the shell has to do, in this order."""

    def __init__(self, limits: Limits, rng: Random) -> None:
        self._limits = limits
        self._rng = rng
        self._exempt: tuple[Network, ...] = tuple(ip_network(text) for text in limits.exempt_networks)
        self._outbox = Outbox()
        self._timers = Timers()
        self._rates = RequestRates(limits)
        self._registry = Registry(limits)
        self._links = Links(limits, self._timers, self._ping, self._hang_up)
        self._routes = Routes(rng)
        self._watches = Watches(limits, self._timers, rng, self._push)
        self._lookups = Lookups(limits, rng, self._registry)
        self._leasing = Leasing(
            limits, self._timers, self._rates, self._links, self._routes, self._registry, self._outbox,
            self._changed, self._hang_up,
        )  # fmt: skip
        self._counts = dict.fromkeys(KINDS.values(), 0)
        self._pushes = 0
        self._on_event: dict[type, Callable[[Any], None]] = {
            Received: self._received,
            LinkUp: self._link_up,
            LinkLost: self._link_lost,
            LinkBlocked: self._link_blocked,
            LinkWritable: self._link_writable,
            Misbehaved: self._misbehaved,
            StoreFound: self._store_found,
            SearchFailed: self._search_failed,
        }
        self._on_message: dict[type[Message], Callable[[Link, Any], None]] = {
            Register: self._leasing.register,
            Announce: self._leasing.announce,
            Renew: self._leasing.renew,
            Leave: self._leasing.leave,
            Query: self._query,
            Search: self._search,
            Watch: self._watch,
            Unwatch: self._unwatch,
            TrackerPing: self._answer_ping,
            TrackerPong: self._leasing.pong,
        }

    def __repr__(self) -> str:
        return (
            f"<TrackerCore {len(self._links)} links {len(self._registry.leases)} peers "
            f"{len(self._registry.swarms)} contents {len(self._watches)} watched>"
        )

    # --- the calls of every core -------------------------------------------------------------

    def handle(self, event: TrackerEvent, now: float) -> list[TrackerEffect]:
        """Take one event in."""
        self._outbox.now = now
        handler = self._on_event.get(type(event))
        if handler is None:
            raise LocalProtocolError(f"a tracker is never told {type(event).__name__}: it dials nobody")
        handler(event)
        return self._outbox.take()

    def next_deadline(self) -> float | None:
        """When `on_deadline` is due, on the clock of `now`."""
        return self._timers.next()

    def on_deadline(self, now: float) -> list[TrackerEffect]:
        """Do what time has made due."""
        self._outbox.now = now
        self._timers.run(now)
        return self._outbox.take()

    def restore(self, state: SavedState, now: float) -> list[TrackerEffect]:
        """Take over what was saved before a restart; once, before anything is handled."""
        self._outbox.now = now
        self._changed(self._registry.restore(state, self._exempt, now), "")
        self._leasing.restored()
        return self._outbox.take()

    def metrics(self) -> dict[str, float]:
        """Gauges, and counters since the start, by Prometheus name without its prefix."""
        values: dict[str, float] = {
            "tracker_links": len(self._links),
            "tracker_peers": len(self._registry.leases),
            "tracker_contents": len(self._registry.swarms),
            "tracker_watched_contents": len(self._watches),
            "tracker_pushes_total": self._pushes,
            "tracker_refusals_total": self._outbox.refusals,
            "tracker_expired_total": self._leasing.expired,
            "tracker_requests_total": sum(self._counts.values()),
        }
        values |= {f"tracker_{kind}_requests_total": count for kind, count in self._counts.items()}
        return values

    # --- links -------------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> None:
        self._links.add(event.link, event.peer, place_of(event.address, self._exempt), self._outbox.now)

    def _link_lost(self, event: LinkLost) -> None:
        link = self._links.get(event.link)
        if link is not None:
            self._forget(link)

    def _hang_up(self, link: Link, now: float) -> None:
        self._outbox.add(HangUp(link.id))
        self._forget(link)

    def _forget(self, link: Link) -> None:
        self._links.remove(link)
        self._watches.remove(link.watched, link.id)
        self._leasing.link_lost(link)

    def _link_blocked(self, event: LinkBlocked) -> None:
        link = self._links.get(event.link)
        if link is not None:
            link.blocked = True

    def _link_writable(self, event: LinkWritable) -> None:
        link = self._links.get(event.link)
        if link is not None:
            link.blocked = False

    def _misbehaved(self, event: Misbehaved) -> None:
        link = self._links.get(event.link)
        if link is not None:
            self._offence(link)

    def _offence(self, link: Link) -> None:
        link.offences += 1
        if link.offences >= self._limits.offences:
            self._hang_up(link, self._outbox.now)

    # --- messages ----------------------------------------------------------------------------

    def _received(self, event: Received) -> None:
        link = self._links.get(event.link)
        if link is None:  # hung up while this was on its way
            return
        link.heard = self._outbox.now
        message = event.message
        handler = self._on_message.get(type(message))
        if handler is None:
            raise LocalProtocolError(f"{type(message).__name__} is no message from a client to a tracker")
        self._counts[KINDS[type(message)]] += 1
        try:
            handler(link, message)
        except ShoalError as error:
            self._outbox.fail(link, message, error)
        except RemoteProtocolError as error:
            self._outbox.fail(link, message, ShoalError(ERR_PROTOCOL, str(error)))
            self._offence(link)

    def _ping(self, link: Link) -> None:
        self._outbox.send(link, TrackerPing(self._rng.randrange(1, 2**63)))

    def _answer_ping(self, link: Link, message: TrackerPing) -> None:
        try:
            self._rates.check_control(link.peer, link.place, self._outbox.now)
        except ShoalError:
            return  # it was heard, which is what pings are for; a flood of them gets no answers
        self._outbox.send(link, TrackerPong(message.nonce))

    def _changed(self, changes: Changes, peer: PeerId) -> None:
        """Save, publish and push what a message or the time has changed."""
        if changes.saved:
            self._outbox.add(Save(tuple(changes.saved)))
        for event in changes.events:
            self._outbox.add(Publish(event))
        for content in changes.contents:
            self._watches.note(content, peer, self._outbox.now)

    # --- lookups and watches -----------------------------------------------------------------

    def _query(self, link: Link, message: Query) -> None:
        self._rates.check_lookup(link.peer, link.place, self._outbox.now)
        self._outbox.send(link, self._lookups.query(message, link.peer, link.place))

    def _search(self, link: Link, message: Search) -> None:
        self._rates.check_lookup(link.peer, link.place, self._outbox.now)
        self._outbox.add(self._lookups.begin_search(message, link.id))

    def _store_found(self, event: StoreFound) -> None:
        self._answer_search(*self._lookups.finish_search(event))

    def _search_failed(self, event: SearchFailed) -> None:
        self._answer_search(*self._lookups.fail_search(event))

    def _answer_search(self, asker: LinkId, answer: Message) -> None:
        link = self._links.get(asker)
        if link is not None:
            self._outbox.send(link, answer)

    def _watch(self, link: Link, message: Watch) -> None:
        self._rates.check_watch(link.peer, link.place, self._outbox.now)
        most = 2 * self._limits.contents_per_key  # what it has, and as many that it only looks at
        new = [content for content in dict.fromkeys(message.contents) if content not in link.watched]
        if len(link.watched) + len(new) > most:
            raise ShoalError(ERR_LIMIT, f"a link may watch {most} contents: end some watches first")
        # Each watch holds one slot of the pace at most; one that is ended leaves its slot behind, and a timer for it.
        if new and link.pace.ahead(self._outbox.now) > most / self._limits.push_rate:
            raise ShoalError(
                ERR_RATE, f"a link may not end and begin more than {most} watches that changed: wait a while"
            )
        for content in new:
            link.watched[content] = None
            self._watches.add(content, link.id, link.peer, link.pace)

    def _unwatch(self, link: Link, message: Unwatch) -> None:
        self._rates.check_watch(link.peer, link.place, self._outbox.now)
        self._watches.remove(message.contents, link.id)
        for content in message.contents:
            link.watched.pop(content, None)

    def _push(self, watching: Watching, peers: Sequence[PeerId], now: float) -> bool:
        link = self._links.get(watching.link)
        if link is None or link.blocked:
            return False
        self._pushes += 1
        self._outbox.send(link, self._lookups.swarm_changed(watching.content, peers, link.peer, link.place))
        return True

    def check_invariants(self) -> None:
        """Raises AssertionError if any two parts disagree; for tests."""
        self._registry.check_invariants()
        self._watches.check_invariants()
        self._routes.check_invariants(self._links.ids())
