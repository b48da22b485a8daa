"""Requests over a real control socket: answers, progress, errors, silence, restarts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bus.codec import encode
from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_TIMEOUT, ERR_UNREACHABLE, ShoalError
from bus.messages import ControlFailed, ControlPing, Done, Get, Message, Progress, SharePath, Unshare
from bus.reactor import Reactor
from bus.rpc import Requests, RpcClient
from bus.sockets import MAX_REQUEST, make_context
from tests.kit.control_peer import ControlPeer
from tests.kit.waiting import eventually


def answer(request: Message) -> list[Message]:
    """`share` makes progress twice, `unshare` fails, `get` is done, anything else is not answered."""
    number = getattr(request, "request")  # noqa: B009 - every control request has one
    if isinstance(request, SharePath):
        return [Progress(number, 1, 3), Progress(number, 2, 3), Done(number, request.path)]
    if isinstance(request, Unshare):
        return [ControlFailed(number, ERR_NOT_FOUND, f"{request.content} is not shared")]
    return [Done(number)] if isinstance(request, Get) else []


def get_of(size: int) -> Get:
    """A request that has so many bytes on the wire while its number is small."""
    paths = ["x" * 4000] * (size // 4003)
    rest = size - len(encode(Get(1, "c", only=[*paths, "x" * 256]))[1])
    return Get(0, "c", only=[*paths, "x" * (256 + rest)])


class SilentAfterStart(ControlPeer):
    """Answers no ping."""

    def _answers(self, request: Message) -> list[Message]:
        return []


def test_an_answer_has_the_number_of_its_request_and_progress_comes_before_it(tmp_path: Path):
    context = make_context()
    with ControlPeer(tmp_path, answer) as peer, RpcClient(context, peer.control) as client:
        progress: list[Progress] = []
        assert client.call(SharePath(0, "/a"), 5, progress.append) == Done(1, "/a")
        assert [(said.bytes_done, said.bytes_total) for said in progress] == [(1, 3), (2, 3)]
        assert client.call(ControlPing(0), 5) == Done(2)
    context.term()


def test_what_the_peer_refuses_is_its_error(tmp_path: Path):
    context = make_context()
    with ControlPeer(tmp_path, answer) as peer, RpcClient(context, peer.control) as client:
        with pytest.raises(ShoalError, match="abc is not shared") as raised:
            client.call(Unshare(0, "abc"), 5)
        assert raised.value.code == ERR_NOT_FOUND
    context.term()


def test_nobody_there_is_one_line_within_the_patience(tmp_path: Path):
    context = make_context()
    with RpcClient(context, f"ipc://{tmp_path}/control.ipc", patience=0.3) as client:
        began = time.monotonic()
        with pytest.raises(ShoalError, match="no peer answers at") as raised:
            client.call(ControlPing(0), 60)
        assert raised.value.code == ERR_UNREACHABLE
        assert time.monotonic() - began < 2
    context.term()


def test_a_socket_left_behind_by_a_killed_peer_is_nobody(tmp_path: Path):
    with ControlPeer(tmp_path) as peer:
        os.link(tmp_path / "control.ipc", tmp_path / "left.ipc")
        control = peer.control
    (tmp_path / "left.ipc").rename(tmp_path / "control.ipc")
    context = make_context()
    with RpcClient(context, control, patience=0.3) as client, pytest.raises(ShoalError) as raised:
        client.call(ControlPing(0), 60)
    assert raised.value.code == ERR_UNREACHABLE
    context.term()


def test_a_peer_that_starts_a_little_later_is_reached(tmp_path: Path):
    context = make_context()
    with RpcClient(context, f"ipc://{tmp_path}/control.ipc", patience=5) as client:
        with pytest.raises(ShoalError):
            client.call(ControlPing(0), 0.05)
        with ControlPeer(tmp_path):
            assert isinstance(client.call(ControlPing(0), 10), Done)
    context.term()


def test_silence_is_a_timeout_and_a_late_answer_is_not_taken_for_the_next(tmp_path: Path):
    context = make_context()
    with ControlPeer(tmp_path, answer) as peer, RpcClient(context, peer.control) as client:
        client.call(ControlPing(0), 5)
        links = peer._links._book.links
        with pytest.raises(ShoalError, match="no answer from") as raised:
            client.call(Done(0), 0.1)  # not answered by this stand-in
        assert raised.value.code == ERR_TIMEOUT
        peer.call(lambda: peer.say(next(iter(links)), Done(2, "late")))
        assert client.call(ControlPing(0), 5) == Done(3)
    context.term()


def test_progress_extends_the_time_limit(tmp_path: Path):
    context = make_context()
    with SilentAfterStart(tmp_path) as peer, RpcClient(context, peer.control) as client:

        def go_on(left: int) -> None:
            for link in peer._links._book.links:
                peer.say(link, Progress(1, 5 - left, 5) if left else Done(1))
            if left or not peer.heard:
                peer._reactor.call_later(0.15, lambda: go_on(left - 1 if peer.heard else left))

        peer.call(lambda: go_on(5))
        began = time.monotonic()
        assert client.call(ControlPing(0), 0.5) == Done(1)
        assert time.monotonic() - began > 0.6
    context.term()


def test_a_peer_that_dies_is_told_from_one_that_is_silent(tmp_path: Path):
    context = make_context()
    with SilentAfterStart(tmp_path) as peer, RpcClient(context, peer.control) as client:

        def die_once_asked() -> None:
            if peer.heard:
                peer._links.close(0)
            else:
                peer._reactor.call_later(0.02, die_once_asked)

        peer.call(die_once_asked)
        with pytest.raises(ShoalError, match="went away") as raised:
            client.call(ControlPing(0), 10)
        assert raised.value.code == ERR_UNREACHABLE
    context.term()


TOO_LONG = f"the request has {MAX_REQUEST + 1:,} bytes, a peer takes {MAX_REQUEST:,}; name folders"


def test_the_longest_request_is_answered_and_a_longer_one_says_its_limit(tmp_path: Path):
    context = make_context()
    with ControlPeer(tmp_path, answer) as peer, RpcClient(context, peer.control) as client:
        assert client.call(get_of(MAX_REQUEST), 5) == Done(1)
        with pytest.raises(ShoalError, match=TOO_LONG) as raised:
            client.call(get_of(MAX_REQUEST + 1), 5)
        assert raised.value.code == ERR_LIMIT
        assert client.call(ControlPing(0), 5) == Done(3)
    context.term()


class Asking:
    """A reactor in this thread with Requests on it, and the replies so far."""

    def __init__(self, directory: Path) -> None:
        self.context = make_context()
        self.reactor = Reactor()
        self.requests = Requests(self.reactor, self.context, f"ipc://{directory}/control.ipc")
        self.replies: list[Message | ShoalError] = []
        self.progress: list[Progress] = []

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.requests.close()
        self.context.term()
        self.reactor.close()

    def ask(self, message: Message, timeout: float = 5.0) -> None:
        self.requests.request(message, timeout, self.replies.append, self.progress.append)

    def until(self, count: int) -> None:
        def look() -> None:
            if len(self.replies) >= count:
                self.reactor.stop()

        watch = self.reactor.every(0.01, look)
        failure = self.reactor.call_later(10, self.reactor.stop)
        self.reactor.run()
        watch.cancel()
        failure.cancel()
        assert len(self.replies) == count


def test_many_requests_are_under_way_at_once_and_each_reply_is_its_own(tmp_path: Path):
    with ControlPeer(tmp_path, answer) as peer, Asking(tmp_path) as asking:
        for index in range(100):
            asking.ask(SharePath(0, str(index)))
        asking.until(100)
        assert sorted(reply.content for reply in asking.replies if isinstance(reply, Done)) == sorted(
            map(str, range(100))
        )
        assert len(asking.progress) == 200
        assert len(peer.heard) == 100


def test_a_request_waits_for_a_connection_and_fails_as_unreachable_without_one(tmp_path: Path):
    with Asking(tmp_path) as asking:
        asking.ask(ControlPing(0), 0.2)
        asking.until(1)
        assert isinstance(asking.replies[0], ShoalError)
        assert asking.replies[0].code == ERR_UNREACHABLE
        asking.ask(ControlPing(0))
        with ControlPeer(tmp_path) as peer:
            asking.until(2)
            assert isinstance(asking.replies[1], Done)
            assert len(peer.heard) == 1  # the one that was given up was never sent


def test_after_a_restart_of_the_peer_what_was_asked_before_fails_and_what_is_asked_after_is_answered(tmp_path: Path):
    with Asking(tmp_path) as asking:
        with SilentAfterStart(tmp_path) as peer:
            asking.ask(ControlPing(0), 60)

            def stop_once_asked() -> None:
                if peer.heard:
                    peer.stop()

            asking.reactor.every(0.01, stop_once_asked)
            asking.until(1)
            assert peer.heard
        assert isinstance(asking.replies[0], ShoalError)
        assert "went away" in asking.replies[0].message
        with ControlPeer(tmp_path):
            asking.ask(ControlPing(0))
            asking.until(2)
            assert isinstance(asking.replies[1], Done)


def test_silence_is_a_timeout_for_a_reactor_too(tmp_path: Path):
    with SilentAfterStart(tmp_path) as peer, Asking(tmp_path) as asking:
        asking.ask(ControlPing(0), 0.3)
        asking.until(1)
        assert isinstance(asking.replies[0], ShoalError)
        assert asking.replies[0].code == ERR_TIMEOUT
        eventually(lambda: peer.heard, within=5)


def test_a_request_that_is_too_long_says_its_limit_later_and_disturbs_no_other(tmp_path: Path):
    with ControlPeer(tmp_path, answer), Asking(tmp_path) as asking:
        asking.ask(get_of(MAX_REQUEST))
        asking.ask(get_of(MAX_REQUEST + 1))
        assert asking.replies == []
        asking.until(2)
        error, done = sorted(asking.replies, key=lambda reply: isinstance(reply, Done))
        assert isinstance(error, ShoalError)
        assert (error.code, TOO_LONG in error.message, done) == (ERR_LIMIT, True, Done(1))
