"""Reputation earns its place: who gives is served before who takes, and nobody honest is refused."""

from __future__ import annotations

from statistics import mean, median

import pytest

from bus.events import ReputationChanged, StreamRefused, TransferStarted
from tests.kit.scenes import Scene

HONEST = {"peers": 7, "up": "512 KiB/s", "leave": {"linger": "2 s"}}
RIDERS = {"peers": 3, "up": "512 KiB/s", "behaviour": "free-rider"}


def played(folder, model="smoothing", seed=1, **groups):
    """One seed and the groups, with 128 chunks, until long after everybody honest has gone."""
    rules = {"policies": {"reputation": model}}
    lone = {"peers": 1, "complete": True, "up": "1 MiB/s", **rules}
    told = {"seed": lone, **{name: {**group, **rules} for name, group in groups.items()}}
    return Scene({"content": {"size": "16 MiB"}, "groups": told, "stop": "time", "timeout": "90 s"}, folder, seed)


def seconds(run: Scene, group: str) -> float:
    return median(run.completed(group).values())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return played(tmp_path_factory.mktemp("alone"), honest=HONEST)


@pytest.fixture(scope="module")
def ridden(tmp_path_factory):
    return played(tmp_path_factory.mktemp("ridden"), honest=HONEST, rider=RIDERS)


def test_free_riders_take_twice_as_long_as_those_who_give(ridden):
    assert len(ridden.completed("honest")) == 7
    assert seconds(ridden, "rider") >= 2 * seconds(ridden, "honest")


def test_those_who_give_lose_little_by_free_riders(ridden, alone, tmp_path):
    runs = [(ridden, alone)]
    for seed in (2, 3):  # one run says 7% or 10%, as chance has it
        with_riders = played(tmp_path / f"ridden-{seed}", seed=seed, honest=HONEST, rider=RIDERS)
        runs.append((with_riders, played(tmp_path / f"alone-{seed}", seed=seed, honest=HONEST)))
    assert mean(seconds(one, "honest") / seconds(other, "honest") for one, other in runs) <= 1.10


def test_without_reputation_free_riders_are_as_fast_and_those_who_give_pay_for_it(tmp_path, alone):
    run = played(tmp_path, "none", honest=HONEST, rider=RIDERS)
    assert seconds(run, "rider") < 1.2 * seconds(run, "honest")
    assert seconds(run, "honest") > 1.2 * seconds(alone, "honest")


def test_nobody_honest_is_refused_or_loses_score_for_giving_little(ridden):
    refused = [event for _, _, event in ridden.events(StreamRefused) if event.reason == "reputation"]
    changes = [event for _, _, event in ridden.events(ReputationChanged)]
    assert refused == []
    assert all(event.score >= 0.5 and "refused" not in event.flags for event in changes)


def test_a_peer_is_a_newcomer_no_more_after_its_first_good_chunk(ridden):
    first: dict[tuple[str, str], ReputationChanged] = {}
    for name, _, event in ridden.events(ReputationChanged, "honest"):
        first.setdefault((name, event.peer), event)
    assert all("newcomer" not in event.flags for event in first.values() if "SUCCESSFUL_UPLOAD" in event.events)
    # At once, and not when a stream ends or 64 MiB have come: what is recorded outlives a crash.
    gifts = [time for _, time, event in ridden.events(ReputationChanged) if event.cause == "SUCCESSFUL_UPLOAD"]
    started = min(time for _, time, _ in ridden.events(TransferStarted))
    assert min(gifts) < started + 2
