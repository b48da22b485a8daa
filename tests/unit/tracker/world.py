"""A tracker core with peers around it, for tests: short names for ids, one line for each thing a peer does."""

from __future__ import annotations

from random import Random
from typing import TypeVar

from bus.boundary import HangUp, LinkId, LinkLost, LinkUp, Publish, Received, Send
from bus.events import Event
from bus.messages import (
    Announce,
    ContentEntry,
    Kind,
    Leave,
    Message,
    Query,
    Register,
    Renew,
    Search,
    Swarm,
    Version,
    Watch,
)
from tracker.core.interface import Change, Limits, Save, SearchStore, TrackerEffect, TrackerEvent
from tracker.core.node import TrackerCore

LAN = "192.168.1."
M = TypeVar("M", bound=Message)


def identity(name: str) -> str:
    """A peer or content id with a name in it."""
    return name.encode().hex().ljust(64, "0")


def name_of(identity_: str) -> str:
    return bytes.fromhex(identity_).rstrip(b"\0").decode()


def limits(**changes: object) -> Limits:
    """Limits as they are by default, none of them exempt."""
    values: dict[str, object] = {
        "lease": 90.0,
        "push_interval": 5.0,
        "ping_after": 5.0,
        "hang_up_after": 15.0,
        "sample_peers": 50,
        "keys_per_address": 64,
        "contents_per_key": 10_000,
        "exempt_networks": (),
    }
    return Limits(**(values | changes))  # type: ignore[arg-type]


def entry(
    content: str, name: str | None = None, kind: Kind = "file", size: int = 100, complete: bool = True
) -> ContentEntry:
    """A line of a peer's list; the content's short name is its name."""
    return ContentEntry(identity(content), content if name is None else name, kind, size, complete)


def register(
    *contents: ContentEntry,
    n: int = 1,
    epoch: int = 7,
    page: int = 0,
    last: bool = True,
    name: str = "north",
    port: int = 4000,
    loopback: bool = False,
    advertise: tuple[str, ...] = (),
    addresses: tuple[str, ...] = (),
    request: int = 1,
    encrypted: bool = True,
) -> Register:
    return Register(
        request, Version(epoch, n), page, last, name, port, loopback, list(advertise), list(addresses), list(contents),
        encrypted,
    )  # fmt: skip


def announce(*added: ContentEntry, n: int, removed: tuple[str, ...] = (), epoch: int = 7, request: int = 2) -> Announce:
    return Announce(request, Version(epoch, n), list(added), [identity(one) for one in removed])


def renew(n: int = 1, epoch: int = 7, request: int = 3) -> Renew:
    return Renew(request, Version(epoch, n))


class World:
    """One core, its clock, and what it last decided."""

    def __init__(self, seed: int = 1, **changes: object) -> None:
        self.core = TrackerCore(limits(**changes), Random(seed))
        self.now = 1000.0
        self.effects: list[TrackerEffect] = []
        self._links = 0

    def handle(self, event: TrackerEvent) -> list[TrackerEffect]:
        self.effects = self.core.handle(event, self.now)
        self.core.check_invariants()
        return self.effects

    def up(self, peer: str, address: str = "") -> LinkId:
        """A new link of this peer; without an address it has one of its own in the LAN."""
        self._links += 1
        link = LinkId(self._links)
        where = address or f"{LAN}{self._links % 250 + 1}"
        self.handle(LinkUp(link, "tracker", identity(peer), where, dialled=False))
        return link

    def lose(self, link: LinkId) -> None:
        self.handle(LinkLost(link, "gone"))

    def say(self, link: LinkId, *messages: Message) -> list[Message]:
        """Messages from a peer; returns what that link is answered."""
        effects: list[TrackerEffect] = []
        for message in messages:
            effects += self.handle(Received(link, message))
        self.effects = effects
        return self.sent(link)

    def join(self, peer: str, *contents: ContentEntry, address: str = "", watch: bool = False) -> LinkId:
        """A peer that comes and registers these."""
        link = self.up(peer, address)
        self.say(link, register(*contents))
        if watch:
            self.say(link, Watch([one.id for one in contents]))
        return link

    def pass_time(self, seconds: float) -> list[TrackerEffect]:
        """Let time go by, with every deadline met exactly; returns all that was decided."""
        end = self.now + seconds
        effects: list[TrackerEffect] = []
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            effects += self.core.on_deadline(self.now)
            self.core.check_invariants()
        self.now = end
        self.effects = effects
        return effects

    def keep_alive(self, seconds: float, *links: LinkId, n: int = 1) -> list[TrackerEffect]:
        """As `pass_time`, with these links renewing every second; returns all that was decided."""
        effects: list[TrackerEffect] = []
        for _ in range(int(seconds)):
            effects += self.pass_time(1.0)
            for link in links:
                effects += self.handle(Received(link, renew(n)))
        self.effects = effects
        return effects

    def sent(self, link: LinkId) -> list[Message]:
        return [one.message for one in self.effects if isinstance(one, Send) and one.link == link]

    def sent_of(self, link: LinkId, kind: type[M]) -> list[M]:
        return [message for message in self.sent(link) if isinstance(message, kind)]

    def hung_up(self) -> list[LinkId]:
        return [one.link for one in self.effects if isinstance(one, HangUp)]

    def published(self) -> list[Event]:
        return [one.event for one in self.effects if isinstance(one, Publish)]

    def saved(self) -> list[Change]:
        return [change for one in self.effects if isinstance(one, Save) for change in one.changes]

    def swarm(self, link: LinkId, content: str) -> Swarm:
        [answer] = self.say(link, Query(9, identity(content)))
        assert isinstance(answer, Swarm)
        return answer

    def members(self, link: LinkId, content: str) -> list[str]:
        """The peers a query on this link names, sorted."""
        return sorted(name_of(one.peer) for one in self.swarm(link, content).peers)

    def handle_search(self, link: LinkId, search: Search) -> list[SearchStore]:
        """A search on this link; returns what the store is asked."""
        self.say(link, search)
        return [one for one in self.effects if isinstance(one, SearchStore)]

    def leave(self, link: LinkId) -> None:
        self.say(link, Leave())
