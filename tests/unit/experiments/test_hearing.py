from __future__ import annotations

from bus.events import Envelope
from experiments.hearing import Hearing


def event(topic, seq, epoch=1, **data):
    return Envelope(epoch, seq, 0.0, "aa", topic, data)


def beat(seq, epoch=1, **seqs):
    return event("heartbeat.peer", seq, epoch, seqs={"heartbeat": seq, **seqs})


def heard(*envelopes):
    hearing = Hearing()
    for envelope in envelopes:
        hearing.hear(envelope)
    return hearing


def test_nothing_is_lost_when_every_number_follows():
    hearing = heard(beat(4, transfer=2), event("transfer.started", 3), event("link.up", 1), beat(5, transfer=3, link=1))
    assert (hearing.events, hearing.heartbeats, hearing.lost) == (4, 2, 0)


def test_what_was_said_before_the_first_heartbeat_is_not_judged():
    assert heard(event("transfer.progress", 9), beat(7, transfer=12), event("transfer.progress", 13)).lost == 0


def test_a_hole_in_a_stream_is_counted_event_by_event():
    assert heard(beat(1, transfer=2), event("transfer.progress", 5)).lost == 2


def test_a_heartbeat_tells_of_events_that_did_not_come():
    assert heard(beat(1, transfer=2), beat(2, transfer=3, link=4)).lost == 5


def test_a_loss_that_event_and_heartbeat_both_tell_of_is_counted_once():
    assert heard(beat(1, transfer=2), event("transfer.progress", 4), beat(2, transfer=4)).lost == 1


def test_a_missing_heartbeat_is_a_loss_too():
    assert heard(beat(1), beat(3)).lost == 1


def test_the_first_event_of_a_new_stream_must_be_its_number_one():
    assert heard(beat(1), event("link.up", 2)).lost == 1


def test_a_process_that_started_again_is_judged_from_its_beginning():
    hearing = heard(beat(8, transfer=90), beat(3, epoch=2, transfer=4), event("transfer.started", 5, epoch=2))
    assert hearing.lost == 2 + 4
