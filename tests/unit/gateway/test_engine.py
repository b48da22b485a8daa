"""What a WebSocket may say before it has shown the token."""

from __future__ import annotations

import pytest

from gateway import engine


@pytest.mark.parametrize("message", ["40", '40{"token":"x"}', '40{"token":1}', "40[]", "3"])
def test_that_it_connects_may_be_said_before_the_token_is_known(message):
    assert engine._may_come_first(message)


@pytest.mark.parametrize(
    "message",
    [
        None, "", "0", "1", "2", "4", "5", "6", "9", "3probe", "41", '42["tap",{}]', '40/admin,{"token":"x"}', "40{",
        "40" + "[" * 5000, b"40{}", b"", "40\ud800", '451-["x",{"_placeholder":true,"num":0}]',
    ],
)  # fmt: skip
def test_nothing_else_may(message):
    assert not engine._may_come_first(message)
