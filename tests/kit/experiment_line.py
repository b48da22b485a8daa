"""Running `shoal experiment` inside the test's process, which has the tables' and figures' libraries loaded already."""

from __future__ import annotations

import contextlib
import io
from unittest.mock import patch

from experiments.command_line import main
from tests.kit.command_line import Outcome


def experiment(*arguments: object) -> Outcome:
    """What one command line gives."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch("sys.argv", ["shoal experiment", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main()
    return Outcome(code, out.getvalue(), err.getvalue())
