"""All figures of one experiment, drawn into its folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from experiments.cast import HONEST
from experiments.figures import swarm
from experiments.figures.matrix import draw_bytes
from experiments.figures.style import FIGURES
from experiments.metrics import completion, series, tracker
from experiments.metrics.measure import Metrics, leechers_of
from experiments.report.document import Figure, source
from experiments.tables.folder import file_of
from experiments.tables.making import Tables

Part = tuple[str, int, list[float]]


def draw_all(folder: Path, tables: Tables, metrics: Metrics) -> list[Figure]:
    """Draw what the tables have, as SVG and PNG; returns what was drawn, in the order of a report."""
    place = folder / FIGURES
    leechers = leechers_of(tables)
    names = leechers["member"].to_list()
    swarm.draw_completion(place / "completion", completion_parts(leechers), metrics.bound_seconds)
    progress = tables.progress.filter(pl.col("content") == 0)
    bands = series.progress_bands(progress, names, metrics.size)
    swarm.draw_progress(place / "progress", bands, metrics.bound_seconds)
    draw_bytes(place / "bytes", metrics.matrix)
    rows = "groups of members" if metrics.matrix.groups else "members"
    drawn = [
        figure("completion", "Who finished within what time", "completion.durations", "transfers", "members"),
        figure("progress", "Verified share of the leechers over time", "series.progress_bands", "progress"),
        figure("bytes", f"Verified bytes between {rows}: rows give, columns take", "volume.matrix", "sources"),
    ]
    if not tables.availability.is_empty():
        swarm.draw_availability(place / "availability", tables.availability)
        drawn.append(
            Figure(
                f"{FIGURES}/availability.svg", "Copies of the parts of the content over time",
                f"{file_of('availability')}, by experiments.tables.holdings.Holdings",
            )
        )  # fmt: skip
    honest = tables.members.filter(pl.col("behaviour") == HONEST)["member"].to_list()
    if scores := series.score_bands(tables.reputation, tables.members, honest):
        swarm.draw_scores(place / "scores", scores)
        caption = "Scores over time by behaviour, as honest members give them: the median, and where 8 of 10 are"
        drawn.append(figure("scores", caption, "series.score_bands", "reputation", "members"))
    rates = tracker.request_rates(tables.tracker)
    if load := tracker.tracker_load(rates):
        swarm.draw_tracker(place / "tracker", rates, load.mean)
        drawn.append(figure("tracker", "Load of the tracker over time", "tracker.request_rates", "tracker"))
    return drawn


def figure(name: str, caption: str, function: str, *tables: str) -> Figure:
    """How a figure stands in a report."""
    return Figure(f"{FIGURES}/{name}.svg", caption, source(function, *tables))


def completion_parts(leechers: pl.DataFrame) -> list[Part]:
    """Leechers by behaviour if there are several, else by group if there are several, else all."""
    for column in ("behaviour", "group"):
        names = leechers[column].unique().sort().to_list()
        if len(names) > 1:
            return [_part(str(name).replace("_", " "), leechers.filter(pl.col(column) == name)) for name in names]
    return [_part("leechers", leechers)]


def _part(name: str, rows: pl.DataFrame) -> Part:
    return name, len(rows), completion.durations(rows)
