"""The forms of a setting's value."""

from __future__ import annotations

import pytest

from bus.forms import dialable


@pytest.mark.parametrize(
    ("bound", "dialled"),
    [
        ("tcp://127.0.0.1:5570", "tcp://127.0.0.1:5570"),
        ("tcp://192.168.1.10:5570", "tcp://192.168.1.10:5570"),
        ("tcp://*:5570", "tcp://127.0.0.1:5570"),
        ("tcp://0.0.0.0:5570", "tcp://127.0.0.1:5570"),
        ("tcp://[::]:5570", "tcp://127.0.0.1:5570"),
        ("tcp://[::1]:5570", "tcp://[::1]:5570"),
    ],
)
def test_an_address_that_stands_for_all_is_dialled_on_loopback(bound: str, dialled: str) -> None:
    assert dialable(bound) == dialled
