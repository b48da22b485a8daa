"""The proof of a connection in clear text: two honest ends know each other; whatever is changed on the way, nobody is
proved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from bus.errors import RemoteProtocolError
from bus.identity import Identity
from bus.messages import Hello, Introduce, Prove
from bus.proof import CONTEXT, DIALLER, LISTENER, Proof, WrongPeerError, signed_text

ALICE, BOB, MALLORY = (Identity(name.ljust(32)) for name in (b"alice", b"bob", b"mallory"))


class Pair:
    """Alice dials Bob; `last` is what was said last."""

    def __init__(self) -> None:
        self.alice, self.bob = Proof(ALICE, BOB.peer_id), Proof(BOB)
        self.first = self.alice.introduction()

    def bobs_introduction(self) -> Introduce:
        answer = self.bob.answer(self.first)
        assert isinstance(answer, Introduce)
        return answer

    def alices_proof(self) -> Prove:
        answer = self.alice.answer(self.bobs_introduction())
        assert isinstance(answer, Prove)
        return answer

    def bobs_proof(self) -> Prove:
        answer = self.bob.answer(self.alices_proof())
        assert isinstance(answer, Prove)
        return answer


def test_two_honest_ends_know_each_other_after_two_messages_each():
    pair = Pair()
    proof = pair.bobs_proof()
    assert (pair.bob.done, pair.bob.peer) == (True, ALICE.peer_id)
    assert not pair.alice.done
    assert pair.alice.answer(proof) is None
    assert (pair.alice.done, pair.alice.peer) == (True, BOB.peer_id)


def test_the_side_that_was_dialled_signs_nothing_before_the_other_has_proved_itself():
    pair = Pair()
    assert isinstance(pair.bob.answer(pair.first), Introduce)
    with pytest.raises(RemoteProtocolError):
        pair.bob.answer(Prove(bytes(64)))
    assert not pair.bob.done


def test_a_nonce_is_never_used_twice():
    assert len({Proof(ALICE, BOB.peer_id).introduction().nonce for _ in range(100)}) == 100


def rest_of(text: bytes) -> bytes:
    return text[len(CONTEXT) :]


ANY: dict[str, Callable[[bytes, bytes], bytes]] = {
    "another context": lambda a, b: CONTEXT.upper() + rest_of(signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, a, b)),
    "no context": lambda a, b: rest_of(signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, a, b)),
    "the other role": lambda a, b: signed_text(LISTENER, ALICE.peer_id, BOB.peer_id, a, b),
    "the ids the other way round": lambda a, b: signed_text(DIALLER, BOB.peer_id, ALICE.peer_id, a, b),
    "for another listener": lambda a, b: signed_text(DIALLER, ALICE.peer_id, MALLORY.peer_id, a, b),
    "of another dialler": lambda a, b: signed_text(DIALLER, MALLORY.peer_id, BOB.peer_id, a, b),
    "the nonces the other way round": lambda a, b: signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, b, a),
    "another nonce of the dialler": lambda a, b: signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, bytes(32), b),
    "another nonce of the listener": lambda a, b: signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, a, bytes(32)),
    "nothing": lambda _a, _b: b"",
}


@pytest.mark.parametrize("text", ANY.values(), ids=ANY)
def test_a_signature_over_anything_else_proves_nothing(text: Callable[[bytes, bytes], bytes]):
    pair = Pair()
    nonce = pair.bobs_introduction().nonce
    with pytest.raises(RemoteProtocolError, match="does not prove that it has its key"):
        pair.bob.answer(Prove(ALICE.sign(text(pair.first.nonce, nonce))))
    assert not pair.bob.done
    assert pair.bob.answer(Prove(ALICE.sign(signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, pair.first.nonce, nonce))))


def test_the_right_text_signed_with_another_key_proves_nothing():
    pair = Pair()
    nonce = pair.bobs_introduction().nonce
    text = signed_text(DIALLER, ALICE.peer_id, BOB.peer_id, pair.first.nonce, nonce)
    with pytest.raises(RemoteProtocolError, match="does not prove"):
        pair.bob.answer(Prove(MALLORY.sign(text)))


@pytest.mark.parametrize("place", range(0, 64, 7))
def test_a_signature_with_one_changed_bit_proves_nothing(place: int):
    for signer in ("alice", "bob"):
        pair = Pair()
        good = pair.alices_proof() if signer == "alice" else pair.bobs_proof()
        bad = bytearray(good.signature)
        bad[place] ^= 1
        with pytest.raises(RemoteProtocolError, match="does not prove"):
            (pair.bob if signer == "alice" else pair.alice).answer(Prove(bytes(bad)))


def test_a_changed_nonce_on_the_way_leaves_both_unproved():
    for whose in ("alice", "bob"):
        pair = Pair()
        if whose == "alice":
            pair.first = replace(pair.first, nonce=bytes(32))
            proof = pair.alices_proof()
        else:
            answer = pair.alice.answer(replace(pair.bobs_introduction(), nonce=bytes(32)))
            assert isinstance(answer, Prove)
            proof = answer
        with pytest.raises(RemoteProtocolError, match="does not prove"):
            pair.bob.answer(proof)
        assert not pair.bob.done
        assert not pair.alice.done


def test_a_changed_key_on_the_way_is_another_peer():
    pair = Pair()
    introduction = pair.bobs_introduction()
    with pytest.raises(WrongPeerError, match=MALLORY.peer_id[:16]):
        pair.alice.answer(replace(introduction, key=MALLORY.verify_key.hex()))
    pair = Pair()
    pair.first = replace(pair.first, key=MALLORY.verify_key.hex())
    with pytest.raises(RemoteProtocolError, match="does not prove"):
        pair.bob.answer(pair.alices_proof())


@pytest.mark.parametrize("key", ["00" * 32, "ff" * 32, "01" + "00" * 31, "02" + "00" * 31])
def test_what_is_no_key_is_refused(key: str):
    for proof in (Proof(BOB), Proof(ALICE, BOB.peer_id)):
        with pytest.raises(RemoteProtocolError, match="no Ed25519 public key"):
            proof.answer(Introduce(key, bytes(32)))


def test_a_proof_of_an_earlier_connection_proves_nothing_on_the_next():
    earlier = Pair()
    old = earlier.alices_proof()
    later = Pair()
    later.first = earlier.first  # everything alice said then, said again
    later.bobs_introduction()
    with pytest.raises(RemoteProtocolError, match="does not prove"):
        later.bob.answer(old)


def test_a_proof_sent_back_to_its_maker_proves_nothing():
    pair = Pair()
    own = pair.alices_proof()
    with pytest.raises(RemoteProtocolError, match="does not prove"):
        pair.alice.answer(own)


def test_an_introduction_sent_back_to_its_maker_is_refused_on_both_sides():
    pair = Pair()
    with pytest.raises(RemoteProtocolError, match="this peer itself"):
        pair.alice.answer(pair.first)
    with pytest.raises(RemoteProtocolError, match="this peer itself"):
        Proof(ALICE).answer(pair.first)


def test_two_diallers_that_meet_head_on_prove_nothing_to_each_other():
    """Both took the dialler's role: their signatures are the same side's, and neither counts."""
    alice, bob = Proof(ALICE, BOB.peer_id), Proof(BOB, ALICE.peer_id)
    from_alice = alice.answer(bob.introduction())
    from_bob = bob.answer(alice.introduction())
    assert from_alice
    assert from_bob
    for end, proof in ((alice, from_bob), (bob, from_alice)):
        with pytest.raises(RemoteProtocolError, match="does not prove"):
            end.answer(proof)


def test_nothing_but_the_message_that_is_due_is_taken():
    for message in (Prove(bytes(64)), Hello("test", "stranger")):
        with pytest.raises(RemoteProtocolError, match="where introduce was due"):
            Proof(BOB).answer(message)
    pair = Pair()
    pair.bobs_introduction()
    with pytest.raises(RemoteProtocolError, match="Introduce where prove was due"):
        pair.bob.answer(pair.first)
    pair = Pair()
    pair.bobs_proof()
    with pytest.raises(RemoteProtocolError, match="where nothing was due"):
        pair.bob.answer(Prove(bytes(64)))


def test_the_key_of_a_proof_is_the_peer_id_after_its_conversion():
    seed = b"some seed".ljust(32)
    identity = Identity(seed)
    assert identity.verify_key == bytes(SigningKey(seed).verify_key)
    assert bytes(SigningKey(seed).verify_key.to_curve25519_public_key()).hex() == identity.peer_id
    assert SigningKey(seed).verify_key.verify(b"text", identity.sign(b"text")) == b"text"
