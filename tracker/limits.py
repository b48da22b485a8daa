"""The tracker core's numbers, as far as they are settings."""

from __future__ import annotations

from bus.settings import Settings
from tracker.core.interface import Limits


def limits_of(settings: Settings) -> Limits:
    """What the configuration says about the tracker's limits."""
    tracker = settings.tracker
    return Limits(
        lease=tracker.lease,
        push_interval=tracker.push_interval,
        ping_after=settings.network.idle_ping,
        hang_up_after=settings.network.link_timeout,
        sample_peers=tracker.reply_peers,
        keys_per_address=tracker.keys_per_address,
        contents_per_key=tracker.contents_per_key,
        exempt_networks=settings.limits.exempt_networks,
    )
