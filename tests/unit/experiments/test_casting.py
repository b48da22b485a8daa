from __future__ import annotations

from itertools import islice

import pytest

from experiments.casting import SLOW_RATE, players, sessions, struck
from experiments.scenario import configured, scenario_of


def scenario(**groups):
    return scenario_of(
        {"backend": "sim", "content": {"size": 1}, "groups": {"seed": {"peers": 1, "complete": True}, **groups}}
    )


def test_peers_are_named_by_group_and_number():
    assert [player.name for player in players(scenario(a={"peers": 2}, b={"peers": 1}), 1)] == [
        "seed-1", "a-1", "a-2", "b-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arrival", "times"),
    [
        ({}, [0.0, 0.0, 0.0]),
        ({"at": "5 s"}, [5.0, 5.0, 5.0]),
        ({"trace": ["1 s", "1 s", "1 min"]}, [1.0, 1.0, 60.0]),
        ({"at": "2 s", "trace": [0, 1, 2]}, [2.0, 3.0, 4.0]),
    ],
)
def test_arrivals_are_as_the_group_says(arrival, times):
    _, *cast = players(scenario(a={"peers": 3, "arrival": arrival}), 1)
    assert [player.arrives for player in cast] == times


def test_poisson_arrivals_have_their_rate_and_follow_the_seed():
    many = scenario(a={"peers": 4000, "arrival": {"poisson": 8, "at": "1 s"}})
    one, again, other = ([player.arrives for player in players(many, seed)[1:]] for seed in (1, 1, 2))
    assert one == again != other
    assert one == sorted(one)
    assert one[-1] == pytest.approx(501, rel=0.1)


def test_sybils_come_in_pairs():
    _, *cast = players(scenario(a={"peers": 4, "behaviour": "sybil"}), 1)
    assert [player.partner for player in cast] == ["a-2", "a-1", "a-4", "a-3"]


def test_a_slow_peer_has_a_tenth_of_what_its_group_says():
    _, limited, free = players(
        scenario(
            a={"peers": 1, "behaviour": "slow", "up": 1000, "down": 500}, b={"peers": 1, "behaviour": "slow"}
        ), 1
    )  # fmt: skip
    assert (limited.up, limited.down) == (100, 50)
    assert (free.up, free.down) == (SLOW_RATE, SLOW_RATE)


def test_policies_settings_and_behaviours_reach_the_configuration():
    text = {"peers": 1, "policies": {"choker": "none", "reputation": "beta"}, "settings": {"transfer.workers": 1}}
    cast = players(scenario(a={**text, "up": "1 MiB/s"}, b={"peers": 1, "behaviour": "large-view"}), 1)
    one, large = (configured(player.config, player.settings(limits=True)).settings for player in cast[1:])
    assert (one.transfer.choker, one.reputation.model, one.transfer.workers) == ("none", "beta", 1)
    assert one.limits.up == 2**20
    assert (large.transfer.links_per_content, large.transfer.choker) == (1000, "reputation")


def test_who_is_struck_is_drawn_by_the_seed():
    many = scenario_of(
        {
            "content": {"size": 1},
            "groups": {"seed": {"peers": 1, "complete": True}, "a": {"peers": 20}},
            "failures": [
                {"at": 1, "do": "kill", "group": "a", "count": 5},
                {"at": 1, "do": "kill", "group": "a"},
                {"at": 1, "do": "kill", "peers": ["a-3", "seed-1"]},
            ],
        }
    )
    cast = players(many, 1)
    some, all_of_them, named = ([player.name for player in struck(f, cast, 1, 0)] for f in many.failures)
    assert len(set(some)) == 5
    assert len(all_of_them) == 20
    assert named == ["seed-1", "a-3"]
    assert some == [player.name for player in struck(many.failures[0], cast, 1, 0)]
    assert some != [player.name for player in struck(many.failures[0], cast, 2, 0)]


def test_sessions_have_their_means():
    group = {"peers": 1, "leave": {"session": "60 s", "pause": "20 s"}}
    _, player = players(scenario(a=group), 1)
    drawn = list(islice(sessions(player, 1), 4000))
    assert drawn == list(islice(sessions(player, 1), 4000))
    assert sum(stay for stay, _ in drawn) / len(drawn) == pytest.approx(60, rel=0.1)
    assert sum(away for _, away in drawn) / len(drawn) == pytest.approx(20, rel=0.1)


def test_who_does_not_churn_has_no_sessions():
    _, player = players(scenario(a={"peers": 1}), 1)
    assert list(sessions(player, 1)) == []
