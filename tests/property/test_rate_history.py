"""Whatever moved, and whenever, the graphs of rates show what a list of all samples would show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.view.history import POINTS, STEPS, RateHistory

IDS = st.sampled_from(["a", "b"])
RATES = st.tuples(st.integers(0, 2**20).map(float), st.integers(0, 2**20).map(float))
GAPS = st.one_of(st.floats(0.5, 2.0), st.floats(0.0, 100.0), st.floats(0.0, 200_000.0))
SAMPLES = st.lists(st.tuples(GAPS, RATES, st.dictionaries(IDS, RATES)), min_size=1, max_size=40)


@given(SAMPLES, st.sampled_from([*STEPS]), st.sampled_from(["", "a", "b"]), GAPS)
def test_a_course_is_the_mean_of_all_samples_in_each_of_its_slots(samples, span, content, after):
    history, step, now = RateHistory(), STEPS[span], 0.0
    seen: dict[int, list[tuple[float, float]]] = {}
    for gap, total, contents in samples:
        now += gap
        history.sample(now, total, contents)
        seen.setdefault(int(now // step), []).append(contents.get(content, (0.0, 0.0)) if content else total)
    now += after
    course, newest = history.course(now, span, content), int(now // step)
    newest -= newest not in seen
    for way, points in enumerate((course.up, course.down)):
        assert len(points) == POINTS
        for place, point in enumerate(points):
            found = seen.get(newest - POINTS + 1 + place)
            if found is None:
                assert point is None
            else:
                assert point == pytest.approx(sum(rates[way] for rates in found) / len(found), rel=1e-5, abs=0.1)
