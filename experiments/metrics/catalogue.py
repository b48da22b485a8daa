"""The numbers by which experiments are judged and compared: their names, their better direction, their source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from experiments.metrics.completion import Completion
from experiments.metrics.measure import Metrics
from experiments.metrics.reputation import Behaviour

Unit = Literal["s", "bytes/s", "share", "copies", "index", "requests/s", "bytes", "count", "score"]


class Quantity(Struct, frozen=True):
    """One number of one experiment."""

    name: str
    """Stable: `compare --metric` takes it."""
    label: str
    unit: Unit
    better: Literal["lower", "higher", ""]
    """Empty: neither; it is shown, and never a regression."""
    value: float | None
    """None: this experiment does not have it."""
    source: str
    """The function that computes it, below experiments.metrics."""
    tables: tuple[str, ...]
    """What it is computed from."""
    absolute: bool = False
    """Its changes are judged as they are, not as a part of what it was: a share of waste, or a count that must be 0."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def asked_for(found: Iterable[N], names: Sequence[str]) -> list[N]:
    """Of what was found that of these names, in their order."""
    known = {row.name: row for row in found}
    return [known[name] for name in names if name in known]


def quantities(metrics: Metrics) -> list[Quantity]:
    """All of them, in the order in which people want to see them; experiments/metrics/names.py has their names."""
    return [
        *_times(metrics),
        *_late(metrics),
        *_volumes(metrics),
        *_faults(metrics),
        *_parts(metrics),
        *_behaviours(metrics),
    ]


def _times(metrics: Metrics) -> list[Quantity]:
    seconds = metrics.completion[0].seconds
    tables = ("transfers", "members")
    spread, bounds = "completion.completions", ("transfers", "members", "contents")
    finished = metrics.finished / metrics.leechers if metrics.leechers else None
    return [
        Quantity("finished", "leechers that finished", "share", "higher", finished, spread, tables),
        Quantity(
            "median_completion", "median time to completion", "s", "lower",
            seconds.median.value if seconds else None, spread, tables,
        ),
        Quantity(
            "p90_completion", "90% quantile of time to completion", "s", "lower",
            seconds.p90 if seconds else None, spread, tables,
        ),
        Quantity(
            "last_completion", "last completion since the first start", "s", "lower",
            metrics.last_completion, "measure.measure", tables,
        ),
        Quantity(
            "share_of_bound", "share of the fluid bound reached", "share", "higher",
            metrics.share_of_bound, "bound.fluid_bound", bounds,
        ),
        Quantity(
            "share_of_chunked_bound", "share of the chunked bound reached", "share", "higher",
            metrics.share_of_chunked_bound, "bound.chunked_bound", bounds,
        ),
        Quantity("goodput", "goodput of all", "bytes/s", "higher", metrics.goodput, "volume.goodput", tables),
    ]  # fmt: skip


def _late(metrics: Metrics) -> list[Quantity]:
    waiting, lacking_one = metrics.late or (None, None)
    source, tables = "population.late", ("presence", "transfers", "progress")
    return [
        Quantity("waiting", "leechers waiting at the end", "count", "lower", waiting, source, tables),
        Quantity("lacking_one", "of them, who lack one chunk", "share", "", lacking_one, source, tables),
    ]


def _volumes(metrics: Metrics) -> list[Quantity]:
    both = ("transfers", "sources")
    load = metrics.tracker
    return [
        Quantity(
            "seed_load", "bytes from seeds", "copies", "lower", metrics.seed_load, "volume.seed_load", ("sources",)
        ),
        Quantity(
            "duplicate_share", "duplicate bytes", "share", "lower", metrics.duplicate_share, "volume.share", both, True
        ),
        Quantity(
            "rejected_share", "rejected bytes", "share", "lower", metrics.rejected_share, "volume.share", both, True
        ),
        Quantity(
            "jain_upload", "fairness of giving", "index", "higher", metrics.jain_upload, "fairness.jain", ("sources",)
        ),
        Quantity(
            "jain_download", "fairness of getting", "index", "higher", metrics.jain_download, "fairness.jain",
            ("transfers",),
        ),
        # Not judged: what falls between two samples a second apart depends on when they are taken.
        Quantity(
            "tracker_mean", "load of the tracker", "requests/s", "",
            load.mean if load else None, "tracker.tracker_load", ("tracker",),
        ),
        Quantity(
            "tracker_peak", "peak load of the tracker", "requests/s", "",
            load.peak if load else None, "tracker.tracker_load", ("tracker",),
        ),
    ]  # fmt: skip


def _faults(metrics: Metrics) -> list[Quantity]:
    refusals = ("refusals", "members")
    return [
        Quantity(
            "false_refusals", "honest peers refused by honest ones", "count", "lower", metrics.false_refusals,
            "reputation.false_refusals", refusals, True,
        ),
        Quantity("events_lost", "events lost", "count", "lower", metrics.events_lost, "measure.measure", (), True),
        Quantity("wrong_bytes", "wrong bytes", "bytes", "lower", metrics.wrong_bytes, "measure.measure", (), True),
    ]  # fmt: skip


def _parts(metrics: Metrics) -> list[Quantity]:
    return [quantity for part in metrics.completion[1:] for quantity in _part(part)]


def _part(part: Completion) -> list[Quantity]:
    better: Literal["lower", ""] = "lower" if part.part == "behaviour honest" else ""
    name, words = part.part.replace(" ", "."), part.part.replace("_", " ")
    median = part.seconds.median.value if part.seconds else None
    source, tables = "completion.completions", ("transfers", "members")
    return [
        Quantity(f"finished.{name}", f"finished, {words}", "share", "", part.finished / part.members, source, tables),
        Quantity(f"median_completion.{name}", f"median time, {words}", "s", better, median, source, tables),
    ]


def _behaviours(metrics: Metrics) -> list[Quantity]:
    return [quantity for row in metrics.behaviours for quantity in _behaviour(row)]


def _behaviour(row: Behaviour) -> list[Quantity]:
    words = row.behaviour.replace("_", " ")
    found = [
        Quantity(
            f"score.{row.behaviour}", f"mean score, {words}", "score", "", row.scores.mean if row.scores else None,
            "reputation.final_scores", ("reputation", "members"),
        )
    ]  # fmt: skip
    if row.taken is not None:
        found.append(
            Quantity(
                f"taken.{row.behaviour}", f"share of what honest peers upload until all have it, {words}", "share",
                "", row.taken, "reputation.taken", ("uploads", "members", "transfers"),
            )
        )  # fmt: skip
    if row.detection is not None:
        tables = ("rejected", "reputation", "refusals", "members")
        seconds, chunks = row.detection.seconds, row.detection.chunks
        found += [
            Quantity(
                f"detection.{row.behaviour}", f"median time to refuse, {words}", "s", "lower",
                seconds.median.value if seconds else None, "reputation.detections", tables,
            ),
            Quantity(
                f"bad_chunks.{row.behaviour}", f"bad chunks before refusal at most, {words}", "count", "lower",
                chunks.highest if chunks else None, "reputation.detections", tables,
            ),
        ]  # fmt: skip
    return found
