"""Rules about files rather than imports: each function takes what it judges and returns one line for each fault."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping

LONGEST_FILE = 400  # lines; over 300 wants a reason, over this a split
NAMED_AFTER_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
MAY_SLEEP = "tests/kit/waiting.py"
SLEEPS = {"sleep", "wait_for_timeout"}
TOP_LEVEL = {
    *("bus", "tracker", "peer", "gateway", "experiments", "tests", "docs", "requirements", ".ci"),
    *("config.yaml", "pyproject.toml", "Makefile", "README.md", "supervisor.py", ".gitignore", ".gitattributes"),
    *("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
}


def too_long(sources: Mapping[str, str]) -> list[str]:
    counts = {path: len(text.splitlines()) for path, text in sources.items()}
    return [
        f"{path}: {count} lines, the limit is {LONGEST_FILE}" for path, count in counts.items() if count > LONGEST_FILE
    ]


def named_after_nothing(sources: Mapping[str, str]) -> list[str]:
    """Files, directories and classes whose name says nothing about what they are for."""
    found = []
    for path, text in sources.items():
        names = path.rsplit(".", 1)[0].split("/")
        if path.endswith(".py"):
            names += [node.name for node in ast.walk(ast.parse(text, path)) if isinstance(node, ast.ClassDef)]
        for name in names:
            words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
            if NAMED_AFTER_NOTHING.intersection(word.lower() for word in words):
                found.append(f"{path}: '{name}' is named after nothing: say what it is for")
    return found


def sleeping(sources: Mapping[str, str]) -> list[str]:
    """Calls that wait for a fixed time, which is too short on a busy machine and too long on every other."""
    return [
        f"{path}:{node.lineno}: sleeps; wait with tests.kit.waiting.eventually"
        for path, text in sources.items()
        if path != MAY_SLEEP
        for node in ast.walk(ast.parse(text, path))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) in SLEEPS
    ]


def naming_this_machine(sources: Mapping[str, str], own_paths: Iterable[str]) -> list[str]:
    """Texts that hold one of `own_paths`: absolute paths that mean nothing on any other machine."""
    # A path of one part, such as a container's /src, is too likely to mean something else.
    telling = [path.rstrip("/") for path in own_paths if path.rstrip("/").count("/") > 1]
    return [
        f"{path}: holds {own!r}, a path of this machine"
        for path, text in sources.items()
        for own in telling
        if re.search(re.escape(own) + r"(?![\w.-])", text)
    ]


def faults_of_python_lock(text: str) -> list[str]:
    """A lock says what, never from where, so that it works with any package index; and it pins every byte."""
    lines = text.splitlines()
    found = [f"names a place: {line.strip()}" for line in lines if re.search(r"://|^-|\s@\s|file:", line)]
    pins = re.split(
        r"^(?=[A-Za-z0-9])", "\n".join(line for line in lines if not line.lstrip().startswith("#")), flags=re.M
    )
    found += [
        f"not one version with hashes: {pin.split()[0]}"
        for pin in pins
        if pin.strip() and not ("==" in pin.split()[0] and "--hash=sha256:" in pin)
    ]
    return found


def faults_of_npm_lock(text: str) -> list[str]:
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    found = [f"names a place: {name}" for name, entry in packages.items() if "resolved" in entry]
    return found + [f"no integrity: {name}" for name, entry in packages.items() if not entry.get("integrity")]


def strangers(names: Iterable[str]) -> list[str]:
    """Entries of the top level that nobody agreed on."""
    return sorted(set(names) - TOP_LEVEL)
