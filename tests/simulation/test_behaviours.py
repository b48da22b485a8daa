"""Every behaviour does what its name says, and honest peers get everything nevertheless."""

from __future__ import annotations

import pytest

from bus.events import ChunkRejected, PeerStarted, ReputationChanged, TransferCompleted
from tests.kit.scenes import GOOD, MIB, Scene, scene


def test_honest_peers_give_one_another(tmp_path):
    played = scene(tmp_path)
    assert len(played.completed("good")) == GOOD
    assert played.given("bad", "good") > MIB


@pytest.mark.parametrize("behaviour", ["free-rider", "large-view", "staller"])
def test_nobody_gets_anything_from_who_gives_nothing(tmp_path, behaviour):
    played = scene(tmp_path, behaviour)
    assert len(played.completed("good")) == GOOD
    assert played.given("bad", "good") == 0


def test_stallers_that_claim_everything_hold_up_no_manifest_for_long(tmp_path):
    for seed in (1, 2):
        played = scene(
            tmp_path / str(seed), "staller", bad={"complete": True}, good={"arrival": {"at": "2 s"}}, seed=seed
        )
        assert len(played.completed("good")) == GOOD
        assert max(event.seconds for _, _, event in played.events(TransferCompleted, "good")) < 25


@pytest.fixture(scope="module", params=["corrupter", "sybil"])
def played(request, tmp_path_factory):
    """A scene with peers that corrupt what they send."""
    return scene(tmp_path_factory.mktemp(request.param), request.param)


def test_what_is_corrupt_is_rejected_and_everybody_honest_finishes(played):
    assert len(played.completed("good")) == GOOD
    culprits = {played.names[event.peer] for _, _, event in played.events(ChunkRejected, "good")}
    assert culprits == {"bad-1", "bad-2"}
    assert played.given("bad", "good") == 0


def test_after_two_bad_chunks_a_victim_asks_no_more(played):
    for name in (f"good-{number}" for number in range(1, GOOD + 1)):
        culprits = [event.peer for victim, _, event in played.events(ChunkRejected, name) if victim == name]
        assert all(culprits.count(culprit) <= 2 for culprit in culprits)
        banned = {event.peer for _, _, event in played.events(ReputationChanged, name) if "banned" in event.flags}
        assert banned == set(culprits)


def test_only_sybils_are_honest_to_each_other(played):
    victims = {name for name, _, _ in played.events(ChunkRejected, "bad")}
    partners = {member.behaviour for member in played.recording.cast} == {"honest", "sybil"}
    assert bool(victims) is not partners


def test_a_trickler_sends_a_message_now_and_then(tmp_path):
    played = scene(tmp_path, "trickler", content={"size": "16 MiB"})
    assert len(played.completed("good")) == GOOD
    # Honest ones would give about 2 of every 9 bytes.
    assert 0 < played.given("bad", "good") < GOOD * 16 * MIB / 20


def test_a_liar_is_found_out_by_its_refusals_and_not_fatal(tmp_path):
    played = scene(tmp_path, "liar")
    assert len(played.completed("good")) == GOOD
    refusals = [event for _, _, event in played.events(ReputationChanged, "good") if "REFUSED_UPLOAD" in event.events]
    assert {played.names[event.peer] for event in refusals} <= {"bad-1", "bad-2"}
    assert refusals


def test_an_oscillator_is_good_before_it_is_bad(tmp_path):
    played = scene(tmp_path, "oscillator", bad={"period": "1500 ms"})
    assert len(played.completed("good")) == GOOD
    assert played.given("bad", "good") > 0
    first = min(time for _, time, _ in played.events(ChunkRejected, "good"))
    assert first > 1.5


def test_a_whitewasher_comes_back_under_another_id_with_what_it_had(tmp_path):
    played = scene(tmp_path, "whitewasher", content={"size": "8 MiB"})
    assert len(played.completed("good")) == GOOD
    for member in played.recording.cast:
        if member.group == "bad":
            assert len(member.ids) > 1
            started = [event.id for _, _, event in played.events(PeerStarted, member.name)]
            assert started == member.ids


def test_a_slow_peer_is_honest_at_a_tenth_of_the_rate(tmp_path):
    played = scene(tmp_path, "slow")
    assert len(played.completed("bad")) == 2
    assert 0 < played.given("bad", "good") < played.given("good", "good") / 10
    assert [member.up for member in played.recording.cast if member.group == "bad"] == [MIB // 10] * 2


def test_a_lone_seed_sends_everything_about_once_whatever_a_liar_claims(tmp_path):
    groups = {
        "seed": {"peers": 1, "complete": True, "up": "1 MiB/s"},
        "good": {"peers": 10, "up": "1 MiB/s"},
        "bad": {"peers": 1, "up": "1 MiB/s", "behaviour": "liar"},
    }
    played = Scene({"content": {"size": "8 MiB"}, "groups": groups, "backend": "sim"}, tmp_path)
    assert len(played.completed("good")) == 10
    # 1.33 contents if the seed believed it.
    assert played.given("seed", "good") + played.given("seed", "bad") < 1.2 * 8 * MIB
