from __future__ import annotations

from experiments.bench.chart import draw
from tests.unit.experiments.bench.results import result, run


def test_the_figure_has_every_case_and_contender_and_is_the_same_each_time(tmp_path):
    results = [result(shoal=[run(1.0), run(2.0)], absent=["pump"]), result(case="two", shoal=[run(1.0)])]
    draw(tmp_path / "one.svg", results)
    draw(tmp_path / "two.svg", results)
    text = (tmp_path / "one.svg").read_text()
    assert all(word in text for word in ("shoal", "pump", "not measured", "two"))
    assert (tmp_path / "two.svg").read_text() == text


def test_nothing_measured_is_nothing_drawn(tmp_path):
    draw(tmp_path / "one.svg", [result(absent=["pump"])])
    assert not (tmp_path / "one.svg").exists()
