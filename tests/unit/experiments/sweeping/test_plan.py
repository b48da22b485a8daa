from __future__ import annotations

import pytest

from bus.errors import ERR_CONFIG, ERR_PATH, ERR_UNREADABLE, ShoalError
from experiments.sweeping.plan import PLAN, jobs_of, keep_plan, parse_plan, read_plan

DOCUMENT = {
    "content": {"size": "1 MiB"},
    "groups": {"seed": {"peers": 1, "complete": True}, "leecher": {"peers": 2}},
    "backend": "sim",
    "seed": 4,
    "repetitions": 3,
}
PEERS = "groups.leecher.peers=2,3"


def test_every_point_and_seed_has_a_folder_of_its_own_and_all_points_come_with_the_first_seed(tmp_path):
    plan = parse_plan("given", DOCUMENT, [PEERS, "content.size=1 MiB,64 KiB"], "1-2")
    folders = [job.folder.relative_to(tmp_path).as_posix() for job in jobs_of(plan, tmp_path)]
    assert folders[:5] == [
        "points/001_groups.leecher.peers=2_content.size=1MiB/runs/1",
        "points/002_groups.leecher.peers=2_content.size=64KiB/runs/1",
        "points/003_groups.leecher.peers=3_content.size=1MiB/runs/1",
        "points/004_groups.leecher.peers=3_content.size=64KiB/runs/1",
        "points/001_groups.leecher.peers=2_content.size=1MiB/runs/2",
    ]
    assert len(set(folders)) == 8


def test_values_that_no_file_system_likes_have_folders_too(tmp_path):
    plan = parse_plan("given", DOCUMENT, [f"description=../../a,b/c:{'d' * 300},é"], "1")
    names = [job.folder.relative_to(tmp_path).parts for job in jobs_of(plan, tmp_path)]
    assert [(len(parts), parts[0], parts[2]) for parts in names] == [(4, "points", "runs")] * 3
    assert all(len(parts[1]) < 150 and parts[1].isascii() for parts in names)
    assert len({parts[1] for parts in names}) == 3


def test_without_seeds_the_scenario_s_repetitions_are_run_and_without_keys_in_the_folder_itself(tmp_path):
    plan = parse_plan("given", DOCUMENT)
    assert [job.folder for job in jobs_of(plan, tmp_path)] == [tmp_path / "runs" / seed for seed in ("4", "5", "6")]


@pytest.mark.parametrize(
    ("sets", "seeds", "backend", "problem"),
    [
        (["groups.leecher.peers=2,0"], "", "", "groups.leecher.peers: expected a whole number from 1 to "),
        (["groups.leecher.pears=2"], "", "", "groups.leecher.pears: unknown key; did you mean"),
        (["content.size=1 MiB,1 Mb"], "", "", "content.size: expected a size"),
        (["content.size=1 MiB,1 Mb"], "", "", "(at content.size=1 Mb)"),
        (["groups.other.peers=2"], "", "", "groups.other.peers: expected a group of the scenario (seed, leecher)"),
        (["backend=sim,processes"], "", "sim", "backend: expected it either in --set or as --backend, found both"),
        ([], "", "simulator", "backend: expected inproc, processes or sim"),
        ([], "9-1", "", "--seeds: expected a range"),
        ([PEERS], "1-99999", "", "expected at most 100,000 runs, found more"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(sets, seeds, backend, problem):
    with pytest.raises(ShoalError) as raised:
        parse_plan("given", DOCUMENT, sets, seeds, backend)
    assert raised.value.code == ERR_CONFIG
    assert raised.value.message.startswith("sweep of given: ")
    assert problem in raised.value.message
    assert "\n" not in raised.value.message


def test_the_backend_that_was_chosen_is_part_of_the_scenario():
    plan = parse_plan("given", {**DOCUMENT, "backend": "processes"}, backend="sim")
    assert plan.document == DOCUMENT


def test_a_folder_keeps_its_plan(tmp_path):
    plan = parse_plan("given", DOCUMENT, [PEERS], "1-2")
    keep_plan(tmp_path / "out", plan)
    keep_plan(tmp_path / "out", plan)
    assert read_plan(tmp_path / "out") == plan


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: parse_plan("other", DOCUMENT, [PEERS], "1-2"), "another scenario"),
        (lambda: parse_plan("given", {**DOCUMENT, "timeout": "9 s"}, [PEERS], "1-2"), "another scenario"),
        (lambda: parse_plan("given", DOCUMENT, ["groups.leecher.peers=2,4"], "1-2"), "another grid"),
        (lambda: parse_plan("given", DOCUMENT, [PEERS], "1-3"), "another list of seeds"),
    ],
)
def test_another_sweep_in_the_same_folder_is_refused_in_one_line(tmp_path, other, words):
    keep_plan(tmp_path, parse_plan("given", DOCUMENT, [PEERS], "1-2"))
    with pytest.raises(ShoalError, match=words) as raised:
        keep_plan(tmp_path, other())
    assert raised.value.code == ERR_PATH
    assert "\n" not in raised.value.message


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ShoalError, match="is not empty and holds no sweep"):
        keep_plan(tmp_path, parse_plan("given", DOCUMENT))
    assert not (tmp_path / PLAN).exists()


def test_a_damaged_plan_is_told(tmp_path):
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(ShoalError) as raised:
        keep_plan(tmp_path, parse_plan("given", DOCUMENT))
    assert raised.value.code == ERR_UNREADABLE
