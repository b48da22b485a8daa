from __future__ import annotations

import pytest

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

from experiments.statistics import Interval  # noqa: E402  after the question whether its needs are there
from experiments.sweeping.grid import parse_axes  # noqa: E402
from experiments.sweeping.plan import keep_plan, make_plan  # noqa: E402
from experiments.sweeping.points import AtPoint, at_points  # noqa: E402
from experiments.sweeping.reporting import draw_sweep  # noqa: E402
from experiments.sweeping.results import varied_values  # noqa: E402
from experiments.sweeping.running import carry_out, sweep_anew  # noqa: E402

DOCUMENT = {
    "content": {"size": "1 MiB"},
    "groups": {"seed": {"peers": 1, "complete": True, "up": "1 MiB/s"}, "leecher": {"peers": 2}},
    "metrics": ["finished", "finished.group.leecher", "last_completion"],
    "backend": "sim",
}


def test_a_point_is_the_mean_of_its_runs_with_the_interval_of_student_s_t():
    frame = pl.DataFrame({"size": [1, 1, 2], "seed": [1, 2, 1], "goodput": [1.0, 3.0, None], "last": [5.0, 5.0, 7.0]})
    assert at_points(frame, ["size"]) == [
        AtPoint([1], 2, {"goodput": Interval(2.0, -10.706, 14.706), "last": Interval(5.0, 5.0, 5.0)}),
        AtPoint([2], 1, {"last": Interval(7.0)}),
    ]


def test_runs_without_varied_keys_are_one_point():
    assert [point.runs for point in at_points(pl.DataFrame({"seed": [1, 2], "last": [1.0, 2.0]}), [])] == [2]
    assert at_points(pl.DataFrame(), []) == []


@pytest.mark.parametrize(
    ("axis", "read"),
    [
        ("content.size=64 KiB", 65536),
        ("timeout=2 min", 120.0),
        ("groups.leecher.peers=7", 7),
        ("groups.leecher.leave.linger=never", -1.0),
        ("groups.leecher.policies.picker=random", "random"),
        ("groups.leecher.settings.transfer.upload_slots=4", 4),
        ("groups.leecher.leave={linger: 5 s}", '{"linger":"5 s"}'),
    ],
)
def test_a_varied_key_is_a_number_where_it_means_one(axis, read):
    plan = make_plan("given", DOCUMENT, parse_axes([axis]))
    (point,) = plan.points()
    assert list(varied_values(plan.axes, point).values()) == [read]


def test_a_sweep_whose_runs_all_failed_has_a_report_that_says_so(tmp_path):
    plan = make_plan("given", DOCUMENT, parse_axes(["timeout=1 s"]))
    draw_sweep(tmp_path, plan, pl.DataFrame(), [])
    assert "No run has a result." in (tmp_path / "report.md").read_text()


def test_the_report_of_a_grid_shows_the_metrics_that_the_scenario_names_at_each_point(tmp_path):
    plan = make_plan("given", DOCUMENT, parse_axes(["groups.leecher.peers=1,2", "content.size=1 MiB,2 MiB"]), [1])
    keep_plan(tmp_path / "out", plan)
    swept = carry_out(plan, tmp_path / "out", 2)
    assert (swept.done, swept.failed) == (4, [])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "4 of 4 runs have a result; the last completion" in text
    assert "| groups.leecher.peers | content.size | runs | leechers that finished | last completion" in text
    assert "\n| 2 | 2097152 | 1 | 100.0% | " in text
    drawn = sorted(path.name for path in (tmp_path / "out" / "figures").glob("*.svg"))
    assert drawn == ["last_completion.svg"]  # all finished everywhere
    assert "content.size" in (tmp_path / "out" / "report.html").read_text()
    before = (tmp_path / "out" / "results.parquet").read_bytes()
    assert sweep_anew(tmp_path / "out").done == 4
    assert (tmp_path / "out" / "results.parquet").read_bytes() == before
