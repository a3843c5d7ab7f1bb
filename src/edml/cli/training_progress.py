"""A display of how far a training is, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def training_progress() -> Iterator[Callable[[str, float], None]]:
    """Show what is being done, and how far it is: a terminal sees a bar, a file gets lines."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        task = bars.add_task("", total=1)
        said: set[str] = set()

        def tell(what: str, done: float) -> None:
            bars.update(task, description=what, completed=min(done, 1), refresh=True)
            if bars.disable and what not in said:
                said.add(what)
                console.print(what, highlight=False)

        yield tell
