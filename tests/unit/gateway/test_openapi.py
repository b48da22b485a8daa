"""The OpenAPI document follows from the routes and types, and hangs together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gateway.api import Api
from gateway.openapi import document
from gateway.routes import Route

ROUTES = Api(cast("Any", None), cast("Any", None), Path(), 0, 1, cast("Any", None)).routes
DOCUMENT: Any = json.loads(msgspec.json.encode(document(ROUTES)))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_route_is_an_operation_with_a_summary_and_its_own_name():
    operations = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(operations) == len(ROUTES)
    assert all(one["summary"] for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


def test_every_reference_leads_to_a_schema():
    named = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    found = set(references(DOCUMENT))
    assert found
    assert found <= named


def test_fields_come_from_the_types_with_their_limits():
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["DownloadPatch"]["properties"]) == {
        "action", "priority", "paths", "sequential", "limits", "leave_out"
    }  # fmt: skip
    assert schemas["DownloadPatch"]["additionalProperties"] is False
    assert schemas["DownloadRequest"]["properties"]["only"]["maxItems"] == 1000
    path = DOCUMENT["paths"]["/api/v1/downloads"]["get"]
    assert {one["name"] for one in path["parameters"]} == {"cursor", "limit", "sort", "q"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_error_is_a_problem_document(route: Route):
    path = DOCUMENT["paths"]["/api/v1" + route.path.replace("<", "{").replace(">", "}")]
    for status, response in path[route.method.lower()]["responses"].items():
        if int(status) >= 400:
            assert list(response["content"]) == ["application/problem+json"]
