"""Two views of the demo: a live one for a terminal, and lines for everything else."""

from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live

from edml.demo.figures import Figures, Happening
from edml.demo.screen import clock
from edml.demo.stages import Mark
from edml.demo.story import Story

FRAMES_PER_S: Final = 5
LAST_FRAME_ROWS: Final = 24
LINE_EVERY_S: Final = 5.0


class LiveView:
    """The whole screen, drawn anew some times a second; the last one stays when it is over."""

    def __init__(self, story: Story, console: Console) -> None:
        self._story = story
        self._console = console
        self._live = Live(
            get_renderable=lambda: story.screen,
            console=console,
            screen=True,
            refresh_per_second=FRAMES_PER_S,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # the terminal may have been closed
            self._live.stop()
            self._console.print(self._story.screen, height=LAST_FRAME_ROWS)

    def pulse(self) -> None:
        """It is drawn by itself."""


class PlainView:
    """A line for everything that begins, ends or happens, and one for the figures now and then."""

    def __init__(self, story: Story, console: Console) -> None:
        self._story = story
        self._console = console
        self._stages = story.stages
        self._told: set[Happening] = set()
        self._line_due_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self.pulse()

    def pulse(self) -> None:
        """Print what is new."""
        before, self._stages = self._stages, self._story.stages
        for stage in self._stages.all:
            if stage.mark is not before.by_name[stage.name].mark:
                self._line(f"{_WORDS[stage.mark]} {stage.name}: {stage.note}")
        figures = self._story.figures()
        for happening in figures.happenings:
            if happening not in self._told:
                self._told.add(happening)
                self._line(f"      {happening.kind}: {happening.text}")
        if figures.served and self._story.now_s >= self._line_due_s:
            self._line_due_s = self._story.now_s + LINE_EVERY_S
            self._line(f"      {_summary(figures)}")

    def _line(self, text: str) -> None:
        self._console.print(
            f"{clock(self._story.now_s):>5}  {text}", markup=False, highlight=False, soft_wrap=True
        )


_WORDS: Final = {
    Mark.TO_COME: "later",
    Mark.UNDER_WAY: "begin",
    Mark.DONE: "done ",
    Mark.FAILED: "FAIL ",
}


def view_of(story: Story, *, plain: bool) -> LiveView | PlainView:
    """The view that suits where our output goes."""
    console = Console(highlight=False)
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    return LiveView(story, console) if live else PlainView(story, console)


def _summary(figures: Figures) -> str:
    latency = figures.recent_latency
    said = [
        f"{figures.events:,} events",
        f"{figures.predictions:,} predicted",
        f"{figures.scored:,} scored",
        f"{figures.dead_letters} dead letters",
        f"{figures.rate_per_s:,.0f}/s",
        *([f"{latency.p50:.0f} ms p50, {latency.p99:.0f} ms p99"] if latency else []),
        *(
            f"{each.role} {each.version} RMSE {each.errors.rmse:.2f}"
            for each in figures.served
            if each.errors.rmse is not None
        ),
    ]
    return " · ".join(said)
