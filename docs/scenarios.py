"""The tables of docs/EXPERIMENTS.md: every key of a scenario, and every behaviour."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, inspect

from bus.wording import default_in_words, field_texts, struct_of, text_of, type_in_words
from docs.wording import table
from experiments.behaviours.playing import BEHAVIOURS
from experiments.scenario import Scenario


def scenario_keys() -> str:
    """Every key, those inside others after them."""
    return table("key", "type", "default", "meaning", rows=_rows("", Scenario))


def _rows(prefix: str, part: type[Struct]) -> Iterator[tuple[str, ...]]:
    texts = field_texts(part)
    for field in struct_of(part).fields:
        inner, below = _inner(field.type)
        if inner is None:
            default = "`{}`" if isinstance(field.type, inspect.DictType) else default_in_words(field)
            yield f"`{prefix}{field.name}`", type_in_words(field.type), default, texts[field.name]
        else:
            kind = {".": "map", "[].": "list", ".NAME.": "map of names"}[below]
            default = "none, must be given" if field.required else ""
            yield f"`{prefix}{field.name}`", kind, default, texts.get(field.name) or text_of(inner)
            yield from _rows(f"{prefix}{field.name}{below}", inner)


def _inner(kind: inspect.Type) -> tuple[type[Struct] | None, str]:
    """The struct that a key holds, and how its keys are written below it."""
    match kind:
        case inspect.StructType(cls=part):
            return part, "."
        case inspect.VarTupleType(item_type=inspect.StructType(cls=part)):
            return part, "[]."
        case inspect.DictType(value_type=inspect.StructType(cls=part)):
            return part, ".NAME."
    return None, ""


PLAIN = {
    "honest": "Plays by the rules.",
    "slow": "Honest, at a tenth of its group's rates (256 KiB a second if the group has none).",
    "large-view": "A free rider with up to 1,000 links, so that it is given something more often.",
}


def behaviours() -> str:
    """Every behaviour by name."""
    return table("behaviour", "what it does", rows=((f"`{name}`", _text(name)) for name in BEHAVIOURS))


def _text(name: str) -> str:
    return PLAIN.get(name) or text_of(BEHAVIOURS[name] or object)
