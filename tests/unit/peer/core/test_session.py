"""Where a tracker may send a peer."""

from __future__ import annotations

import pytest

from bus.messages import SwarmPeer
from peer.core.session import resolved


@pytest.mark.parametrize(
    ("listed", "diallable"),
    [
        (["tcp://@tracker:5571", "tcp://10.0.0.7:5571"], ["tcp://shoal_tracker:5571", "tcp://10.0.0.7:5571"]),
        (["tcp://some_host:5571", "tcp://[fe80::1]:5571"], ["tcp://some_host:5571", "tcp://[fe80::1]:5571"]),
        (["ipc:///tmp/x", "inproc://x", "tcp://a b:1", "tcp://a:0", "tcp://a:65536", "tcp://*:1", "tcp://a;b:1"], []),
    ],
)
def test_a_peer_dials_only_tcp_and_knows_the_trackers_host_by_its_own_name_for_it(
    listed: list[str], diallable: list[str]
):
    peer = SwarmPeer("a" * 64, listed, complete=True)
    assert resolved(peer, "shoal_tracker").endpoints == diallable
