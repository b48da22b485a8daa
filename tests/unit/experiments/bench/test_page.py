from __future__ import annotations

import pytest

from bus.errors import ERR_USAGE, ShoalError
from experiments.bench.page import END, markdown, record
from experiments.bench.records import Figure, Part, Run
from experiments.bench.usage import Usage
from tests.unit.experiments.bench.results import MIB, result, run


def test_the_table_has_times_rates_ratios_processor_time_and_memory():
    page = markdown(result(shoal=[run(2.0, 60 * MIB), run(4.0, 50 * MIB)], pump=[run(1.0), run(1.0)]))
    assert "| shoal | 3 (2 to 4) | 38 (25 to 50) |  | 0.50 | receiver 60 MiB |" in page
    assert "| pump | 1 (1 to 1) | 100 (100 to 100) | 0.375 (0.25 to 0.5) | 0.50 | receiver 50 MiB |" in page


def test_processor_time_stands_for_each_role_and_several_processes_of_one_together():
    sender, receiver = Part("sender", Usage(2.0, 0, 0)), Part("receiver", Usage(0.75, 0, 0))
    page = markdown(result(shoal=[Run(2.0, [sender, receiver, receiver])]))
    assert "| 3.50: sender 2.00, receiver 1.50 |" in page


@pytest.mark.parametrize(
    ("warmed", "said"), [(True, "1 rounds after a warm-up"), (False, "1 rounds without a warm-up")]
)
def test_the_page_says_whether_there_was_a_warm_up(warmed, said):
    assert said in markdown(result(warmed=warmed, shoal=[run(2.0)]))


def test_the_page_says_what_was_measured_where_and_how():
    page = markdown(result(shoal=[run(2.0)]))
    assert "- shoal: how shoal\n" in page
    assert "other programs had 10% of the processors" in page
    assert "the hypervisor kept 5%" in page
    assert "commit abc, 2030-01-02" in page
    assert "Made by `the command`" in page


def test_a_contender_that_did_not_take_part_stands_in_the_table_with_the_reason():
    assert "| pump | NOT MEASURED: not installed: install it |" in markdown(result(shoal=[run(2.0)], absent=["pump"]))


def test_other_numbers_get_a_column_each_and_rates_none_where_they_say_nothing():
    page = markdown(result(moved=0, shoal=[run(2.0, duplicates=0.5)]))
    assert (
        "| CPU s of all processes, and of each role's | peak memory of the largest process of each role, less shared "
        "| duplicates |" in page
    )
    assert "MB/s" not in page


def test_goals_are_reached_or_not_in_one_word():
    figures = [Figure("speed", ">= 1", "2", True), Figure("memory", "<= 1", "2", False)]
    page = markdown(result(shoal=[run(2.0)], figures=figures))
    assert "| speed | >= 1 | 2 | reached |" in page
    assert "| memory | <= 1 | 2 | **not reached** |" in page


def test_a_case_that_is_recorded_again_replaces_only_its_own_part(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{END}\nbelow\n")
    record("one", "old\n", page)
    record("two", "two\n", page)
    record("one", "new\n", page)
    text = page.read_text()
    assert text.startswith("above\n<!-- bench one: written by --record -->\n\nnew\n")
    assert text.endswith(f"two\n\n<!-- end of bench two -->\n\n{END}\nbelow\n")
    assert "old" not in text


def test_a_page_without_the_mark_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(ShoalError) as raised:
        record("one", "new\n", page)
    assert raised.value.code == ERR_USAGE
    assert page.read_text() == "text\n"
