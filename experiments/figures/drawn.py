"""All figures of one experiment, drawn into its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from experiments.cast import HONEST
from experiments.figures import swarm
from experiments.figures.matrix import draw_bytes
from experiments.figures.style import FIGURES
from experiments.metrics import completion, population, series, tracker
from experiments.metrics.measure import Metrics, leechers_of
from experiments.report.document import Figure, source
from experiments.summary import RUNS
from experiments.tables.folder import file_of
from experiments.tables.making import Tables

Part = tuple[str, int, list[float]]
TOGETHER: Final = 1.0
"""Seconds within which leechers begin whose own starts are as good as one."""


def draw_all(folder: Path, tables: Tables, metrics: Metrics, told: bool) -> list[Figure]:
    """Draw what the tables have, as SVG and PNG; returns what was drawn, in the order of a report.

    Args:
        folder: of the result.
        tables: of the experiment.
        metrics: of it.
        told: whether peers told of progress; else figures of it would show something else.
    """
    place = folder / FIGURES
    leechers = leechers_of(tables)
    progress = tables.progress.filter(pl.col("content") == 0)
    bound = metrics.bound_seconds if began_together(leechers) else None
    swarm.draw_completion(place / "completion", completion_parts(leechers), bound)
    drawn = [figure("completion", "Who finished within what time", "completion.durations", "transfers", "members")]
    if told:
        bands = series.progress_bands(progress, leechers["member"].to_list(), metrics.size)
        swarm.draw_progress(place / "progress", bands, metrics.bound_seconds)
        caption = "Verified share of the leechers over time"
        drawn.append(figure("progress", caption, "series.progress_bands", "progress"))
    draw_bytes(place / "bytes", metrics.matrix)
    rows = "groups of members" if metrics.matrix.groups else "members"
    caption = f"Verified bytes between {rows}: rows give, columns take"
    drawn.append(figure("bytes", caption, "volume.matrix", "sources"))
    if told and not tables.availability.is_empty():
        swarm.draw_availability(place / "availability", tables.availability)
        made_by = f"{file_of('availability')}, by experiments.tables.holdings.Holdings"
        drawn.append(Figure(f"{FIGURES}/availability.svg", "Copies of the parts of the content over time", made_by))
    if _came_and_went(leechers, tables.presence):
        there = population.population(leechers, tables.presence, progress, metrics.chunks)
        swarm.draw_population(place / "population", there, told)
        used = ("presence", "transfers", "progress")
        drawn.append(figure("population", "Leechers in the swarm over time", "population.population", *used))
    return [*drawn, *_draw_behaviours(place, tables, leechers, told), *_draw_tracker(place, tables)]


def _draw_behaviours(place: Path, tables: Tables, leechers: pl.DataFrame, told: bool) -> Iterator[Figure]:
    order = _in_order(tables.members["behaviour"])
    honest = tables.members.filter(pl.col("behaviour") == HONEST)["member"].to_list()
    if scores := series.score_bands(tables.reputation, tables.members, honest):
        swarm.draw_scores(place / "scores", scores, order)
        caption = "Scores over time by behaviour, as honest members give them: the median, and where 8 of 10 are"
        yield figure("scores", caption, "series.score_bands", "reputation", "members")
    if told and (shares := series.taken_shares(tables.uploads, tables.members)):
        swarm.draw_taken(place / "taken", shares, order, _all_honest(leechers))
        caption = "What part of honest members' uploads the others have had so far"
        yield figure("taken", caption, "series.taken_shares", "uploads", "members")


def _draw_tracker(place: Path, tables: Tables) -> Iterator[Figure]:
    rates = tracker.request_rates(tables.tracker)
    if load := tracker.tracker_load(rates):
        swarm.draw_tracker(place / "tracker", rates, load.mean)
        yield figure("tracker", "Load of the tracker over time", "tracker.request_rates", "tracker")


def draw_repetitions(folder: Path, runs: Sequence[Tables], bounds: Sequence[float | None]) -> list[Figure]:
    """Draw the completion of all runs' members together; the bound only if it is the same in all."""
    parts: dict[str, Part] = {}
    leechers = [leechers_of(tables) for tables in runs]
    for rows in leechers:
        for name, members, seconds in completion_parts(rows):
            before = parts.get(name, (name, 0, []))
            parts[name] = name, before[1] + members, before[2] + seconds
    bound = bounds[0] if len(set(bounds)) == 1 and all(map(began_together, leechers)) else None
    swarm.draw_completion(folder / FIGURES / "completion", list(parts.values()), bound)
    named = f"{RUNS}/*/{source('completion.durations', 'transfers')}"
    return [Figure(f"{FIGURES}/completion.svg", "Who finished within what time, all runs together", named)]


def figure(name: str, caption: str, function: str, *tables: str) -> Figure:
    """How a figure stands in a report."""
    return Figure(f"{FIGURES}/{name}.svg", caption, source(function, *tables))


def completion_parts(leechers: pl.DataFrame) -> list[Part]:
    """Leechers by behaviour if there are several, else by group if there are several, else all."""
    for column in ("behaviour", "group"):
        names = _in_order(leechers[column])
        if len(names) > 1:
            return [_part(name.replace("_", " "), leechers.filter(pl.col(column) == name)) for name in names]
    return [_part("leechers", leechers)]


def began_together(leechers: pl.DataFrame) -> bool:
    """Whether a time since the first start is one since everybody's own, on which the completion is drawn."""
    started: list[float] = leechers["started"].drop_nulls().to_list()
    return max(started, default=0.0) - min(started, default=0.0) < TOGETHER


def _came_and_went(leechers: pl.DataFrame, presence: pl.DataFrame) -> bool:
    """Whether they began at different times, or some left before the last one finished."""
    last: float | None = leechers["completed"].max()  # type: ignore[assignment]
    left = presence.filter(~pl.col("online") & pl.col("member").is_in(leechers["member"].implode()))
    return leechers["arrives"].n_unique() > 1 or not left.filter(pl.col("time") < (last or 0.0)).is_empty()


def _all_honest(leechers: pl.DataFrame) -> float | None:
    """When the last honest one had everything; None if one never had."""
    ends: list[float | None] = leechers.filter(pl.col("behaviour") == HONEST)["completed"].to_list()
    told = [end for end in ends if end is not None]
    return max(told, default=None) if len(told) == len(ends) else None


def _in_order(names: pl.Series) -> list[str]:
    """Each once: the honest first, the others by name, so that a behaviour has one colour in all figures."""
    return sorted(map(str, names.unique()), key=lambda name: (name != HONEST, name))


def _part(name: str, rows: pl.DataFrame) -> Part:
    return name, len(rows), completion.durations(rows)
