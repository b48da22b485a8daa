"""Untyped values (YAML, environment text) read against the types of msgspec structs.

msgspec would convert them too; this reading is ours so that every error names the key, what was expected and what
was found, suggests the nearest known key, and so that quantities and addresses are read by their forms
(`bus/forms.py`).  All errors are ValueErrors of one line; the caller knows the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping

from msgspec import inspect

from bus.forms import Form
from bus.strict_yaml import parse_yaml
from bus.units import unexpected


def read_value(kind: inspect.Type, key: str, found: object) -> object:
    """`found` as plain data of the type `kind`: numbers, text, lists, maps of the given keys or of free names.

    Raises:
        ValueError: names the key, what was expected and what was found.
    """
    if isinstance(kind, inspect.StructType):
        return _read_map(kind, key, found)
    if isinstance(kind, inspect.DictType):
        return _read_named(kind, key, found)
    if isinstance(kind, inspect.VarTupleType):
        if not isinstance(found, list | tuple):
            raise _at(key, unexpected("a list", found))
        return [read_value(kind.item_type, f"{key}[{index}]", item) for index, item in enumerate(found)]
    form, bare = _form(kind)
    try:
        return _read_formed(bare, form, found) if form else _read_plain(bare, found)
    except ValueError as error:
        raise _at(key, error) from None


def read_text(kind: inspect.Type, key: str, text: str) -> object:
    """As `read_value`, for text from the environment: words and quantities as they are, all else as YAML.

    Raises:
        ValueError: names the key, what was expected and what was found.
    """
    form, bare = _form(kind)
    if form or isinstance(bare, inspect.StrType | inspect.LiteralType):
        return read_value(kind, key, text)
    try:
        found = parse_yaml(text)
    except ValueError as error:
        raise ValueError(f"{key}: expected YAML: {error}") from None
    return read_value(kind, key, found)


def leaves(kind: inspect.StructType, prefix: str, tree: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """(dotted key, value) of everything below `prefix` that is not a struct, in the order of the types."""
    for field in kind.fields:
        if field.name in tree:
            key, value = f"{prefix}{field.name}", tree[field.name]
            if isinstance(field.type, inspect.StructType) and isinstance(value, dict):
                yield from leaves(field.type, f"{key}.", value)
            else:
                yield key, value


def kind_at(root: inspect.StructType, key: str) -> inspect.Type:
    """The type of a dotted key.

    Raises:
        ValueError: there is no such key.
    """
    kind: inspect.Type = root
    walked = ""
    for name in key.split("."):
        if not isinstance(kind, inspect.StructType):
            raise ValueError(f"{key}: unknown key; {walked[:-1]} is one value and has no keys below it")
        kinds = {field.name: field.type for field in kind.fields}
        if name not in kinds:
            raise ValueError(_unknown(kind, walked, name, root))
        kind = kinds[name]
        walked += f"{name}."
    return kind


def _read_map(kind: inspect.StructType, key: str, found: object, root: inspect.StructType | None = None) -> object:
    if found is None and not any(field.required for field in kind.fields):
        return {}  # a section whose lines are all commented out
    if not isinstance(found, dict):
        raise _at(key, unexpected("a map of settings", found))
    prefix = f"{key}." if key else ""
    kinds = {field.name: field.type for field in kind.fields}
    for name in found:
        if name not in kinds:
            raise ValueError(_unknown(kind, prefix, name, root or kind))
    for field in kind.fields:
        if field.required and field.name not in found:
            read_value(field.type, f"{prefix}{field.name}", None)  # says what was expected
    read = {}
    for name, value in found.items():
        inner = kinds[name]
        if isinstance(inner, inspect.StructType):
            read[name] = _read_map(inner, f"{prefix}{name}", value, root or kind)
        else:
            read[name] = read_value(inner, f"{prefix}{name}", value)
    return read


def _read_named(kind: inspect.DictType, key: str, found: object) -> object:
    """A map whose keys are the user's own names."""
    if not isinstance(found, dict):
        raise _at(key, unexpected("a map of names", found))
    return {
        read_value(kind.key_type, f"{key}: name", name): read_value(kind.value_type, f"{key}.{name}", value)
        for name, value in found.items()
    }


def _read_formed(kind: inspect.Type, form: Form, found: object) -> object:
    value = form.parse(found)
    if isinstance(kind, inspect.IntType | inspect.FloatType) and not _fits(kind, value):
        raise unexpected(form.noun + _range(kind, form.show), found)
    return value


def _read_plain(kind: inspect.Type, found: object) -> object:
    match kind:
        case inspect.BoolType():
            fits, expected = isinstance(found, bool), "true or false"
        case inspect.IntType():
            fits = isinstance(found, int) and _fits(kind, found)
            expected = "a whole number" + _range(kind, "{:,}".format)
        case inspect.FloatType():
            fits, expected = _fits(kind, found), "a number" + _range(kind, "{:g}".format)
        case inspect.LiteralType(values=words):
            *most, last = map(str, words)
            fits, expected = found in words, f"{', '.join(most)} or {last}" if most else last
        case _:
            raise TypeError(f"no way to read {kind}")
    if fits:
        return found
    raise unexpected(expected, found)


def _fits(kind: inspect.IntType | inspect.FloatType, value: object) -> bool:
    """Whether `value` is a number in the range of `kind`; NaN is in no range, and true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    above = (kind.ge is None or value >= kind.ge) and (kind.gt is None or value > kind.gt)
    return above and (kind.le is None or value <= kind.le)


def _range(kind: inspect.IntType | inspect.FloatType, show: Callable[[float], str]) -> str:
    if kind.gt is not None and kind.le is not None:
        return f" above {show(kind.gt)}, at most {show(kind.le)}"
    if kind.ge is not None and kind.le is not None:
        return f" from {show(kind.ge)} to {show(kind.le)}"
    return f" of at least {show(kind.ge)}" if kind.ge is not None else ""


def _form(kind: inspect.Type) -> tuple[Form | None, inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        form = (kind.extra or {}).get("form")
        return (form if isinstance(form, Form) else None), kind.type
    return None, kind


def _at(key: str, error: ValueError) -> ValueError:
    return ValueError(f"{key}: {error}" if key else str(error))


def _unknown(kind: inspect.StructType, prefix: str, name: object, root: inspect.StructType) -> str:
    shown = name if isinstance(name, str) and name.isprintable() and name else repr(name)
    siblings = [field.name for field in kind.fields]
    near = [prefix + match for match in difflib.get_close_matches(str(name), siblings, 1)]
    # The right key in the wrong section is as common a mistake as a misspelt one.
    elsewhere = [key for key in _dotted_keys(root, "") if key.rpartition(".")[2] == name]
    hint = f"did you mean {(elsewhere + near)[0]}?" if near or elsewhere else f"expected one of {', '.join(siblings)}"
    return f"{prefix}{shown}: unknown key; {hint}"


def _dotted_keys(kind: inspect.StructType, prefix: str) -> Iterator[str]:
    for field in kind.fields:
        yield prefix + field.name
        if isinstance(field.type, inspect.StructType):
            yield from _dotted_keys(field.type, f"{prefix}{field.name}.")
