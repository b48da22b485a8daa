"""The import rules, read from the source of every file without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

ROLES = {"tracker", "peer", "gateway"}
PACKAGES = {"bus", "experiments", *ROLES}
# A package's own __init__ counts as pure: importing a pure module runs it too.
PURE = re.compile(
    r"bus|bus\.(units|forms|messages|events|codec|errors|names|boundary|state)(\..+)?"
    r"|tracker|peer|(tracker|peer)\.core(\..+)?|gateway|gateway\.view(\..+)?|experiments|experiments\.(sim|behaviours)(\..+)?"
)
IMPURE = {"zmq", "sqlite3", "flask", "socket", "threading", "asyncio", "time", "os", "pathlib", "subprocess"}
WEB = {"flask", "flask_socketio", "socketio", "engineio", "werkzeug", "gunicorn", "simple_websocket"}
MAY_USE_ZMQ = re.compile(r"(bus|experiments\.bench|tests\.kit)(\..+)?")


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(path: str, source: str, modules: set[str]) -> Iterator[str]:
    """Every module that `source` imports, anywhere in it; `from a import b` is a.b where that is one of `modules`."""
    package = path.split("/")[:-1]
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in modules or not base else base


def broken_rule(module: str, target: str, modules: set[str]) -> str | None:
    """Why `module` must not import `target`, or None."""
    own, other = module.partition(".")[0], target.partition(".")[0]
    ours = other in PACKAGES or target in modules
    pure = PURE.fullmatch(module)
    beside_node = own == other and module.startswith(f"{own}.core.")
    checks = {
        "a pure module has no clock, socket, thread or file": pure and other in IMPURE,
        "a pure module imports only pure modules of ours": pure and ours and not PURE.fullmatch(target),
        "nothing uses asyncio": other == "asyncio",
        "only bus, experiments.bench and tests.kit use zmq": other == "zmq" and not MAY_USE_ZMQ.fullmatch(module),
        "only the gateway imports a web framework": other in WEB and own not in ("gateway", "tests"),
        "bus imports no other package of ours": own == "bus" and ours and other != "bus",
        "peer, tracker and gateway meet in bus messages only": own != other and {own, other} <= ROLES,
        "nobody imports a __main__": target.endswith(".__main__"),
        "nobody imports supervisor": other == "supervisor" and own != "tests",
        "nobody imports tests": other == "tests" and own != "tests",
        "nobody imports experiments": other == "experiments" and own not in ("experiments", "tests", "docs"),
        "inside a core, nothing imports node": beside_node and target == f"{own}.core.node",
    }
    return next((rule for rule, broken in checks.items() if broken), None)


def violations(sources: Mapping[str, str]) -> list[str]:
    """`path: imports target: rule` for every import in `sources` (path -> text) that breaks a rule."""
    modules = {module_of(path) for path in sources}
    return [
        f"{path}: imports {target}: {rule}"
        for path, source in sources.items()
        for target in dict.fromkeys(imports_of(path, source, modules))
        if (rule := broken_rule(module_of(path), target, modules))
    ]
