"""What a page that looks at the event stream gets of it."""

from __future__ import annotations

import msgspec
import pytest

from bus.events import Envelope
from gateway import tapping
from gateway.tapping import Tap


def event(seq: int, kind: str = "upload.progress", epoch: int = 1, **data: object) -> Envelope:
    return Envelope(epoch, seq, 1e9, "5" * 64, kind, data)


def test_events_come_oldest_first_and_once():
    tap = Tap("")
    tap.hear(event(5, bytes=7))
    tap.hear(event(6))
    frame = tap.take()
    assert frame is not None
    assert [(one.type, one.seq, one.body, one.missed) for one in frame.events] == [
        ("upload.progress", 5, '{"bytes":7}', 0),
        ("upload.progress", 6, "{}", 0),
    ]
    assert (frame.dropped, frame.counts, frame.missed) == (0, {"upload.progress": 2}, {})
    assert tap.take() is None


def test_a_topic_chooses_events_and_counts_are_of_all():
    tap = Tap("link.")
    tap.hear(event(1, "link.up"))
    tap.hear(event(1, "upload.ended"))
    frame = tap.take()
    assert frame is not None
    assert [one.type for one in frame.events] == ["link.up"]
    assert frame.counts == {"link.up": 1, "upload.ended": 1}
    tap.hear(event(2, "upload.ended"))
    counted = tap.take()
    assert counted is not None
    assert (counted.events, counted.dropped) == ([], 0)


def test_another_topic_shows_only_what_fits_it_and_what_never_arrived_before_it_is_told():
    tap = Tap("")
    tap.hear(event(1))
    tap.hear(event(1, "link.up"))
    tap.choose("upload.")
    tap.hear(event(14))
    frame = tap.take()
    assert frame is not None
    assert [(one.seq, one.missed) for one in frame.events] == [(14, 12)]
    assert (frame.dropped, frame.missed) == (0, {"upload": 12})
    assert frame.counts == {"upload.progress": 2, "link.up": 1}


def test_of_too_many_the_newest_are_kept_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(tapping, "KEPT", 3)
    tap = Tap("")
    for seq in range(1, 11):
        tap.hear(event(seq))
    frame = tap.take()
    assert frame is not None
    assert [one.seq for one in frame.events] == [8, 9, 10]
    assert (frame.dropped, frame.counts, frame.missed) == (7, {"upload.progress": 10}, {})
    tap.hear(event(11))
    after = tap.take()
    assert after is not None
    assert (after.dropped, after.events[0].missed) == (0, 0)


def test_what_never_arrived_is_told_by_the_next_number_of_its_stream():
    tap = Tap("")
    for one in (event(5), event(1, "link.up"), event(9), event(2, "link.lost"), event(1, epoch=2), event(2, epoch=2)):
        tap.hear(one)
    frame = tap.take()
    assert frame is not None
    assert [one.missed for one in frame.events] == [0, 0, 3, 0, 0, 0]
    assert frame.missed == {"upload": 3}


def test_what_is_missing_at_the_end_of_a_stream_is_told_by_a_heartbeat_and_only_once():
    tap = Tap("")
    tap.hear(event(5))
    tap.hear(event(1, "heartbeat.peer", seqs={"upload": 8, "link": 3, "heartbeat": 1}))
    tap.hear(event(2, "heartbeat.peer", seqs={"upload": 8, "link": 4, "heartbeat": 2}))
    tap.hear(event(9))
    frame = tap.take()
    assert frame is not None
    assert [one.missed for one in frame.events] == [0, 3, 1, 0]
    assert frame.missed == {"upload": 3, "link": 1}


@pytest.mark.parametrize("seqs", [None, 7, {"upload": "many"}, {5: 5}])
def test_a_heartbeat_that_says_something_else_is_only_an_event(seqs):
    tap = Tap("")
    tap.hear(event(1, "heartbeat.peer", seqs=seqs))
    frame = tap.take()
    assert frame is not None
    assert frame.missed == {}


def test_a_long_body_is_cut():
    tap = Tap("")
    tap.hear(event(1, have="f" * 5000))
    frame = tap.take()
    assert frame is not None
    assert frame.events[0].cut
    assert len(frame.events[0].body) == tapping.MAX_BODY
    assert len(msgspec.json.encode(frame)) < 1000
