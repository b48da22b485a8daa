"""The goals of each case: which numbers they are made of, and where the line is."""

from __future__ import annotations

import pytest

from bus.errors import ShoalError
from experiments.bench.bounds import chunked_bound
from experiments.bench.cases import CASES
from experiments.bench.cases.busy import rate_between
from experiments.bench.cases.swarm import deviation
from experiments.bench.options import Options
from tests.unit.experiments.bench.results import MIB, result, run

OPTIONS = Options(leechers=(10,))


def goals(name, measured):
    (case,) = CASES[name](OPTIONS)
    return {figure.what: figure.reached for figure in case.figures(measured)}


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_contenders_of_different_names(name):
    for case in CASES[name](OPTIONS):
        names = [contender.name for contender in case.contenders]
        assert names
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", CASES)
def test_a_case_in_which_nobody_took_part_has_reached_nothing(name):
    for case in CASES[name](OPTIONS):
        names = [contender.name for contender in case.contenders]
        assert not any(figure.reached for figure in case.figures(result(absent=names)))


def test_one_to_one_is_held_against_libtorrent_the_pumps_and_nginx():
    seconds = {"shoal": 1.0, "shoal-clear": 0.8, "libtorrent": 3.0, "pump": 0.7, "pump-curve": 0.84, "nginx+curl": 0.61}
    assert goals("one", result(**{name: [run(value)] for name, value in seconds.items()})) == {
        "shoal-clear beside libtorrent": False,
        "shoal-clear beside pump": True,
        "shoal-clear beside nginx+curl": True,
        "shoal beside libtorrent": True,
        "shoal beside pump-curve": False,
    }


@pytest.mark.parametrize(("share", "reached"), [(0.93, True), (0.91, False)])
def test_a_swarm_is_held_against_the_chunked_bound(share, reached):
    bound = chunked_bound(64 * MIB, 2 * MIB, 10, 512)
    numbers = {"slowest/median": 1.1, "duplicate share": 0.0, "seed sent/F": 1.2}
    found = goals("swarm", result(shoal=[run(bound / share, **numbers)], libtorrent=[run(60.0)]))
    assert found == {
        "last finisher, share of the chunked bound": reached,
        "slowest/median": True,
        "duplicate bytes, share": True,
        "bytes that the seed sent / F": False,
        "last finisher beside libtorrent's": True,
    }


@pytest.mark.parametrize(("taken", "off"), [((1, 2, 4), 0), ((2, 2, 4), 6 / 8), ((10, 20, 50), 0.125)])
def test_the_deviation_from_the_sources_rates_is_the_largest_of_the_three(taken, off):
    numbers = {f"from seed {number}": float(value) for number, value in enumerate(taken, 1)}
    assert deviation(run(1.0, **numbers)) == pytest.approx(off)


@pytest.mark.parametrize(("small", "large", "reached"), [(60, 69, True), (60, 71, False), (71, 60, False)])
def test_memory_is_the_same_for_both_sizes(small, large, reached):
    measured = result(**{"shoal-2GiB": [run(1.0, small * MIB)], "shoal-16GiB": [run(1.0, large * MIB)]})
    assert goals("memory", measured)["peaks apart"] is reached


def test_the_tracker_s_memory_is_not_a_peer_s():
    measured = result(**{"shoal-2GiB": [run(1.0, 200 * MIB, role="receiver")], "shoal-16GiB": [run(1.0, 50 * MIB)]})
    assert goals("memory", measured)["peak of a peer, 2 GiB"] is False


@pytest.mark.parametrize(("shares", "reached"), [((0.96, 1.04), True), ((1.0, 1.06), False), ((0.94, 1.0), False)])
def test_a_limit_may_be_off_by_a_twentieth_either_way(shares, reached):
    numbers = dict(zip(("64 KiB/s", "100 MiB/s"), shares, strict=True))
    found = goals("limits", result(up=[run(50.0, **numbers)], down=[run(50.0, **{"64 KiB/s": 1.0})]))
    assert found == {
        "bytes in 10 s, most that any limit is off: up": reached,
        "bytes in 10 s, most that any limit is off: down": True,
        "bytes in 10 s, most that any limit is off: up-content": False,
        "bytes in 10 s, most that any limit is off: down-content": False,
    }


def test_a_small_content_is_fetched_under_those_limits_for_which_it_is_enough(tmp_path):
    (case,) = CASES["limits"](Options(size=16 * MIB))
    assert case.prepare(tmp_path).rates == (64 * 2**10, MIB)
    with pytest.raises(ShoalError, match="a --size over 864 KiB"):
        CASES["limits"](Options(size=800_000))


SAMPLES = [(10.0, 0), (11.0, 100), (12.0, 300), (13.0, 400), (20.0, 1100)]


@pytest.mark.parametrize(
    ("begin", "end", "rate"), [(0.0, 11.0, 100), (11.0, 13.0, 150), (11.5, 12.5, 150), (12.5, 99.0, 100)]
)
def test_a_rate_is_that_between_the_samples_around_two_moments(begin, end, rate):
    assert rate_between(SAMPLES, begin, end) == rate


def test_the_rate_of_a_transfer_too_short_to_tell_is_an_error():
    with pytest.raises(ShoalError, match="larger --size"):
        rate_between([(10.0, 5)], 0.0, 10.0)
