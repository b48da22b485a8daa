"""The figures name what they show; that the same numbers give the same bytes is for test_result."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import polars as pl
import pytest

from experiments.figures.against import Line, draw_against
from experiments.figures.changes import SAME, WORSE, Shift, draw_changes
from experiments.figures.drawn import completion_parts, draw_all, draw_repetitions
from experiments.figures.efficiency import Point, draw_efficiency
from experiments.figures.matrix import draw_bytes
from experiments.figures.swarm import (
    draw_availability,
    draw_completion,
    draw_population,
    draw_progress,
    draw_scores,
    draw_taken,
    draw_tracker,
)
from experiments.metrics.measure import measure
from experiments.metrics.population import Population
from experiments.metrics.series import Bands
from experiments.metrics.tracker import Rate
from experiments.metrics.volume import Matrix
from experiments.statistics import Interval
from tests.unit.experiments.hand_made import CAST, downloads, tables_of

pytest.importorskip("matplotlib")

PARTS: list[tuple[str, int, list[float]]] = [("honest", 2, [1.0, 2.0]), ("free rider", 2, [3.5])]
MATRIX = Matrix(["peer-1", "peer-2"], [[0, 3 * 2**20], [0, 0]])
BANDS = Bands([0.0, 1.0], [[0.0] * 7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]])
COPIES = pl.DataFrame({"time": [0.0, 1.0], "lowest": [1.0, 2.0], "median": [1.0, 2.5], "online": [3, 3]})


def texts_of(path):
    return {
        "".join(element.itertext()).strip()
        for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    }


def test_the_completion_curve_names_every_part_and_how_many_finished(tmp_path):
    draw_completion(tmp_path / "a", PARTS, bound=1.0)
    found = texts_of(tmp_path / "a.svg")
    assert {"honest", "2 of 2", "free rider", "1 of 2", "least time possible", "finished, %"} <= found
    assert (tmp_path / "a.png").stat().st_size > 0


def test_without_limits_there_is_no_bound_to_draw(tmp_path):
    draw_completion(tmp_path / "a", [("leechers", 2, [])], bound=None)
    assert "least time possible" not in texts_of(tmp_path / "a.svg")


def test_the_bound_is_not_drawn_on_the_clock_of_members_who_began_at_different_times(tmp_path):
    for place, later in (("together", 0.4), ("staggered", 24.0)):
        events = [
            msgspec.structs.replace(event, time=event.time + later) if event.source == "id of c" else event
            for event in downloads()
            if event.source != "id of x"
        ]
        tables = tables_of(events, [member for member in CAST if member.name != "x"])
        metrics = measure(tables)
        assert metrics.bound_seconds
        draw_all(tmp_path / place, tables, metrics, True)
        draw_repetitions(tmp_path / place / "all", [tables, tables], [metrics.bound_seconds] * 2)
        drawn = [tmp_path / place / "figures", tmp_path / place / "all" / "figures"]
        marked = ["least time possible" in texts_of(figures / "completion.svg") for figures in drawn]
        assert marked == [place == "together"] * 2
        assert "least time possible" in texts_of(drawn[0] / "progress.svg")


def test_the_matrix_shows_who_gave_what(tmp_path):
    draw_bytes(tmp_path / "a", MATRIX)
    assert {"peer-1", "peer-2", "3.0", "MiB verified"} <= texts_of(tmp_path / "a.svg")


def test_a_large_matrix_has_names_but_no_numbers_in_its_cells(tmp_path):
    names = [f"peer-{number}" for number in range(13)]
    draw_bytes(tmp_path / "a", Matrix(names, [[7 * 2**20] * 13] * 13))
    found = texts_of(tmp_path / "a.svg")
    assert set(names) <= found
    assert "7.0" not in found


def test_figures_over_time_label_their_lines(tmp_path):
    draw_progress(tmp_path / "p", BANDS, bound=0.5)
    draw_availability(tmp_path / "a", COPIES)
    draw_scores(tmp_path / "s", {"honest": BANDS, "free_rider": BANDS}, ["honest", "corrupter", "free_rider"])
    shares = {"corrupter": [(0.0, 0.0), (2.0, 0.05)], "free_rider": [(0.0, 0.0), (2.0, 0.2)]}
    draw_taken(tmp_path / "g", shares, ["honest", "corrupter", "free_rider"], 1.5)
    assert {"corrupter", "free rider", "all honest have it"} <= texts_of(tmp_path / "g.svg")
    draw_tracker(tmp_path / "t", [Rate(0.0, 1.0, 4.0), Rate(1.0, 3.0, 1.0)], mean=2.0)
    draw_population(tmp_path / "w", [Population(0.0, 1, 1, 0), Population(2.0, 2, 2, 1)], True)
    assert {"online", "want", "lack one"} <= texts_of(tmp_path / "w.svg")
    draw_population(tmp_path / "w", [Population(0.0, 1, 1, 0), Population(2.0, 2, 2, 1)], False)
    assert "lack one" not in texts_of(tmp_path / "w.svg")
    assert {"median leecher", "half", "8 of 10", "all"} <= texts_of(tmp_path / "p.svg")
    assert {"members", "online", "rarest"} <= texts_of(tmp_path / "a.svg")
    assert {"honest", "free rider", "neutral"} <= texts_of(tmp_path / "s.svg")
    assert "mean 2" in texts_of(tmp_path / "t.svg")


def test_efficiency_shows_every_size_and_the_bound(tmp_path):
    reached = Interval(0.9, 0.8, 0.95)
    draw_efficiency(tmp_path / "a", [Point(100, reached, reached), Point(10, Interval(0.95), Interval(1.02))])
    assert {"10", "100", "fluid bound", "chunked bound", "measured"} <= texts_of(tmp_path / "a.svg")


def test_a_number_against_another_has_its_places_as_they_are_written(tmp_path):
    line = Line("", [(2.0**20, Interval(2.0, 1.0, 3.0)), (2.0**18, Interval(1.0))])
    draw_against(tmp_path / "a", "groups.seed.up", "seconds", [line], {2.0**20: "1 MiB/s", 2.0**18: "256 KiB/s"})
    assert {"256 KiB/s", "1 MiB/s", "groups.seed.up", "seconds"} <= texts_of(tmp_path / "a.svg")


def test_a_wide_axis_with_a_0_has_room_for_every_place(tmp_path):
    line = Line("", [(where, Interval(1.0)) for where in (0.0, 0.125, 0.25, 4.0)])
    draw_against(tmp_path / "a", "groups.leecher.leave.linger", "leechers", [line], {0.125: "125 ms"})
    assert {"0", "125 ms", "0.25", "4"} <= texts_of(tmp_path / "a.svg")


def test_against_words_each_line_has_its_name(tmp_path):
    lines = [Line(name, [("random", Interval(1.0)), ("none", Interval(2.0))]) for name in ("peers 1", "peers 5")]
    draw_against(tmp_path / "a", "picker", "seconds", lines)
    assert {"random", "none", "peers 1", "peers 5"} <= texts_of(tmp_path / "a.svg")


def test_changes_are_drawn_by_name(tmp_path):
    draw_changes(
        tmp_path / "a", [Shift("goodput", Interval(-0.2, -0.3, -0.1), WORSE), Shift("load", Interval(0.0), SAME)], 0.05
    )
    assert {"goodput", "load", "change, %"} <= texts_of(tmp_path / "a.svg")


def leechers(*rows):
    schema = {"group": str, "behaviour": str, "started": float, "completed": float}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_completion_is_by_behaviour_if_there_are_several_else_by_group():
    mixed = leechers(("fast", "honest", 0.0, 2.0), ("slow", "free_rider", 1.0, 5.0), ("slow", "honest", 0.0, None))
    assert completion_parts(mixed) == [("honest", 2, [2.0]), ("free rider", 1, [4.0])]
    honest = mixed.filter(pl.col("behaviour") == "honest")
    assert completion_parts(honest) == [("fast", 1, [2.0]), ("slow", 1, [])]
    assert completion_parts(honest.head(1)) == [("leechers", 1, [2.0])]
