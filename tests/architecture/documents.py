"""Rules about the documents: each function takes what it judges and returns one line for each fault."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

import click
from msgspec import Struct, inspect

from bus.wording import field_texts, struct_of, text_of

SHOAL = re.compile(r"^(?:PATH=\S+ )?(?:\.venv/bin/)?shoal(?= |$)")
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
MEMBER = re.compile(r"\b([A-Z][a-z]\w*)\.(?!svelte\b)(_?[a-z]\w*)\b")


def undocumented(kinds: Iterable[type]) -> list[str]:
    """Classes without a docstring of their own."""
    return [f"{kind.__name__} has no docstring" for kind in kinds if not text_of(kind)]


def undocumented_settings(kind: type[Struct]) -> list[str]:
    """Settings without a text; a section has the docstring of its struct instead."""
    texts = field_texts(kind)
    return [
        f"{kind.__name__}.{field.name} has no text"
        for field in struct_of(kind).fields
        if field.name not in texts and not isinstance(field.type, inspect.StructType)
    ]


def without_help(command: click.Command, path: str = "shoal") -> list[str]:
    """Commands and options without a help text."""
    found = [] if command.help else [f"{path} has no help"]
    options = [option for option in command.params if isinstance(option, click.Option)]
    found += [f"{path} {option.opts[0]} has no help" for option in options if not option.help]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            found += without_help(inner, f"{path} {name}")
    return found


def broken_links(path: str, text: str, read: Callable[[str], str | None]) -> list[str]:
    """Links of a document to files that are not there, or to headings that their target has not.

    Args:
        path: of the document, relative to the checkout.
        read: gives the text of a file by its path, "" for a folder or picture, None if there is none.
    """
    found = []
    for match in LINK.finditer(FENCED.sub("", text)):
        target = match[1] or match[2]
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        place = _joined(path, file) if file else path
        there = text if not file else read(place)
        if there is None:
            found.append(f"{path}: {target} is not there")
        elif anchor and anchor not in set(_anchors(there)):
            found.append(f"{path}: {target} has no such heading")
    return found


def _joined(path: str, relative: str) -> str:
    parts = path.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _anchors(text: str) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def refused_commands(text: str, group: click.Group) -> list[str]:
    """Command lines of `shoal` in a document that its parser would refuse."""
    found = []
    for line in dict.fromkeys(_command_lines(text)):
        try:
            _parse(group, shlex.split(line, comments=True)[1:])
        except (click.UsageError, ValueError) as error:
            found.append(f"{line}: {getattr(error, 'message', error)}")
    return found


def _command_lines(text: str) -> Iterator[str]:
    for block in FENCED.findall(text):
        for line in re.findall(r"^\$ (.+)$", block, re.MULTILINE):
            yield from (part for part in line.split(" && ") if SHOAL.match(part))
    for code in INLINE.findall(FENCED.sub("", text)):
        line = re.sub(r"\[(\w+)\]", r"\1", code).replace("...", "")
        # `shoal:...` is a link, and a lone `shoal` no command line.
        if SHOAL.match(line) and " " in line:
            yield line


def _parse(group: click.Group, arguments: list[str]) -> None:
    """Raises click.UsageError if a command or option is unknown; that arguments are missing does not matter."""
    command: click.Command = group
    while True:
        context = click.Context(command, info_name="shoal", **command.context_settings)
        _, rest, _ = command.make_parser(context).parse_args(list(arguments))
        if not isinstance(command, click.Group) or not rest:
            return
        _, inner, arguments = command.resolve_command(context, rest)
        command = inner or command


def members_of(sources: Iterable[str]) -> dict[str, set[str]]:
    """Class -> its methods, fields and attributes, over all sources; classes of one name are taken together."""
    found: dict[str, set[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                names = found.setdefault(node.name, set())
                names |= {inner.name for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef)}
                names |= {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
                targets = (inner.target for inner in node.body if isinstance(inner, ast.AnnAssign))
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def strange_members(text: str, members: Mapping[str, set[str]]) -> list[str]:
    """`Class.member` in a document's code marks that is not in the program."""
    found = []
    for code in INLINE.findall(FENCED.sub("", text)):
        for name, member in MEMBER.findall(code):
            if member not in members.get(name, set()):
                found.append(f"there is no {name}.{member}")
    return found


def missing_files(text: str, exists: Callable[[str], bool]) -> list[str]:
    """Paths below our packages, in a document's code marks, that are not there."""
    paths = re.compile(r"^(?:bus|tracker|peer|gateway|experiments|tests|docs)/[\w./-]*(?=$|:)")
    named = (match[0] for code in INLINE.findall(FENCED.sub("", text)) if (match := paths.match(code)))
    return [f"there is no {path}" for path in dict.fromkeys(named) if not exists(path)]
