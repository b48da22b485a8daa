"""Declared types, defaults and docstrings in words: what the documents, and the page's settings, are made of."""

from __future__ import annotations

import ast
import inspect as source
import sys
from functools import cache, singledispatch
from typing import Final

import msgspec
from msgspec import Struct, inspect

from bus.forms import Form
from bus.units import UNLIMITED, parse_rate

POWERS_FROM: Final = 2**17
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


def struct_of(kind: type[Struct]) -> inspect.StructType:
    """What msgspec knows of a record."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return described


@singledispatch
def type_in_words(kind: inspect.Type) -> str:
    """A field's type with every limit that is checked when it is read."""
    words = {inspect.BoolType: "true or false", inspect.NoneType: "nothing"}
    return words.get(type(kind), "any value")


@type_in_words.register
def _(kind: inspect.Metadata) -> str:
    form = (kind.extra or {}).get("form")
    return _form_in_words(form, kind.type) if isinstance(form, Form) else type_in_words(kind.type)


@type_in_words.register
def _(kind: inspect.StrType) -> str:
    return "id" if kind.pattern == HEX64 else "text" + _up_to(kind.max_length)


@type_in_words.register
def _(kind: inspect.BytesType) -> str:
    return "bytes" + _up_to(kind.max_length)


@type_in_words.register
def _(kind: inspect.IntType) -> str:
    low = kind.gt + 1 if kind.gt is not None else kind.ge
    high = kind.lt - 1 if kind.lt is not None else kind.le
    if (low, high) == COUNT:
        return "count"
    steps = f", a multiple of {kind.multiple_of}" if kind.multiple_of else ""
    return (_range_of(low, high).strip() or "whole number") + steps


@type_in_words.register
def _(kind: inspect.FloatType) -> str:
    if kind.gt is not None and kind.le is not None:
        return f"number above {figure(kind.gt)}, at most {figure(kind.le)}"
    return "number" + _range_of(kind.ge, kind.le)


@type_in_words.register
def _(kind: inspect.LiteralType) -> str:
    words = sorted(map(str, kind.values), key=lambda word: not word)
    return _any_of([f"`{word}`" if word else "empty" for word in words])


@type_in_words.register
def _(kind: inspect.StructType) -> str:
    return f"`{kind.cls.__name__}`"


@type_in_words.register
def _(kind: inspect.TupleType) -> str:
    return f"({', '.join(map(type_in_words, kind.item_types))})"


@type_in_words.register(inspect.ListType | inspect.VarTupleType)
def _(kind: inspect.ListType | inspect.VarTupleType) -> str:
    shortest, longest = kind.min_length, kind.max_length
    many = f" {shortest} to {figure(longest)}:" if shortest and longest else ""
    if longest and not shortest:
        many = f" up to {figure(longest)}:"
    return f"list of{many} {type_in_words(kind.item_type)}"


@type_in_words.register
def _(kind: inspect.DictType) -> str:
    return f"map of {type_in_words(kind.key_type)} to {type_in_words(kind.value_type)}"


@type_in_words.register
def _(kind: inspect.UnionType) -> str:
    return _any_of([type_in_words(one) for one in kind.types])


def _form_in_words(form: Form, kind: inspect.Type) -> str:
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        low = form.show(kind.ge) if kind.ge else ""  # a bound of 0 goes without saying
        high = form.show(kind.le) if kind.le is not None else ""
        both = f", {low} to {high}" if low and high else f", at least {low}" if low else ""
        return form.noun + both
    return form.noun.replace("|", "\\|")


def _range_of(low: float | None, high: float | None) -> str:
    if low is None:
        return f" at most {figure(high)}" if high is not None else ""
    return f" {figure(low)} to {figure(high)}" if high is not None else f" at least {figure(low)}"


def _up_to(longest: int | None) -> str:
    return f" of up to {figure(longest)}" if longest is not None else ""


def _any_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def figure(value: float) -> str:
    """A bound as people write it: `8,192`, `2^22`, `2^63 - 1`."""
    if isinstance(value, int) and value >= POWERS_FROM:
        for text, near in (("", value), (" - 1", value + 1)):
            if near & (near - 1) == 0:
                return f"2^{near.bit_length() - 1}{text}"
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


# --- values ------------------------------------------------------------------------------------


def default_in_words(field: inspect.Field) -> str:
    """A setting's default as it would stand in config.yaml."""
    if field.required:
        return "none, must be given"
    if field.default_factory is not msgspec.NODEFAULT:
        return "made at the start"
    return f"`{as_written(field.type, field.default)}`"


def as_written(kind: inspect.Type, value: object) -> str:
    """A setting's value as it would stand in config.yaml."""
    if isinstance(kind, inspect.Metadata) and isinstance(form := (kind.extra or {}).get("form"), Form):
        if form.parse is parse_rate and value == UNLIMITED:
            return "unlimited"
        if isinstance(value, int | float):
            return form.show(value)
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value or '""'
        case dict():
            return f"{{{', '.join(f'{key}: {one}' for key, one in value.items())}}}"
        case tuple() | list():
            return f"[{', '.join(as_written(inspect.AnyType(), one) for one in value)}]"
        case int():
            return str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
