"""`make bench-page` and `make test-page-long`: the page's figures, measured in a real Chromium.

Each case prints a table; with `--record` it is written into docs/PERFORMANCE.md too.  The exit code is 1 if a figure is
not reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

from bus.errors import FAILURE, OK
from experiments.bench.page import RECORD, record
from tests.kit.browser_path import NO_BROWSER, find_browser
from tests.long.frozen import frozen
from tests.long.killed import killed
from tests.long.latency import latency
from tests.long.names import names
from tests.long.outcome import Outcome, Watch, markdown
from tests.long.rows import rows
from tests.long.storm import storm

PROGRAM: Final = "python -m tests.long"
CASES: Final[dict[str, Callable[[float], Outcome]]] = {
    "latency": latency, "rows": rows, "storm": storm, "frozen": frozen, "killed": killed,
    "names": names,
}  # fmt: skip


def run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(PROGRAM, description="The page's figures in a real Chromium.")
    parser.add_argument("--cases", default=",".join(CASES), metavar="NAMES", help="default: all")
    parser.add_argument("--share", type=float, default=1.0, metavar="0..1", help="of the time and rounds, for tries")
    parser.add_argument("--record", action="store_true", help="write the tables into docs/PERFORMANCE.md too")
    chosen = parser.parse_args(arguments)
    cases = chosen.cases.split(",")
    if unknown := [name for name in cases if name not in CASES]:
        parser.error(f"--cases: there is no {', '.join(unknown)}; there are {', '.join(CASES)}")
    if find_browser() is None:
        parser.error(NO_BROWSER)
    missed = []
    for name in cases:
        watch = Watch()
        outcome = CASES[name](chosen.share)
        text = markdown(name, outcome, watch, " ".join([PROGRAM, *arguments]))
        print(text, flush=True)
        if chosen.record:
            record(f"page-{name}", text, RECORD)
        missed += [f"{name}: {figure.what}" for figure in outcome.figures if not figure.reached]
    for line in missed:
        print(f"NOT REACHED: {line}", file=sys.stderr)
    return FAILURE if missed else OK


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
