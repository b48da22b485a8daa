"""Requests made from the OpenAPI document, right and wrong ones: no failure, and no status that it does not list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from bus import messages
from gateway.api import Api
from tests.kit.web_peer import WebPeer

schemathesis = pytest.importorskip("schemathesis")

pytestmark = pytest.mark.system

EXAMPLES: Final = int(os.environ.get("SHOAL_REST_EXAMPLES", "2"))
"""Of each endpoint and kind, right by the document and wrong; `make test-rest` sets more."""
FILM = messages.FoundContent("f1" * 32, "film.mp4", "file", 2**40, 1, 0)
ROUTES = Api(cast("Any", None), cast("Any", None), Path(), 0, 1, cast("Any", None)).routes
LABELS = [f"{route.method} /api/v1{route.path.replace('<', '{').replace('>', '}')}" for route in ROUTES]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=1) as web:
        web.fetch(FILM)
        yield web


@pytest.fixture(scope="module")
def operations(web: WebPeer) -> dict[str, Any]:
    described = schemathesis.openapi.from_dict(web.get("/openapi.json"))
    found = [one.ok() for one in described.get_all_operations()]
    return {one.label: one for one in found}


def test_the_document_is_valid(web):
    schemathesis.openapi.from_dict(web.get("/openapi.json")).validate()


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", LABELS)
def test_every_answer_is_documented_and_no_failure(web, operations, label, mode):
    operation = operations[label]
    headers = {"Authorization": f"Bearer {web.token}"}

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case: Any) -> None:
        response = case.call(base_url=web.url, headers=headers)
        documented = {int(status) for status in operation.definition.raw["responses"]}
        assert response.status_code in documented, f"{response.status_code}: {response.text[:300]}"
        assert response.status_code < 500, response.text

    try:
        check()
    except Unsatisfiable:
        pytest.skip("nothing can be wrong with it")
