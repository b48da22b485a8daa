"""Writes the generated parts of the documents anew: `python docs/generate.py`, or `--check` to be told what is stale.

A generated part stands between two lines of a document:

    <!-- generated: events -->
    ...
    <!-- end of events -->

What stands between them is replaced; everything around it is written by hand.  The table in
`docs/tables.py` says what makes which part.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from docs.rooms import ROOT
from docs.tables import TABLES

PART: Final = re.compile(r"<!-- generated: (?P<name>[a-z ]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)


def documents() -> Iterator[Path]:
    """The documents that people read."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))


def regenerated(text: str, tables: Mapping[str, Callable[[], str]] = TABLES) -> str:
    """A document with its generated parts made anew.

    Raises:
        KeyError: it has a part that nothing makes.
    """

    def part(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- generated: {name} -->\n\n{tables[name]()}\n\n<!-- end of {name} -->"

    return PART.sub(part, text)


def parts_of(text: str) -> list[str]:
    """The names of a document's generated parts."""
    return [match["name"] for match in PART.finditer(text)]


def main() -> int:
    """The exit code: 1 if `--check` finds a stale part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a part is stale")
    check = parser.parse_args().check
    stale = [path for path in documents() if regenerated(path.read_text()) != path.read_text()]
    for path in stale:
        name = path.relative_to(ROOT)
        if not check:
            path.write_text(regenerated(path.read_text()))
        sys.stderr.write(f"{name} is stale; run python docs/generate.py\n" if check else f"{name} written\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
