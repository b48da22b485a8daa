"""Figures of few pixels: what is tested is in the SVG, and pixels are a third of the work."""

from __future__ import annotations

import pytest

from experiments.figures import style


@pytest.fixture(scope="module", autouse=True)
def few_pixels():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 24)
        yield
