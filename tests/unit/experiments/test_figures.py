from __future__ import annotations

from xml.etree import ElementTree

import pytest

from experiments.figures import draw_bytes, draw_completion
from experiments.metrics import Matrix

pytest.importorskip("matplotlib")

CURVES = {"peer-2": [(0.0, 0.0), (1.5, 1.0)], "peer-3": [(0.2, 0.0), (2.5, 1.0)]}
MATRIX = Matrix(["peer-1", "peer-2"], [[0, 3 * 2**20], [0, 0]])


def texts_of(path):
    return {
        "".join(element.itertext()).strip()
        for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    }


def test_the_completion_curve_names_every_leecher_and_the_bound(tmp_path):
    draw_completion(tmp_path / "a.svg", CURVES, bound=1.0)
    assert {"peer-2", "peer-3", "bound", "verified, %"} <= texts_of(tmp_path / "a.svg")


def test_without_limits_there_is_no_bound_to_draw(tmp_path):
    draw_completion(tmp_path / "a.svg", CURVES, bound=None)
    assert "bound" not in texts_of(tmp_path / "a.svg")


def test_the_matrix_shows_the_seed_and_what_it_gave(tmp_path):
    draw_bytes(tmp_path / "a.svg", MATRIX)
    assert {"peer-1 (seed)", "peer-2", "3.0"} <= texts_of(tmp_path / "a.svg")


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        draw_completion(tmp_path / f"{name}-curve.svg", CURVES, bound=1.0)
        draw_bytes(tmp_path / f"{name}-matrix.svg", MATRIX)
    assert (tmp_path / "a-curve.svg").read_bytes() == (tmp_path / "b-curve.svg").read_bytes()
    assert (tmp_path / "a-matrix.svg").read_bytes() == (tmp_path / "b-matrix.svg").read_bytes()
