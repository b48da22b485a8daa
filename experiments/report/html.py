"""A report as one HTML file that needs nothing else: figures inside, no script, light and dark, fit for paper."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Final

from experiments.figures.style import INK
from experiments.report.document import Document, Figure, Section, Table

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --back: #fff; --raised: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --back: #0d1117; --raised: #151b23; }
}
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1rem 4rem; color: var(--ink); background: var(--back);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.question { color: var(--soft); margin: 0; }
.answer { font-size: 1.1rem; background: var(--raised); border-left: 4px solid #0072b2; padding: .8rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
.source, footer { color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
.source { margin: .3rem 0 1rem; }
figure { margin: 1.4rem 0; break-inside: avoid; }
figure svg { width: 100%; height: auto; max-width: 600px; display: block; margin: 0 auto; }
figcaption { margin-top: .3rem; }
summary { cursor: pointer; font-size: 1.15rem; font-weight: 600; margin: 1.2rem 0 .6rem; }
@media print { body { max-width: none; padding: 0; } table, figure { break-inside: avoid; } }
"""


def page(document: Document, folder: Path) -> str:
    """The page; the figures are read from the folder of the result."""
    body = "\n".join(_section(section, folder) for section in document.sections)
    question = f'<p class="question">{escape(document.question)}</p>' if document.question else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(document.title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(document.title)}</h1>\n{question}\n"
        f'<p class="answer">{escape(document.answer)}</p>\n{body}\n<footer>{escape(document.foot)}</footer>\n'
        "</body>\n</html>\n"
    )


def _section(section: Section, folder: Path) -> str:
    parts = "\n".join(_part(part, folder) for part in section.parts)
    title = escape(section.title)
    if section.detail:
        return f"<details><summary>{title}</summary>\n{parts}\n</details>"
    return f"<section><h2>{title}</h2>\n{parts}\n</section>"


def _part(part: str | Table | Figure, folder: Path) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Figure):
        drawn = inlined((folder / part.file).read_text(), Path(part.file).stem, part.caption)
        return f"<figure>{drawn}<figcaption>{escape(part.caption)}</figcaption>{_source(part.source)}</figure>"
    return f"<p>{escape(part)}</p>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
        f"{_source(table.source)}"
    )


def _source(source: str) -> str:
    return f'<p class="source">{escape(source)}</p>' if source else ""


def inlined(svg: str, name: str, alt: str) -> str:
    """A figure's SVG for use inside a page: ids of its own, the page's colour for ink, nothing behind it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("fill: #ffffff", "fill: none").replace(INK, "currentColor")
    box = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg role="img" aria-label="{escape(alt)}" xmlns="http://www.w3.org/2000/svg" '
    opening += f'xmlns:xlink="http://www.w3.org/1999/xlink" {box[0] if box else ""}>'
    return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)
