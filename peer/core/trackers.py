"""All trackers of this peer: registered, renewed, announced, asked.

Each session keeps the tracker's list of our contents equal to the shelf: `register` restates
it, `announce` tells changes, `renew` proves that both mean the same version.  A session that
is down is dialled again after a pause that doubles from 1 s to 32 s, with jitter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId, Dial, DialFailed, LinkId, LinkUp
from bus.errors import RemoteProtocolError
from bus.events import TrackerLost, TrackerReached
from bus.messages import (
    Announce,
    ContentEntry,
    Found,
    FoundContent,
    Leave,
    Message,
    Query,
    Registered,
    Renew,
    Search,
    Swarm,
    SwarmChanged,
    TrackerFailed,
    TrackerPing,
    TrackerPong,
    Unwatch,
    Version,
    Watch,
)
from peer.core.pauses import doubled
from peer.core.session import Answer, Asked, Session, SessionState, pages_of, register_page, resolved
from peer.core.settings import NodeSettings, TrackerAddress
from peer.core.shelf import Shelf
from peer.core.turn import Turn

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 32.0
ANNOUNCE_DELAY: Final = 0.1
"""Seconds that changes are gathered before they are announced."""
REQUEST_TIMEOUT: Final = 5.0
LEASE_TIMEOUT: Final = 10.0
"""Seconds for answers about our lease: a tracker waits 5 s for an older link of ours before it believes a newer one."""
MAX_ERRORS: Final = 3
LEASE_KINDS: Final = ("register", "announce", "renew")
PING_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 15.0


class Trackers:
    """All tracker sessions of this peer."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        on_swarm: Callable[[Swarm], None],
        on_change: Callable[[SwarmChanged], None],
        on_reached: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._on_swarm = on_swarm
        self._on_change = on_change
        self._on_reached = on_reached
        self._epoch = turn.rng.getrandbits(62)
        self._requests = 0
        self.sessions: dict[str, Session] = {}
        self._by_link: dict[LinkId, Session] = {}
        self._watched: dict[ContentId, bool] = {}
        for address in settings.trackers:
            self.add(address)

    def add(self, address: TrackerAddress) -> None:
        """Keep a session with a tracker; nothing happens if there is one already."""
        if address.public_key not in self.sessions:
            session = self.sessions[address.public_key] = Session(address)
            self._turn.publish(TrackerLost(address.endpoint, address.public_key, "connecting", ""))
            self._dial(session)

    @property
    def reached(self) -> bool:
        return any(session.state is SessionState.UP for session in self.sessions.values())

    @property
    def settled(self) -> bool:
        """Every tracker that is reached, or is being dialled, knows all that we offer."""
        entries = self._entries()
        return all(
            session.state is SessionState.DOWN
            or (
                session.state is SessionState.UP
                and session.announced == entries
                and not any(asked.kind == "announce" for asked in session.asked.values())
            )
            for session in self.sessions.values()
        )

    def why_unreached(self) -> str:
        """One line about the trackers that are not reached."""
        if not self.sessions:
            return "no tracker is configured; set tracker.endpoint and tracker.public_key"
        return "; ".join(f"{s.address.endpoint}: {s.reason or 'not reached yet'}" for s in self.sessions.values())

    # -- links --

    def owns(self, link: LinkId) -> bool:
        return link in self._by_link

    def _dial(self, session: Session) -> None:
        session.state = SessionState.DIALLING
        self._turn.add(Dial("tracker", session.address.public_key, (session.address.endpoint,)))

    def dial_failed(self, event: DialFailed) -> None:
        if session := self.sessions.get(event.peer):
            reason = event.reason
            if event.wrong_key:
                reason = f"{reason}; expected the tracker key {event.peer[:16]}..., check tracker.public_key"
            self._down(session, reason)

    def up(self, event: LinkUp) -> None:
        """A tracker is linked: tell it what we offer."""
        link, tracker = event.link, event.peer
        session = self.sessions.get(tracker)
        if session is None:
            self._turn.hang_up(link)
            return
        session.link = link
        session.errors = 0
        session.heard = self._turn.now
        self._by_link[link] = session
        self._turn.timers.set(("tracker_ping", tracker), self._turn.now + PING_SECONDS)
        self._register(session)

    def lost(self, link: LinkId, reason: str) -> None:
        if session := self._by_link.pop(link, None):
            session.link = None
            self._down(session, reason)

    def _down(self, session: Session, reason: str) -> None:
        session.state = SessionState.DOWN
        session.reason = reason
        for asked in session.asked.values():
            if asked.answer:
                asked.answer(None)
        session.asked.clear()
        self._turn.timers.clear(("tracker_ping", session.address.public_key))
        pause = doubled(FIRST_PAUSE, session.failures, LONGEST_PAUSE) * (0.5 + 0.5 * self._turn.rng.random())
        session.failures += 1
        self._turn.timers.set(("tracker_dial", session.address.public_key), self._turn.now + pause)
        self._turn.publish(TrackerLost(session.address.endpoint, session.address.public_key, "lost", reason))

    # -- timers --

    def dial_due(self, key: str) -> None:
        if (session := self.sessions.get(key)) and session.state is SessionState.DOWN:
            self._dial(session)

    def renew_due(self, key: str) -> None:
        session = self.sessions[key]
        if session.state is SessionState.UP:
            self._ask(session, Asked("renew"), lambda request: Renew(request, self._version(session)))
            self._turn.timers.set(("renew", key), self._turn.now + self._renew_after(session))

    def _renew_after(self, session: Session) -> float:
        return min(self._settings.renew, session.lease / 3)

    def ping_due(self, key: str) -> None:
        session = self.sessions[key]
        if session.link is None:
            return
        silence = self._turn.now - session.heard
        if silence >= SILENCE_SECONDS:
            self._start_anew(session, f"heard nothing for {silence:.0f} s")
            return
        self._turn.send(session.link, TrackerPing(int(self._turn.now * 1000)))
        self._turn.timers.set(("tracker_ping", key), self._turn.now + PING_SECONDS)

    def request_due(self, key: str, request: int) -> None:
        """A request was not answered in time; without an answer about our lease the session starts anew."""
        session = self.sessions[key]
        asked = session.asked.pop(request, None)
        if asked is None:
            return
        if asked.answer:
            asked.answer(None)
        if asked.kind in LEASE_KINDS:
            self._start_anew(session, f"no answer to {asked.kind} within {LEASE_TIMEOUT:.0f} s")

    def _start_anew(self, session: Session, reason: str) -> None:
        if (link := session.link) is not None:
            self._turn.hang_up(link)
            self.lost(link, reason)

    def misbehaved(self, link: LinkId, reason: str) -> None:
        """A tracker broke the protocol; the third time the session starts anew, after a pause."""
        session = self._by_link[link]
        session.errors += 1
        if session.errors >= MAX_ERRORS:
            self._start_anew(session, reason)

    # -- what we offer --

    def _version(self, session: Session) -> Version:
        return Version(self._epoch, session.version)

    def _entries(self) -> dict[ContentId, ContentEntry]:
        return {content: offer.entry for content, offer in self._shelf.offers.items()}

    def _register(self, session: Session) -> None:
        """Restate everything, in pages of one version."""
        session.state = SessionState.REGISTERING
        session.version += 1
        session.announced = self._entries()
        settings = self._settings
        pages = pages_of(list(session.announced.values())) or [[]]
        for number, page in enumerate(pages):
            last = number == len(pages) - 1
            self._ask(
                session,
                Asked("register"),
                lambda request, number=number, page=page, last=last: register_page(  # type: ignore[misc]
                    settings, request, self._version(session), number, page, last=last
                ),
                expect=last,
            )

    def offers_changed(self) -> None:
        """The shelf changed: announce it soon."""
        self._turn.timers.set_earlier(("announce",), self._turn.now + ANNOUNCE_DELAY)

    def announce_due(self) -> None:
        for session in self.sessions.values():
            if session.state is SessionState.UP:
                self._announce(session)

    def _announce(self, session: Session) -> None:
        now = self._entries()
        added = [entry for content, entry in now.items() if session.announced.get(content) != entry]
        removed = [content for content in session.announced if content not in now]
        session.announced = now
        pages = pages_of(added)
        while removed or pages:
            page, gone = (pages.pop(0) if pages else []), removed[:400]
            removed = removed[400:]
            if gone and page and len(page) > 1:
                pages.insert(0, page)
                page = []
            session.version += 1
            version = self._version(session)
            self._ask(
                session,
                Asked("announce"),
                lambda request, version=version, page=page, gone=gone: Announce(  # type: ignore[misc]
                    request, version, page, gone
                ),
            )

    def leave(self) -> None:
        """Tell the trackers that we stop."""
        for session in self.sessions.values():
            if session.link is not None:
                self._turn.send(session.link, Leave())

    # -- what we ask --

    def watch(self, content: ContentId) -> None:
        """Ask for pushes about a swarm, now and after every new link."""
        if content not in self._watched:
            self._watched[content] = True
            self._to_all(Watch([content]))

    def unwatch(self, content: ContentId) -> None:
        if self._watched.pop(content, None):
            self._to_all(Unwatch([content]))

    def _to_all(self, message: Message) -> None:
        for session in self.sessions.values():
            if session.state is SessionState.UP and session.link is not None:
                self._turn.send(session.link, message)

    def query(self, content: ContentId, answer: Answer | None = None) -> int:
        """Ask every tracker for a swarm; `on_swarm` gets each.  Returns how many were asked.

        `answer`, if given, is called once for each tracker asked: with one row, or None for no answer.
        """
        asked = 0
        for session in self.sessions.values():
            if session.state is SessionState.UP:
                self._ask(session, Asked("query", content, answer), lambda request: Query(request, content))
                asked += 1
        return asked

    def search(self, words: str, limit: int, answer: Answer) -> int:
        """Ask every tracker; `answer` is called once for each.  Returns how many were asked."""
        asked = 0
        for session in self.sessions.values():
            if session.state is SessionState.UP:
                self._ask(session, Asked("search", "", answer), lambda request: Search(request, words, limit))
                asked += 1
        return asked

    def _ask(self, session: Session, asked: Asked, message: Callable[[int], Message], *, expect: bool = True) -> None:
        self._requests += 1
        request = self._requests
        if session.link is None:
            return
        if expect:
            session.asked[request] = asked
            key = ("tracker_request", session.address.public_key, request)
            patience = LEASE_TIMEOUT if asked.kind in LEASE_KINDS else REQUEST_TIMEOUT
            self._turn.timers.set(key, self._turn.now + patience)
        self._turn.send(session.link, message(request))

    # -- answers --

    def received(self, link: LinkId, message: Message) -> None:
        session = self._by_link[link]
        session.heard = self._turn.now
        match message:
            case Registered():
                self._registered(session, message)
            case Swarm():
                self._swarm(session, message)
            case Found():
                if (asked := self._answered(session, message.request)) and asked.answer:
                    asked.answer(message.results)
            case SwarmChanged():
                joined = [resolved(peer, session.host) for peer in message.joined]
                self._on_change(SwarmChanged(message.content, message.seeds, message.leechers, joined, message.left))
            case TrackerPing():
                self._turn.send(link, TrackerPong(message.nonce))
            case TrackerPong():
                pass
            case TrackerFailed():
                self._failed(session, message)
            case _:
                raise RemoteProtocolError(f"{type(message).__name__} from a tracker")

    def _answered(self, session: Session, request: int) -> Asked | None:
        self._turn.timers.clear(("tracker_request", session.address.public_key, request))
        return session.asked.pop(request, None)

    def _registered(self, session: Session, message: Registered) -> None:
        asked = self._answered(session, message.request)
        if asked is None:
            return
        session.lease = max(3.0, message.lease)
        if message.status == "resync":
            self._register(session)
            return
        session.failures = 0
        if session.state is not SessionState.UP:
            session.state = SessionState.UP
            session.reason = ""
            address = session.address
            self._turn.publish(TrackerReached(address.endpoint, address.public_key, "reached", ""))
            self._turn.timers.set(("renew", address.public_key), self._turn.now + self._renew_after(session))
            watched = list(self._watched)
            for start in range(0, len(watched), 400):
                if session.link is not None:
                    self._turn.send(session.link, Watch(watched[start : start + 400]))
            self._announce(session)
            self._on_reached()

    def _swarm(self, session: Session, message: Swarm) -> None:
        asked = self._answered(session, message.request)
        if asked is None:
            return  # it comes late: a tracker with much to do is not to be blamed for that
        if asked.content != message.content:
            raise RemoteProtocolError("a tracker answered for a content that it was not asked for")
        peers = [resolved(peer, session.host) for peer in message.peers]
        self._on_swarm(replace(message, peers=peers))
        if asked.answer:
            row = FoundContent(
                message.content, message.name, message.kind, message.size, message.seeds, message.leechers
            )
            asked.answer([row])

    def _failed(self, session: Session, message: TrackerFailed) -> None:
        asked = self._answered(session, message.request)
        if asked and asked.answer:
            asked.answer(None)
        if asked and asked.kind in LEASE_KINDS:
            self._start_anew(session, f"{message.code}: {message.message}")
