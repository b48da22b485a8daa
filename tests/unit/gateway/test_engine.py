"""What may be said before the token is shown, and what is left of who never showed it."""

from __future__ import annotations

import io

import pytest
import socketio
from engineio.socket import Socket as Session

from gateway import engine
from gateway.strangers import Strangers


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


def polling(server: socketio.Server) -> Session:
    """A session without a WebSocket, as it begins."""
    server.eio.sockets["session"] = session = Session(server.eio, "session")
    server.eio.handlers["connect"]("session", {"REQUEST_METHOD": "GET"})
    session.connected = True
    return session


def post(session: Session, body: str) -> None:
    session.handle_post_request({"CONTENT_LENGTH": len(body), "wsgi.input": io.BytesIO(body.encode())})


def hardened() -> socketio.Server:
    server = socketio.Server(async_mode="threading")
    server.on("connect", lambda *_: False)
    engine.harden(server.eio, 1000, Strangers())
    return server


@pytest.mark.parametrize("body", ["40{}", "1\x1e40{}", "40{}\x1e1\x1e40{}", "2\x1e40{}", "zzz"])
def test_what_is_posted_without_the_token_leaves_nothing_behind(body):
    server = hardened()
    session = polling(server)
    post(session, body)
    session.close(wait=False, abort=True)
    post(session, "40{}")
    assert (server.manager.rooms, server.manager.pending_connect) == ({}, {})
    assert (server.environ, server.eio.sockets) == ({}, {})
