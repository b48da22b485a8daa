"""What an experiment does: one YAML file, read as strictly as the configuration.

The structs are the tree of keys; docs/EXPERIMENTS.md is made from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, cast, get_args

import msgspec
from msgspec import Meta, Struct, inspect

from bus import forms
from bus.config import Loaded, load
from bus.errors import ERR_CONFIG, ShoalError
from bus.forms import Form
from bus.schema import read_value
from bus.settings import PeerName, Rate, Seconds
from bus.strict_yaml import read_yaml
from bus.units import format_duration, parse_duration, unexpected
from experiments.metrics.names import name_problems

MAX_PROCESSES: Final = 200
"""Peers in processes or threads of their own; larger swarms are for the simulator."""
NEVER: Final = -1.0
SHAPING: Final = {"world": "sim", "kernel": "processes"}
"""What shapes a network -> the only backend that has it."""

Behaviour = Literal[
    "honest",
    "slow",
    "free-rider",
    "large-view",
    "corrupter",
    "staller",
    "trickler",
    "liar",
    "oscillator",
    "whitewasher",
    "sybil",
]
HONEST: Final = ("honest", "slow")
"""Behaviours that do no wrong: an experiment waits until these have completed."""
POLICIES: Final = {
    "picker": "transfer.picker",
    "choker": "transfer.choker",
    "source": "transfer.source_choice",
    "reputation": "reputation.model",
}
"""Policy -> the setting that chooses it."""
FIXED: Final = ("data_dir", "peers", "tracker.", "gateway.", "logging.", "network.bind", "limits.up", "limits.down")
"""Beginnings of settings that a scenario leaves alone, or says by a key of its own."""


def _parse_text(found: object) -> object:
    if isinstance(found, str) and found.strip():
        return " ".join(found.split())
    raise unexpected("text", found)


def _parse_never(found: object) -> object:
    return NEVER if found == "never" else parse_duration(found)


def _show_never(seconds: float) -> str:
    return "never" if seconds < 0 else format_duration(seconds)


def _parse_setting(found: object) -> object:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, str | int | float):
        return str(found)
    raise unexpected("a setting's value, as config.yaml would have it", found)


TEXT: Final = Form("text", _parse_text)
NEVER_OR_DURATION: Final = Form("a duration", _parse_never, _show_never)
SETTING: Final = Form("a setting's value", _parse_setting)

Text = Annotated[str, Meta(extra={"form": TEXT})]
Size = Annotated[int, Meta(ge=0, le=2**50, extra={"form": forms.SIZE})]
Moment = Annotated[float, Meta(ge=0, le=366 * 86400.0, extra={"form": forms.DURATION})]
Lingering = Annotated[float, Meta(ge=NEVER, le=366 * 86400.0, extra={"form": NEVER_OR_DURATION})]
GroupName = Annotated[str, Meta(max_length=24, extra={"form": forms.PEER_NAME})]
Setting = Annotated[str, Meta(extra={"form": SETTING})]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every part of a scenario."""


class Files(Strict, frozen=True):
    """Some files of a tree."""

    files: Annotated[int, Meta(ge=1, le=1_000_000)]
    """How many."""
    size: Size
    """Bytes of each."""


class Content(Strict, frozen=True):
    """What is shared: one file, or a tree of files; the bytes are made from the seed."""

    size: Size = 0
    """Bytes of the one file."""
    tree: tuple[Files, ...] = ()
    """The files of a tree, instead of `size`."""

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(row.files * row.size for row in self.tree) or self.size


class Arrival(Strict, frozen=True):
    """When the peers of a group begin to fetch, or to share if they are complete; with `at` alone: all at once."""

    at: Moment = 0.0
    """Time after the start of the experiment; `poisson` and `trace` count from it."""
    poisson: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Mean arrivals a second of a Poisson process; 0: none."""
    trace: tuple[Moment, ...] = ()
    """The time of each peer's arrival, in order; as many as there are peers."""


class Departure(Strict, frozen=True):
    """When the peers of a group leave.  A peer that returns has all that it had."""

    linger: Lingering = NEVER
    """After its completion a peer stays for so long, then leaves for good; `never`: it stays."""
    session: Moment = 0.0
    """Churn: the mean of the exponentially distributed times for which a peer stays; 0: no churn."""
    pause: Moment = 0.0
    """Churn: the mean of the exponentially distributed times for which it is away."""


class Policies(Strict, frozen=True):
    """What the peers of a group decide by, by the names that config.yaml takes; empty: its default."""

    picker: Annotated[str, Meta(extra={"form": TEXT})] = ""
    """Order in which chunks are wanted (`transfer.picker`)."""
    choker: Annotated[str, Meta(extra={"form": TEXT})] = ""
    """Who gets an upload slot (`transfer.choker`)."""
    source: Annotated[str, Meta(extra={"form": TEXT})] = ""
    """Who is asked first (`transfer.source_choice`)."""
    reputation: Annotated[str, Meta(extra={"form": TEXT})] = ""
    """How events make a score (`reputation.model`)."""


class Disk(Strict, frozen=True):
    """How fast the disk of each peer of a group is (simulated only): reads wait for reads, writes with their hashing
    for writes."""

    read: Rate = 0
    """Bytes a second read to be sent."""
    write: Rate = 0
    """Bytes a second of what arrives written."""
    hash: Rate = 0
    """Bytes a second of what arrives hashed, before it is written."""


class Group(Strict, frozen=True):
    """Peers that are alike."""

    peers: Annotated[int, Meta(ge=1, le=100_000)]
    """How many."""
    complete: bool = False
    """They have the whole content from the start: seeds."""
    up: Rate = 0
    """Upload limit of each, bytes a second."""
    down: Rate = 0
    """Download limit of each, bytes a second."""
    latency: Moment = 0.0
    """Added to the network's for every message that one of them sends."""
    disk: Disk = Disk()
    arrival: Arrival = Arrival()
    leave: Departure = Departure()
    behaviour: Behaviour = "honest"
    """How they play; see below."""
    period: Seconds = 20.0
    """Of behaviours that change: the oscillator is good for so long, then bad for so long, and so on."""
    policies: Policies = Policies()
    settings: dict[Text, Setting] = {}
    """Any other settings of config.yaml by dotted key, such as `transfer.upload_slots: 4`."""


class Network(Strict, frozen=True):
    """What is between all peers."""

    latency: Moment = 0.0
    """Of every message, one way."""
    shaped_by: Literal["limits", "world", "kernel"] = "limits"
    """What enforces the rates of the groups: the peers' own limits; or, of which the peers know nothing, the world's
    links (simulated only) or the kernel's, latency included (`backend: processes` only, where it offers them)."""


Verb = Literal["kill", "pause", "partition", "corrupt", "delay", "cap"]


class Failure(Strict, frozen=True):
    """Something that goes wrong at some peers."""

    at: Moment
    """Time after the start of the experiment."""
    do: Verb
    """`kill`: the process ends at once (as by kill -9).  `pause`: it stands still (SIGSTOP).  `partition`: nothing
    passes between these peers and everybody else, the tracker included.  `corrupt`: a bit is flipped in everything they
    send.  `delay`: all that they send is late.  `cap`: their upload limit is `rate`."""
    group: Text = ""
    """Which peers: those of this group,"""
    count: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """so many of them, drawn by the seed; 0: all,"""
    peers: tuple[PeerName, ...] = ()
    """or these, by name: GROUP-1, GROUP-2 and so on."""
    lasts: Moment = 0.0
    """For how long; then it is mended, and who was killed returns.  0: for good."""
    delay: Moment = 0.0
    """Of `delay`: how late."""
    rate: Rate = 0
    """Of `cap`: bytes a second."""


class Scenario(Strict, frozen=True):
    """One experiment: a content, the peers, what happens to them, and when it is over."""

    groups: dict[GroupName, Group]
    """Name -> peers that are alike; a peer's name is its group's and a number: `leecher-3`."""
    content: Content = Content()
    """What is shared; must be given."""
    description: Text = "no description"
    """What the experiment asks, for the report."""
    network: Network = Network()
    failures: tuple[Failure, ...] = ()
    stop: Literal["complete", "time"] = "complete"
    """When it is over: once all honest peers have completed, or after `timeout`."""
    timeout: Seconds = 300.0
    """Time after the start: the experiment then has failed, or with `stop: time` is over."""
    seed: Annotated[int, Meta(ge=0, le=2**31)] = 1
    """Of the bytes and of every choice that is drawn.  What real processes do by chance is not in our hands."""
    repetitions: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Runs, each with the next seed; the results of several go to folders `runs/SEED`."""
    backend: Literal["processes", "inproc", "sim"] = "processes"
    """What it runs on, unless the command line says otherwise: `processes`, real ones; `inproc`, real sockets and a
    thread for each peer; or `sim`, the simulator."""
    metrics: tuple[Text, ...] = ()
    """Names of the numbers that reports show, in this order, such as `goodput` or `median_completion.group.NAME`;
    empty: the usual ones."""

    @property
    def peers(self) -> int:
        """All of them."""
        return sum(group.peers for group in self.groups.values())

    @property
    def leechers(self) -> int:
        """Peers that fetch."""
        return sum(group.peers for group in self.groups.values() if not group.complete)


_SCHEMA: Final = cast("inspect.StructType", inspect.type_info(Scenario))


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        ShoalError: ERR_CONFIG, one line with the file, the key, what was expected and what was found.
    """
    try:
        return scenario_of(read_yaml(path))
    except OSError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: expected a readable file: {error.strerror}") from None
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: {error}") from None


def scenario_of(tree: object) -> Scenario:
    """The scenario in a document that was read.

    Raises:
        ValueError: names the key, what was expected and what was found.
    """
    scenario = msgspec.convert(read_value(_SCHEMA, "", tree), Scenario)
    for problem in _problems(scenario):
        raise ValueError(problem)
    return scenario


def configured(group: Group, more: Mapping[str, str] | None = None) -> Loaded:
    """The configuration of a group's peers: the defaults, its policies and settings, and `more` that the group does
    not say itself.

    Raises:
        ShoalError: ERR_CONFIG, with the dotted key of the setting.
    """
    return load(Path(os.devnull), {}, overrides={**(more or {}), **chosen_settings(group)})


def chosen_settings(group: Group) -> dict[str, str]:
    """Dotted key -> value of everything that a group chooses."""
    policies = {POLICIES[name]: value for name, value in msgspec.structs.asdict(group.policies).items() if value}
    return {**group.settings, **policies}


def _problems(scenario: Scenario) -> Iterator[str]:
    """What no single key can be blamed for."""
    content = scenario.content
    if bool(content.size) == bool(content.tree):
        yield f"content: expected either size or tree, found {'both' if content.size else 'neither'}"
    if not content.bytes:
        yield "content: expected at least one byte, found none"
    if not scenario.groups or not scenario.leechers:
        yield "groups: expected a group of peers that fetch, found none"
    if not any(group.complete and group.arrival == Arrival() for group in scenario.groups.values()):
        yield "groups: expected a group with complete: true that is there from the start, found none"
    for name, group in scenario.groups.items():
        yield from (f"groups.{name}.{problem}" for problem in _group_problems(name, group))
    for number, failure in enumerate(scenario.failures):
        yield from (f"failures[{number}].{problem}" for problem in _failure_problems(failure, scenario.groups))
    yield from name_problems(scenario.metrics, scenario.groups, get_args(Behaviour))
    yield from backend_problems(scenario, scenario.backend)


def backend_problems(scenario: Scenario, backend: str) -> Iterator[str]:
    """What a backend cannot do."""
    shaped_by = scenario.network.shaped_by
    only = SHAPING.get(shaped_by, backend)
    if only != backend:
        yield f"network.shaped_by: expected limits, {shaped_by} only with backend: {only}, found {shaped_by}"
    if backend != "sim":
        yield from _real_problems(scenario)


def _real_problems(scenario: Scenario) -> Iterator[str]:
    if scenario.peers > MAX_PROCESSES:
        yield f"groups: expected at most {MAX_PROCESSES} peers, more only with backend: sim, found {scenario.peers:,}"
    for name, group in scenario.groups.items():
        if group.disk != Disk():
            yield f"groups.{name}.disk: expected no rates, real disks are as fast as they are; only with backend: sim"


def _group_problems(name: str, group: Group) -> Iterator[str]:
    arrival, leave = group.arrival, group.leave
    if arrival.poisson and arrival.trace:
        yield "arrival: expected poisson or trace, found both"
    if arrival.trace and len(arrival.trace) != group.peers:
        yield f"arrival.trace: expected a time for each of {group.peers} peers, found {len(arrival.trace)}"
    if bool(leave.session) != bool(leave.pause):
        given, missing = ("session", "pause") if leave.session else ("pause", "session")
        yield f"leave.{given}: expected leave.{missing} beside it, found nothing"
    if group.behaviour == "sybil" and group.peers % 2:
        yield f"peers: expected an even number, for Sybils come in pairs, found {group.peers}"
    for key in group.settings:
        if key.startswith(FIXED):
            yield f"settings: {key}: expected a setting that an experiment leaves to the peers, found one of its own"
    try:
        configured(group)
    except ShoalError as error:
        yield f"settings: {error.message.removeprefix('flag: ')}"


def _failure_problems(failure: Failure, groups: Mapping[str, Group]) -> Iterator[str]:
    if bool(failure.group) == bool(failure.peers):
        yield f"group: expected either group or peers, found {'both' if failure.group else 'neither'}"
    elif failure.group and failure.group not in groups:
        yield f"group: expected one of {', '.join(groups)}, found {failure.group!r}"
    elif failure.group and failure.count > groups[failure.group].peers:
        yield f"count: expected at most the {groups[failure.group].peers} of the group, found {failure.count}"
    names = {f"{name}-{number}" for name, group in groups.items() for number in range(1, group.peers + 1)}
    for name in failure.peers:
        if name not in names:
            yield f"peers: expected GROUP-NUMBER of a peer that there is, found {name!r}"
    for key, verb in (("delay", "delay"), ("rate", "cap")):
        if bool(getattr(failure, key)) != (failure.do == verb):
            found = "it beside another" if getattr(failure, key) else "nothing"
            yield f"{key}: expected it with do: {verb} and nowhere else, found {found}"
