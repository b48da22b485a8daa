"""The grid of a sweep: which keys of the scenario's document take which values, and the document of each point."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

import msgspec
from msgspec import Struct

from bus.strict_yaml import parse_yaml

MAX_RUNS: Final = 100_000
"""Points times seeds; more is a typing mistake."""
OWN: Final = {"seed": "--seeds", "repetitions": "--seeds"}
"""Keys that a sweep sets by an option of its own."""
FREE: Final = "settings"
"""Below this key stands one dotted name, whatever it looks like: `settings.transfer.upload_slots`."""

Step = str | int


class Axis(Struct, frozen=True):
    """One key that is varied."""

    key: str
    """Dotted: `groups.leechers.peers`, `failures[0].at`."""
    values: list[object]
    """As YAML reads them, all different."""


class Point(Struct, frozen=True):
    """One place of the grid."""

    number: int
    """From 1; the last axis varies fastest."""
    values: list[object]
    """One for each axis."""
    title: str
    """For people: `groups.leechers.peers=10, content.size=64 KiB`."""
    document: object
    """The scenario's, with those values in it."""


def parse_axes(texts: Sequence[str]) -> list[Axis]:
    """What each `KEY=V1,V2,...` says.

    Raises:
        ValueError: one line with what was expected and found.
    """
    return [parse_axis(text) for text in texts]


def parse_axis(text: str) -> Axis:
    """What `KEY=V1,V2,...` says.

    Raises:
        ValueError: one line with what was expected and found.
    """
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ValueError(f"expected KEY=VALUE,VALUE..., found {text!r}")
    try:
        values = parse_yaml(f"[{listed}]")
    except ValueError as error:
        raise ValueError(f"{key}: expected values as in the scenario's YAML, with commas between: {error}") from None
    return Axis(key, values if isinstance(values, list) else [values])


def check_axes(axes: Sequence[Axis]) -> None:
    """Raises ValueError, one line, if they make no grid; whether the values are right is for the scenario to say."""
    for place, axis in enumerate(axes):
        if axis.key in OWN:
            raise ValueError(f"{axis.key}: a sweep takes it from {OWN[axis.key]}")
        steps = steps_of(axis.key)
        if not axis.values:
            raise ValueError(f"{axis.key}: expected at least one value, found none")
        shown = [show(value) for value in axis.values]
        twice = next((word for number, word in enumerate(shown) if word in shown[:number]), None)
        if twice is not None:
            raise ValueError(f"{axis.key}: expected each value once, found {twice} twice")
        for earlier in axes[:place]:
            other = steps_of(earlier.key)
            if steps == other:
                raise ValueError(f"{axis.key}: expected once, found twice; give all its values together")
            if steps[: len(other)] == other or other[: len(steps)] == steps:
                raise ValueError(f"{axis.key}: expected keys beside one another, found {earlier.key} above or below it")


def parse_seeds(text: str) -> list[int]:
    """What `1-20` or `1,2,7-9` says.

    Raises:
        ValueError: one line with what was expected and found.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,10})(?:\s*-\s*([0-9]{1,10}))?\s*", part)
        if match is None:
            raise ValueError(f"--seeds: expected numbers and ranges such as 1-20 or 1,2,7-9, found {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MAX_RUNS:
            raise ValueError(f"--seeds: expected a range of 1 to {MAX_RUNS:,} seeds, found {part.strip()!r}")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"--seeds: expected each seed once, found one twice in {text!r}")
    return seeds


def expand(document: object, axes: Sequence[Axis]) -> Iterator[Point]:
    """Every point of the grid, in order.

    Raises:
        ValueError: a key leads nowhere in the document.
    """
    for number, values in enumerate(product(*(axis.values for axis in axes)), 1):
        varied = document
        for axis, value in zip(axes, values, strict=True):
            varied = with_value(varied, axis.key, value)
        title = ", ".join(f"{axis.key}={show(value)}" for axis, value in zip(axes, values, strict=True))
        yield Point(number, list(values), title, varied)


def with_value(document: object, key: str, value: object) -> object:
    """A copy of a document with one key set; sections that are not there are made, groups and list items are not.

    Raises:
        ValueError: the key leads nowhere in the document.
    """
    steps = steps_of(key)
    groups = document.get("groups") if isinstance(document, dict) else None
    if steps[0] == "groups" and len(steps) > 1 and isinstance(groups, dict) and steps[1] not in groups:
        # It would become a new group: peers that nobody asked for.
        raise ValueError(f"{key}: expected a group of the scenario ({', '.join(map(str, groups))}), found {steps[1]}")
    return _set(document, steps, value, key)


def value_at(document: object, key: str) -> object:
    """What stands at a key; None if nothing does."""
    found = document
    for step in steps_of(key):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list | tuple) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found


def steps_of(key: str) -> list[Step]:
    """A dotted key as names and places in lists.

    Raises:
        ValueError: it is none.
    """
    steps: list[Step] = []
    words = key.split(".")
    for place, word in enumerate(words):
        if steps and steps[-1] == FREE:
            return [*steps, ".".join(words[place:])]
        match = re.fullmatch(r"([^\[\]\s]+)((?:\[[0-9]{1,6}\])*)", word)
        if match is None:
            raise ValueError(f"{key}: expected a dotted key such as groups.leechers.peers or failures[0].at")
        steps += [match[1], *map(int, re.findall(r"[0-9]+", match[2]))]
    return steps


def show(value: object) -> str:
    """A value on one line: text as it is, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _set(node: object, steps: Sequence[Step], value: object, key: str) -> object:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(step, int):
        if not isinstance(node, list) or step >= len(node):
            raise ValueError(f"{key}: the scenario has no item [{step}] there")
        return [*node[:step], _set(node[step], rest, value, key), *node[step + 1 :]]
    if node is not None and not isinstance(node, dict):
        raise ValueError(f"{key}: the scenario has one value above {step}, which has no keys below it")
    return {**(node or {}), step: _set((node or {}).get(step), rest, value, key)}
