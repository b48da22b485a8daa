"""Progress bars on stderr, for people at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bus.units import format_rate, format_size
from peer.cli.show import plain

if TYPE_CHECKING:
    from rich.progress import Task

Moved = Callable[[int, int, str], None]
"""Bytes done, bytes in all (0: unknown), and what stands before the bar."""


@contextmanager
def bar(text: str) -> Iterator[Moved]:
    """A bar that lives as long as the block, and is gone after it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            whole = f"/{format_size(task.total)}" if task.total else ""
            speed = f"  {format_rate(task.speed)}" if task.speed else ""
            return Text(f"{format_size(task.completed)}{whole}{speed}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(24), Amount(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(plain(text), total=None)

        def moved(done: int, whole: int, now: str) -> None:
            progress.update(task, completed=done, total=whole or None, description=plain(now))

        yield moved
