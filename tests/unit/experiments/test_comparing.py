"""Two results: what is a regression and what is not."""

from __future__ import annotations

import msgspec
import pytest

from bus.errors import ERR_USAGE, ShoalError
from experiments.comparing import as_text, compare, write_comparison
from experiments.metrics.measure import measure
from experiments.statistics import Interval
from experiments.summary import Conditions, Summary, write_summary
from tests.unit.experiments.hand_made import downloads, tables_of
from tests.unit.experiments.test_result import conditions

METRICS = measure(tables_of(downloads()), wrong_bytes=0)


def result(folder, *lasts, seeds=None, **changed):
    """Runs that differ in their last completion, or one that is no repetition."""
    for place, last in enumerate(lasts):
        run = folder / "runs" / str(place) if len(lasts) > 1 else folder
        run.mkdir(parents=True)
        metrics = msgspec.structs.replace(METRICS, last_completion=last, **changed)
        own = conditions(seeds[place] if seeds else None)
        fields = {name: getattr(own, name) for name in Conditions.__struct_fields__}
        write_summary(run, Summary(**fields, metrics=metrics, files=[]))
    return folder


def last_of(comparison):
    return next(change for change in comparison.changes if change.name == "last_completion")


def test_equal_results_have_no_regression(tmp_path):
    found = compare(result(tmp_path / "a", 5.0), result(tmp_path / "b", 5.0))
    assert found.regressions == []
    assert as_text(found).endswith("no regression beyond 5%\n")


@pytest.mark.parametrize(("after", "verdict"), [(10.4, ""), (10.6, "regression"), (9.6, ""), (9.4, "improvement")])
def test_one_run_on_each_side_is_judged_by_the_threshold_alone(tmp_path, after, verdict):
    found = last_of(compare(result(tmp_path / "a", 10.0), result(tmp_path / "b", after)))
    assert found.change == Interval(round(after / 10 - 1, 6))
    assert found.verdict == verdict


def test_a_higher_number_may_be_the_better_one(tmp_path):
    before, after = result(tmp_path / "a", 5.0, goodput=100.0), result(tmp_path / "b", 5.0, goodput=50.0)
    assert [change.name for change in compare(before, after).regressions] == ["goodput"]
    assert [change.verdict for change in compare(after, before).changes if change.name == "goodput"] == ["improvement"]


def test_a_change_whose_interval_includes_0_is_no_regression(tmp_path):
    # Means 10 and 11, +10%; variances 4 of 2 runs each, freedom 4^2 / (2^2 + 2^2) = 2, half 4.303 sqrt(4) = 8.606.
    before, after = result(tmp_path / "a", 8.586, 11.414), result(tmp_path / "b", 9.586, 12.414)
    found = last_of(compare(before, after))
    assert (found.change.value, found.change.low, found.change.high) == pytest.approx((0.1, -0.7606, 0.9606), abs=1e-3)
    assert found.verdict == ""


def test_runs_of_the_same_seeds_are_compared_one_by_one(tmp_path):
    # The same numbers: each run is 1 s later than its counterpart.
    before = result(tmp_path / "a", 8.586, 11.414, seeds=[1, 2])
    after = result(tmp_path / "b", 9.586, 12.414, seeds=[1, 2])
    found = compare(before, after)
    assert found.paired
    assert last_of(found).change == Interval(0.1, 0.1, 0.1)
    assert last_of(found).verdict == "regression"


def test_waste_is_judged_in_points_and_faults_by_their_count(tmp_path):
    before = result(tmp_path / "a", 5.0, duplicate_share=0.0, events_lost=0)
    after = result(tmp_path / "b", 5.0, duplicate_share=0.01, events_lost=1)
    assert [change.name for change in compare(before, after).regressions] == ["events_lost"]
    assert [change.name for change in compare(before, after, 0.005).regressions] == ["duplicate_share", "events_lost"]


def test_only_the_chosen_numbers_are_compared(tmp_path):
    before, after = result(tmp_path / "a", 5.0), result(tmp_path / "b", 9.0)
    assert compare(before, after, names=["goodput"]).regressions == []
    with pytest.raises(ShoalError, match="--metric speed: not in both results; in both are finished, ") as raised:
        compare(before, after, names=["speed"])
    assert raised.value.code == ERR_USAGE


def test_what_else_differs_is_said(tmp_path):
    found = compare(result(tmp_path / "a", 5.0), result(tmp_path / "b", 5.0, size=2000))
    assert found.unlike == ["size differs: 1000, 2000"]
    assert as_text(found).startswith("note: size differs: 1000, 2000\n")


def test_a_number_that_one_result_lacks_is_named(tmp_path):
    before, after = result(tmp_path / "a", 5.0), result(tmp_path / "b", 5.0, tracker=None, jain_upload=None)
    assert compare(before, after).unlike == [f"jain_upload is only in {before}"]


def test_the_table_shows_change_and_interval(tmp_path):
    before = result(tmp_path / "a", 8.0, 12.0, seeds=[1, 2])
    after = result(tmp_path / "b", 9.0, 13.0, seeds=[1, 2])
    line = next(line for line in as_text(compare(before, after)).splitlines() if line.startswith("last completion"))
    assert line.split("  ")[-1] == "REGRESSION"
    assert "+10.0%  +10.0% to +10.0%" in line


def test_a_comparison_leaves_its_numbers_and_a_figure(tmp_path):
    found = compare(result(tmp_path / "a", 5.0), result(tmp_path / "b", 9.0))
    write_comparison(tmp_path / "out", found)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"compare.json", "compare.svg", "compare.png"}
    assert "last completion" in (tmp_path / "out" / "compare.svg").read_text()


@pytest.mark.parametrize("spoil", ["nothing", "no summary", "no runs"])
def test_what_is_no_result_cannot_be_compared(tmp_path, spoil):
    good, bad = result(tmp_path / "a", 5.0), tmp_path / "b"
    if spoil == "no summary":
        bad.mkdir()
    if spoil == "no runs":
        (bad / "runs").mkdir(parents=True)
    with pytest.raises(ShoalError, match="cannot compare") as raised:
        compare(good, bad)
    assert raised.value.code == ERR_USAGE
