"""Declared types, defaults and docstrings in words: what the tables of the documents are made of."""

from __future__ import annotations

import ast
import inspect as source
import sys
from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct, inspect

from bus.forms import Form
from bus.units import UNLIMITED, parse_rate

POWERS_FROM: Final = 2**15
"""Larger bounds are written as powers of two where they are next to one."""
HEX64: Final = "^[0-9a-f]{64}$"
COUNT: Final = (0, 2**63 - 1)


# --- docstrings --------------------------------------------------------------------------------


@cache
def _class_bodies(module: str) -> dict[str, list[ast.stmt]]:
    tree = ast.parse(source.getsource(sys.modules[module]))
    return {node.name: node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def text_of(thing: type) -> str:
    """A class's docstring on one line; empty if it has none of its own."""
    return one_line(thing.__doc__ or "")


def field_texts(kind: type[Struct]) -> dict[str, str]:
    """Field -> the string literal that follows it, on one line; those of the bases too."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ == "msgspec" or not issubclass(base, Struct):
            continue
        body = _class_bodies(base.__module__).get(base.__name__, [])
        for statement, following in zip(body, [*body[1:], None], strict=True):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                texts[statement.target.id] = one_line(str(following.value.value))
    return texts


def one_line(text: str) -> str:
    """A docstring as one cell of a table: white space folded, code marks as they are."""
    return " ".join(text.split()).replace("|", "\\|")


# --- types -------------------------------------------------------------------------------------


def type_in_words(kind: inspect.Type) -> str:
    """A field's type with every limit that is checked when it is read."""
    if isinstance(kind, inspect.Metadata):
        form = (kind.extra or {}).get("form")
        return _form_in_words(form, kind.type) if isinstance(form, Form) else type_in_words(kind.type)
    match kind:
        case inspect.StrType(pattern=pattern, max_length=longest):
            return "id" if pattern == HEX64 else "text" + _at_most(longest)
        case inspect.BytesType(max_length=longest):
            return "bytes" + _at_most(longest)
        case inspect.IntType():
            return _integer_in_words(kind)
        case inspect.FloatType():
            return "number" + _range_of(kind.ge, kind.le, kind.gt)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=words):
            return _any_of([f"`{word}`" if word else "empty" for word in sorted(map(str, words), key=lambda w: not w)])
        case inspect.StructType(cls=record):
            return f"`{record.__name__}`"
        case inspect.TupleType(item_types=items):
            return f"({', '.join(type_in_words(item) for item in items)})"
        case inspect.ListType(item_type=item, max_length=longest, min_length=shortest):
            least = f", at least {shortest}" if shortest else ""
            return f"list of {type_in_words(item)}{_at_most(longest, ', at most ')}{least}"
        case inspect.VarTupleType(item_type=item):
            return f"list of {type_in_words(item)}"
        case inspect.DictType(key_type=key, value_type=value):
            return f"map of {type_in_words(key)} to {type_in_words(value)}"
        case inspect.UnionType(types=kinds):
            return _any_of([type_in_words(one) for one in kinds])
        case inspect.NoneType():
            return "nothing"
        case inspect.CustomType() | inspect.AnyType():
            return "any value"
    raise TypeError(f"no words for {kind}")


def _form_in_words(form: Form, kind: inspect.Type) -> str:
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        low = form.show(kind.ge) if kind.ge else ""  # a bound of 0 goes without saying
        high = form.show(kind.le) if kind.le is not None else ""
        both = f", {low} to {high}" if low and high else f", at least {low}" if low else ""
        return form.noun + both
    return form.noun.replace("|", "\\|")


def _integer_in_words(kind: inspect.IntType) -> str:
    low = kind.ge if kind.ge is not None else kind.gt + 1 if kind.gt is not None else None
    high = kind.le if kind.le is not None else kind.lt - 1 if kind.lt is not None else None
    if (low, high) == COUNT:
        return "count"
    steps = f", a multiple of {kind.multiple_of}" if kind.multiple_of else ""
    return (_range_of(low, high).strip() or "whole number") + steps


def _range_of(low: float | None, high: float | None, above: float | None = None) -> str:
    if low is None and above is not None:
        return f" above {figure(above)}, at most {figure(high)}" if high is not None else f" above {figure(above)}"
    if low is None:
        return f" at most {figure(high)}" if high is not None else ""
    return f" {figure(low)} to {figure(high)}" if high is not None else f" at least {figure(low)}"


def _at_most(longest: int | None, words: str = ", at most ") -> str:
    return f"{words}{figure(longest)}" if longest is not None else ""


def _any_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def figure(value: float) -> str:
    """A bound as people write it: `8,192`, `2^22`, `2^63 - 1`."""
    if isinstance(value, int) and value >= POWERS_FROM:
        for text, near in (("", value), (" - 1", value + 1)):
            if near & (near - 1) == 0:
                return f"2^{near.bit_length() - 1}{text}"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


# --- values ------------------------------------------------------------------------------------


def default_in_words(field: inspect.Field) -> str:
    """A setting's default as it would stand in config.yaml."""
    if field.required:
        return "none, must be given"
    if field.default_factory is not msgspec.NODEFAULT:
        return "made at the start"
    kind, value = field.type, field.default
    if isinstance(kind, inspect.Metadata) and isinstance(form := (kind.extra or {}).get("form"), Form):
        if form.parse is parse_rate and value == UNLIMITED:
            return "`unlimited`"
        if isinstance(kind.type, inspect.IntType | inspect.FloatType):
            return f"`{form.show(value)}`"
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"`{value}`" if value else '`""`'
        case tuple() | list():
            return f"`[{', '.join(map(str, value))}]`"
        case int():
            return f"`{value}`"
    return f"`{value:g}`"


def table(*headings: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A markdown table; `{` in a heading stands for nothing special."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
