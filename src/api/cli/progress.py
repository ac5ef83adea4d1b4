"""Progress of what takes longer than a second: on stderr, and only where somebody looks."""

import sys
from collections.abc import Callable

from api import terminal

Advance = Callable[[int, int], None]
"""Told how much of how much is done."""


class Bars:
    """One bar for each thing that is counted; they appear when they are first told about."""

    def __init__(self) -> None:
        self._progress = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "Bars":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def bar(self, title: str) -> Advance:
        """What to call as it goes on."""

        def advance(done: int, total: int) -> None:
            self.show(title, done, total)

        return advance

    def show(self, title: str, done: int, total: int) -> None:
        if self._progress is None:
            return
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(terminal.line(title), total=total)
        self._progress.update(self._tasks[title], completed=done, total=total)  # type: ignore[arg-type]
