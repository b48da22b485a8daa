"""A report as short text."""

from __future__ import annotations

from experiments.report.document import Document, Figure, Section, Table


def text(document: Document) -> str:
    """The report without its details, as Markdown."""
    lines = [f"# {document.title}", ""]
    if document.question:
        lines += [document.question, ""]
    lines += [document.answer, ""]
    for section in document.sections:
        if not section.detail:
            lines += _section(section)
    return "\n".join([*lines, document.foot]) + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    for part in section.parts:
        if isinstance(part, Table):
            lines += [_row(part.head), "|" + "---|" * len(part.head), *map(_row, part.rows), ""]
        elif isinstance(part, Figure):
            lines += [f"![{part.caption}]({part.file})", ""]
        else:
            lines += [part, ""]
    return lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
