"""Links over real sockets: keys, ends, full pipes, strangers."""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from bus.boundary import (
    Dial,
    DialFailed,
    HangUp,
    LinkBlocked,
    LinkLost,
    LinkUp,
    LinkWritable,
    Misbehaved,
    Received,
    Send,
)
from bus.codec import decode, encode
from bus.errors import ERR_PORT_IN_USE, ShoalError
from bus.guard import ENDLESS, Memory, Room
from bus.identity import Identity
from bus.listener import _COUNTED
from bus.messages import Channel, ControlPing, Data, Done, Hello, Leave, Ping, Pong, TrackerPing
from bus.proof import Proof
from tests.kit.bench import Bench, End, Stranger
from tests.kit.endless import Raw
from tests.kit.waiting import eventually

MIB = 2**20
HELLO = Hello("test", "stranger")


def a_part(position: int, size: int = MIB) -> Data:
    return Data(1, position, 1, [(0, 0, size)])


def test_both_ends_know_each_other_by_the_proved_key_and_messages_go_both_ways():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client)
        assert server.of(LinkUp) == [LinkUp(there, "data", client.identity.peer_id, "127.0.0.1", dialled=False)]
        assert client.of(LinkUp) == [LinkUp(here, "data", server.identity.peer_id, "127.0.0.1", dialled=True)]
        server.send(there, Ping(7))
        bench.until(lambda: Ping(7) in client.messages())
        client.send(here, Pong(7))
        bench.until(lambda: Pong(7) in server.messages())


def test_a_payload_arrives_as_a_view_of_its_bytes():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        _, here = bench.link(server, client)
        small, large = os.urandom(1000), os.urandom(MIB)
        client.send(here, a_part(0, 1000), small)
        client.send(here, a_part(1000), memoryview(large))
        bench.until(lambda: len(server.messages()) == 3)
        _, first, second = server.of(Received)
        assert (first.payload, first.payload_size) == (small, 1000)
        assert (second.payload, second.payload_size) == (large, MIB)


def test_a_server_with_another_key_is_told_apart_from_one_that_is_not_there():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            nobody = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        wanted = Identity(b"w" * 32).peer_id
        client.links.perform(Dial("data", wanted, (endpoint,)))
        client.links.perform(Dial("data", wanted, (nobody,)))
        bench.until(lambda: len(client.of(DialFailed)) == 2)
        by_endpoint = {failed.reason.split()[0]: failed for failed in client.of(DialFailed)}
        assert by_endpoint[endpoint].wrong_key
        assert "has another key than" in by_endpoint[endpoint].reason
        assert not by_endpoint[nobody].wrong_key
        assert "is not listening" in by_endpoint[nobody].reason
        assert server.events == []


def test_endpoints_are_tried_in_order_until_the_key_is_right():
    with Bench() as bench:
        server, other, client = End(bench, 1), End(bench, 2), End(bench, 3)
        right = server.links.listen("data", "tcp://127.0.0.1:0")
        wrong = other.links.listen("data", "tcp://127.0.0.1:0")
        endpoints = ("nonsense", "tcp://127.0.0.1:1", wrong, right)
        client.links.perform(Dial("data", server.identity.peer_id, endpoints))
        bench.until(lambda: client.events)
        assert [type(event) for event in client.events] == [LinkUp]


def test_a_dial_without_endpoints_fails_after_the_effect_not_within_it():
    with Bench() as bench:
        client = End(bench, 1)
        client.links.perform(Dial("data", Identity(b"w" * 32).peer_id, ()))
        assert client.events == []
        bench.until(lambda: client.events)
        assert client.of(DialFailed)[0].reason == "no endpoint is known"


@pytest.mark.parametrize("sockets", [7, 8, 9], ids=["none left", "none for its events", "none to hear them"])
def test_a_dial_for_which_no_socket_is_left_fails_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch, sockets: int):
    # The zap loop's, three of the listener, three of a dial.
    monkeypatch.setattr("bus.sockets.MAX_SOCKETS", sockets)
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        dial = Dial("data", server.identity.peer_id, (server.links.listen("data", "tcp://127.0.0.1:0"),))
        client.links.perform(dial)
        client.links.perform(dial)
        bench.until(lambda: client.of(DialFailed) and client.of(LinkUp))
        assert len(client.events) == 2
        assert "too many sockets or files are open here" in client.of(DialFailed)[0].reason
        assert not client.of(DialFailed)[0].wrong_key
        client.links.perform(HangUp(client.of(LinkUp)[0].link))

        client.events.clear()

        def linked_again() -> bool:  # libzmq gives sockets back a little later
            if client.of(DialFailed):
                client.events.clear()
                client.links.perform(dial)
            return bool(client.of(LinkUp))

        client.links.perform(dial)
        bench.until(linked_again)


def test_a_program_that_takes_the_connection_and_says_nothing_costs_two_seconds():
    with Bench() as bench, socket.create_server(("127.0.0.1", 0)) as silent:
        client = End(bench, 1)
        began = bench.reactor.now
        endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        client.links.perform(Dial("data", Identity(b"w" * 32).peer_id, (endpoint,)))
        bench.until(lambda: client.events)
        assert 1.9 < bench.reactor.now - began < 3
        assert "said nothing within 2 s" in client.of(DialFailed)[0].reason
        assert not client.of(DialFailed)[0].wrong_key


def test_a_private_server_refuses_an_unknown_key_and_serves_the_known_one():
    known = Identity((2).to_bytes(32, "big")).peer_id
    with Bench(lambda domain, peer, _address: (domain, peer) == ("tracker", known)) as bench:
        server, client, unknown = End(bench, 1), End(bench, 2), End(bench, 3)
        endpoint = server.links.listen("tracker", "tcp://127.0.0.1:0")
        unknown.links.perform(Dial("tracker", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: unknown.of(DialFailed))
        assert unknown.of(DialFailed)[0].wrong_key
        assert "refused this program's key: it admits only peers that" in unknown.of(DialFailed)[0].reason
        client.links.perform(Dial("tracker", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: client.of(LinkUp))
        assert bench.zap.counts == {"denied": 1, "allowed": 1}
        assert server.events == []


def test_a_client_without_a_key_gets_nothing_through():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        stranger = Stranger(bench.context, endpoint)
        stranger.say(*encode(HELLO))
        bench.until(lambda: server.links.counts.get("refused_protocol"))
        bench.link(server, client, endpoint=endpoint)
        assert {event.peer for event in server.of(LinkUp)} == {client.identity.peer_id}
        stranger.close()


@pytest.mark.parametrize("hwm", [1, 256])
def test_the_end_of_either_side_is_heard_after_all_that_was_said_before(hwm: int):
    with Bench() as bench:
        server, client, other = End(bench, 1, hwm), End(bench, 2, hwm), End(bench, 3, hwm)
        there, here = bench.link(server, client, "tracker")
        for nonce in range(100):
            client.send(here, TrackerPing(nonce))
        client.send(here, Leave())
        client.links.perform(HangUp(here))
        bench.until(lambda: server.of(LinkLost))
        assert server.messages()[1:] == [*map(TrackerPing, range(100)), Leave()]
        assert server.events[-1] == LinkLost(there, "the other side closed the connection")
        assert client.of(LinkLost) == []
        # ... and the other way round
        there, here = bench.link(other, client, "tracker")
        for nonce in range(100):
            other.send(there, TrackerPing(nonce))
        other.links.perform(HangUp(there))
        bench.until(lambda: client.of(LinkLost))
        assert client.messages() == [TrackerPing(nonce) for nonce in range(100)]
        assert client.events[-1] == LinkLost(here, "the other side closed the connection")


def test_a_process_that_ends_delivers_its_last_words():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client, "tracker")
        for nonce in range(100):
            server.send(there, TrackerPing(nonce))
        server.links.close(1000)
        bench.ends.remove(server)
        bench.until(lambda: client.of(LinkLost))
        assert client.messages() == [TrackerPing(nonce) for nonce in range(100)]
        assert client.events[-1] == LinkLost(here, "the other side closed the connection")


def test_what_is_sent_on_a_lost_link_is_nothing():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client)
        client.links.perform(HangUp(here))
        client.send(here, Ping(1))
        client.links.perform(HangUp(here))
        bench.until(lambda: server.of(LinkLost))
        server.send(there, Ping(2))
        assert server.events[-1] == LinkLost(there, "the other side closed the connection")


def test_a_send_to_a_connection_that_is_gone_is_the_loss_of_its_link():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, _ = bench.link(server, client)
        client.links.close(0)
        bench.ends.remove(client)

        def lost() -> list[LinkLost]:  # the loop stands still, so nothing else can tell
            server.send(there, Ping(1))
            return server.of(LinkLost)

        assert eventually(lost, within=5) == [LinkLost(there, "the connection is gone")]
        bench.turn_for(0.2)
        assert len(server.of(LinkLost)) == 1


def test_a_server_that_hangs_up_delivers_its_last_words_and_hears_no_more():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client)
        server.send(there, Ping(9))
        server.links.perform(HangUp(there))
        client.send(here, Ping(1))
        bench.until(lambda: client.of(LinkLost))
        assert client.messages() == [Ping(9)]
        assert Ping(1) not in server.messages()
        assert server.of(LinkLost) == []
        assert server.links.counts["cut"] == 1
        again, _ = bench.link(server, client)
        assert again != there


@pytest.mark.parametrize("upload", [True, False], ids=["dealer to router", "router to dealer"])
def test_a_pipe_of_one_message_loses_nothing_and_says_when_it_is_full(upload: bool):
    count = 60
    with Bench() as bench:
        server, client = End(bench, 1, hwm=1), End(bench, 2, hwm=1)
        there, here = bench.link(server, client)
        sender, link, receiver = (client, here, server) if upload else (server, there, client)
        payload = os.urandom(MIB)
        positions: list[int] = []
        sent = 0
        blocked = False

        def send() -> None:
            nonlocal sent
            while sent < count and not blocked:
                sender.links.perform(Send(link, a_part(sent * MIB), payload))
                sent += 1

        def at_sender(event: object) -> None:
            nonlocal blocked
            sender.events.append(event)  # type: ignore[arg-type]
            if isinstance(event, LinkBlocked | LinkWritable):
                blocked = isinstance(event, LinkBlocked)
                send()

        def at_receiver(event: object) -> None:
            assert isinstance(event, Received), event
            assert isinstance(event.message, Data)
            assert event.payload == payload
            positions.append(event.message.position)

        sender.on_event, receiver.on_event = at_sender, at_receiver
        send()
        bench.until(lambda: len(positions) == count and not blocked, within=60)
        assert positions == [index * MIB for index in range(count)]
        assert len(sender.of(LinkBlocked)) == len(sender.of(LinkWritable)) > 10


def test_a_core_that_goes_on_giving_to_a_blocked_link_loses_it():
    with Bench() as bench:
        server, client = End(bench, 1, hwm=1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        # A stranger never reads, so the pipe to it fills.
        stranger = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=client.identity)
        stranger.say(*encode(HELLO))
        bench.until(lambda: server.of(LinkUp))
        link = server.of(LinkUp)[0].link
        payload = bytes(MIB)
        for index in range(1200):
            server.send(link, a_part(index * MIB), payload)
        assert len(server.of(LinkBlocked)) == 1
        assert len(server.of(LinkLost)) == 1
        assert "overflow: more than 1000 messages wait" in server.of(LinkLost)[0].reason
        stranger.close()


def test_one_full_pipe_does_not_hold_up_another():
    with Bench() as bench:
        server, client = End(bench, 1, hwm=1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        stranger = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=Identity(b"s" * 32))
        stranger.say(*encode(HELLO))
        bench.until(lambda: server.of(LinkUp))
        stuck = server.of(LinkUp)[0].link
        writable = True

        def fill(event: object) -> None:
            nonlocal writable
            server.events.append(event)  # type: ignore[arg-type]
            if isinstance(event, LinkBlocked | LinkWritable):
                assert event.link == stuck
                writable = isinstance(event, LinkWritable)

        server.on_event = fill

        def stuff() -> None:
            while writable:
                server.send(stuck, a_part(0), bytes(MIB))

        there, _ = bench.link(server, client, endpoint=endpoint)
        for nonce in range(50):
            stuff()  # again and again: the system's buffers grow for a while
            server.send(there, Ping(nonce))
            bench.until(lambda: Ping(nonce) in client.messages())  # noqa: B023 - called before the next turn of the loop
        assert server.of(LinkBlocked)
        stranger.close()


def unseeded_routing_ids(count: int) -> list[bytes]:
    """The automatic routing ids that libzmq would give first in a process that never called `srand`."""
    libc = ctypes.CDLL(None)
    libc.srand(1)
    ids: list[bytes] = []
    while len(ids) < count:  # each ROUTER of the process starts at the next two numbers
        first = (libc.rand() | libc.rand() << 31) & 0xFFFFFFFF
        ids += [b"\0" + ((first + later) & 0xFFFFFFFF).to_bytes(4, "big") for later in range(100)]
    libc.srand(ctypes.c_uint(secrets.randbits(32)))
    return ids


def test_a_thousand_claimed_routing_ids_leave_the_server_alive_and_an_honest_client_served():
    command = [sys.executable, "-m", "tests.kit.lone_server"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        Bench() as bench,
    ):
        assert server.stdout is not None
        endpoint, peer = server.stdout.readline().split()
        liar = Identity(b"l" * 32)
        strangers = [
            Stranger(bench.context, endpoint, server=peer, identity=liar, routing_id=claim)
            for claim in unseeded_routing_ids(1000)
        ]
        for nonce, stranger in enumerate(strangers):
            stranger.say(*encode(Ping(nonce)))
        answers: dict[int, list[bytes]] = {}

        def all_are_answered() -> bool:
            for nonce, stranger in enumerate(strangers):
                if nonce not in answers and (answer := stranger.hear()) is not None:
                    answers[nonce] = answer
            return len(answers) == len(strangers)

        bench.until(all_are_answered, within=60)
        assert answers == {nonce: encode(Pong(nonce)) for nonce in range(1000)}
        honest = [End(bench, seed) for seed in range(1, 21)]
        for end in honest:
            end.links.perform(Dial("data", peer, (endpoint,)))
            bench.until(lambda: end.of(LinkUp))  # noqa: B023 - called before the next turn of the loop
        for end in honest:
            end.send(end.of(LinkUp)[0].link, Ping(77))
        bench.until(lambda: all(end.messages() == [Pong(77)] for end in honest))
        for stranger in strangers:
            stranger.close()
        assert server.poll() is None
        server.communicate(timeout=10)
        assert server.returncode == 0


def test_a_client_that_claims_the_id_of_another_gets_none_of_its_messages():
    with Bench() as bench:
        server = End(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        alice, thief = Identity(b"a" * 32), Identity(b"t" * 32)
        honest = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=alice, routing_id=b"alice")
        honest.say(*encode(HELLO))
        bench.until(lambda: server.of(LinkUp))
        other = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=thief, routing_id=b"alice")
        other.say(*encode(HELLO))
        bench.until(lambda: bench.zap.counts["allowed"] == 2)
        server.send(server.of(LinkUp)[0].link, Ping(3))
        heard: list[list[bytes]] = []

        def listened() -> bool:
            message = honest.hear()
            if message is not None:
                heard.append(message)
            return bool(heard)

        bench.until(listened)
        assert heard == [encode(Ping(3))]
        assert other.hear() is None
        assert {event.peer for event in server.of(LinkUp)} == {alice.peer_id}
        honest.close()
        other.close()


def test_two_links_of_one_peer_are_two_links():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        first_there, first_here = bench.link(server, client, endpoint=endpoint)
        second_there, second_here = bench.link(server, client, endpoint=endpoint)
        assert first_there != second_there
        client.links.perform(HangUp(first_here))
        bench.until(lambda: server.of(LinkLost))
        assert [lost.link for lost in server.of(LinkLost)] == [first_there]
        server.send(second_there, Ping(1))
        bench.until(lambda: Received(second_here, Ping(1)) in client.events)


def test_connections_that_come_and_go_on_one_descriptor_are_told_apart():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        for _ in range(30):
            _, here = bench.link(server, client, endpoint=endpoint)
            client.links.perform(HangUp(here))
        bench.until(lambda: len(server.of(LinkLost)) == 30)
        ups = [event.link for event in server.of(LinkUp)]
        assert [event.link for event in server.of(LinkLost)] == ups
        assert len(set(ups)) == 30


@pytest.mark.parametrize("cut", [False, True])
def test_a_connection_that_failed_its_handshake_is_no_end_of_a_link_in_whatever_batches_that_is_heard(
    monkeypatch: pytest.MonkeyPatch, cut: bool
):
    number = {name: event for event, name in _COUNTED.items()}
    news = [(number[name], 10**6) for name in ("accepted", "refused_silence", "disconnected")]
    with Bench() as bench:
        server = End(bench, 1)
        server.links.listen("data", "tcp://127.0.0.1:0")
        (listener,) = server.links._listeners
        for batch in [[one] for one in news] if cut else [news]:
            with monkeypatch.context() as patched:
                patched.setattr("bus.listener.read_monitor", lambda monitor, batch=batch: iter(batch))
                listener._hear()
        assert not listener._connections
        assert not listener._ending


def test_what_arrives_while_something_is_sent_does_not_lie_unseen():
    """A send takes the news of arrivals from the descriptor, so the loop must look at the socket by itself."""
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client)
        for nonce in range(1, 21):
            bench.turn_for(0.01)
            client.send(here, Ping(nonce))
            eventually(server.has_news, within=5, every=0.002)
            server.send(there, Pong(nonce))
            bench.until(lambda: Ping(nonce) in server.messages(), within=1)  # noqa: B023 - called before the next turn


def test_a_message_is_heard_although_the_monitor_has_not_told_of_its_connection_yet():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        [listener] = server.links._listeners
        for turn in range(1, 11):
            bench.link(server, client, endpoint=endpoint)
            client.links.perform(HangUp(client.of(LinkUp)[-1].link))
            # The loop stands still: the end of the last connection, and the new one (perhaps on the same descriptor),
            # are told while the first message is read.
            stranger = Stranger(
                bench.context, endpoint, server=server.identity.peer_id, identity=Identity(bytes([turn]) * 32)
            )
            stranger.say(*encode(HELLO))

            def heard() -> bool:
                listener._drain()
                return server.of(LinkUp)[-1].peer == Identity(bytes([turn]) * 32).peer_id  # noqa: B023

            eventually(heard, within=5)
            stranger.close()


def test_frames_that_are_no_message_are_reported_and_the_link_goes_on():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        stranger = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=client.identity)
        header, body = encode(HELLO)
        bad = [
            (b"x",), (header,), (header, b"\xc1"), (header, body, b"more"), (header, body, *[b""] * 20),
            (b"\x02\x00\x20", body), encode(TrackerPing(1)), (*encode(a_part(0)), b"short"), tuple(encode(a_part(0))),
        ]  # fmt: skip
        for frames in bad:
            stranger.say(*frames)
        stranger.say(b"\x01\x03\xe7", b"\x80")  # a number of the future: no fault
        stranger.say(header, body)
        bench.until(lambda: server.of(Received))
        assert len(server.of(Misbehaved)) == len(bad)
        assert "upgrade this program" in server.of(Misbehaved)[5].reason
        assert server.messages() == [HELLO]
        assert server.links.counts["unknown_messages"] == 1
        stranger.close()


def test_a_frame_over_the_limit_ends_its_connection_only():
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("tracker", "tcp://127.0.0.1:0")
        there, _ = bench.link(server, client, "tracker", endpoint)
        stranger = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=Identity(b"s" * 32))
        stranger.say(*encode(TrackerPing(1)))
        bench.until(lambda: len(server.of(LinkUp)) == 2)
        stranger.say(b"\x01\0\x0d", bytes(2**16))
        bench.until(lambda: server.of(LinkLost))
        assert [lost.link for lost in server.of(LinkLost)] == [server.of(LinkUp)[1].link]
        server.send(there, TrackerPing(2))
        bench.until(lambda: TrackerPing(2) in client.messages())
        stranger.close()


# --- messages that never end --------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["data", "tracker"])
@pytest.mark.parametrize("first", [True, False], ids=["at once", "after others"])
def test_a_message_that_never_ends_is_cut_off_and_an_honest_link_goes_on(channel: Channel, first: bool):
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen(channel, "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, channel, endpoint)
        ping = Ping if channel == "data" else TrackerPing
        with Raw.dial(endpoint, Identity(b"e" * 32), server.identity.peer_id) as hostile:
            if not first:
                hostile.say(*encode(ping(1)))
                bench.until(lambda: len(server.of(LinkUp)) == 2)
            hostile.begin_endless()
            bench.until(lambda: server.links.counts.get("disconnected"), within=5)
            assert server.links.counts["endless"] == 1
            assert [lost.reason for lost in server.of(LinkLost)] == ([] if first else [ENDLESS])
        server.send(there, ping(7))
        bench.until(lambda: Received(here, ping(7)) in client.events)


def test_a_server_whose_message_never_ends_is_hung_up_on():
    peer = Identity(b"e" * 32)
    with Bench() as bench, socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        client = End(bench, 1, encryption=False)

        def attack() -> None:
            hostile = stack.enter_context(Raw(listener.accept()[0], b"ROUTER"))
            proof = Proof(peer)
            while not proof.done:
                message = decode([hostile.hear(), hostile.hear()], "proof", "client")
                assert message is not None
                answer = proof.answer(message)
                assert answer is not None
                hostile.say(*encode(answer))
            hostile.begin_endless()

        attacker = threading.Thread(target=attack, daemon=True)
        attacker.start()
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        client.links.perform(Dial("data", peer.peer_id, (endpoint,)))
        bench.until(lambda: client.of(LinkLost), within=10)
        assert client.of(LinkLost)[0].reason == ENDLESS
        attacker.join(5)


def test_what_was_said_whole_and_is_not_read_yet_ends_nobody(monkeypatch: pytest.MonkeyPatch):
    # What these bytes lie in may be memory that this process had before.
    monkeypatch.setattr(Memory, "grown", lambda _: True)
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        there, here = bench.link(server, client)
        [listener] = server.links._listeners
        assert listener._guard is not None
        count, payload = 20, bytes(MIB)
        for end, link in ((client, here), (server, there)):
            for index in range(count):
                end.send(link, a_part(index * MIB), payload)
        # From here the loop stands still, until all has arrived.
        [call] = client.links._dialler._calls
        for connection in (*listener._connections.values(), call._standing):
            assert connection is not None
            connection.heard = False
            eventually(lambda: connection.swollen(8 * MIB), within=10)  # noqa: B023 - called before the next one
        listener._guard._look()
        assert listener._guard.suspects
        client.links._dialler._look()
        bench.until(lambda: len(server.of(Received)) == 1 + count and len(client.of(Received)) == count)
        assert not listener._guard.suspects
        assert server.of(LinkLost) == client.of(LinkLost) == []


def test_a_message_that_takes_its_time_is_heard_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bus.guard.GROWTH", -(2**40))  # so that all connections are looked at all the time
    monkeypatch.setattr("bus.guard.LOOK", 0.02)
    with Bench() as bench:
        server = End(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        with Raw.dial(endpoint, Identity(b"s" * 32), server.identity.peer_id) as slow:
            slow.say(*encode(HELLO))
            bench.until(lambda: server.of(Received))
            payload = os.urandom(MIB)
            message = slow.framed(*encode(a_part(0)), payload)
            for begin in range(0, len(message), 2**18):
                slow.push(message[begin : begin + 2**18])
                bench.turn_for(0.1)
            bench.until(lambda: len(server.of(Received)) == 2)
            assert server.of(Received)[1].payload == payload


# --- crowds, and who says nothing ---------------------------------------------------------------


@pytest.mark.parametrize("channel", ["data", "tracker"])
def test_who_has_a_key_and_says_nothing_is_cut_in_time(monkeypatch: pytest.MonkeyPatch, channel: Channel):
    monkeypatch.setattr("bus.guard.PATIENCE", 0.3)
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen(channel, "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, channel, endpoint)
        silent = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=Identity(b"s" * 32))
        bench.until(lambda: bench.zap.counts["allowed"] == 2)
        bench.until(lambda: server.links.counts.get("disconnected"), within=5)
        assert server.links.counts["late"] == 1
        bench.turn_for(0.5)
        ping = Ping if channel == "data" else TrackerPing
        server.send(there, ping(1))
        bench.until(lambda: Received(here, ping(1)) in client.events)
        silent.close()


def test_who_spoke_in_time_is_not_late_although_nobody_read_it_yet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bus.guard.PATIENCE", 0.3)
    with Bench() as bench:
        server = End(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        [listener] = server.links._listeners
        stranger = Stranger(bench.context, endpoint, server=server.identity.peer_id, identity=Identity(b"s" * 32))
        bench.until(lambda: bench.zap.counts["allowed"])
        assert listener._guard is not None
        # From here the loop stands still, and the clock does not.
        stranger.say(*encode(HELLO))
        eventually(server.has_news, within=5)
        bench.reactor.now += 1
        listener._guard._look()
        assert listener._guard.suspects
        bench.until(lambda: server.messages() == [HELLO])
        bench.turn_for(0.5)
        assert server.of(LinkLost) == []
        stranger.close()


@pytest.mark.parametrize("exempt", [False, True])
def test_one_address_has_room_for_so_many_connections_unless_it_is_exempt(exempt: bool):
    room = Room(3, ("10.0.0.0/8", "127.0.0.0/8") if exempt else ("10.0.0.0/8",))
    with Bench() as bench:
        server = End(bench, 1, room=room)
        endpoint = server.links.listen("tracker", "tcp://127.0.0.1:0")
        ends = [End(bench, seed) for seed in range(2, 6)]
        for end in ends:
            end.links.perform(Dial("tracker", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: all(end.events for end in ends))
        failed = [end for end in ends if end.of(DialFailed)]
        assert len(failed) == (0 if exempt else 1)
        if not exempt:
            assert server.links.counts["refused_crowd"] == 1
            assert "takes no more connections from here" in failed[0].of(DialFailed)[0].reason
            bench.until(lambda: server.links.counts.get("disconnected") == 1)
            up = next(end for end in ends if end.of(LinkUp))
            up.links.perform(HangUp(up.of(LinkUp)[0].link))
            bench.until(lambda: server.links.counts["disconnected"] == 2)
            bench.link(server, failed[0], "tracker", endpoint)


@pytest.mark.parametrize("most", ["MAX_SILENT", "MAX_STANDING"])
def test_there_is_room_for_so_many_connections_altogether(monkeypatch: pytest.MonkeyPatch, most: str):
    monkeypatch.setattr(f"bus.guard.{most}", 20)
    with Bench() as bench:
        server, client, late = End(bench, 1), End(bench, 2), End(bench, 3)
        endpoint = server.links.listen("tracker", "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, "tracker", endpoint)
        host, port = endpoint.removeprefix("tcp://").split(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(30)]
        refused = 10 if most == "MAX_SILENT" else 11
        bench.until(lambda: server.links.counts.get("disconnected") == refused)
        assert server.links.counts["refused_crowd"] == refused
        server.send(there, TrackerPing(1))
        bench.until(lambda: Received(here, TrackerPing(1)) in client.events)
        for one in crowd:
            one.close()
        bench.until(lambda: server.links.counts["disconnected"] == 30)
        bench.link(server, late, "tracker", endpoint)


def test_after_stop_listening_links_go_on_and_new_ones_are_ended():
    with Bench() as bench:
        server, client, late = End(bench, 1), End(bench, 2), End(bench, 3)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        there, _ = bench.link(server, client, endpoint=endpoint)
        server.links.stop_listening()
        late.links.perform(Dial("data", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: late.of(LinkUp))
        late.send(late.of(LinkUp)[0].link, HELLO)
        bench.until(lambda: late.of(LinkLost))
        assert len(server.of(LinkUp)) == 1
        server.send(there, Ping(1))
        bench.until(lambda: Ping(1) in client.messages())


def test_the_control_socket_is_for_our_own_user(tmp_path: Path):
    with Bench() as bench:
        server = End(bench, 1)
        endpoint = server.links.listen("control", f"ipc://{tmp_path}/control.ipc")
        caller = Stranger(bench.context, endpoint)
        caller.say(*encode(ControlPing(4)))
        bench.until(lambda: server.of(Received))
        up = server.of(LinkUp)[0]
        assert (up.channel, up.peer, up.address) == ("control", f"uid:{os.getuid()}", "local")
        server.send(up.link, Done(4))
        answers: list[list[bytes]] = []

        def answered() -> bool:
            answer = caller.hear()
            if answer is not None:
                answers.append(answer)
            return bool(answers)

        bench.until(answered)
        assert answers == [encode(Done(4))]
        caller.close()
        bench.until(lambda: server.of(LinkLost))


def test_a_control_client_of_another_user_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Bench() as bench:
        server = End(bench, 1)
        endpoint = server.links.listen("control", f"ipc://{tmp_path}/control.ipc")
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        caller = Stranger(bench.context, endpoint)
        caller.say(*encode(ControlPing(4)))
        bench.until(lambda: server.links.counts.get("refused_user"))
        assert server.events == []
        caller.close()


def test_a_port_in_use_is_one_line_that_names_it():
    with Bench() as bench, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ShoalError) as raised:
            End(bench, 1).links.listen("data", f"tcp://127.0.0.1:{port}")
        assert raised.value.code == ERR_PORT_IN_USE
        assert f"port {port} " in raised.value.message
        assert "\n" not in raised.value.message


@pytest.mark.parametrize("endpoint", ["tcp://203.0.113.7:0", "nonsense", "tcp://127.0.0.1:notaport"])
def test_an_address_that_is_not_ours_is_one_line(endpoint: str):
    with Bench() as bench, pytest.raises(ShoalError, match="cannot listen on"):
        End(bench, 1).links.listen("data", endpoint)


def test_an_ipv6_address_is_reached_where_there_is_ipv6():
    from bus.sockets import has_ipv6

    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Bench() as bench:
        server, client = End(bench, 1), End(bench, 2)
        endpoint = server.links.listen("data", "tcp://[::1]:0")
        bench.link(server, client, endpoint=endpoint)
        assert server.of(LinkUp)[0].address == "::1"
        assert client.of(LinkUp)[0].address == "::1"
