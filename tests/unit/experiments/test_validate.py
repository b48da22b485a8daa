"""What a validation says, and where it writes it."""

from __future__ import annotations

import pytest

from bus.errors import INTERRUPTED, ShoalError
from experiments import validate
from experiments.agreement import Agreement, Peer
from experiments.figures.agreement import Panel, draw_agreement
from experiments.provenance import provenance
from experiments.scenario import read_scenario
from experiments.validate import BEGIN, END, NAMES, SCENARIOS, Result, Validation, table, write_part

GOOD = Agreement(10.0, 10.5, 0.05, 0.97, 0.04, 0.2, [Peer("a-1", 9.0, 9.5), Peer("a-2", 11.0, 11.5)])
POOR = Agreement(10.0, 8.5, -0.15, 0.79, 0.16, 0.3, [Peer("a-1", 9.0, 9.5)])


def result(*rounds, chance=(), busy=(0.4, 0.5)):
    return Result(provenance(), [Validation("seeds", list(rounds), list(chance), list(busy[: len(rounds)]))])


def test_the_table_shows_the_worst_round():
    row = list(table(result(GOOD, POOR, chance=[GOOD])))[-1]
    assert row == "| `validate-seeds` | 10.00 s | 9.50 s | -15.0% | 0.79 | 16.0% | +5.0%, 0.97, 4.0% | 50% |"


def test_a_missed_limit_is_told_with_its_round():
    assert result(GOOD).missed == []
    assert result(GOOD, POOR).missed == [
        "seeds, round 2: median -15.0%, limit 10%",
        "seeds, round 2: order 0.79, limit 0.80",
        "seeds, round 2: bytes by source 16.0%, limit 15%",
    ]


def test_a_machine_too_busy_to_judge_by_is_told():
    [_, _, words] = result(POOR, busy=(0.9,)).missed
    assert words.startswith("seeds, round 1: bytes by source 16.0%, limit 15% (with 90% of the processors in use")


def test_only_the_part_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_part(page, ["new"])
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks\n")
    with pytest.raises(ShoalError, match="has no lines"):
        write_part(page, ["new"])


def test_an_interrupted_validation_says_no_more(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "run", interrupted)
    assert validate.main(["-o", str(tmp_path)]) == INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_the_figure_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    draw_agreement(tmp_path / "a", [Panel("seeds", [GOOD, POOR]), Panel("arrivals", [GOOD])])
    drawn = (tmp_path / "a.svg").read_text()
    assert all(words in drawn for words in ("seeds", "arrivals", "real, s", "simulated, s"))


@pytest.mark.parametrize("name", NAMES)
def test_each_scenario_has_twenty_peers(name):
    scenario = read_scenario(SCENARIOS / f"validate-{name}.yaml")
    assert sum(group.peers for group in scenario.groups.values()) == 20
