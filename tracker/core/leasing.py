"""Register, announce, renew, leave: from a link's message to a changed lease and an answer.

Only the link that has the peer's route may change its lease; a newcomer waits until the older
link has answered a ping or failed to (routes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bus.boundary import PeerId
from bus.errors import ERR_DUPLICATE_KEY, ERR_RATE, LocalProtocolError, RemoteProtocolError, ShoalError
from bus.messages import Announce, Leave, Register, Registered, Renew, TrackerPing, TrackerPong, Version
from tracker.core.interface import Limits
from tracker.core.leases import Lease
from tracker.core.links import Link, Links
from tracker.core.outbox import Outbox
from tracker.core.rates import RequestRates
from tracker.core.registry import Changes, Registry
from tracker.core.routes import Asked, Granted, Refused, Request, Routes
from tracker.core.staging import Staging
from tracker.core.timers import Timers

Status = Literal["ok", "resync"]


class Leasing:
    """What a client does to its own lease, and what time does to it."""

    def __init__(
        self,
        limits: Limits,
        timers: Timers,
        rates: RequestRates,
        links: Links,
        routes: Routes,
        registry: Registry,
        outbox: Outbox,
        changed: Callable[[Changes, PeerId], None],
        hang_up: Callable[[Link, float], None],
    ) -> None:
        self._limits = limits
        self._timers = timers
        self._rates = rates
        self._links = links
        self._registry = registry
        self._outbox = outbox
        self._changed = changed
        self._hang_up = hang_up
        self.routes = routes
        self.expired = 0

    # --- messages ----------------------------------------------------------------------------

    def register(self, link: Link, page: Register) -> None:
        """Take one page; the last one registers."""
        if page.page == 0:
            link.staging = Staging(page, self._limits.contents_per_key, self._too_often(link))
        staging = link.staging
        if staging is None:
            raise RemoteProtocolError(f"register page {page.page} arrived without the pages before it")
        try:
            staging.take(page)
        except RemoteProtocolError:
            link.staging = None
            raise
        if page.last:
            link.staging = None
            if staging.failure is not None:
                raise staging.failure
            self._claim(link, Request(page, staging))

    def announce(self, link: Link, message: Announce) -> None:
        if link.staging is not None:
            link.staging = None
            raise RemoteProtocolError("announce arrived between the pages of a register: begin again with page 0")
        self.renew(link, message)

    def renew(self, link: Link, message: Announce | Renew) -> None:
        self._rates.check_control(link.peer, link.place, self._outbox.now)
        self._claim(link, Request(message))

    def leave(self, link: Link, message: Leave) -> None:
        self._claim(link, Request(message))

    def pong(self, link: Link, message: TrackerPong) -> None:
        """A sign of life, perhaps the one that a newcomer waits for."""
        refused = self.routes.answered(link.peer, link.id, message.nonce)
        if refused is not None:
            self._refuse(refused)

    def link_lost(self, link: Link) -> None:
        """A link is gone, already removed; whoever waited for it is let in."""
        granted = self.routes.lost(link.peer, link.id)
        if granted is not None:
            self._carry_out(granted)

    def restored(self) -> None:
        """Watch over the leases of before a restart."""
        for lease in self._registry.leases.all():
            self._timers.at(lease.expires, self._expire, lease)

    def _too_often(self, link: Link) -> ShoalError | None:
        try:
            self._rates.check_register(link.peer, link.place, self._outbox.now)
        except ShoalError as error:
            return error
        return None

    # --- who speaks for a peer ---------------------------------------------------------------

    def _claim(self, link: Link, request: Request) -> None:
        if self.routes.holds(link.peer, link.id):  # nearly always
            self._change(link, request)
            return
        answer = self.routes.claim(link.peer, link.id, request)
        if isinstance(answer, Granted):
            self._carry_out(answer)
        elif isinstance(answer, Asked):
            self._ask(link.peer, answer)
        else:
            raise ShoalError(ERR_RATE, "too many requests while another process with this identity is asked: wait 5 s")

    def _ask(self, peer: PeerId, asked: Asked) -> None:
        if asked.displaced is not None:
            self._refuse(asked.displaced)
        old = self._links.get(asked.old)
        if asked.nonce and old is not None:
            self._outbox.send(old, TrackerPing(asked.nonce))
            wait_until = self._outbox.now + self._limits.duplicate_wait
            self._timers.at(wait_until, self._old_is_silent, (peer, asked.nonce))

    def _old_is_silent(self, question: tuple[PeerId, int], now: float) -> None:
        granted = self.routes.silent(*question)
        if granted is None:
            return
        old = self._links.get(granted.old) if granted.old is not None else None
        if old is not None:
            self._hang_up(old, now)
        self._carry_out(granted)

    def _refuse(self, refused: Refused) -> None:
        link = self._links.get(refused.link)
        if link is None:
            return
        error = ShoalError(
            ERR_DUPLICATE_KEY,
            f"another process with the identity {link.peer[:16]} is connected and alive: "
            "stop it, or give this one a data directory of its own",
        )
        for request in refused.requests:
            if not isinstance(request.message, Leave):
                self._outbox.fail(link, request.message, error)

    def _carry_out(self, granted: Granted) -> None:
        link = self._links.get(granted.link)
        if link is None:
            return
        for request in granted.requests:
            try:
                self._change(link, request)
            except ShoalError as error:
                self._outbox.fail(link, request.message, error)

    # --- the lease itself --------------------------------------------------------------------

    def _change(self, link: Link, request: Request) -> None:
        message = request.message
        lease = self._registry.leases.get(link.peer)
        if isinstance(message, Register):
            self._commit(link, request, lease is None)
        elif isinstance(message, Leave):
            if lease is not None:
                self._changed(self._registry.end(lease, "left"), link.peer)
        elif lease is None or message.version != _expected(lease, message):
            self._answer(link, message, "resync")
        else:
            self._follow(link, message, lease)

    def _commit(self, link: Link, request: Request, new: bool) -> None:
        staging = request.staging
        if staging is None or staging.reach is None or not isinstance(request.message, Register):
            raise LocalProtocolError("a register was granted without its pages")
        lease, changes = self._registry.register(link.peer, link.place, staging, staging.reach, self._outbox.now)
        if new:
            self._timers.at(lease.expires, self._expire, lease)
        self._changed(changes, link.peer)
        self._answer(link, request.message, "ok")

    def _follow(self, link: Link, message: Announce | Renew, lease: Lease) -> None:
        if lease.seen.address != link.place.address:
            self._changed(self._registry.moved(lease, link.place), link.peer)
        if isinstance(message, Renew):
            self._registry.renew(lease, self._outbox.now)
        else:
            self._changed(self._registry.announce(lease, message, self._outbox.now), link.peer)
        self._answer(link, message, "ok")

    def _answer(self, link: Link, message: Register | Announce | Renew, status: Status) -> None:
        self._outbox.send(link, Registered(message.request, status, self._limits.lease))

    def _expire(self, lease: Lease, now: float) -> None:
        if self._registry.leases.get(lease.peer) is not lease:
            return
        if lease.expires > now:  # renewed since
            self._timers.at(lease.expires, self._expire, lease)
            return
        self.expired += 1
        self._changed(self._registry.end(lease, f"silent for {self._limits.lease:g} s"), lease.peer)


def _expected(lease: Lease, message: Announce | Renew) -> Version:
    """The version a message about this lease must carry to be taken."""
    version = lease.version
    return Version(version.epoch, version.n + 1) if isinstance(message, Announce) else version
