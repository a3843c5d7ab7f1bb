"""A replay as somebody at a terminal sees and steers it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from edml.cli.keyboard import ReadKey, keys
from edml.replay.plan import Plan
from edml.replay.run import Done, Wish

PAUSE_KEYS: Final = frozenset("p ")


@contextmanager
def replay_display(plan: Plan, stop: Event) -> Iterator["ReplayDisplay"]:
    """Show how far a replay is while it runs: a terminal sees it move, a file gets no lines."""
    console = Console(stderr=True)
    with (
        keys() as read_key,
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bars,
    ):
        if read_key is not None and not bars.disable:
            click.echo("p pauses and goes on, Ctrl-C stops.", err=True)
        yield ReplayDisplay(plan, bars, read_key, stop)


class ReplayDisplay:
    """The controls of a replay: a bar, two keys, and Ctrl-C."""

    def __init__(self, plan: Plan, bars: Progress, read_key: ReadKey | None, stop: Event) -> None:
        self._plan = plan
        self._bars = bars
        self._task = bars.add_task("", total=len(plan))
        self._read_key = read_key
        self._stop = stop

    def show(self, done: Done, *, paused: bool) -> None:
        """Show how far it is, by the clock of the events."""
        if self._bars.disable or not done.records:
            return
        at = self._plan.at(done.records - 1)
        what = "[yellow]paused[/yellow]" if paused else "replaying"
        self._bars.update(
            self._task, description=f"{what} {at:%Y-%m-%d %H:%M} UTC", completed=done.records
        )

    def wait(self, seconds: float) -> Wish:
        """Wait so long, or until something is wished."""
        if self._stop.is_set():
            return "stop"
        if self._read_key is None:
            return "stop" if self._stop.wait(seconds) else "go on"
        key = self._read_key(seconds)
        return "pause or go on" if key is not None and key in PAUSE_KEYS else "go on"
