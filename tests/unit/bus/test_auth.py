"""The ZAP loop: who gets in, and that nothing stops it for good."""

from __future__ import annotations

import logging
import threading

import pytest

from bus.boundary import Dial, DialFailed, LinkUp
from bus.identity import Identity
from bus.sockets import make_context
from tests.kit.bench import Bench, End
from tests.kit.zap import ask, asking


def knock(bench: Bench, server: End, endpoint: str, client: End) -> type:
    """Dial once; returns what became of it."""
    before = len(client.events)
    client.links.perform(Dial("data", server.identity.peer_id, (endpoint,)))
    bench.until(lambda: len(client.events) > before)
    return type(client.events[before])


def test_the_check_is_told_the_domain_the_proved_key_and_the_address():
    asked: list[tuple[str, str, str]] = []

    def allow(domain: str, peer: str, address: str) -> bool:
        asked.append((domain, peer, address))
        return True

    with Bench(allow) as bench:
        server, client = End(bench, 1), End(bench, 2)
        for channel in ("data", "tracker"):
            endpoint = server.links.listen(channel, "tcp://127.0.0.1:0")
            client.links.perform(Dial(channel, server.identity.peer_id, (endpoint,)))
        bench.until(lambda: len(client.of(LinkUp)) == 2)
        peer = client.identity.peer_id
        assert sorted(asked) == [("data", peer, "127.0.0.1"), ("tracker", peer, "127.0.0.1")]


def test_a_check_that_raises_refuses_and_the_next_is_asked_all_the_same(caplog: pytest.LogCaptureFixture):
    calls: list[str] = []

    def allow(_domain: str, peer: str, _address: str) -> bool:
        calls.append(peer)
        if len(calls) == 1:
            raise KeyError("a bug in the check")
        return True

    with Bench(allow) as bench, caplog.at_level(logging.ERROR):
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        assert knock(bench, server, endpoint, client) is DialFailed
        assert knock(bench, server, endpoint, client) is LinkUp
        assert bench.zap.counts == {"failed": 1, "denied": 1, "allowed": 1}
    assert "the check of a connection from 127.0.0.1 failed" in caplog.text


def test_a_loop_that_fails_is_started_again(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    with Bench() as bench, caplog.at_level(logging.ERROR):
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        broken = threading.Event()
        answer = bench.zap._answer

        def fail_once(socket: object) -> None:
            if not broken.is_set():
                broken.set()
                raise OSError("a bug in the loop")
            answer(socket)  # type: ignore[arg-type]

        monkeypatch.setattr(bench.zap, "_answer", fail_once)
        assert knock(bench, server, endpoint, client) is DialFailed
        bench.until(lambda: bench.zap.counts["restarts"] == 1)
        outcomes: list[type] = []
        while LinkUp not in outcomes and len(outcomes) < 50:  # it pauses before it starts again
            outcomes.append(knock(bench, server, endpoint, client))
        assert outcomes[-1] is LinkUp
    assert "nobody gets in meanwhile" in caplog.text


def test_a_client_that_is_gone_before_it_is_judged_disturbs_nobody(caplog: pytest.LogCaptureFixture):
    judged, gone = threading.Event(), threading.Event()

    def allow(_domain: str, _peer: str, address: str) -> bool:
        if address == "1.2.3.4":
            judged.set()
            gone.wait(10)
        return True

    with Bench(allow) as bench:
        with asking(bench.context, [b"1.0", b"7", b"data", b"1.2.3.4", b"", b"CURVE", b"k" * 32]):
            assert judged.wait(10)
        gone.set()
        assert ask(bench.context, [b"1.0", b"7", b"data", b"5.6.7.8", b"", b"CURVE", b"k" * 32])[2] == b"200"
        assert bench.zap.counts == {"allowed": 2}
    assert caplog.text == ""


def test_without_a_loop_nobody_gets_in():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        bench.zap.stop()
        assert knock(bench, server, endpoint, client) is DialFailed
        assert server.events == []


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        ([b"1.0", b"7", b"data", b"1.2.3.4", b"", b"CURVE", b"k" * 32], b"200"),
        ([b"1.0", b"7", b"elsewhere", b"1.2.3.4", b"", b"CURVE", b"k" * 32], b"400"),
        ([b"1.0", b"7", b"", b"1.2.3.4", b"", b"CURVE", b"k" * 32], b"400"),
        ([b"1.0", b"7", b"data", b"1.2.3.4", b"", b"NULL"], b"400"),
        ([b"1.0", b"7", b"clear-data", b"1.2.3.4", b"", b"CURVE", b"k" * 32], b"400"),
        ([b"1.0", b"7", b"clear-data", b"1.2.3.4", b"", b"NULL", b"k" * 32], b"400"),
        ([b"1.0", b"7", b"data", b"1.2.3.4", b"", b"PLAIN", b"user", b"password"], b"400"),
        ([b"2.0", b"7", b"data", b"1.2.3.4", b"", b"CURVE", b"k" * 32], b"400"),
        ([b"1.0", b"7", b"data", b"1.2.3.4", b"", b"CURVE", b"k" * 31], b"400"),
        ([b"1.0", b"7"], b"400"),
    ],
)
def test_a_request_is_answered_by_the_letter_of_zap(frames: list[bytes], status: bytes):
    with Bench() as bench:
        reply = ask(bench.context, frames)
        assert reply[:3] == [b"1.0", b"7", status]
        assert reply[4] == ((b"k" * 32).hex().encode() if status == b"200" else b"")


def test_a_connection_in_clear_text_gets_a_name_that_no_other_has():
    frames = [b"1.0", b"7", b"clear-data", b"1.2.3.4", b"", b"NULL"]
    with Bench() as bench:
        replies = [ask(bench.context, frames) for _ in range(20)]
    assert {reply[2] for reply in replies} == {b"200"}
    assert len({reply[4] for reply in replies}) == 20
    assert not any(len(reply[4]) == 64 for reply in replies), "it must never look like a peer id"


def test_a_check_that_asks_for_a_key_lets_nobody_in_in_clear_text():
    known = Identity(b"known".ljust(32)).peer_id
    with Bench(lambda _domain, peer, _address: peer == known) as bench:
        assert ask(bench.context, [b"1.0", b"7", b"clear-data", b"1.2.3.4", b"", b"NULL"])[2] == b"400"


def test_a_thousand_unknown_keys_are_refused_and_the_known_one_is_not():
    known = Identity(b"known".ljust(32)).peer_id
    with Bench(lambda _domain, peer, _address: peer == known) as bench:
        for index in range(1000):
            frames = [b"1.0", b"7", b"tracker", b"1.2.3.4", b"", b"CURVE", index.to_bytes(32, "big")]
            assert ask(bench.context, frames)[2] == b"400"
        frames = [b"1.0", b"7", b"tracker", b"1.2.3.4", b"", b"CURVE", bytes.fromhex(known)]
        assert ask(bench.context, frames)[2] == b"200"
        assert bench.zap.counts == {"denied": 1000, "allowed": 1}


def test_a_loop_that_was_never_started_stops_without_a_word():
    from bus.auth import ZapLoop

    context = make_context()
    ZapLoop(context, lambda _domain, _peer, _address: True).stop()
    context.term()
