"""Commands that are forked: their own arguments, environment, folder and end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit.forking import ROOT, run
from tests.kit.waiting import eventually


def test_a_command_has_its_own_arguments_environment_and_folder(tmp_path):
    (tmp_path / "config.yaml").write_text("peers: [{name: west}]\n")
    done = run(["shoal", "--json", "config", "show"], {"SHOAL__LOGGING__LEVEL": "error"}, tmp_path, within=20)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert "west" in str(shown)
    assert "error" in str(shown)


def test_codes_and_messages_are_the_command_s(tmp_path):
    done = run(["shoal", "nonsense"], os.environ, tmp_path, within=20)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("shoal: ERR_USAGE: ")


def test_a_command_that_becomes_another_program_does(tmp_path):
    done = run(["shoal", "up", "--peers", "-1"], os.environ, tmp_path, within=20)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--peers: expected 0 to" in done.stderr


def test_a_command_that_takes_too_long_is_killed(tmp_path):
    (tmp_path / "config.yaml").write_text("tracker: {listen: 'tcp://127.0.0.1:0'}\n")
    with pytest.raises(subprocess.TimeoutExpired):  # it would never end by itself
        run(["shoal", "--base-dir", str(tmp_path), "tracker"], {"MARK": str(tmp_path)}, tmp_path, within=2)


def test_several_commands_run_at_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        given = [pool.submit(run, ["shoal", f"word{n}"], os.environ, tmp_path, 20) for n in range(8)]
    said = [done.result().stderr for done in given]
    assert [f"word{n}" in text for n, text in enumerate(said)] == [True] * 8


def test_nothing_outlives_the_test_run(tmp_path):
    script = (
        "import os, pathlib; from tests.kit import forking\n"
        "forking.run(['shoal', '--help'], os.environ, pathlib.Path.cwd(), 20); os._exit(0)"
    )
    mark = f"MARK={tmp_path}"
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "MARK": str(tmp_path)}, cwd=ROOT, check=True)

    def left() -> list[Path]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                found += [entry] if mark.encode() in (entry / "environ").read_bytes().split(b"\0") else []
            except OSError:  # it ended meanwhile
                continue
        return found

    eventually(lambda: not left(), within=10)
