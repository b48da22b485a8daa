"""Reading the configuration: flag over environment over file over default, each value with its origin.

Every layer is read by itself against the types of `bus/settings.py`, so that an error can say where a value
stands, under which key, what was expected and what was found; then the layers are laid over one another.
A list is one value: a layer that gives it replaces it whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, cast

import msgspec
from msgspec import Struct, inspect

from bus.errors import ERR_CONFIG, ShoalError
from bus.forms import is_loopback, split_host_port
from bus.schema import kind_at, leaves, read_text, read_value
from bus.settings import PeerSettings, Settings
from bus.strict_yaml import decode, parse_yaml, read_yaml
from bus.units import format_duration, format_size

__all__ = ["Loaded", "PeerSettings", "Settings", "load"]

ENVIRONMENT_PREFIX: Final = "SHOAL__"
FILE_VARIABLE: Final = "SHOAL_CONFIG"
BASE_DIR_VARIABLE: Final = "SHOAL_BASE_DIR"
DEFAULT_FILE: Final = "config.yaml"
TOLD_VARIABLE: Final = "SHOAL_TOLD"
"""Names of the variables, apart by spaces, by which a supervisor tells its children what the file cannot say."""

_ORDERED: Final[tuple[tuple[str, str, str, Callable[[float], str]], ...]] = (
    ("transfer.window", "at most", "transfer.window_total", format_size),
    ("transfer.links_per_content", "at most", "transfer.links", "{:,}".format),
    ("tracker.renew", "under", "tracker.lease", format_duration),
    ("network.idle_ping", "under", "network.link_timeout", format_duration),
    ("reputation.refuse_below", "at most", "reputation.soft_floor", "{:g}".format),
    ("reputation.ban_first", "at most", "reputation.ban_longest", format_duration),
)
"""Keys that only make sense in this order, and how an error writes their values."""

_SCHEMA: Final = cast("inspect.StructType", inspect.type_info(Settings))


class Loaded(Struct, frozen=True):
    """A configuration and where it came from."""

    settings: Settings
    origins: dict[str, str]
    """Dotted key -> `default`, `file PATH`, `environment NAME`, `flag` or `flag --base-dir`."""
    file: Path | None
    """Absolute: the file that was read, if any."""
    folder: Path
    """Absolute: what relative paths in the configuration are relative to."""

    @property
    def base_dir(self) -> Path:
        """Absolute: the folder that holds all state of the local tracker and peers."""
        return self.resolve(self.settings.data_dir)

    def resolve(self, path: str) -> Path:
        """A path that stands in the configuration, made absolute; `~` is the user's home."""
        return self.folder / os.path.expanduser(path)

    def as_flat(self) -> dict[str, object]:
        """Dotted key -> value, in the order of the schema; quantities in base units, a list as one value."""
        return dict(leaves(_SCHEMA, "", msgspec.to_builtins(self.settings)))


class _Value(NamedTuple):
    value: object
    origin: str


def load(
    path: Path | None,
    environ: Mapping[str, str],
    base_dir: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    content: bytes | None = None,
) -> Loaded:
    """Read the configuration once, for a composition root.

    Args:
        path: the file that `--config` names; None: that of $SHOAL_CONFIG, else ./config.yaml if there is one,
            else no file.
        environ: the environment.
        base_dir: `--base-dir`, relative to the working directory; it replaces `data_dir`.
        overrides: dotted key -> value of other flags, as text or as the value itself.
        content: taken for that of the file, to see what a start would make of it; None: what is in the file.

    Raises:
        ShoalError: ERR_CONFIG, one line with the place, the key, what was expected and what was found.
    """
    file = _file(path, environ)
    values = {key: _Value(value, "default") for key, value in leaves(_SCHEMA, "", msgspec.to_builtins(Settings()))}
    if content is not None:
        file = file or Path(DEFAULT_FILE)
    if file is not None:
        values |= _from_file(file, content)
    values |= _from_environment(environ)
    values |= _from_flags(overrides or {})
    values |= _from_base_dir(base_dir, environ)

    if values["transfer.window"].origin == "default":
        least = min(cast("int", values[key].value) for key in ("transfer.window", "transfer.window_total"))
        values["transfer.window"] = _Value(least, "default")
    settings = msgspec.convert(_nest(values), Settings)
    origins = {key: value.origin for key, value in values.items()}
    for keys, problem in _conflicts(settings, {key: value for key, (value, _) in values.items()}):
        key = next((key for key in keys if origins[key] != "default"), keys[0])
        _refuse(origins[key], f"{key}: {problem}")
    absolute = file.absolute() if file else None
    return Loaded(settings, origins, absolute, absolute.parent if absolute else Path.cwd())


def environment_of_user(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a supervisor put into it: a start anew finds that no more."""
    told = environ.get(TOLD_VARIABLE, "").split()
    return {name: value for name, value in environ.items() if name not in told}


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    default = Path(DEFAULT_FILE)
    return default if default.exists() else None


def _from_file(file: Path, content: bytes | None) -> dict[str, _Value]:
    origin = f"file {_plain(str(file))}"
    try:
        document = read_yaml(file) if content is None else parse_yaml(decode(content))
        tree = read_value(_SCHEMA, "", document)
    except OSError as error:
        _refuse(origin, f"expected a readable configuration file: {error.strerror}")
    except ValueError as error:
        _refuse(origin, str(error))
    return _layer(tree, origin)


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Value]:
    layer: dict[str, _Value] = {}
    for name in sorted(environ):
        if not name.upper().startswith(ENVIRONMENT_PREFIX):
            continue
        origin = f"environment {_plain(name)}"
        key = name[len(ENVIRONMENT_PREFIX) :].lower().replace("__", ".")
        try:
            read = _layer(_wrap(key, read_text(kind_at(_SCHEMA, key), key, environ[name])), origin)
        except ValueError as error:
            _refuse(origin, str(error))
        for twice in read.keys() & layer.keys():
            _refuse(origin, f"{twice}: expected once, but {layer[twice].origin} gives it too")
        layer |= read
    return layer


def _from_flags(overrides: Mapping[str, object]) -> dict[str, _Value]:
    layer: dict[str, _Value] = {}
    for key, value in overrides.items():
        try:
            kind = kind_at(_SCHEMA, key)
            read = read_text(kind, key, value) if isinstance(value, str) else read_value(kind, key, value)
        except ValueError as error:
            _refuse("flag", str(error))
        layer |= _layer(_wrap(key, read), "flag")
    return layer


def _from_base_dir(base_dir: Path | None, environ: Mapping[str, str]) -> dict[str, _Value]:
    """`data_dir` as a command was told it; such a path is relative to where the command runs, not to the file."""
    folder, origin = (base_dir, "flag --base-dir")
    if base_dir is None and environ.get(BASE_DIR_VARIABLE):
        folder, origin = Path(environ[BASE_DIR_VARIABLE]), f"environment {BASE_DIR_VARIABLE}"
    if folder is None:
        return {}
    return {"data_dir": _Value(os.path.abspath(os.path.expanduser(folder)), origin)}


def _layer(tree: object, origin: str) -> dict[str, _Value]:
    return {key: _Value(value, origin) for key, value in leaves(_SCHEMA, "", cast("dict[str, object]", tree))}


def _wrap(key: str, value: object) -> dict[str, object]:
    """The tree in which only `key` is given."""
    name, _, rest = key.partition(".")
    return {name: _wrap(rest, value) if rest else value}


def _nest(values: Mapping[str, _Value]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key, (value, _) in values.items():
        section, _, name = key.rpartition(".")
        branch = tree
        for step in section.split(".") if section else ():
            branch = cast("dict[str, object]", branch.setdefault(step, {}))
        branch[name] = value
    return tree


def _refuse(origin: str, problem: str) -> NoReturn:
    raise ShoalError(ERR_CONFIG, f"{origin}: {problem}") from None


def _plain(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _conflicts(settings: Settings, flat: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(keys, what is wrong) for what no single key can be blamed for."""
    if not settings.security.encryption and settings.security.access == "private":
        yield (
            ("security.encryption", "security.access"),
            "expected security.encryption: true beside security.access: private, found false: "
            "who is on the network could take over a link in clear text; set one of the two otherwise",
        )
    gateway = settings.gateway
    if not gateway.password_file and not is_loopback(gateway.host):
        yield (
            ("gateway.host",),
            f"expected a loopback address such as 127.0.0.1, found {gateway.host!r}: a page that other machines reach "
            "needs a password; set gateway.password_file",
        )
    yield from _tracker_conflicts(settings)
    yield from _peer_conflicts(settings)
    yield from _order_conflicts(flat)


def _tracker_conflicts(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    tracker = settings.tracker
    if not tracker.run and bool(tracker.endpoint) != bool(tracker.public_key):
        given, missing = ("endpoint", "public_key") if tracker.endpoint else ("public_key", "endpoint")
        yield (
            (f"tracker.{given}",),
            f"expected tracker.{missing} beside it, found nothing: a peer needs both to reach a tracker elsewhere",
        )


def _peer_conflicts(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    names: set[str] = set()
    ports: dict[int, str] = {}
    if settings.tracker.run:
        ports[split_host_port(settings.tracker.listen)[1]] = "tracker.listen"
    for index, peer in enumerate(settings.peers):
        if peer.name in names:
            yield ("peers",), f"expected a name of its own for each peer, found {peer.name!r} twice"
        names.add(peer.name)
        for field, port in (("data_port", peer.data_port), ("web_port", peer.web_port)):
            place = f"peers[{index}].{field}"
            if port and port in ports:
                yield ("peers",), f"expected a port of its own for each use, found {port} in {ports[port]} and {place}"
            ports[port] = place


def _order_conflicts(flat: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    for smaller, relation, larger, show in _ORDERED:
        low, high = cast("float", flat[smaller]), cast("float", flat[larger])
        if low > high or (low == high and relation == "under"):
            yield (smaller, larger), f"expected {smaller} {relation} {larger}, found {show(low)} and {show(high)}"
