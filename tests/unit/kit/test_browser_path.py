from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.browser_path import find_browser


@pytest.fixture(autouse=True)
def _asked_anew():
    find_browser.cache_clear()
    yield
    find_browser.cache_clear()


def program(directory: Path, name: str, exit_code: int = 0) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


def test_the_named_browser_comes_before_the_system_s(tmp_path, monkeypatch):
    program(tmp_path, "chromium")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", str(named := program(tmp_path, "mine")))
    assert find_browser() == named


def test_a_named_browser_that_does_not_run_is_an_error_not_a_skip(tmp_path, monkeypatch):
    program(tmp_path, "chromium")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"CHROMIUM=.*absent does not run"):
        find_browser()


def test_a_stub_that_does_not_run_is_passed_over(tmp_path, monkeypatch):
    program(tmp_path, "chromium", exit_code=1)
    other = program(tmp_path, "google-chrome")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert find_browser() == other


def test_no_browser_at_all_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert find_browser() is None
