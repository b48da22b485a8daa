"""What the report of one experiment says."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus.units import format_rate, format_size
from experiments.metrics.catalogue import asked_for, quantities
from experiments.metrics.measure import Metrics
from experiments.provenance import Provenance
from experiments.report.document import Document, Figure, Section, Table, source
from experiments.report.wording import UNKNOWN, amount, number
from experiments.statistics import Interval
from experiments.summary import Conditions, Summary
from experiments.tables.folder import file_of
from experiments.tables.making import Tables
from experiments.tables.schema import SCHEMA


def of_run(summary: Summary, tables: Tables, figures: Sequence[Figure]) -> Document:
    """The report of one run."""
    metrics = summary.metrics
    sections = [
        Section("Numbers", [_numbers(summary), *_remarks(metrics)]),
        Section("Completion", [_completion(metrics)]),
        *_behaviours(metrics),
        Section("Figures", list(figures)),
        *([Section("Downloads", [_downloads(metrics)], detail=True)] if metrics.downloads else []),
        *conditions(summary),
        Section("Tables", [_tables(tables)], detail=True),
    ]
    return Document(
        f"Experiment {summary.scenario}", summary.question, answer(metrics), sections, foot(summary.made_by)
    )


def answer(metrics: Metrics) -> str:
    """One sentence of numbers."""
    seconds = metrics.completion[0].seconds
    said = f"{metrics.finished} of {metrics.leechers} leechers have all {format_size(metrics.size)}"
    if seconds is not None and metrics.last_completion is not None:
        said += (
            f", the median {seconds.median.value:.2f} s after its start, the last at {metrics.last_completion:.2f} s"
        )
    if metrics.share_of_bound is not None:
        said += (
            f" ({metrics.share_of_bound:.0%} of what the least time possible, {metrics.bound_seconds:.2f} s, allows)"
        )
    said += (
        f"; the seeds gave {metrics.seed_load:.2f} copies, and {metrics.duplicate_share:.2%} of all bytes came twice"
    )
    faults = {
        "events lost": metrics.events_lost,
        "wrong bytes": metrics.wrong_bytes or 0,
        "honest peers refused by honest ones": metrics.false_refusals,
    }
    wrong = [f"{count} {name}" for name, count in faults.items() if count]
    return f"{said}. NOT TO BE TRUSTED: {', '.join(wrong)}." if wrong else f"{said}."


def conditions(summary: Conditions) -> list[Section]:
    """Configuration, versions and what was heard; everything that is needed to make it again."""
    made = summary.made_by
    how = [
        ["backend", summary.backend],
        ["shaped by", summary.shaped_by or UNKNOWN],
        ["seed", UNKNOWN if summary.seed is None else str(summary.seed)],
        ["made", made.time],
        ["commit", made.commit or UNKNOWN],
        ["python", made.python],
        ["machine", f"{made.cores} cores of {made.processor}, {format_size(made.memory)}, {made.system}"],
        *([name, version or UNKNOWN] for name, version in made.packages.items()),
        *([name, value] for name, value in made.environment.items()),
    ]
    config = [[key, value] for key, value in flat(msgspec.to_builtins(summary.config))]
    heard = [[name, str(count), str(summary.events_lost.get(name, 0))] for name, count in summary.events.items()]
    return [
        Section("Configuration", [Table(["key", "value"], config, "summary.json, config")], detail=True),
        Section("Versions and machine", [Table(["what", "value"], how, "summary.json, made_by")], detail=True),
        Section("Events", [Table(["process", "heard", "lost"], heard, "summary.json, events")], detail=True),
    ]


def foot(made: Provenance) -> str:
    """What made a result."""
    return (
        f"{made.cores} cores of {made.processor}, {made.system}, Python {made.python}, "
        f"commit {made.commit or 'unknown'}, {made.time}."
    )


def flat(value: object, key: str = "") -> list[tuple[str, str]]:
    """A tree of settings as (path of the key, value)."""
    if isinstance(value, dict):
        return [row for name, inner in value.items() for row in flat(inner, f"{key}.{name}" if key else str(name))]
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return [row for place, inner in enumerate(value) for row in flat(inner, f"{key}[{place}]")]
    return [(key, str(value))]


def _numbers(summary: Summary) -> Table:
    told = [row for row in quantities(summary.metrics) if row.value is not None]
    names = summary.config.metrics or [
        row.name for row in told if "." not in row.name
    ]  # parts have tables of their own
    rows = [
        [row.label, amount(row.value, row.unit), row.better or UNKNOWN, row.source, ", ".join(row.tables) or "summary"]
        for row in asked_for(told, names)
    ]
    named = "the last two columns: the function below experiments.metrics and the files in tables/"
    return Table(["number", "value", "better", "function", "tables"], rows, named)


def _remarks(metrics: Metrics) -> list[str]:
    if max(metrics.share_of_bound or 0.0, metrics.share_of_chunked_bound or 0.0) <= 1:
        return []
    return ["More than 100% of a bound: rate limits let a first burst pass, so a short run can be ahead of them."]


def _completion(metrics: Metrics) -> Table:
    rows = []
    for row in metrics.completion:
        cells = [row.part.replace("_", " "), f"{row.finished} of {row.members}"]
        if row.seconds is None:
            cells += [UNKNOWN] * 6
        else:
            found = row.seconds
            cells += [number(found.lowest), number(found.p10), number(found.median.value)]
            cells += [_ends(found.median), number(found.p90), number(found.highest)]
        rows.append(cells)
    head = ["seconds from the own start", "finished", "lowest", "10%", "median", "its 95% interval", "90%", "highest"]
    return Table(head, rows, source("completion.completions", "transfers", "members"))


def _ends(found: Interval) -> str:
    return UNKNOWN if found.low is None else f"{number(found.low)} to {number(found.high)}"


def _behaviours(metrics: Metrics) -> list[Section]:
    if len(metrics.behaviours) < 2:
        return []
    rows = []
    for row in metrics.behaviours:
        cells = [row.behaviour.replace("_", " "), str(row.members)]
        cells += [number(row.scores.mean), f"{row.scores.lowest:.2f} to {row.scores.highest:.2f}"] if row.scores else [
            UNKNOWN, UNKNOWN,
        ]  # fmt: skip
        found = row.detection
        cells += [f"{found.refused} of {found.pairs}"] if found else [UNKNOWN]
        cells += [number(found.seconds.median.value) if found and found.seconds else UNKNOWN]
        cells += [f"{found.chunks.highest:g}" if found and found.chunks else UNKNOWN]
        rows.append(cells)
    head = ["as honest members see them", "members", "mean score", "range", "refused by", "median s", "bad chunks"]
    said = (
        "Refused by: honest members that refused or banned one, of those to which it did something bad. "
        "Seconds: from the first bad act to the refusal. Bad chunks: at most, of one victim, up to the refusal."
    )
    named = source("reputation.behaviours", "reputation", "rejected", "refusals", "members")
    return [Section("Behaviours", [Table(head, rows, named), said])]


def _downloads(metrics: Metrics) -> Table:
    rows = [
        [
            row.peer, number(row.started), number(row.completed),
            format_rate(row.goodput) if row.completed else UNKNOWN,
            *map(format_size, (row.bytes, row.duplicate_bytes, row.rejected_bytes)),
        ]
        for row in metrics.downloads
    ]  # fmt: skip
    head = ["leecher", "started, s", "completed, s", "goodput", "verified", "duplicate", "rejected"]
    return Table(head, rows, source("measure.measure", "transfers"))


def _tables(tables: Tables) -> Table:
    rows = [
        [file_of(name), f"{len(frame):,}", SCHEMA[name].meaning, ", ".join(frame.columns)]
        for name, frame in tables._asdict().items()
    ]
    return Table(["file", "rows", "what", "columns"], rows, "made from events/ by experiments.tables.making")
