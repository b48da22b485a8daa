from __future__ import annotations

import msgspec

from bus.settings import LimitSettings, NetworkSettings, Settings, TrackerSettings
from tests.unit.tracker.world import limits
from tracker.limits import limits_of


def test_the_defaults_of_the_settings_are_the_documented_ones():
    exempt = ("127.0.0.0/8", "::1/128")
    assert limits_of(Settings()) == msgspec.structs.replace(limits(), exempt_networks=exempt)


def test_every_setting_of_the_tracker_reaches_its_core():
    settings = Settings(
        tracker=TrackerSettings(lease=1, reply_peers=2, keys_per_address=3, contents_per_key=4, push_interval=5),
        network=NetworkSettings(idle_ping=6, link_timeout=7),
        limits=LimitSettings(exempt_networks=()),
    )
    assert limits_of(settings) == limits(
        lease=1, sample_peers=2, keys_per_address=3, contents_per_key=4, push_interval=5, ping_after=6, hang_up_after=7
    )
