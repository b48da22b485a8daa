"""Which source comes first."""

from __future__ import annotations

import random

import pytest

from peer.core.source_choice import SOURCE_CHOICES, SourceChoice

SCORES = {"ana": 0.5, "ben": 0.9, "cay": 0.5, "dan": 0.1}
RATES = {"ana": 1e6, "ben": 0.0, "cay": 3e6, "dan": 2e6}


def order(choice: SourceChoice) -> str:
    return " ".join(sorted(SCORES, key=choice.rank, reverse=True))


@pytest.mark.parametrize(("name", "expected"), [("reputation", "ben ana cay dan"), ("rate", "cay dan ana ben")])
def test_the_first_choice_comes_first_and_equal_ones_stay_as_they_were(name: str, expected: str) -> None:
    assert order(SOURCE_CHOICES[name](SCORES.__getitem__, RATES.__getitem__, random.Random(1))) == expected


def test_at_random_anybody_comes_first() -> None:
    choice = SOURCE_CHOICES["random"](SCORES.__getitem__, RATES.__getitem__, random.Random(1))
    assert {order(choice).split()[0] for _ in range(100)} == set(SCORES)
