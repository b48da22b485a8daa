"""The gateway's one bus thread: the peer's events, its control socket, and the view that they make.

Handlers run in many threads and own no socket: `call` hands a message to this thread and waits for the answer, and the
view is read under a lock.  Everything that touches ZeroMQ happens here.

    SUB, DEALER ──▶ Follower ──▶ PublishedState ──touch──▶ PageView ──settle, 10 a second──▶ pages, waiting handlers
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, TypeVar

import msgspec

from bus import events
from bus.codec import event_of
from bus.errors import ERR_TIMEOUT, ERR_UNREACHABLE, ShoalError
from bus.events import Envelope
from bus.follow import Follower
from bus.messages import ControlPing, Message
from bus.reactor import Reactor
from bus.rpc import Requests
from bus.sockets import make_context
from bus.tap import Subscription
from gateway.view import rows
from gateway.view.page import Changes, PageView, Snapshot
from gateway.view.rows import Notice, Row

STALE_AFTER: Final = 3.0
"""Seconds without an event after which the peer counts as silent (it sends a heartbeat every second)."""
SETTLE_INTERVAL: Final = 0.1
DISK_INTERVAL: Final = 5.0
PING_TIMEOUT: Final = 2.0
CALL_SLACK: Final = 3600.0
"""Seconds after which a waiting handler gives up whatever happens; the bus reports silence long before."""

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Row)
