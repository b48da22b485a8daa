"""How a swarm fared over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from experiments.figures.style import INK, PALE, PALETTE, drawing, label_right, mark_time, style_of
from experiments.metrics.population import Population
from experiments.metrics.series import Bands, completed_share
from experiments.metrics.tracker import Rate

BOUND: Final = "least time possible"
STEPS: Final = 400
"""Moments of a line that changes often: more cannot be seen."""


def draw_completion(stem: Path, parts: Sequence[tuple[str, int, Sequence[float]]], bound: float | None) -> None:
    """The share of each part's members that finished within a time.

    Args:
        stem: of the files.
        parts: (name, members, seconds of those who finished).
        bound: the least time possible, seconds.
    """
    end = 1.05 * max([bound or 0.0, *(took for _, _, seconds in parts for took in seconds)], default=1.0) or 1.0
    with drawing(stem) as figure:
        axes = figure.subplots()
        labels = []
        for place, (name, members, seconds) in enumerate(parts):
            times, shares = zip(*completed_share(seconds, members, end), strict=True)
            style = style_of(place)
            axes.plot(times, [100 * share for share in shares], drawstyle="steps-post", **style)
            labels.append((100 * shares[-1], f"{name}\n{len(seconds)} of {members}", style["color"]))
        axes.set(xlabel="seconds from a member's own start", ylabel="finished, %", xlim=(0, end), ylim=(0, 103))
        axes.grid()
        if bound is not None:
            mark_time(axes, bound, BOUND)
        label_right(axes, labels)


def draw_progress(stem: Path, bands: Bands, bound: float | None) -> None:
    """Verified share over time: the median leecher, and where the half, 8 of 10 and all of them are."""
    with drawing(stem) as figure:
        axes = figure.subplots()
        columns = [[100 * value for value in column] for column in zip(*bands.quantiles, strict=True)]
        for low, high, alpha, name in ((0, 6, 0.15, "all"), (1, 5, 0.25, "8 of 10"), (2, 4, 0.4, "half")):
            axes.fill_between(bands.times, columns[low], columns[high], color=PALETTE[0], alpha=alpha, lw=0, label=name)
        axes.plot(bands.times, columns[3], color=PALETTE[0], linewidth=1.8, label="median leecher")
        axes.set(xlabel="seconds since the first start", ylabel="verified, %", ylim=(0, 103))
        axes.set_xlim(left=0)
        axes.grid()
        if bound is not None:
            mark_time(axes, bound, BOUND)
        axes.legend(loc="best", frameon=False, reverse=True)


def draw_availability(stem: Path, availability: pl.DataFrame) -> None:
    """Copies of the rarest and of the middle part over time, below the most there could be."""
    rows = availability.filter(pl.col("time") >= 0)
    if rows.is_empty():
        rows = availability
    with drawing(stem) as figure:
        axes = figure.subplots()
        times = rows["time"].to_list()
        series = (("online", "members\nonline", PALE, ":"), ("median", "middle\npart", PALETTE[0], "-"))
        labels = []
        for column, name, color, line in (*series, ("lowest", "rarest\npart", PALETTE[1], "-")):
            values = rows[column].to_list()
            axes.plot(times, values, color=color, linestyle=line, linewidth=1.8, drawstyle="steps-post")
            labels.append((float(values[-1]), name, color))
        axes.set(xlabel="seconds since the first start", ylabel="copies", ylim=(0, 1.05 * max(1, *rows["online"])))
        axes.set_xlim(left=0)
        axes.grid()
        label_right(axes, labels)


def draw_population(stem: Path, rows: Sequence[Population], told: bool) -> None:
    """Leechers in the swarm over time, those of them that want something, and those that lack one chunk only, if it
    was `told` who does.
    """
    step = (rows[-1].time / STEPS) or 1.0
    rows = list({int(row.time / step): row for row in rows}.values())  # the newest of each step
    with drawing(stem) as figure:
        axes = figure.subplots()
        times = [row.time for row in rows]
        labels = []
        series = [
            ("online", [row.online for row in rows], {"color": PALE, "linestyle": ":"}),
            ("want\nsomething", [row.waiting for row in rows], style_of(0)),
            ("lack one\nchunk", [row.lacking_one for row in rows], style_of(1)),
        ]
        for name, values, style in series if told else series[:-1]:
            axes.plot(times, values, drawstyle="steps-post", **style | {"linewidth": 1.4})
            labels.append((float(values[-1]), name, str(style["color"])))
        most = max(row.online for row in rows)
        axes.set(xlabel="seconds since the first start", ylabel="leechers", ylim=(0, 1.05 * max(1, most)))
        axes.set_xlim(0, times[-1] or 1.0)
        axes.grid()
        label_right(axes, labels)


def draw_scores(stem: Path, bands: Mapping[str, Bands], order: Sequence[str]) -> None:
    """Scores over time by behaviour, as honest members give them: the median, and where 8 of 10 are.

    Args:
        stem: of the files.
        bands: by behaviour.
        order: of all behaviours, which gives each its colour.
    """
    with drawing(stem) as figure:
        axes = figure.subplots()
        end = max((found.times[-1] for found in bands.values()), default=1.0)
        labels = [(0.5, "neutral", PALE)]
        for name, found in bands.items():
            columns = list(zip(*found.quantiles, strict=True))
            style = style_of(order.index(name))
            axes.fill_between(found.times, columns[1], columns[5], color=style["color"], alpha=0.2, lw=0, step="post")
            axes.plot(found.times, columns[3], drawstyle="steps-post", **style)
            labels.append((columns[3][-1], name.replace("_", " "), style["color"]))
        axes.axhline(0.5, color=PALE, linestyle=":", linewidth=1.2)
        axes.set(xlabel="seconds since the first start", ylabel="score", ylim=(0, 1), xlim=(0, end))
        axes.grid()
        label_right(axes, labels)


def draw_taken(
    stem: Path, shares: Mapping[str, Sequence[tuple[float, float]]], order: Sequence[str], until: float | None
) -> None:
    """What part of honest members' uploads each other behaviour has had so far.

    Args:
        stem: of the files.
        shares: (time, share) by behaviour.
        order: of all behaviours, which gives each its colour.
        until: when the last honest leecher had everything; None: one never had.
    """
    with drawing(stem) as figure:
        axes = figure.subplots()
        labels = []
        for name, found in shares.items():
            times, parts = zip(*found, strict=True)
            style = style_of(order.index(name))
            axes.plot(times, [100 * part for part in parts], **style)
            labels.append((100 * parts[-1], name.replace("_", " "), style["color"]))
        axes.set(xlabel="seconds since the first start", ylabel="of what honest members have uploaded, %")
        axes.set_xlim(0, max(found[-1][0] for found in shares.values()))
        axes.set_ylim(bottom=0)
        axes.grid()
        if until is not None:
            mark_time(axes, until, "all honest have it")
        label_right(axes, labels)


def draw_tracker(stem: Path, rates: Sequence[Rate], mean: float) -> None:
    """Requests a second to the tracker, each rate from one sample to the next, and their mean."""
    with drawing(stem, height=2.8) as figure:
        axes = figure.subplots()
        edges = [rates[0].begin, *(rate.end for rate in rates)]
        values = [rate.requests for rate in rates]
        axes.stairs(values, edges, fill=True, color=PALETTE[0], alpha=0.35)
        axes.stairs(values, edges, color=PALETTE[0], linewidth=1.4)
        axes.axhline(mean, color=INK, linestyle="--", linewidth=1)
        axes.set(xlabel="seconds since the first start", ylabel="requests to the tracker a second")
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * max(1.0, *values)))
        axes.grid()
        label_right(axes, [(mean, f"mean {mean:.3g}", INK)])
