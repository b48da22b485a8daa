"""Writes golden_vectors.json: one example of every message, and its bytes.

    python -m tests.unit.bus.make_golden_vectors            adds what is missing
    python -m tests.unit.bus.make_golden_vectors --again    makes all anew: the protocol has changed, raise its version

The examples follow from the declared types, so that a new message needs nothing but its declaration.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from bus.codec import encode
from bus.messages import BY_NUMBER, Data

FILE: Final = Path(__file__).with_name("golden_vectors.json")


def example(kind: Any, salt: int) -> Any:
    """A value of a declared type, other for every salt.

    Args:
        kind: from `msgspec.inspect`.
        salt: a small number.
    """
    match kind:
        case inspect.ListType():
            return [example(kind.item_type, salt), example(kind.item_type, salt + 1)]
        case inspect.TupleType():
            return tuple(example(item, salt + place) for place, item in enumerate(kind.item_types))
        case inspect.DictType():
            return {f"key{salt}": example(kind.value_type, salt)}
        case inspect.UnionType():
            return example(next(one for one in kind.types if isinstance(one, inspect.StructType)), salt)
        case inspect.StructType():
            return kind.cls(*(example(field.type, salt + place) for place, field in enumerate(kind.fields)))
    return _leaf(kind, salt)


def _leaf(kind: Any, salt: int) -> Any:
    match kind:
        case inspect.IntType():
            low, step = kind.ge or 0, kind.multiple_of or 1
            top = kind.le if kind.le is not None else (kind.lt - 1 if kind.lt is not None else 2**63 - 1)
            return min(low + step * (1 + salt) ** (1 + salt % 5), top // step * step)
        case inspect.FloatType():
            return 0.5 / (1 + salt)
        case inspect.BoolType():
            return salt % 2 == 0
        case inspect.StrType():
            return f"{salt:x}".zfill(64) if kind.pattern else f"text é{salt}"
        case inspect.BytesType():
            return bytes([salt, 255]).ljust(kind.min_length or 0, b"\xff")
        case inspect.LiteralType():
            return kind.values[salt % len(kind.values)]
    return [1, "two", {"three": None}]  # of an undeclared type


def vector(number: int) -> dict[str, object]:
    """The entry of one message."""
    message = example(inspect.type_info(BY_NUMBER[number].type), number % 16)
    header, body = encode(message)
    entry: dict[str, object] = {
        "message": type(message).__name__,
        "fields": msgspec.to_builtins(message),
        "header": header.hex(),
        "body": body.hex(),
    }
    if isinstance(message, Data):
        entry["payload_bytes"] = sum(length for _, _, length in message.parts)
    return entry


def main() -> None:
    known = {} if "--again" in sys.argv or not FILE.exists() else json.loads(FILE.read_text())
    vectors = {str(number): known.get(str(number)) or vector(number) for number in sorted(BY_NUMBER)}
    FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
