from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import ERR_CONFIG, ERR_NOT_FOUND, ShoalError

pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

import experiments  # noqa: E402  after the question whether its needs are there
from experiments.scenario import scenario_of  # noqa: E402

DOCUMENT = {
    "content": {"size": "3 MiB"},
    "groups": {
        "seed": {"peers": 1, "complete": True, "up": "1 MiB/s"},
        "leecher": {"peers": 2, "up": "1 MiB/s"},
    },
    "timeout": "20 s",
}  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return experiments.run(DOCUMENT, seed=3, folder=tmp_path_factory.mktemp("api") / "result")


def test_a_run_gives_its_summary_and_frames(result):
    assert (result.summary.backend, result.summary.seed, result.summary.metrics.finished) == ("sim", 3, 2)
    assert sorted(result.frames.transfers["member"]) == ["leecher-1", "leecher-2"]
    assert result.frames.transfers["bytes"].to_list() == [3 * 2**20] * 2
    assert not result.frames.progress.is_empty()
    numbers = dict(result.numbers.select("name", "value").iter_rows())
    assert numbers["finished"] == 1.0


def test_a_scenario_is_a_tree_a_file_or_what_was_read(result, tmp_path):
    assert experiments.run(scenario_of(DOCUMENT), seed=3, folder=tmp_path / "a").summary.metrics.median_completion == (
        result.summary.metrics.median_completion
    )


def test_a_figure_is_drawn_when_it_is_asked_for(result):
    drawing = result.figure("completion")
    assert drawing.file == result.folder / "figures" / "completion.svg"
    assert "<svg" in drawing._repr_svg_()
    with pytest.raises(ShoalError, match="has no figure 'nothing', but ") as raised:
        result.figure("nothing")
    assert raised.value.code == ERR_NOT_FOUND


def test_what_was_left_in_a_folder_is_loaded(result):
    loaded = experiments.load(str(result.folder))
    assert loaded.summary.metrics == result.summary.metrics


def test_two_results_are_compared_in_a_frame(result):
    changes = experiments.compare(result, result.folder)
    assert set(changes["change"]) == {0.0}
    assert set(changes["verdict"]) == {""}


def test_a_sweep_is_a_frame_with_a_row_for_each_run_and_can_be_loaded_again(tmp_path):
    grid = {"groups.leecher.peers": [1, 2]}
    frame = experiments.sweep(DOCUMENT, grid, seeds=[4], folder=tmp_path / "out", jobs=1)
    assert frame.select("groups.leecher.peers", "seed", "finished").rows() == [(1, 4, 1.0), (2, 4, 1.0)]
    assert experiments.load(tmp_path / "out").equals(frame)


@pytest.mark.parametrize(
    "call",
    [
        lambda: experiments.run({**DOCUMENT, "peers": 3}),
        lambda: experiments.run(DOCUMENT, backend="cloud"),
        lambda: experiments.sweep(DOCUMENT, {"groups.leecher.peers": []}),
        lambda: experiments.sweep(DOCUMENT, {"timeout": [1]}, seeds="a"),
        lambda: experiments.run(Path("nowhere.yaml")),
    ],
)
def test_a_mistake_is_told_in_one_line(call):
    with pytest.raises(ShoalError) as raised:
        call()
    assert raised.value.code == ERR_CONFIG
    assert "\n" not in raised.value.message


def test_the_package_has_nothing_else():
    assert set(experiments.API) <= set(dir(experiments))
    with pytest.raises(AttributeError):
        _ = experiments.nothing
