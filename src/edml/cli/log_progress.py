"""A display of how the log is fetched, started and stopped, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)


@contextmanager
def log_progress() -> "Iterator[StepDisplay]":
    """Show the steps while they are taken: a terminal sees them move, a file gets a line each."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        yield StepDisplay(bars)


class StepDisplay:
    """Shows the step that is being taken; of a download, how much has arrived."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._plain_columns = bars.columns
        self._task: TaskID | None = None

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """Show the next step instead of the one before."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        download = () if total_bytes is None else (BarColumn(), DownloadColumn())
        self._bars.columns = (*self._plain_columns, *download)
        self._task = self._bars.add_task(title, total=total_bytes)
        if self._bars.disable:
            self._bars.console.print(title)

    def advance(self, arrived_bytes: int) -> None:
        """Show that some more bytes have arrived."""
        if self._task is not None:
            self._bars.advance(self._task, arrived_bytes)

    def say(self, text: str) -> None:
        """Print ``text``, to stay."""
        self._bars.console.print(text)
