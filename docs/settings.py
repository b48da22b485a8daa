"""The tables of docs/CONFIGURATION.md: every setting, from the structs that the configuration is read into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, inspect

from bus.settings import Settings
from bus.wording import default_in_words, field_texts, struct_of, text_of, type_in_words
from docs.wording import table


def setting_sections() -> str:
    """Every setting, one table a section."""
    top = struct_of(Settings)
    plain = [field for field in top.fields if not _section_of(field.type)]
    parts = [_setting_table("", [field for field in plain if field.name != "peers"], field_texts(Settings))]
    for field in top.fields:
        section = _section_of(field.type)
        if section is not None:
            prefix = f"{field.name}[]." if isinstance(field.type, inspect.VarTupleType) else f"{field.name}."
            parts.append(f"## {field.name}\n\n{text_of(section)}\n\n{_section_table(prefix, section)}")
    return "\n\n".join(parts)


def _section_of(kind: inspect.Type) -> type[Struct] | None:
    if isinstance(kind, inspect.VarTupleType):
        kind = kind.item_type
    return kind.cls if isinstance(kind, inspect.StructType) else None


def _section_table(prefix: str, section: type[Struct]) -> str:
    return _setting_table(prefix, list(struct_of(section).fields), field_texts(section))


def _setting_table(prefix: str, fields: list[inspect.Field], texts: Mapping[str, str]) -> str:
    def rows(prefix: str, fields: Iterable[inspect.Field], texts: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
        for field in fields:
            inner = _section_of(field.type)
            words = "list" if inner else type_in_words(field.type)
            yield f"`{prefix}{field.name}`", words, default_in_words(field), texts.get(field.name, "")
            if inner:
                yield from rows(f"{prefix}{field.name}[].", struct_of(inner).fields, field_texts(inner))

    return table("key", "type", "default", "meaning", rows=rows(prefix, fields, texts))
