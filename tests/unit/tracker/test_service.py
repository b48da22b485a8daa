from __future__ import annotations

import pytest

from bus.settings import SecuritySettings
from tests.unit.tracker.world import identity
from tracker.service import Gate, dialable


@pytest.mark.parametrize(
    ("bound", "dialled"),
    [
        ("tcp://127.0.0.1:5570", "tcp://127.0.0.1:5570"),
        ("tcp://192.168.1.10:5570", "tcp://192.168.1.10:5570"),
        ("tcp://0.0.0.0:5570", "tcp://127.0.0.1:5570"),
        ("tcp://[::]:5570", "tcp://127.0.0.1:5570"),
        ("tcp://[::1]:5570", "tcp://[::1]:5570"),
    ],
)
def test_an_address_that_stands_for_all_is_dialled_on_loopback(bound: str, dialled: str):
    assert dialable(bound) == dialled


def test_an_open_tracker_lets_everybody_in_and_a_private_one_its_friends():
    friend, stranger = identity("friend"), identity("stranger")
    gates = [Gate(SecuritySettings()), Gate(SecuritySettings(access="private", allow=(friend,)))]
    assert [[gate("tracker", peer, "10.0.0.1") for peer in (friend, stranger)] for gate in gates] == [
        [True, True],
        [True, False],
    ]
