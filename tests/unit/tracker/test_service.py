from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.boundary import Publish
from bus.events import SwarmHasChanged
from bus.places import TrackerPlaces
from bus.settings import SecuritySettings, Settings
from tests.kit.second_thread import repeated_meanwhile
from tests.unit.tracker.world import identity
from tracker.service import Gate, TrackerService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[TrackerService]:
    """A tracker that is not started: it listens nowhere and has no database."""
    places = TrackerPlaces(tmp_path)
    places.prepare()
    made = TrackerService(Settings(), places)
    yield made
    made.close()


def test_an_open_tracker_lets_everybody_in_and_a_private_one_its_friends():
    friend, stranger = identity("friend"), identity("stranger")
    gates = [Gate(SecuritySettings()), Gate(SecuritySettings(access="private", allow=(friend,)))]
    assert [[gate("tracker", peer, "10.0.0.1") for peer in (friend, stranger)] for gate in gates] == [
        [True, True],
        [True, False],
    ]


def test_what_the_zap_thread_counts_meanwhile_does_not_disturb_a_sample(service: TrackerService):
    counts = service._zap.counts
    counts.update(map(str, range(50_000)))  # so many that looking through them takes longer than a thread's turn
    with repeated_meanwhile(lambda n: counts.update([f"another {n}"])):
        service._sample()
        service._sample()


def test_nothing_that_is_published_is_kept(service: TrackerService):
    event = SwarmHasChanged("content", 1, 0)
    before = sys.getrefcount(event)
    service._perform(Publish(event))
    assert sys.getrefcount(event) == before
