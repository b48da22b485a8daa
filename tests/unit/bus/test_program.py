"""How a program ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("end", "code"), [("return 5", 5), ("sys.exit(4)", 4), ("sys.exit()", 0), ("sys.exit('x')", 1)]
)
def test_a_program_that_leaves_has_its_exit_code_and_all_its_output(end: str, code: int) -> None:
    script = f"import sys; from bus.program import leave\ndef main():\n print('said')\n {end}\nleave(main)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "said\n")
