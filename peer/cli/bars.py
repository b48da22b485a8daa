"""Progress bars on stderr, for people at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bus.units import format_rate, format_size
from peer.cli.show import SHORTEST, plain

if TYPE_CHECKING:
    from rich.progress import Task

ROOMY: Final = 80
"""Columns of a terminal from which on there is room for more than a text and numbers."""
AMOUNT: Final = 35
"""Columns that the numbers may take: `999.9 MiB/999.9 MiB  999.9 MiB/s`, and a space."""

Moved = Callable[[int, int, str], None]
"""Bytes done, bytes in all (0: unknown), and what stands before the bar."""


@contextmanager
def bar(text: str) -> Iterator[Moved]:
    """A bar that lives as long as the block, and is gone after it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            whole = f"/{format_size(task.total)}" if task.total else ""
            speed = f"  {format_rate(task.speed)}" if task.speed else ""
            return Text(f"{format_size(task.completed)}{whole}{speed}")

    console = Console(stderr=True)
    amount = Amount(table_column=Column(no_wrap=True))
    room = max(SHORTEST, console.width - AMOUNT)
    what = Column(no_wrap=True, overflow="ellipsis", max_width=room if console.width < ROOMY else room - 34)
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False, table_column=what), amount]
    if console.width >= ROOMY:
        columns = [columns[0], BarColumn(24), amount, TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(plain(text), total=None)

        def moved(done: int, whole: int, now: str) -> None:
            progress.update(task, completed=done, total=whole or None, description=plain(now))

        yield moved
