"""The open pages: each gets the state once and then what changed, at the pace at which it says that it got it.

One frame at a time is on its way to a page; the next one leaves after the acknowledgement of the last and at least
FRAME_INTERVAL after it, and carries whatever changed in between.  So a slow page gets fewer and larger frames, a frozen
one nothing more, and neither makes the gateway remember anything.  (Socket.IO itself queues without a bound.)

Where nothing changes, a `beat` takes the turn of a frame and is acknowledged like one: a page that hears nothing knows
that it is cut off, long before TCP does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from bus.errors import ERR_LIMIT, ShoalError
from bus.events import Envelope
from gateway.tapping import Tap
from gateway.view.page import Changes, Snapshot
from gateway.view.rows import Notice

FRAME_INTERVAL: Final = 0.1
"""Seconds at least between two frames to one page."""
BEAT_INTERVAL: Final = 1.0
"""Seconds without anything to send after which a page is told that the gateway is there."""
ACK_TIMEOUT: Final = 30.0
"""Seconds without an acknowledgement after which a page is cut off; it comes back by itself when it wakes."""
MAX_NOTICES: Final = 20
"""Notices that wait for one page; older ones give way."""
_OPENING: Final = 0.01  # seconds after which a connection is looked at again whose handshake has not ended

log = logging.getLogger(__name__)


class Transport(Protocol):
    """What Socket.IO does for the pages."""

    def is_open(self, sid: str) -> bool:
        """Whether the handshake has ended, so that nothing overtakes its answer."""
        ...

    def emit(self, sid: str, event: str, payload: object, done: Callable[[], None] | None) -> None:
        """Queue one event for one page; `done` is called when the page acknowledges it."""
        ...

    def cut_off(self, sid: str) -> None:
        """End a connection, also one whose other side reads nothing."""
        ...


class Page:
    """What is known of one open page."""

    __slots__ = ("beat_due", "due", "epoch", "notices", "seen", "sent_at", "sid", "tap")

    def __init__(self, sid: str, epoch: str, seen: int) -> None:
        self.sid = sid
        self.epoch = epoch
        self.seen = seen
        self.notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self.sent_at: float | None = None  # when that was sent which it has not acknowledged
        self.due = 0.0
        self.beat_due = 0.0
        self.tap: Tap | None = None  # while it looks at the event stream


class Pages:
    """All open pages, and the thread that sends to them."""

    def __init__(
        self, frame: Callable[[str, int], Snapshot | Changes | None], transport: Transport, capacity: int
    ) -> None:
        self._frame = frame
        self._transport = transport
        self._capacity = capacity
        self._pages: dict[str, Page] = {}
        self._taps: list[Tap] = []  # replaced, never changed: the bus thread reads it for every event
        self._news = 0  # counts what may give the thread something to do
        self._stopped = False
        self._wake_up = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __len__(self) -> int:
        return len(self._pages)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and cut every page off."""
        with self._wake_up:
            self._stopped = True
            self._wake_up.notify_all()
        self._thread.join()
        for sid in list(self._pages):
            self._transport.cut_off(sid)

    def join(self, sid: str, epoch: str = "", seen: int = 0) -> None:
        """A page opened; one that comes back says which state it still has.

        Raises:
            ShoalError: ERR_LIMIT if too many are open.
        """
        with self._wake_up:
            if len(self._pages) >= self._capacity:
                raise ShoalError(ERR_LIMIT, f"{self._capacity} pages of this peer are open already; close one")
            self._pages[sid] = Page(sid, epoch, seen)
            self._notify()

    def leave(self, sid: str) -> None:
        with self._wake_up:
            self._pages.pop(sid, None)
            self._collect_taps()

    def tap(self, sid: str, topic: str | None) -> None:
        """A page wants to see the events whose type begins with `topic` from now on; None: no more."""
        with self._wake_up:
            page = self._pages.get(sid)
            if page is not None:
                if topic is not None and page.tap is not None:
                    page.tap.choose(topic)
                else:
                    page.tap = None if topic is None else Tap(topic)
                self._collect_taps()
                self._notify()

    def hear(self, envelope: Envelope) -> None:
        """An event came; for pages that look at the event stream."""
        for tap in self._taps:
            tap.hear(envelope)

    def state_changed(self) -> None:
        """There may be something new to send."""
        with self._wake_up:
            self._notify()

    def tell(self, notices: list[Notice]) -> None:
        """Show these to the user of every page."""
        with self._wake_up:
            for page in self._pages.values():
                page.notices.extend(notices)
            self._notify()

    def _collect_taps(self) -> None:
        self._taps = [page.tap for page in self._pages.values() if page.tap is not None]

    def _notify(self) -> None:
        self._news += 1
        self._wake_up.notify_all()

    def _run(self) -> None:
        while not self._stopped:
            with self._wake_up:
                seen_news = self._news
                pages = list(self._pages.values())
            now = time.monotonic()
            delays = [self._serve(page, now) for page in pages]
            with self._wake_up:
                if self._news == seen_news and not self._stopped:
                    self._wake_up.wait(min(delays, default=ACK_TIMEOUT))

    def _serve(self, page: Page, now: float) -> float:
        """Send to a page what it may get now; returns the seconds after which to look at it again, whatever happens."""
        if page.sent_at is not None:
            if now - page.sent_at > ACK_TIMEOUT:
                log.warning("a page acknowledged nothing for %d s and was cut off", int(ACK_TIMEOUT))
                self.leave(page.sid)
                self._transport.cut_off(page.sid)
            return 1.0
        if page.due > now:
            return page.due - now
        if not self._transport.is_open(page.sid):
            return _OPENING
        self._send(page, now)
        # Events wake nobody up: there may be a hundred thousand a second.
        return FRAME_INTERVAL if page.tap else max(0.0, page.beat_due - now)

    def _send(self, page: Page, now: float) -> None:
        messages: list[tuple[str, object]] = []
        frame = self._frame(page.epoch, page.seen)
        if frame is not None:
            messages.append(("snapshot" if isinstance(frame, Snapshot) else "changes", frame))
            page.epoch, page.seen = frame.epoch, frame.seq
        tap = page.tap
        if tap and (tapped := tap.take()):
            messages.append(("events", tapped))
        with self._wake_up:
            messages += [("notice", notice) for notice in page.notices]
            page.notices.clear()
            if messages:
                page.due = now + FRAME_INTERVAL
            elif now >= page.beat_due:
                messages.append(("beat", None))
            if messages:
                page.sent_at, page.beat_due = now, now + BEAT_INTERVAL
        for index, (event, payload) in enumerate(messages, 1):
            # What arrives last acknowledges what came before it.
            done = (lambda: self._acknowledged(page)) if index == len(messages) else None
            self._transport.emit(page.sid, event, payload, done)

    def _acknowledged(self, page: Page) -> None:
        with self._wake_up:
            page.sent_at = None
            self._notify()
