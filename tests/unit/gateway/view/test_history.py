"""Rates over time: what a page's graph is made of."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.view import rows
from gateway.view.history import MOST_CONTENTS, POINTS, STEPS, Course, RateHistory, moving

CONTENT = "c" * 64
STILL: tuple[float, float] = (0.0, 0.0)


def ends(course: Course, points: int) -> tuple[list[float | None], list[float | None]]:
    """The newest points, up and down."""
    assert len(course.up) == len(course.down) == POINTS
    return course.up[-points:], course.down[-points:]


def test_every_second_is_a_point_of_the_shortest_span():
    history = RateHistory()
    for second in range(3):
        history.sample(100.0 + second, (10.0 * second, 1.0), {})
    assert ends(history.course(102.5, "5m"), 4) == ([None, 0.0, 10.0, 20.0], [None, 1.0, 1.0, 1.0])


def test_a_point_of_a_longer_span_is_the_mean_of_its_time():
    history = RateHistory()
    for second in range(24):
        history.sample(1200.0 + second, (float(second), 0.0), {})
    assert ends(history.course(1223.0, "1h"), 2)[0] == [5.5, 17.5]
    assert ends(history.course(1223.0, "24h"), 1)[0] == [11.5]


def test_what_was_not_sampled_is_unknown_and_no_standstill():
    history = RateHistory()
    history.sample(1000.0, (1.0, 1.0), {})
    history.sample(1003.0, (2.0, 2.0), {})
    assert ends(history.course(1004.0, "5m"), 4)[0] == [1.0, None, None, 2.0]  # of its last second nothing is known yet
    assert ends(history.course(1006.0, "5m"), 4)[0] == [None, 2.0, None, None]


def test_a_content_that_does_not_move_stands_still_for_as_long_as_anything_was_sampled():
    history = RateHistory()
    history.sample(1000.0, STILL, {})
    history.sample(1001.0, (3.0, 4.0), {CONTENT: (3.0, 4.0)})
    history.sample(1002.0, STILL, {})
    assert ends(history.course(1002.0, "5m", CONTENT), 4) == ([None, 0.0, 3.0, 0.0], [None, 0.0, 4.0, 0.0])
    assert ends(history.course(1002.0, "5m", "d" * 64), 3)[0] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("span", STEPS)
def test_what_is_older_than_the_span_is_forgotten(span):
    history, step = RateHistory(), STEPS[span]
    for now in (0.0, (POINTS - 1) * step):
        history.sample(now, (1.0, 0.0), {CONTENT: (1.0, 0.0)})
    for content in ("", CONTENT):
        assert history.course((POINTS - 1) * step, span, content).up[0] == 1.0
    history.sample(POINTS * step, STILL, {CONTENT: (1.0, 0.0)})
    for content in ("", CONTENT):
        assert history.course(POINTS * step, span, content).up[0] is None


def test_contents_that_moved_longest_ago_are_forgotten_first():
    history = RateHistory()
    history.sample(1000.0, STILL, {CONTENT: (1.0, 0.0), "oldest": (1.0, 0.0)})
    history.sample(1001.0, STILL, {CONTENT: (2.0, 0.0)})
    history.sample(1002.0, STILL, {f"{number}": (1.0, 0.0) for number in range(MOST_CONTENTS - 1)})
    assert ends(history.course(1002.0, "5m", CONTENT), 3)[0] == [1.0, 2.0, 0.0]
    assert ends(history.course(1002.0, "5m", "oldest"), 3)[0] == [0.0, 0.0, 0.0]


def test_a_content_moves_by_its_download_and_all_its_uploads_together():
    download = rows.DownloadRow(
        CONTENT, "n", "file", 1, "", "downloading", 0, 0.0, 1, 0, 5.0, None, 0.0, 0, 0, [], "", "", "", None, None,
        None, None, "normal", False, 0, 0, None, None, 0,
    )  # fmt: skip
    uploads = [rows.UploadRow(CONTENT, peer, 1, rate) for peer, rate in (("a", 1.0), ("b", 2.0), ("c", 0.0))]
    assert moving([download], uploads) == {CONTENT: (3.0, 5.0)}
    assert moving([replace(download, down_rate=0.0)], []) == {}
