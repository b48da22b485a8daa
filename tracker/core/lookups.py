"""Queries and searches: questions that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from bus.boundary import ContentId, LinkId, PeerId
from bus.errors import ERR_DATABASE, ERR_RATE, ShoalError
from bus.messages import Found, Message, Query, Search, Swarm, SwarmChanged, TrackerFailed
from tracker.core.addresses import Place
from tracker.core.interface import Limits, SearchFailed, SearchStore, StoreFound
from tracker.core.ranking import SearchTerms, parse_terms, rank
from tracker.core.registry import Registry
from tracker.core.selection import listed, sample_swarm


class _Pending(Struct, frozen=True):
    link: LinkId
    request: int
    limit: int
    terms: SearchTerms


class Lookups:
    """Answers from the registry; a search waits for the store in between."""

    __slots__ = ("_limits", "_pending", "_registry", "_rng", "_token")

    def __init__(self, limits: Limits, rng: Random, registry: Registry) -> None:
        self._limits = limits
        self._rng = rng
        self._registry = registry
        self._token = 0
        self._pending: dict[int, _Pending] = {}

    def query(self, message: Query, asker: PeerId, place: Place) -> Swarm:
        """The swarm of one content: empty, with no name, if nobody has it."""
        swarm = self._registry.swarms.get(message.content)
        if swarm is None:
            return Swarm(message.request, message.content, "", "", 0, 0, 0, [])
        limits = self._limits
        lease = self._registry.leases.get(asker)
        peers = sample_swarm(swarm, lease, place, self._rng, limits.sample_peers, limits.reply_bytes)
        return Swarm(
            message.request, message.content, swarm.name, swarm.kind, swarm.size, swarm.seeds, swarm.leechers, peers
        )

    def swarm_changed(self, content: ContentId, peers: Sequence[PeerId], asker: PeerId, place: Place) -> SwarmChanged:
        """The counts of a swarm now, and these peers by whether they are in it now."""
        most = self._limits.push_peers
        swarm = self._registry.swarms.get(content)
        if swarm is None:
            return SwarmChanged(content, 0, 0, [], [peer for peer in peers if peer != asker][:most])
        left = [peer for peer in peers if peer not in swarm and peer != asker][:most]
        leases = [(self._registry.leases.get(peer), swarm.is_seed(peer)) for peer in peers if peer in swarm]
        members = [(lease, seed) for lease, seed in leases if lease]
        joined = listed(members, asker, place, most, self._limits.reply_bytes)
        return SwarmChanged(content, swarm.seeds, swarm.leechers, joined, left)

    def begin_search(self, message: Search, link: LinkId) -> SearchStore:
        """What to ask the store.

        Raises:
            ShoalError: ERR_USAGE for no words or too many, ERR_RATE when too many searches wait already.
        """
        terms = parse_terms(message.words)
        if len(self._pending) >= self._limits.pending_searches:
            raise ShoalError(ERR_RATE, f"{len(self._pending)} searches are waiting: try again in a second")
        self._token += 1
        self._pending[self._token] = _Pending(link, message.request, message.limit, terms)
        return SearchStore(self._token, terms.words, terms.id_prefix, self._limits.search_candidates)

    def finish_search(self, event: StoreFound) -> tuple[LinkId, Message]:
        """The link to answer, and the answer."""
        pending = self._pending.pop(event.token)
        swarms = self._registry.swarms
        known = [swarms[content] for content in event.contents if content in swarms]
        return pending.link, Found(pending.request, rank(pending.terms, known, pending.limit))

    def fail_search(self, event: SearchFailed) -> tuple[LinkId, Message]:
        """The link to tell, and what."""
        pending = self._pending.pop(event.token)
        return pending.link, TrackerFailed(pending.request, ERR_DATABASE, f"the tracker cannot search: {event.reason}")
