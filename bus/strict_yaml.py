"""YAML without its traps: one document, no aliases, no tags, no key twice.

A key given twice is a mistake that plain YAML hides (the last one wins).  Aliases let a few lines stand for
gigabytes, and no file of ours needs them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

MAX_BYTES: Final = 2**20
"""A longer file is not a configuration: the reader stops instead of filling the memory."""


def read_yaml(path: Path) -> object:
    """The document in a UTF-8 file; None if there is none in it.

    Raises:
        ValueError: not YAML in this sense, with line and column where there is one.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return parse_yaml(decode(file.read(MAX_BYTES + 1)))


def decode(content: bytes) -> str:
    """The text of a file, without the byte order mark that some editors put before it.

    Raises:
        ValueError: it is longer than `MAX_BYTES`, or no UTF-8.
    """
    if len(content) > MAX_BYTES:
        raise ValueError("expected at most 1 MiB of YAML, found more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8 text, found another byte at {error.start}") from None


def parse_yaml(text: str) -> object:
    """The document in `text`; None if there is none in it.

    Raises:
        ValueError: not YAML in this sense, with line and column where there is one.
    """
    with _errors_in_words():
        return yaml.load(text, _StrictLoader)  # noqa: S506  a subclass of the safe loader


def compose_yaml(text: str) -> yaml.Node | None:
    """The nodes of the document in `text`, which say where each stands; None if there is none. Errors as above."""
    with _errors_in_words():
        node = yaml.compose(text, _StrictLoader)
    return node if isinstance(node, yaml.Node) else None


def scalar_text(value: str | float) -> str:
    """A word, number or switch as it may stand anywhere in a document."""
    listed = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=float("inf"))
    return str(listed).strip()[1:-1]


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise ValueError(f"{_place(error)}{problem}") from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"expected text, found the character U+{_code_point(error):04X}") from None
    except RecursionError:
        raise ValueError("expected a few levels of YAML, found hundreds") from None


class _StrictLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "aliases (& and *) are not used here", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, f"tags ({event.tag}) are not used here", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# Without dates (a name may look like one), and without `<<` and `=`, which mean nothing here.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _code_point(error: yaml.reader.ReaderError) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)
