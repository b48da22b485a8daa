"""The local time of this machine, as a schedule goes by it."""

from __future__ import annotations

import time

from peer.core.limit_record import DAY


def minute_of_week(wall: float) -> int:
    """Minutes since Monday, 0:00, on a clock on the wall of this machine; `wall` is seconds since 1970."""
    local = time.localtime(wall)
    return local.tm_wday * DAY + local.tm_hour * 60 + local.tm_min
