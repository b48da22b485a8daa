"""The tables of docs/REST.md: every endpoint, from the routes that the gateway serves, and every body and answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast, get_args, get_origin

from msgspec import Struct, inspect

from bus.wording import field_texts, struct_of, text_of, type_in_words
from docs.wording import table
from gateway.answers import Listing
from gateway.api import Api
from gateway.routes import EVERYWHERE, PREFIX, Route

_NOBODY: Final = cast("Any", None)


def routes() -> list[Route]:
    """Every endpoint, as the gateway declares it."""
    return Api(_NOBODY, _NOBODY, Path(), 0, 1, _NOBODY).routes


def endpoints() -> str:
    """Every endpoint: what it does, takes and answers."""
    return table(
        "request", "does", "takes", "answers", "refuses also with",
        rows=(
            (
                f"`{route.method} {PREFIX}{route.path}`",
                ("open: " if route.open else "") + route.text,
                _taken(route),
                _answered(route),
                ", ".join(str(status) for status in route.statuses if status >= 400 and status not in EVERYWHERE),
            )
            for route in routes()
        ),
    )  # fmt: skip


def rest_records() -> str:
    """Every body and answer with its fields."""
    found: dict[type[Struct], None] = {}
    for route in routes():
        for kind in (route.body, route.answers, route.or_answers):
            if kind is not None:
                _collect(inspect.type_info(kind), found)
    return "\n\n".join(_record(kind) for kind in found)


def _taken(route: Route) -> str:
    parts = [_name_of(route.body)] if route.body else []
    parts += ["a multipart upload"] if route.takes_upload else []
    words = " or ".join(parts)
    query = "<br>".join(f"`?{one.name}=`: {one.text}" for one in route.query)
    return "<br>".join(part for part in (words, query) if part)


def _answered(route: Route) -> str:
    kinds = [_name_of(kind) for kind in (route.answers, route.or_answers) if kind is not None]
    if route.sends_bytes:
        kinds = ["the bytes"]
    return " ".join([str(route.status), " or ".join(kinds)]).strip()


def _name_of(kind: object) -> str:
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType):
        return "`{key: value, ...}`"
    if get_origin(kind) is Listing:
        return f"list of `{get_args(kind)[0].__name__}`"
    return f"`{info.cls.__name__}`"


def _collect(kind: inspect.Type, found: dict[type[Struct], None]) -> None:
    """Every record that a type is built of, in order of appearance."""
    match kind:
        case inspect.StructType(cls=record, fields=fields):
            if get_origin(record) is not Listing:  # what a list is, the text says once
                if record in found:
                    return
                found[record] = None
            for field in fields:
                _collect(field.type, found)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            _collect(item, found)
        case inspect.UnionType(types=kinds):
            for one in kinds:
                _collect(one, found)


def _record(kind: type[Struct]) -> str:
    return f"### {kind.__name__}\n\n{text_of(kind)}\n\n" + table("field", "type", "meaning", rows=_rows(kind))


def _rows(kind: type[Struct]) -> Iterator[tuple[str, str, str]]:
    texts = field_texts(kind)
    for field in struct_of(kind).fields:
        optional = "" if field.required else ", optional"
        yield f"`{field.name}`", f"{type_in_words(field.type)}{optional}", texts.get(field.name, "")
