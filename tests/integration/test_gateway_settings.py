"""Settings changed over REST: in the file's own lines, refused where a page must not or a start would not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.config import load
from gateway.config_file import ConfigFile
from tests.integration.test_gateway import problem
from tests.kit.web_peer import WebPeer

pytestmark = pytest.mark.system

TEXT = """\
data_dir: var
peers:
  - name: north  # ours
    data_port: 0
transfer:  # how much at a time
  # A small one.
  window: 4 MiB
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=1) as web:
        yield web


@pytest.fixture
def web(running: WebPeer) -> WebPeer:
    running.config.write_text(TEXT)
    return running


def settings_in(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for section in told["sections"] for one in section["settings"]}


def test_a_change_stands_in_the_file_and_waits_for_a_restart(web):
    answer = web.call("PATCH", "/settings", json={"transfer.window": "8 MiB", "peers[].data_port": 5571})
    assert answer.status_code == 200, answer.text
    assert web.config.read_text() == TEXT.replace("4 MiB", "8 MiB").replace("data_port: 0", "data_port: 5571")
    found = settings_in(answer.json())
    assert (found["transfer.window"]["value"], found["transfer.window"]["after_restart"]) == ("16 MiB", "8 MiB")
    assert found["peers[].data_port"]["after_restart"] == "5571"
    assert answer.json()["restart"].startswith("Stop `shoal peer north`")
    assert web.get("/settings") == answer.json()


@pytest.mark.parametrize(
    ("patch", "code", "status", "detail"),
    [
        (
            {"transfer.workers": 99},
            "ERR_CONFIG",
            400,
            "transfer.workers: expected a whole number from 1 to 16, found 99",
        ),
        ({"transfer.windw": 1}, "ERR_CONFIG", 400, "did you mean transfer.window?"),
        ({"transfer.window": "64 MiB"}, "ERR_CONFIG", 400, "transfer.window at most transfer.window_total"),
        ({"logging.level": "debug", "security.access": "open"}, "ERR_REFUSED", 403, "it decides who may connect"),
        ({"gateway.host": "0.0.0.0"}, "ERR_REFUSED", 403, "the line host of the section gateway"),
        ({"data_dir": "/"}, "ERR_REFUSED", 403, "it decides where all data lies"),
        ({}, "ERR_USAGE", 400, "the request's body"),
        ({"logging.level": None}, "ERR_USAGE", 400, "the request's body"),
        ({"logging.level": ["debug"]}, "ERR_USAGE", 400, "the request's body"),
    ],
)
def test_what_is_refused_changes_no_byte(web, patch, code, status, detail):
    before = web.config.stat()
    assert detail in problem(web.call("PATCH", "/settings", json=patch), code, status)["detail"]
    assert web.config.read_text() == TEXT
    assert (web.config.stat().st_ino, web.config.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_settings_that_only_make_sense_together_are_changed_together(web):
    patch = {"transfer.window": "64 MiB", "transfer.window_total": "64 MiB"}
    assert web.call("PATCH", "/settings", json=patch).status_code == 200
    assert load(web.config, {}).settings.transfer.window == 64 * 2**20


def test_two_pages_do_not_overwrite_one_another(web):
    seen = web.call("GET", "/settings").headers["ETag"]
    first = web.call("PATCH", "/settings", json={"logging.level": "debug"}, headers={"If-Match": seen})
    assert first.status_code == 200
    second = web.call("PATCH", "/settings", json={"logging.level": "error"}, headers={"If-Match": seen})
    assert "look at them again" in problem(second, "ERR_STATE", 412)["detail"]
    assert load(web.config, {}).settings.logging.level == "debug"
    again = {"If-Match": first.headers["ETag"]}
    assert web.call("PATCH", "/settings", json={"logging.level": "error"}, headers=again).status_code == 200


def test_two_changes_at_the_same_moment_are_one_and_a_refusal(web):
    with ConfigFile(web.config):
        problem(web.call("PATCH", "/settings", json={"logging.level": "debug"}), "ERR_STATE", 409)
    assert web.config.read_text() == TEXT


def test_a_file_of_another_form_or_out_of_reach_is_left_to_its_owner(web):
    web.config.write_text("transfer: ~\n")
    refused = problem(web.call("PATCH", "/settings", json={"transfer.window": "8 MiB"}), "ERR_STATE", 409)
    assert "the line window of the section transfer would say 8 MiB; change it by hand" in refused["detail"]
    assert web.config.read_text() == "transfer: ~\n"


def test_it_takes_the_token(web):
    problem(web.call("PATCH", "/settings", json={"logging.level": "debug"}, authorised=False), "ERR_TOKEN", 401)
    assert web.config.read_text() == TEXT


def test_what_the_environment_sets_is_not_the_files_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOAL__LOGGING__LEVEL", "warning")
    with WebPeer(tmp_path, rate=1) as web:
        before = web.config.read_text()
        level = settings_in(web.get("/settings"))["logging.level"]
        assert (level["value"], level["origin"], level["written"]) == ("warning", "environment", "warning")
        assert level["closed"] == "it comes from the environment, SHOAL__LOGGING__LEVEL, which wins over the file"
        refused = web.call("PATCH", "/settings", json={"logging.level": "debug"})
        assert level["closed"] in problem(refused, "ERR_STATE", 409)["detail"]
        assert web.config.read_text() == before


def test_a_restart_makes_it_hold(tmp_path: Path):
    with WebPeer(tmp_path, rate=1) as web:
        web.call("PATCH", "/settings", json={"transfer.upload_slots": 3}).raise_for_status()
        kept = web.config.read_text()
        assert web.gateway is not None
        web.gateway.terminate()
        web.gateway.wait()
        web.start_gateway()
        slots = settings_in(web.get("/settings"))["transfer.upload_slots"]
        assert (slots["value"], slots["origin"], "after_restart" in slots) == ("3", "file", False)
        assert web.config.read_text() == kept
