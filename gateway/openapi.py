"""The REST interface as an OpenAPI 3.1 document: made of the routes, and of the types that requests are read into and
answers are written from.  No field is written down here.

Source: OpenAPI Specification 3.1.1; the schemas are JSON Schema 2020-12, as msgspec makes them.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.answers import JSON
from gateway.idempotency import HEADER, MAX_KEY
from gateway.problems import CONTENT_TYPE, Problem
from gateway.routes import PREFIX, Route

Node = dict[str, object]
"""An object of the document."""

BYTES: Final = "application/octet-stream"
BINARY: Final[Node] = {"type": "string", "format": "binary"}
_REFERENCE: Final = "#/components/schemas/{name}"
_KEY: Final[Node] = {
    "name": HEADER,
    "in": "header",
    "description": "any text of your own: a request that is sent again with it is answered again, and not done twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
}


def document(routes: Sequence[Route]) -> Node:
    """The document for these routes."""
    types = list(dict.fromkeys([Problem, *_types_of(routes)]))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Node] = {}
    for route in routes:
        path = (PREFIX + route.path).replace("<", "{").replace(">", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Shoal: the gateway of one peer",
            "version": importlib.metadata.version("shoal"),
            "description": "Sizes are bytes, rates bytes a second, times RFC 3339 in UTC; null is unknown or not yet.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types_of(routes: Iterable[Route]) -> list[object]:
    found = [kind for route in routes for kind in (route.answers, route.or_answers, route.body)]
    return [kind for kind in found if kind is not None]


def _operation(route: Route, schemas: dict[object, Node]) -> Node:
    operation: Node = {
        "operationId": f"{route.method.lower()}{route.path}".replace("/", "_").replace("<", "").replace(">", ""),
        "summary": route.text,
        "parameters": [*map(_path_parameter, route.parameters), *_further_parameters(route)],
        "responses": {str(status): _response(route, status, schemas) for status in route.statuses},
    }
    if route.body is not None:
        content: Node = {JSON: {"schema": schemas[route.body]}}
        if route.takes_upload:
            content["multipart/form-data"] = {"schema": {"type": "object", "properties": {"file": BINARY}}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.open:
        operation["security"] = []
    return operation


def _path_parameter(name: str) -> Node:
    text = "id, or 8 or more of its first digits"
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def _further_parameters(route: Route) -> list[Node]:
    found: list[Node] = [
        {"name": one.name, "in": "query", "description": one.text, "schema": one.schema()} for one in route.query
    ]
    return [*found, _KEY] if route.method == "POST" and not route.open else found


def _response(route: Route, status: int, schemas: dict[object, Node]) -> Node:
    response: Node = {"description": HTTPStatus(status).phrase}
    if status >= HTTPStatus.BAD_REQUEST:
        response["content"] = {CONTENT_TYPE: {"schema": schemas[Problem]}}
    elif status == HTTPStatus.PARTIAL_CONTENT or (status == HTTPStatus.OK and route.sends_bytes):
        response["content"] = {BYTES: {"schema": BINARY}}
    elif status == route.status and route.answers is not None:
        told = [schemas[kind] for kind in (route.answers, route.or_answers) if kind is not None]
        response["content"] = {JSON: {"schema": told[0] if len(told) == 1 else {"anyOf": told}}}
    return response
