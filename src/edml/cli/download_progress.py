"""A display of downloads, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def download_progress() -> Iterator["DownloadDisplay"]:
    """Show each file as it comes; where there is no terminal, nothing."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        yield DownloadDisplay(bars)


class DownloadDisplay:
    """One bar, of the file that comes just now."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID = bars.add_task("connecting", total=None)

    def begin(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A file begins, or goes on."""
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=total_bytes, completed=done_bytes)

    def advance(self, arrived_bytes: int) -> None:
        """Some more bytes have arrived."""
        self._bars.advance(self._task, arrived_bytes)
