"""A recording becomes a folder of tables, figures and reports, and the same one when made anew."""

from __future__ import annotations

import re

import msgspec
import polars as pl
import pytest

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.metrics.measure import measure
from experiments.provenance import Provenance
from experiments.report.content import answer
from experiments.result import write_anew, write_repetitions, write_result
from experiments.scenario import Group, Scenario
from experiments.summary import Conditions, Repetitions, Summary, read_summary, run_folders
from tests.unit.experiments.hand_made import downloads, envelope, judged, rejected, requests, tables_of, write

pytest.importorskip("matplotlib")

MADE = Provenance("2026-01-01T00:00:00+00:00", "abc", "3.11", {"shoal": "1"}, "Linux", "a <processor>", 2, 2**30, {})


def conditions(seed=1, metrics=()):
    return Conditions(
        "small", Scenario({"leecher": Group(3)}, metrics=metrics), "sim", MADE, {"all": 9}, {"all": 0},
        question="Is <this> a question?", shaped_by="the simulator", seed=seed, wrong_bytes=0,
    )  # fmt: skip


def recorded():
    return [
        *downloads(),
        envelope("tracker", 0, requests(4)),
        envelope("tracker", 2, requests(10)),
        envelope("b", 2, rejected("x")),
        envelope("b", 2, judged("x", 0.1, ["refused"], "CORRUPTED_DATA")),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("result")
    write(place, recorded())
    write_result(place, conditions())
    return place


def test_the_summary_lists_every_file_that_is_there(folder):
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(read_summary(folder).files) == there
    assert {"report.html", "report.md", "figures/completion.svg", "figures/completion.png", "cast.json"} <= there
    assert {"figures/scores.svg", "figures/tracker.svg", "figures/availability.svg"} <= there


def test_every_table_and_function_that_the_report_names_exists(folder):
    from importlib import import_module

    page = (folder / "report.html").read_text()
    for name in set(re.findall(r"tables/\w+\.parquet", page)):
        pl.read_parquet(folder / name)
    functions = set(re.findall(r"experiments\.(?:metrics|tables)\.\w+\.\w+", page))
    dotted = re.findall(r"<td>(\w+\.\w+)</td><td>\w", page)  # keys of the scenario look like functions
    functions |= {f"experiments.metrics.{name}" for name in dotted if not name.startswith("network.")}
    assert len(functions) > 10
    for function in functions:
        module, _, name = function.rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_the_page_needs_nothing_but_itself_and_no_id_is_twice_in_it(folder):
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page) == []
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', page)) <= set(ids)


def test_what_users_wrote_is_text_on_the_page(folder):
    page = (folder / "report.html").read_text()
    assert "Is &lt;this&gt; a question?" in page
    assert "a &lt;processor&gt;" in page


def test_the_answer_is_one_sentence_of_numbers(folder):
    answer = (
        "2 of 3 leechers have all 1000 B, the median 4.50 s after its start, the last at 5.50 s "
        "(36% of what the least time possible, 2.00 s, allows); the seeds gave 1.35 copies, and 0.44% of all bytes "
        "came twice."
    )
    assert answer in (folder / "report.md").read_text()
    assert answer in (folder / "report.html").read_text()


def test_numbers_that_are_not_to_be_trusted_say_so():
    metrics = measure(tables_of(downloads()), events_lost=2, wrong_bytes=5)
    assert answer(metrics).endswith("NOT TO BE TRUSTED: 2 events lost, 5 wrong bytes.")


def test_made_anew_everything_is_the_same_bytes(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in before:
        if path.parent.name in ("tables", "figures") or path.name.startswith("report"):
            path.unlink()
    assert isinstance(write_anew(folder), Summary)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_repetitions_have_means_with_student_s_intervals(tmp_path):
    for seed, late in ((2, 0.0), (10, 1.0)):
        events = [
            msgspec.structs.replace(event, time=event.time + late) if event.type == "transfer.completed" else event
            for event in downloads()
        ]
        write(tmp_path / "runs" / str(seed), events)
        (tmp_path / "runs" / str(seed) / "summary.json").write_bytes(msgspec.json.encode(conditions(seed)))
    found = write_anew(tmp_path)
    assert isinstance(found, Repetitions)
    assert found.runs == ["2", "10"]
    last = next(series for series in found.series if series.name == "last_completion")
    # 5.5 and 6.5 s: s = sqrt(0.5), s / sqrt(2) = 0.5, so 6 +- 12.706 / 2.
    assert last.values == [5.5, 6.5]
    assert (last.mean.low, last.mean.high) == pytest.approx((-0.353, 12.353), abs=1e-3)
    text = (tmp_path / "report.md").read_text()
    assert "![Who finished within what time, all runs together](figures/completion.svg)" in text
    assert "4 of 4" in (tmp_path / "figures" / "completion.svg").read_text()  # honest: b and c in two runs
    assert "In 2 runs 4 of 6 leechers finished" in text
    assert "| last completion since the first start | 6.00 s | -0.35 s to 12.35 s | 5.50 s to 6.50 s | 2 |" in text
    assert msgspec.json.decode((tmp_path / "summary.json").read_bytes(), type=Repetitions) == found
    assert run_folders(tmp_path)[1].name == "10"


def numbers_in(folder):
    """The first column of the report's first table."""
    section = (folder / "report.md").read_text().partition("## Numbers\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    return rows[1:]


def test_reports_show_the_numbers_that_the_scenario_names(tmp_path):
    names = ("median_completion.behaviour.corrupter", "goodput", "finished.behaviour.corrupter")
    for seed in ("1", "2"):
        write(tmp_path / "runs" / seed, recorded())
        write_result(tmp_path / "runs" / seed, conditions(int(seed), names), report=seed == "1")
    assert numbers_in(tmp_path / "runs" / "1") == ["goodput of all", "finished, behaviour corrupter"]
    write_repetitions(tmp_path, anew=False)
    assert numbers_in(tmp_path) == ["goodput of all", "finished, behaviour corrupter"]


def test_repetitions_without_a_run_are_no_result(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(ShoalError, match="holds no repetitions") as raised:
        write_repetitions(tmp_path)
    assert raised.value.code == ERR_UNREADABLE
