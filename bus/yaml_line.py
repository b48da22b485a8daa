"""One value of a YAML text, changed where it stands: every other character stays, comments and order with it.

The text is not written anew from its values.  The nodes that the reader finds say where the value is, or where a line
for it belongs; then the text is read again, and must say what it said before and the new value.  A text in which no
place can be found, or that comes out otherwise, is left to its owner.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, Final

import yaml

from bus.strict_yaml import compose_yaml, parse_yaml, scalar_text

Scalar = str | int | float | bool
Path = Sequence[str | int]
"""Keys of maps, places in lists."""

_LINE_END: Final = re.compile(r"[\r\n\x85\u2028\u2029]|$")
_INDENT: Final = 2


def with_value(text: str, path: Path, value: Scalar) -> str:
    """`text` with the value at `path`; maps that are not there are made, entries of lists are not.

    Raises:
        ValueError: the text is no YAML, or has a form in which this cannot be changed safely.
    """
    wanted = _put(parse_yaml(text), path, value)
    changed = _edited(text, compose_yaml(text), path, value)
    try:
        found = parse_yaml(changed)
    except ValueError:
        raise _unsafe() from None
    if not _alike(found, wanted):
        raise _unsafe()
    return changed


def _edited(text: str, node: yaml.Node | None, path: Path, value: Scalar) -> str:
    if node is None or _is_empty(node):  # a text of comments alone
        return _appended(text, 0, path, value)
    step, *rest = path
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return _edited(text, node.value[step], rest, value)
    if not isinstance(node, yaml.MappingNode):
        raise _unsafe()
    for key, inner in node.value:
        if key.value == step:
            if not rest:
                return _replaced(text, inner, value)
            if _is_empty(inner):  # a section whose lines are all commented out
                return _below(text, key.end_mark.index, key.start_mark.column + _INDENT, rest, value)
            return _edited(text, inner, rest, value)
    return _added(text, node, path, value)


def _replaced(text: str, node: yaml.Node, value: Scalar) -> str:
    if not isinstance(node, yaml.ScalarNode) or not _is_on_one_line(node):
        raise _unsafe()
    return text[: node.start_mark.index] + scalar_text(value) + text[node.end_mark.index :]


def _added(text: str, node: yaml.MappingNode, path: Path, value: Scalar) -> str:
    """With an entry more in a map that has some, or in `{}`."""
    if node.flow_style:
        place = node.value[-1][1].end_mark.index if node.value else node.start_mark.index + 1
        return text[:place] + (", " if node.value else "") + _in_flow(path, value) + text[place:]
    column = node.value[0][0].start_mark.column
    if node.start_mark.column == column == 0:
        return _appended(text, column, path, value)
    # Below the last entry that ends on its own line: where a longer one ends, only the one behind it tells.
    places = [inner.end_mark.index for _, inner in node.value if _is_on_one_line(inner)]
    if not places:
        raise _unsafe()
    return _below(text, places[-1], column, path, value)


def _appended(text: str, column: int, path: Path, value: Scalar) -> str:
    """With an empty line and lines behind all the others."""
    line = _new_line(text)
    gap = ("" if text.endswith(("\n", "\r")) else line) + line if text else ""
    return text + gap + line.join(_in_lines(column, path, value)) + line


def _below(text: str, place: int, column: int, path: Path, value: Scalar) -> str:
    """With lines below the one that `place` is in."""
    end = _LINE_END.search(text, place)
    assert end is not None
    lines = "".join(_new_line(text) + line for line in _in_lines(column, path, value))
    return text[: end.start()] + lines + text[end.start() :]


def _in_lines(column: int, path: Path, value: Scalar) -> list[str]:
    *outer, last = path
    lines = [f"{' ' * (column + _INDENT * depth)}{name}:" for depth, name in enumerate(outer)]
    return [*lines, f"{' ' * (column + _INDENT * len(outer))}{last}: {scalar_text(value)}"]


def _in_flow(path: Path, value: Scalar) -> str:
    step, *rest = path
    return f"{step}: {{{_in_flow(rest, value)}}}" if rest else f"{step}: {scalar_text(value)}"


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def _is_on_one_line(node: yaml.Node) -> bool:
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    return not block and getattr(node, "style", None) not in ("|", ">") and node.start_mark.line == node.end_mark.line


def _new_line(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _put(document: object, path: Path, value: Scalar) -> object:
    """A copy of the document with the value at its place."""
    changed: Any = {} if document is None else copy.deepcopy(document)
    inner = changed
    try:
        for step in path[:-1]:
            if isinstance(inner, dict) and inner.get(step) is None:
                inner[step] = {}
            inner = inner[step]
        inner[path[-1]] = value
    except (TypeError, LookupError):
        raise _unsafe() from None
    return changed


def _alike(one: object, other: object) -> bool:
    """Whether two documents say the same; `1`, `1.0` and `true` are three things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is type(other) and one == other


def _unsafe() -> ValueError:
    return ValueError("the text has a form in which no line can be changed safely")
