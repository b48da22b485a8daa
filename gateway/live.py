"""The gateway's one bus thread: the peer's events, its control socket, and the view they make.

Handlers run in many threads and own no socket: `call` hands a message to this thread and waits for the answer, and the
view is read under a lock.  Everything that touches ZeroMQ happens here.

    SUB, DEALER ──▶ Follower ──▶ PublishedState ──touch──▶ PageView ──settle, 40 a second──▶ pages, waiting handlers
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, TypeVar

import msgspec

from bus.codec import event_of
from bus.errors import ERR_UNREACHABLE, RemoteProtocolError, ShoalError
from bus.events import Envelope, Event, MetricsSample, PeerStarted
from bus.follow import Follower
from bus.messages import Message, SnapshotPage
from bus.reactor import Reactor
from bus.rpc import Requests
from bus.sockets import make_context
from bus.tap import Subscription
from gateway.view import rows
from gateway.view.diary import Diary, Entry
from gateway.view.history import Course, RateHistory, moving
from gateway.view.page import Changes, PageView, Snapshot
from gateway.view.rows import Notice, Row

STALE_AFTER: Final = 2.5
"""Seconds without an event after which the peer counts as silent; it sends a heartbeat every second, and a page is to
say so within three."""
SETTLE_INTERVAL: Final = 0.025
"""Seconds at least between two states of the view: a good deal less than between two frames, as both waits add up."""
HEALTH_INTERVAL: Final = 0.1
SAMPLE_INTERVAL: Final = 0.5
"""Seconds between two samples of the rates: half of the shortest time that is told apart, which thus has one."""
DISK_INTERVAL: Final = 5.0
SNAPSHOT_TIMEOUT: Final = 5.0
RETRY: Final = 0.5
"""Seconds after a failed snapshot before the next is asked for."""
PATIENCE: Final = 2.0
"""Seconds that a request waits for a peer that has not been heard of yet: both may just be starting."""

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Row)


def since_boot() -> float:
    """Seconds, monotonic, those too in which the machine slept: `time.monotonic` stands still meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Live:
    """Follows one peer and asks it things.  Public methods may be called from any thread.

    Args:
        view: what the events make; only read under the lock.
        events: endpoint of the peer's events.
        control: endpoint of the peer's control socket.
        tracker_events: endpoint of a local tracker's events, or empty.
        clock: seconds, monotonic, by which rates over time are noted.
    """

    def __init__(
        self,
        view: PageView,
        events: str,
        control: str,
        tracker_events: str = "",
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self._view = view
        self._events = events
        self._control = control
        self._tracker_events = tracker_events
        self._clock = clock
        self._settled = threading.Condition()  # holds the lock of the view
        self._follower = Follower()
        self._resyncs = 0
        self._heard_at: float | None = None
        self._settling = False
        self._settled_at = 0.0
        self._history = RateHistory()
        self._diary = Diary()
        self._samples: dict[str, Mapping[str, float]] = {}
        self._on_change: Callable[[], None] = lambda: None
        self._on_notices: Callable[[list[Notice]], None] = lambda _: None
        self._on_event: Callable[[Envelope], None] = lambda _: None
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    # --- from any thread

    def start(
        self,
        on_change: Callable[[], None],
        on_notices: Callable[[list[Notice]], None],
        on_event: Callable[[Envelope], None],
    ) -> None:
        """Start the thread; the callbacks are called in it, the last one for every event that arrives."""
        self._on_change, self._on_notices, self._on_event = on_change, on_notices, on_event
        self._reactor = Reactor()
        self._thread.start()

    def stop(self) -> None:
        self._reactor.stop()
        self._thread.join()

    def call(self, message: Message, timeout: float) -> Message:
        """Ask the peer and wait; `timeout` is seconds of silence, progress extends it.

        Raises:
            ShoalError: what the peer answered; ERR_UNREACHABLE, ERR_TIMEOUT.
        """
        self.require_peer()
        answered: Future[Message] = Future()

        def reply(answer: Message | ShoalError) -> None:
            if isinstance(answer, ShoalError):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        self._reactor.post(lambda: self._requests.request(message, timeout, reply))
        return answered.result()

    def require_peer(self, patience: float = PATIENCE) -> None:
        """Check that the peer is alive and its state known; waits up to `patience` seconds for one not heard of yet.

        Raises:
            ShoalError: ERR_UNREACHABLE.
        """
        peer = self.row(rows.PEER, rows.SELF, rows.PeerRow)
        known = peer is not None and peer.id
        if not self.wait_for(lambda view: not view.is_stale, 0.0 if known else patience):
            raise ShoalError(ERR_UNREACHABLE, f"peer {self._view.facts.name} does not answer; start it with: shoal up")

    def wait_for(self, predicate: Callable[[PageView], bool], within: float) -> bool:
        """Wait until the view is as wanted; False if it was not within so many seconds."""
        with self._settled:
            return self._settled.wait_for(lambda: predicate(self._view), within)

    def frame(self, epoch: str, seen: int) -> Snapshot | Changes | None:
        """What a page needs that has the state `seen` of `epoch`."""
        with self._settled:
            return self._view.frame(epoch, seen)

    def items(self, section: str, kind: type[R]) -> list[tuple[str, R]]:
        """Keys and rows of a section, all of one kind."""
        with self._settled:
            found = self._view.rows_of(section)
        return [(key, row) for key, row in found.items() if isinstance(row, kind)]

    def rows(self, section: str, kind: type[R]) -> list[R]:
        return [row for _, row in self.items(section, kind)]

    def row(self, section: str, key: str, kind: type[R]) -> R | None:
        with self._settled:
            row = self._view.row(section, key)
        return row if isinstance(row, kind) else None

    def rates(self, span: str, content: str) -> Course:
        """Rates over a span of `gateway.view.history.STEPS`: of a content, or with "" of all together."""
        with self._settled:
            return self._history.course(self._clock(), span, content)

    def happened(self, content: str) -> list[Entry]:
        """What happened to a content, oldest first."""
        with self._settled:
            return self._diary.of(content)

    def samples(self) -> dict[str, Mapping[str, float]]:
        """The newest metrics of each process that publishes some."""
        peer = self._follower.state.sections["metrics"].get(())
        found = {"peer": peer.values} if isinstance(peer, MetricsSample) else {}
        return {**found, **self._samples}

    def counts(self) -> dict[str, float]:
        """The gateway's own metrics about its peer's events."""
        follower = self._follower
        return {
            "gateway_event_gaps_total": follower.gaps,
            "gateway_snapshots_total": follower.resyncs,
            "gateway_unreadable_events_total": follower.unreadable,
            "gateway_peer_up": float(not self._view.is_stale),
        }

    # --- in the bus thread

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException:
            # Without this thread the process only looks alive.  The next one starts with a fresh snapshot.
            log.exception("the bus thread failed")
            os._exit(1)

    def _follow(self) -> None:
        reactor = self._reactor
        context = make_context()
        self._requests = Requests(reactor, context, self._control)
        events = Subscription(reactor, context, self._events, self._hear)
        sockets: list[Requests | Subscription] = [self._requests, events]
        if self._tracker_events:
            sockets.append(Subscription(reactor, context, self._tracker_events, self._hear_tracker, ("metrics.",)))
        reactor.every(HEALTH_INTERVAL, self._look_at_health)
        reactor.every(SAMPLE_INTERVAL, self._sample_rates)
        reactor.every(DISK_INTERVAL, self._look_at_disk)
        self._settle()
        reactor.run()
        for socket in sockets:
            socket.close()
        context.term()
        reactor.close()

    def _hear(self, envelope: Envelope) -> None:
        self._heard_at = self._reactor.now
        self._on_event(envelope)
        self._take(self._follower.feed(envelope))
        self._ask_for_snapshot()

    def _ask_for_snapshot(self) -> None:
        request = self._follower.next_request()
        if request is not None:
            self._requests.request(request, SNAPSHOT_TIMEOUT, self._take_page)

    def _take_page(self, answer: Message | ShoalError) -> None:
        if isinstance(answer, SnapshotPage):
            self._take(self._follower.on_snapshot(answer))
            self._ask_for_snapshot()
            return
        log.warning("no snapshot of the peer: %s", answer)
        self._follower.on_failure()
        self._reactor.call_later(RETRY, self._ask_for_snapshot)

    def _take(self, applied: list[Event]) -> None:
        """Note events that are part of the follower's state by now."""
        if self._follower.resyncs != self._resyncs:
            self._resyncs = self._follower.resyncs
            self._view.replace(self._follower.state)
            with self._settled:
                self._diary.take_up(time.time(), self._follower.state)
            self._look_at_disk()
            self._look_at_health()
        self._view.touch(self._follower.state, applied)
        with self._settled:
            self._diary.note(time.time(), self._follower.state, applied)
        notices = self._view.notices(applied)
        if notices:
            self._on_notices(notices)
        self._settle_soon()

    def _hear_tracker(self, envelope: Envelope) -> None:
        try:
            event = event_of(envelope)
        except RemoteProtocolError:
            return  # a newer tracker's; its metrics are not shown
        if isinstance(event, MetricsSample):
            self._samples["tracker"] = event.values

    def _look_at_health(self) -> None:
        silent = self._heard_at is None or self._reactor.now - self._heard_at > STALE_AFTER
        # Who was stale is fresh again when its state is here, too: until then the rows are those of before.
        waits = self._view.facts.stale and not self._follower.in_sync
        self._set_facts(stale=silent or waits)

    def _look_at_disk(self) -> None:
        free = None
        for peer in self._follower.state.of(PeerStarted, "peer"):
            # Unmounted or deleted: the peer's own errors say so.
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(peer.download_dir).free
        self._set_facts(disk_free=free)

    def _sample_rates(self) -> None:
        peer = self.row(rows.PEER, rows.SELF, rows.PeerRow)
        if peer is None or peer.stale:
            return  # the last rates heard are no rates any more
        moved = moving(self.rows(rows.DOWNLOADS, rows.DownloadRow), self.rows(rows.UPLOADS, rows.UploadRow))
        with self._settled:
            self._history.sample(self._clock(), (peer.up_rate, peer.down_rate), moved)

    def _set_facts(self, **changes: object) -> None:
        facts = msgspec.structs.replace(self._view.facts, **changes)
        if facts != self._view.facts:
            self._view.set_facts(facts)
            self._settle_soon()

    def _settle_soon(self) -> None:
        if not self._settling:
            self._settling = True
            wait = self._settled_at + SETTLE_INTERVAL - self._reactor.now
            self._reactor.call_later(max(0.0, wait), self._settle)

    def _settle(self) -> None:
        self._settling = False
        self._settled_at = self._reactor.now
        with self._settled:
            changed = self._view.settle()
            self._settled.notify_all()
        if changed:
            self._on_change()
