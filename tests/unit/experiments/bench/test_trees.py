from __future__ import annotations

import pytest

from experiments.bench.trees import MIXED_SIZE, mixture, write_tree


def test_a_tree_has_the_files_that_were_asked_for(tmp_path):
    sizes = [5, 0, *[1] * 150]
    assert write_tree(tmp_path / "tree", sizes) == sum(sizes)
    found = sorted(path.stat().st_size for path in (tmp_path / "tree").rglob("*.bin"))
    assert found == sorted(sizes)
    assert len(list((tmp_path / "tree").iterdir())) == 2


@pytest.mark.parametrize("size", [16 * 2**20, MIXED_SIZE])
def test_a_mixture_is_about_as_large_as_it_was_asked_to_be(size):
    assert sum(mixture(size)) == pytest.approx(size, rel=0.15)


def test_a_mixture_has_large_middling_and_many_small_files():
    sizes = mixture(MIXED_SIZE)
    assert max(sizes) == MIXED_SIZE // 16
    assert min(sizes) == 512
    assert len(sizes) > 3000
