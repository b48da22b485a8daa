from __future__ import annotations

import pytest

from experiments.bench.cases import CASES
from experiments.bench.command import parse

MIB = 2**20


def test_by_default_every_case_runs_five_times():
    chosen, options = parse([])
    assert chosen.cases == list(CASES)
    assert (options.rounds, options.leechers, options.size) == (5, (10, 20), None)


def test_a_quick_try_names_cases_sizes_and_contenders():
    chosen, options = parse(
        ["--cases", "one,swarm", "--size", "16MiB", "--leechers", "3", "--contenders", "shoal,pump"]
    )
    assert chosen.cases == ["one", "swarm"]
    assert (options.size, options.leechers) == (16 * MIB, (3,))
    assert options.chosen("pump")
    assert not options.chosen("pump-curve")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--cases", "one,nothing"], "there is no nothing; there are one, "),
        (["--size", "large"], "expected a size"),
        (["--rounds", "0"], "at least 1"),
        (["--record", "--contenders", "shoal"], "would lack the others"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, line, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert line in capsys.readouterr().err
