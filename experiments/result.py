"""The folder that an experiment leaves: summary.json, report.md, two figures, and every event it is made of.

All but the events is made from the events, so `experiments report` makes it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_UNREADABLE, ShoalError
from bus.units import format_limit, format_rate, format_size
from experiments.collector import read_events
from experiments.figures import BYTES, COMPLETION, draw_bytes, draw_completion
from experiments.metrics import Metrics, completion_curves, measure
from experiments.provenance import Provenance
from experiments.scenario import Scenario

SUMMARY: Final = "summary.json"
REPORT: Final = "report.md"


class Conditions(Struct, frozen=True):
    """What cannot be read from the events."""

    scenario: str
    """Name of the scenario's file, without its ending."""
    config: Scenario
    backend: str
    """`processes`, `inproc` or `sim`."""
    shaped_by: str
    """What limited rates and delayed messages."""
    seed: int
    """Of this run."""
    trace: str
    """Hash of everything that happened, in order: simulated only, else empty."""
    made_by: Provenance
    events: dict[str, int]
    """Process -> events heard."""
    events_lost: dict[str, int]
    """Process -> events that it published and that did not arrive; all 0, or the numbers are not to be trusted."""


class Summary(Conditions, frozen=True):
    """One experiment."""

    metrics: Metrics
    files: list[str]
    """Relative to the folder."""


def write_result(folder: Path, conditions: Conditions) -> Summary:
    """Make everything from the events in the folder.

    Raises:
        ShoalError: the events are missing, or tell of downloads that did not complete.
    """
    recorded = read_events(folder)
    metrics = measure(recorded, conditions.config.limits)
    draw_completion(folder / COMPLETION, completion_curves(recorded, metrics.content), metrics.bound_seconds)
    draw_bytes(folder / BYTES, metrics.matrix)
    made = {SUMMARY, REPORT}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    fields = {name: getattr(conditions, name) for name in Conditions.__struct_fields__}
    summary = Summary(**fields, metrics=metrics, files=sorted(made | there))
    (folder / REPORT).write_text(markdown(summary))
    (folder / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    return summary


def read_conditions(folder: Path) -> Conditions:
    """What a summary says of how it was made.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Conditions)
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{folder / SUMMARY} is no summary of an experiment: {error}") from None


def markdown(summary: Summary) -> str:
    """The result for people."""
    config, metrics, made_by = summary.config, summary.metrics, summary.made_by
    limits = f"up {format_limit(config.limits.up)}, down {format_limit(config.limits.down)}"
    rows = [
        f"| {row.peer} | {row.completed:.2f} | {format_rate(row.goodput)} "
        f"| {row.duplicate_bytes} | {row.rejected_bytes} |"
        for row in metrics.downloads
    ]
    lines = [
        f"# Experiment {summary.scenario}",
        "",
        f"{config.leechers} leechers fetch {format_size(config.size)} from one seed, {metrics.seed_peer}; "
        f"limits of each peer: {limits}; seed {config.seed}; real processes on one machine.",
        "",
        *_facts(summary),
        "",
        "| leecher | completed, s | goodput | duplicate bytes | rejected bytes |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"![Verified share of each leecher over time]({COMPLETION})",
        "",
        f"![Bytes from each peer to each other]({BYTES})",
        "",
        f"{made_by.cores} cores of {made_by.processor}, {made_by.system}, Python {made_by.python}, "
        f"commit {made_by.commit or 'unknown'}, {made_by.time}.",
    ]
    return "\n".join(lines) + "\n"


def _facts(summary: Summary) -> list[str]:
    metrics = summary.metrics
    lost, heard = sum(summary.events_lost.values()), sum(summary.events.values())
    completions = f"{metrics.first_completion:.2f} / {metrics.median_completion:.2f} / {metrics.last_completion:.2f} s"
    best = 1 / len(metrics.downloads)
    facts = [
        f"- First / median / last completion: {completions}",
        f"- Goodput of all leechers: {format_rate(metrics.goodput)}",
        f"- From the seed: {metrics.seed_share:.0%} of all bytes (at best {best:.0%})",
        f"- Duplicate bytes: {metrics.duplicate_bytes}; rejected bytes: {metrics.rejected_bytes}",
        f"- Events heard: {heard}; lost: {lost}",
    ]
    if metrics.bound_seconds is not None and metrics.share_of_bound is not None:
        facts.insert(
            1, f"- No swarm could end before {metrics.bound_seconds:.2f} s: {metrics.share_of_bound:.0%} of it"
        )
    return facts
