from __future__ import annotations

import pytest

from tests.kit.waiting import eventually


def test_the_first_true_value_is_returned():
    values = iter([0, "", None, "ready", "later"])
    assert eventually(lambda: next(values), within=5, every=0) == "ready"


def test_a_predicate_that_raises_is_asked_again():
    texts = iter(["not a number", "7"])
    assert eventually(lambda: int(next(texts)), within=5, every=0) == 7


def test_failure_tells_the_last_value_and_the_message():
    with pytest.raises(AssertionError, match=r"not true within 0 s: last was \[\]: no peer came"):
        eventually(list, within=0, message=lambda: "no peer came")


def test_failure_keeps_the_last_exception_as_its_cause():
    with pytest.raises(AssertionError, match=r"last raised ZeroDivisionError") as failure:
        eventually(lambda: 1 / 0, within=0.01, every=0.001)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)
