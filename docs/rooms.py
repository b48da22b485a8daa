"""The tables of docs/ARCHITECTURE.md: every module, with the first paragraph of its docstring."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from bus.wording import one_line
from docs.wording import table

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("bus", "tracker", "peer", "gateway", "experiments", "tests/kit", "tests/long", "docs")
MADE: Final = frozenset({"node_modules", "static", "__pycache__"})


def rooms() -> str:
    """Every module of the program, with the first paragraph of its docstring."""
    parts = [f"### supervisor.py\n\n{_summary(ROOT / 'supervisor.py')}"]
    for package in PACKAGES:
        folders = [path for path in (ROOT / package).rglob("*") if path.is_dir() and not MADE & {*path.parts}]
        for folder in [ROOT / package, *sorted(folders)]:
            modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
            if modules:
                about = _summary(folder / "__init__.py") if (folder / "__init__.py").exists() else ""
                rows = ((f"`{path.name}`", _summary(path)) for path in modules)
                name = folder.relative_to(ROOT).as_posix()
                parts += [f"### {name}/", about, table("module", "what is in it", rows=rows)]
    return "\n\n".join(part for part in parts if part)


def _summary(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return one_line(text.split("\n\n")[0])
