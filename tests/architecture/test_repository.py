"""The rules about files hold, and each is seen to fail on a planted fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.architecture import repository
from tests.architecture.sources import PRODUCT, ROOT, texts

CODE = (".py", ".ts", ".svelte")
TEXT = (*CODE, ".md", ".yaml", ".toml", ".json", ".html", ".css", ".sh", ".lock", ".svg", ".txt")


def test_no_file_of_the_product_is_too_long():
    assert repository.too_long(texts(*PRODUCT, suffixes=CODE)) == []


def test_nothing_is_named_after_nothing():
    assert repository.named_after_nothing(texts(*PRODUCT, "tests", suffixes=CODE)) == []


def test_no_test_sleeps():
    assert repository.sleeping(texts("tests", suffixes=(".py",))) == []


def test_no_file_names_this_machine():
    everything = texts(*sorted(repository.TOP_LEVEL), suffixes=(*TEXT, ""))
    assert repository.naming_this_machine(everything, [str(ROOT), str(Path.home())]) == []


@pytest.mark.parametrize("lock", ["dev.lock", "run.lock"])
def test_python_locks_pin_every_package_and_name_no_place(lock):
    assert repository.faults_of_python_lock((ROOT / "requirements" / lock).read_text()) == []


def test_the_page_s_lock_pins_every_package_and_names_no_place():
    assert repository.faults_of_npm_lock((ROOT / "gateway/web/package-lock.json").read_text()) == []


def test_the_top_level_holds_only_what_belongs_there():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so what belongs to the repository is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert repository.strangers(name.split("/")[0] for name in listed.split("\0") if name) == []


def test_a_planted_long_file_is_found():
    assert repository.too_long({"a.py": "x\n" * 400, "b.ts": "x\n" * 401}) == ["b.ts: 401 lines, the limit is 400"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("peer/file_utils.py", ""),
        ("bus/common/codec.py", ""),
        ("gateway/web/src/dateHelpers.ts", ""),
        ("peer/links.py", "class LinkManager: ..."),
    ],
)
def test_a_planted_empty_name_is_found(path, source):
    assert len(repository.named_after_nothing({path: source, "peer/commonplace.py": "class Utility: ..."})) == 1


@pytest.mark.parametrize("call", ["time.sleep(1)", "sleep(0.1)", "page.wait_for_timeout(500)", "gevent.sleep()"])
def test_a_planted_sleep_is_found(call):
    planted = {"tests/test_a.py": f"def test_a():\n    {call}", repository.MAY_SLEEP: "time.sleep(1)"}
    assert repository.sleeping(planted) == ["tests/test_a.py:2: sleeps; wait with tests.kit.waiting.eventually"]


def test_a_planted_machine_path_is_found():
    planted = {"a.md": "see /home/ana/shoal/bus", "b.md": "see /home/ana/shoal-notes", "c.md": "/src"}
    assert repository.naming_this_machine(planted, ["/home/ana/shoal", "/src", "/"]) == [
        "a.md: holds '/home/ana/shoal', a path of this machine"
    ]


@pytest.mark.parametrize(
    "planted",
    [
        "--index-url https://index.example/simple\n",
        "-f wheels\n",
        "a @ file:///wheels/a.whl \\\n    --hash=sha256:00\n",
        "a==1\n",
        "a>=1 \\\n    --hash=sha256:00\n",
        "# from https://index.example\n",
    ],
)
def test_a_planted_fault_in_a_python_lock_is_found(planted):
    good = "b==2 ; python_version < '3.12' \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n    # via c\n"
    assert repository.faults_of_python_lock(good) == []
    assert repository.faults_of_python_lock(good + planted) != []


@pytest.mark.parametrize("planted", ['"resolved": "x", "integrity": "sha512-x"', '"version": "1"'])
def test_a_planted_fault_in_the_page_s_lock_is_found(planted):
    assert len(repository.faults_of_npm_lock('{"packages": {"": {}, "node_modules/a": {' + planted + "}}}")) == 1


def test_a_planted_stranger_at_the_top_level_is_found():
    assert repository.strangers(["bus", "Makefile", "utils", "notes.txt"]) == ["notes.txt", "utils"]
