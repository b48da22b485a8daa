"""The documents say what the program is: no part is stale, nothing is undocumented, no link and no command is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import click
import pytest
from flask import Flask
from msgspec import Struct

from bus import errors, events, messages, settings
from bus.wording import struct_of, type_in_words
from docs.generate import documents, parts_of, regenerated
from docs.tables import TABLES
from gateway.api import Api
from peer.cli.entry import shoal
from tests.architecture import documents as rules
from tests.architecture.sources import PRODUCT, ROOT, texts

GENERATED = [path.relative_to(ROOT).as_posix() for path in documents()]
DECISIONS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs/adr").glob("*.md"))]
MADE_ELSEWHERE = {"gateway/static/"}
"""Paths that the build makes."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def members() -> dict[str, set[str]]:
    return rules.members_of(texts(*PRODUCT, suffixes=(".py",)).values())


def read(name: str) -> str | None:
    path = ROOT / name
    if path.suffix == ".md" and path.is_file():
        return path.read_text(encoding="utf-8")
    return "" if path.exists() else None


# --- generated parts ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATED)
def test_no_generated_part_is_stale(name):
    assert regenerated(text(name)) == text(name), f"{name} is stale; run: .venv/bin/python docs/generate.py"


def test_every_generated_part_stands_in_one_document():
    assert sorted(part for name in GENERATED for part in parts_of(text(name))) == sorted(TABLES)


def test_a_stale_part_is_written_anew_and_the_rest_is_left():
    stale = "before\n<!-- generated: events -->\nold\n<!-- end of events -->\nafter\n"
    assert regenerated(stale, {"events": lambda: "new"}) == (
        "before\n<!-- generated: events -->\n\nnew\n\n<!-- end of events -->\nafter\n"
    )


@pytest.mark.parametrize(
    ("kind", "field", "words"),
    [
        (messages.Have, "content", "id"),
        (messages.Have, "first", "0 to 2^22 - 1, a multiple of 8"),
        (messages.Have, "bits", "bytes of up to 2^19"),
        (messages.Register, "advertise", "list of up to 24: text of up to 300"),
        (messages.Credit, "limit", "count"),
        (messages.Swarm, "kind", "`file`, `tree` or empty"),
        (messages.Want, "ranges", "list of 1 to 8,192: (0 to 2^22 - 1, 1 to 2^22)"),
        (settings.TransferSettings, "window", "a size, 2 MiB to 16 GiB"),
        (settings.ReputationSettings, "alpha", "number above 0, at most 1"),
    ],
)
def test_a_type_is_told_with_its_limits(kind, field, words):
    kinds = {one.name: one.type for one in struct_of(kind).fields}
    assert type_in_words(kinds[field]) == words


# --- nothing is undocumented -------------------------------------------------------------------


def test_every_message_is_documented():
    assert rules.undocumented(row.type for row in messages.BY_NUMBER.values()) == []


def test_every_event_is_documented():
    assert rules.undocumented(row.type for row in events.BY_TOPIC.values()) == []


def test_every_setting_is_documented():
    sections = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, Struct)]
    ours = [kind for kind in sections if kind.__module__ == settings.__name__]
    assert rules.undocumented(ours) + [line for kind in ours for line in rules.undocumented_settings(kind)] == []


def test_every_error_code_is_documented():
    named = {name for name in vars(errors) if name.startswith("ERR_")}
    assert named == {code for code, outcome in errors.CODES.items() if outcome.meaning}


def test_every_command_and_option_is_documented():
    assert rules.without_help(shoal) == []


def test_every_rest_endpoint_is_documented():
    app = Flask("gateway")
    app.register_blueprint(Api(cast("Any", None), cast("Any", None), Path(), 0, 1, cast("Any", None)).blueprint())
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
        if rule.rule.startswith("/api/")
    }
    assert set(re.findall(r"^\| `([A-Z]+ /api/[^`]+)` \|", text("docs/REST.md"), re.MULTILINE)) == served


def test_an_undocumented_message_is_found():
    class Silent(messages.Message, frozen=True):
        number: int

    assert rules.undocumented([Silent, messages.Hello]) == ["Silent has no docstring"]


def test_an_undocumented_setting_is_found():
    class Sparse(Struct):
        """A section."""

        told: int
        """With a text."""
        silent: int

    assert rules.undocumented_settings(Sparse) == ["Sparse.silent has no text"]


def test_a_command_without_help_is_found():
    group = click.Group(
        "shoal", help="All.", commands={"hush": click.Command("hush", params=[click.Option(["--how"])])}
    )
    assert rules.without_help(group) == ["shoal hush has no help", "shoal hush --how has no help"]


# --- what is written by hand -------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATED + DECISIONS)
def test_every_link_leads_somewhere(name):
    assert rules.broken_links(name, text(name), read) == []


@pytest.mark.parametrize("name", GENERATED + DECISIONS)
def test_every_command_line_is_one_that_the_parser_takes(name):
    assert rules.refused_commands(text(name), shoal) == []


@pytest.mark.parametrize("name", GENERATED + DECISIONS)
def test_every_file_and_member_that_is_named_exists(name, members):
    missing = rules.missing_files(text(name), lambda path: path in MADE_ELSEWHERE or (ROOT / path).exists())
    assert missing + rules.strange_members(text(name), members) == []


@pytest.mark.parametrize("name", [name for name in DECISIONS if not name.endswith("README.md")])
def test_every_decision_has_its_parts_and_is_listed(name):
    headings = re.findall(r"^## (.+)$", text(name), re.MULTILINE)
    listed = f"]({Path(name).name})" in text("docs/adr/README.md")
    assert (headings, listed) == (["Context", "Decision", "Consequences"], True)


@pytest.mark.parametrize(
    "link", ["[a](gone.md)", "[a](b.md#gone)", "[a](#gone)", "![a](gone.png)", "[a](../docs/c.md)"]
)
def test_a_broken_link_is_found(link):
    there = {"docs/b.md": "# Here\n", "docs/p.png": ""}
    good = "# Top of it!\n[a](b.md#here) [b](../docs/b.md) [c](#top-of-it) ![d](p.png) [e](https://example.org/x)\n"
    assert rules.broken_links("docs/a.md", good, there.get) == []
    assert len(rules.broken_links("docs/a.md", good + link, there.get)) == 1


@pytest.mark.parametrize("line", ["`shoal fetch ID`", "`shoal get --all ID`", "```\n$ shoal --peer south lst\n```\n"])
def test_a_command_line_that_is_no_longer_right_is_found(line):
    good = (
        "`shoal --peer NAME get ID -o DIR` `shoal config show --origin` `shoal` `shoal:x`\n```\n$ shoal ls # a\n```\n"
    )
    assert rules.refused_commands(good, shoal) == []
    assert len(rules.refused_commands(good + line, shoal)) == 1


def test_a_name_that_is_no_longer_there_is_found():
    members = rules.members_of(["class Fetching:\n    def pump(self): ...\nclass Credit:\n    limit: int"])
    assert rules.strange_members("`Fetching.pump` `Credit.limit` `Fetching.drain`", members) == [
        "there is no Fetching.drain"
    ]
    assert rules.missing_files("`bus/link.py` `bus/gone.py: x`", {"bus/link.py"}.__contains__) == [
        "there is no bus/gone.py"
    ]
