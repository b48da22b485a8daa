"""Data links in clear text over real sockets: both ends are proved, and nobody else gets anything."""

from __future__ import annotations

import logging
import os
import socket

import pytest

from bus.boundary import Dial, DialFailed, HangUp, LinkLost, LinkUp, Received
from bus.codec import decode, encode
from bus.identity import Identity
from bus.messages import Data, Hello, Introduce, Ping, Pong, Prove
from bus.proof import Proof
from bus.sockets import live_sockets
from tests.kit.bench import Bench, End, Impostor, Stranger
from tests.kit.waiting import eventually

MIB = 2**20
HELLO = Hello("test", "stranger")
ALICE, MALLORY = Identity(b"alice".ljust(32)), Identity(b"mallory".ljust(32))


def clear(bench: Bench, seed: int, hwm: int = 256) -> End:
    return End(bench, seed, hwm, encryption=False)


def prove(bench: Bench, stranger: Stranger, identity: Identity, server: End) -> None:
    """Go through the whole proof, as an honest dialler does."""
    proof = Proof(identity, server.identity.peer_id)
    stranger.say(*encode(proof.introduction()))

    def proved() -> bool:
        frames = stranger.hear()
        if frames is not None:
            message = decode(frames, "proof", "server")
            assert message is not None
            answer = proof.answer(message)
            if answer is not None:
                stranger.say(*encode(answer))
        return proof.done

    bench.until(proved)


@pytest.mark.parametrize("hwm", [1, 256])
def test_both_ends_know_each_other_before_anything_else_and_messages_go_both_ways(hwm: int):
    with Bench() as bench:
        server, client = clear(bench, 1, hwm), clear(bench, 2, hwm)
        there, here = bench.link(server, client)
        assert server.events[0] == LinkUp(there, "data", client.identity.peer_id, "127.0.0.1", dialled=False)
        assert client.events[0] == LinkUp(here, "data", server.identity.peer_id, "127.0.0.1", dialled=True)
        server.send(there, Ping(7))
        bench.until(lambda: Ping(7) in client.messages())
        payload = os.urandom(MIB)
        client.send(here, Data(1, 0, 1, [(0, 0, MIB)]), payload)
        bench.until(lambda: any(isinstance(message, Data) for message in server.messages()))
        assert server.of(Received)[-1].payload == payload
        client.links.perform(HangUp(here))
        bench.until(lambda: server.of(LinkLost))
        assert server.links.counts.get("dropped", 0) == 0


def test_tracker_links_are_encrypted_all_the_same():
    with Bench() as bench:
        server, client = clear(bench, 1), clear(bench, 2)
        bench.link(server, client, "tracker")
        assert bench.zap.counts == {"allowed": 1}
        [listener] = server.links._listeners
        assert [role for role, socket in live_sockets() if socket is listener._socket] == ["tracker-server"]


def test_what_the_server_says_first_follows_its_proof():
    with Bench() as bench:
        server, client = clear(bench, 1, 1), clear(bench, 2, 1)

        def greet(event: object) -> None:
            server.events.append(event)  # type: ignore[arg-type]
            if isinstance(event, LinkUp):
                for nonce in range(5):
                    server.send(event.link, Ping(nonce))

        server.on_event = greet
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        client.links.perform(Dial("data", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: len(client.messages()) == 5)
        assert isinstance(client.events[0], LinkUp)
        assert client.messages() == [Ping(nonce) for nonce in range(5)]


# --- who is not who it should be --------------------------------------------------------------


def test_another_peer_than_the_one_dialled_is_told_apart_and_the_next_endpoint_is_tried():
    with Bench() as bench:
        server, other, client = clear(bench, 1), clear(bench, 2), clear(bench, 3)
        right = server.links.listen("data", "tcp://127.0.0.1:0")
        wrong = other.links.listen("data", "tcp://127.0.0.1:0")
        client.links.perform(Dial("data", server.identity.peer_id, (wrong,)))
        bench.until(lambda: client.of(DialFailed))
        assert client.of(DialFailed)[0].wrong_key
        assert f"it is {other.identity.peer_id[:16]}" in client.of(DialFailed)[0].reason
        client.links.perform(Dial("data", server.identity.peer_id, (wrong, right)))
        bench.until(lambda: client.of(LinkUp))
        assert client.of(LinkUp)[0].peer == server.identity.peer_id
        bench.until(lambda: other.links.counts.get("disconnected") == 2)
        assert other.events == []


def test_a_program_that_answers_and_never_proves_itself_costs_two_seconds():
    with Bench() as bench:
        client = clear(bench, 1)
        mute = Impostor(bench.context)
        client.links.perform(Dial("data", ALICE.peer_id, (mute.endpoint,)))
        bench.until(lambda: client.events)
        assert "did not prove who it is within 2 s" in client.of(DialFailed)[0].reason
        mute.close()


@pytest.mark.parametrize("forged", ["signature", "message"])
def test_a_listener_that_claims_another_id_gets_no_link(forged: str):
    with Bench() as bench:
        client = clear(bench, 1)
        liar = Impostor(bench.context)
        client.links.perform(Dial("data", ALICE.peer_id, (liar.endpoint,)))
        lies = [Introduce(ALICE.verify_key.hex(), bytes(32)), Prove(bytes(64)) if forged == "signature" else HELLO]

        def lied() -> list[DialFailed]:
            if lies and liar.answer(*encode(lies[0])):
                lies.pop(0)
            return client.of(DialFailed)

        bench.until(lied)
        assert "did not prove who it is: " in client.of(DialFailed)[0].reason
        assert client.of(LinkUp) == []
        liar.close()


# --- strangers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        [encode(HELLO)],
        [encode(Ping(1))] * 100,
        [[*encode(Data(1, 0, 1, [(0, 0, 1000)])), bytes(1000)]],
        [encode(Prove(bytes(64)))],
        [encode(Introduce("00" * 32, bytes(32)))],
        [encode(Introduce(MALLORY.verify_key.hex(), bytes(32))), encode(HELLO), encode(Ping(1))],
        [encode(Introduce(MALLORY.verify_key.hex(), bytes(32))), encode(Prove(bytes(64))), encode(HELLO)],
        [encode(Introduce(MALLORY.verify_key.hex(), bytes(32)))] * 2,
        [[b"x"]],
        [[b"\x01\x03\xe7", b"\x80"]],
        [[b""] * 20],
    ],
)
def test_a_stranger_who_says_anything_but_its_proof_is_cut_and_nothing_is_heard(first: list[list[bytes]]):
    with Bench() as bench:
        server, client = clear(bench, 1), clear(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, endpoint=endpoint)
        heard = len(server.events)
        stranger = Stranger(bench.context, endpoint)
        for frames in first:
            stranger.say(*frames)
        bench.until(lambda: server.links.counts.get("disconnected"))
        assert server.links.counts["refused_proof"] == 1
        assert len(server.events) == heard
        server.send(there, Ping(1))
        bench.until(lambda: Received(here, Ping(1)) in client.events)
        stranger.close()


def test_a_proof_overheard_on_one_connection_opens_no_other():
    with Bench() as bench:
        server = clear(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        honest, thief = Stranger(bench.context, endpoint), Stranger(bench.context, endpoint)
        proof = Proof(ALICE, server.identity.peer_id)
        introduction = encode(proof.introduction())
        for one in (honest, thief):
            one.say(*introduction)
        answers: dict[Stranger, list[bytes]] = {}

        def answered() -> bool:
            for one in (honest, thief):
                if one not in answers and (frames := one.hear()) is not None:
                    answers[one] = frames
            return len(answers) == 2

        bench.until(answered)
        message = decode(answers[honest], "proof", "server")
        assert message is not None
        signature = proof.answer(message)
        assert signature is not None
        thief.say(*encode(signature))
        thief.say(*encode(HELLO))
        bench.until(lambda: server.links.counts.get("refused_proof"))
        assert server.events == []
        honest.say(*encode(signature))
        bench.until(lambda: server.of(LinkUp))
        assert server.of(LinkUp)[0].peer == ALICE.peer_id
        for one in (honest, thief):
            one.close()


def test_a_stranger_who_says_nothing_is_cut_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bus.guard.PROOF_PATIENCE", 0.3)
    with Bench() as bench:
        server, client = clear(bench, 1), clear(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, endpoint=endpoint)
        silent, half = Stranger(bench.context, endpoint), Stranger(bench.context, endpoint)
        half.say(*encode(Introduce(MALLORY.verify_key.hex(), bytes(32))))
        host, port = endpoint.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            bench.until(lambda: server.links.counts.get("disconnected") == 3)
            raw.settimeout(5)
            assert raw.recv(1000)[:1] == b"\xff"  # libzmq's greeting
            while raw.recv(1000):
                pass
        server.send(there, Ping(1))
        bench.until(lambda: Received(here, Ping(1)) in client.events)
        assert len(server.of(LinkUp)) == 1
        for one in (silent, half):
            one.close()


def test_only_so_many_may_wait_to_prove_themselves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bus.guard.MAX_UNPROVED", 20)
    with Bench() as bench:
        server, client, late = clear(bench, 1), clear(bench, 2), clear(bench, 3)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        there, here = bench.link(server, client, endpoint=endpoint)
        host, port = endpoint.removeprefix("tcp://").split(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(50)]
        bench.until(lambda: server.links.counts.get("accepted") == 51)
        bench.until(lambda: server.links.counts.get("disconnected") == 30)
        assert server.links.counts["refused_crowd"] == 30
        server.send(there, Ping(1))
        bench.until(lambda: Received(here, Ping(1)) in client.events)
        for one in crowd:
            one.close()
        bench.until(lambda: server.links.counts.get("disconnected") == 50)
        bench.link(server, late, endpoint=endpoint)


def test_who_comes_back_under_the_routing_id_and_descriptor_of_another_has_not_its_proof():
    with Bench() as bench:
        server = clear(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        [listener] = server.links._listeners
        alice = Stranger(bench.context, endpoint, routing_id=b"alice")
        prove(bench, alice, ALICE, server)
        alice.say(*encode(HELLO))
        bench.until(lambda: server.messages() == [HELLO])
        descriptor = listener._by_route[b"alice"].descriptor
        mallory = Stranger(bench.context, endpoint, routing_id=b"alice", later=True)

        # From here the loop stands still: nobody has told the listener that alice is gone.
        alice.close()
        eventually(lambda: not os.path.exists(f"/proc/self/fd/{descriptor}"), within=5)
        eventually(lambda: not listener._drain() and not server.has_news(), within=5)
        fillers = [os.open("/dev/null", os.O_RDONLY)]
        while fillers[-1] < descriptor:
            fillers.append(os.open("/dev/null", os.O_RDONLY))
        os.close(fillers.pop())  # the descriptor itself, for the server's end
        os.close(fillers.pop(0))  # one below, for mallory's end, which is made first
        mallory.connect()
        for nonce in range(3):
            mallory.say(*encode(Ping(nonce)))

        def knocked() -> bool:
            listener._drain()
            counts = server.links.counts
            return counts.get("dropped", 0) + counts.get("refused_proof", 0) > 0

        eventually(knocked, within=5)
        # If it was the same descriptor the words were dropped; if the system chose another they were refused.
        assert server.messages() == [HELLO]
        for filler in fillers:
            os.close(filler)
        bench.until(lambda: server.of(LinkLost))
        bench.turn_for(0.1)
        assert server.messages() == [HELLO]
        assert {up.peer for up in server.of(LinkUp)} == {ALICE.peer_id}
        mallory.close()


def test_a_client_that_claims_the_routing_id_of_another_gets_none_of_its_messages():
    with Bench() as bench:
        server = clear(bench, 1)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        alice = Stranger(bench.context, endpoint, routing_id=b"alice")
        prove(bench, alice, ALICE, server)
        bench.until(lambda: server.of(LinkUp))
        thief = Stranger(bench.context, endpoint, routing_id=b"alice")
        thief.say(*encode(Proof(MALLORY, server.identity.peer_id).introduction()))
        bench.until(lambda: bench.zap.counts["allowed"] == 2)
        server.send(server.of(LinkUp)[0].link, Ping(3))
        heard: list[list[bytes]] = []

        def listened() -> bool:
            if (frames := alice.hear()) is not None:
                heard.append(frames)
            return bool(heard)

        bench.until(listened)
        assert heard == [encode(Ping(3))]
        assert thief.hear() is None
        for one in (alice, thief):
            one.close()


# --- unequal settings -------------------------------------------------------------------------


@pytest.mark.parametrize("encrypted", [True, False], ids=["dialler encrypts", "listener encrypts"])
def test_when_only_one_side_encrypts_both_sides_say_so_in_one_line(encrypted: bool, caplog: pytest.LogCaptureFixture):
    with Bench() as bench, caplog.at_level(logging.WARNING):
        server, client = End(bench, 1, encryption=not encrypted), End(bench, 2, encryption=encrypted)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        for _ in range(2):
            client.links.perform(Dial("data", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: len(client.of(DialFailed)) == 2 and server.links.counts.get("disconnected") == 2)
        failed = client.of(DialFailed)[0]
        does, ours = ("does not encrypt its links", "true") if encrypted else ("encrypts its links", "false")
        assert failed.reason == (
            f"{endpoint} {does}, and security.encryption is {ours} here; it must be the same on both sides"
        )
        assert (failed.unequal, failed.wrong_key) == (True, False)
        assert server.events == []
        assert server.links.counts["refused_encryption"] == 2
    [line] = [record.getMessage() for record in caplog.records]
    assert "security.encryption must be the same on both sides" in line


def test_a_tracker_that_does_not_encrypt_is_another_kind_of_program():
    with Bench() as bench:
        server, client = clear(bench, 1), clear(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        client.links.perform(Dial("tracker", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: client.of(DialFailed))
        assert client.of(DialFailed)[0].wrong_key
        assert not client.of(DialFailed)[0].unequal


def test_a_rule_that_asks_for_keys_lets_nobody_in_in_clear_text():
    with Bench(lambda _domain, peer, _address: peer != "") as bench:
        server, client = clear(bench, 1), clear(bench, 2)
        endpoint = server.links.listen("data", "tcp://127.0.0.1:0")
        client.links.perform(Dial("data", server.identity.peer_id, (endpoint,)))
        bench.until(lambda: client.of(DialFailed))
        assert server.events == []
        assert Pong not in map(type, client.messages())
