"""How a process says that it serves."""

from __future__ import annotations

import json

from bus.ready import READY_VARIABLE, GatewayReady, announce_ready, write_record

RECORD = GatewayReady("north", "http://127.0.0.1:5000", "/d/gateway.token", 7)


def test_the_file_holds_the_record_for_its_owner_only_and_nothing_lies_beside_it(tmp_path):
    announce_ready(RECORD, {READY_VARIABLE: str(tmp_path / "ready.json")})
    assert json.loads((tmp_path / "ready.json").read_text()) == {
        "name": "north", "url": "http://127.0.0.1:5000", "token_file": "/d/gateway.token", "pid": 7,
    }  # fmt: skip
    assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]


def test_a_record_replaces_the_one_before(tmp_path):
    path = tmp_path / "ready.json"
    path.write_text("longer than any record " * 100)
    write_record(path, RECORD)
    assert json.loads(path.read_text())["pid"] == 7


def test_who_starts_a_process_by_hand_gets_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    announce_ready(RECORD, {})
    assert list(tmp_path.iterdir()) == []
