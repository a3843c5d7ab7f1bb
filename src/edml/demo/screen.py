"""What is on the screen at one moment. Pure: stages and figures in, something to print out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from edml.demo.figures import Errors, Figures, Happening, Latency, Sample, Served
from edml.demo.stages import Mark, Stage, Stages

WIDE: Final = 104
"""From so many columns on, there is room for more than the essentials."""

MARKS: Final = {
    Mark.TO_COME: ("○", "dim"),
    Mark.UNDER_WAY: ("●", "bold yellow"),
    Mark.DONE: ("✓", "green"),
    Mark.FAILED: ("✗", "bold red"),
}
ROLES: Final = {
    "champion": ("champion", "bold green"),
    "challenger": ("challenger", "yellow"),
    "previous": ("in the shadow", ""),
}
WAS_CHAMPION: Final = ("was champion", "dim")
KIND_STYLES: Final = {
    "promoted": "bold green",
    "published": "cyan",
    "loaded": "cyan",
    "refused": "bold red",
    "alarmed": "bold red",
    "rejected": "red",
    "failed": "red",
    "retrained": "cyan",
    "challenging": "yellow",
    "rolled_back": "bold red",
    "dead letter": "red",
}
BLOCKS: Final = "▁▂▃▄▅▆▇█"
POINTS: Final = 30
COURSE: Final = "RMSE by day  "
COURSE_MARKS: Final = {"alarmed": "alarm", "challenging": "tried", "promoted": "promoted"}
FEWEST_DAYS: Final = 2
RATE_POINTS: Final = 8
ROWS_OF_FRAME: Final = 12
"""The rows that are always there: title, stages, notes, figures, headings, and what parts them."""


@dataclass(frozen=True)
class Topics:
    """What the streams of the application are called, and what its label is measured in."""

    events: str
    predictions: str
    scored: str
    dead_letters: str
    models: str
    unit: str


@dataclass(frozen=True)
class Screen:
    """One moment of the demo; ``now_s`` is counted from its beginning."""

    topics: Topics
    data: str
    now_s: float
    stages: Stages = field(default_factory=Stages.to_come)
    figures: Figures = field(default_factory=Figures)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the moment out for a terminal of this size."""
        wide = options.max_width >= WIDE
        height = options.height or console.height
        yield Group(*self._rows(wide=wide, width=options.max_width, height=height))

    def _rows(self, *, wide: bool, width: int, height: int) -> list[RenderableType]:
        versions = self.figures.served
        course = _course(self.figures, self.topics, width) if "alarm" in self.stages.by_name else []
        left = max(height - ROWS_OF_FRAME - len(course) - max(1, len(versions)), 4)
        # What happens is the story, so it gets the larger part; samples are only for the eye.
        happenings = self.figures.happenings[-(left - left // 3) :]
        samples = _chosen(self.figures.samples, left // 3)
        rows: list[RenderableType] = [
            _title(self.data, self.now_s),
            _stage_line(self.stages.all, self.now_s, wide=wide),
            *_notes(self.stages, self.now_s),
            Text(),
            _figure_table(self.figures, self.topics, wide=wide),
            Text(),
            *(course if len(self.figures.days) >= FEWEST_DAYS else []),
        ]
        if not versions:
            return [*rows, *_what_to_expect(self.topics)]
        return [
            *rows,
            _version_table(self.figures, self.topics, wide=wide),
            Text(),
            _sample_table(samples, self.topics, wide=wide),
            Text(),
            *(_happening_line(each) for each in happenings),
        ]


def _title(data: str, now_s: float) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    title = Text.assemble(("edml demo", "bold"), (f"  {data}", "dim"))
    line.add_row(title, Text.assemble(("Ctrl-C ends it  ", "dim"), (clock(now_s), "bold")))
    return line


def _stage_line(stages: Sequence[Stage], now_s: float, *, wide: bool) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for stage in stages:
        sign, style = MARKS[stage.mark]
        line.append(f"{sign} {stage.name}", style)
        if wide and stage.mark is not Mark.TO_COME:
            line.append(f" {stage.lasted_s(now_s):.0f}s", "dim")
        line.append("  ")
    return line


def _notes(stages: Stages, now_s: float) -> list[Text]:
    """Two lines: what is being done."""
    lines = [
        Text.assemble(
            (f"{stage.name} ", "yellow"),
            stage.note,
            (f"  {stage.said or f'{stage.lasted_s(now_s):.0f} s'}", "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )
        for stage in stages.under_way[:2]
    ]
    return [*lines, Text(), Text()][:2]


def _figure_table(figures: Figures, topics: Topics, *, wide: bool) -> Table:
    latency = figures.recent_latency
    course = sparkline(figures.rates[-RATE_POINTS:], [0.0, *figures.rates])
    cells = [
        (f"{figures.events:,}", topics.events),
        (f"{figures.predictions:,}", topics.predictions if wide else "→ predicted"),
        (f"{figures.scored:,}", topics.scored if wide else "→ scored"),
        (f"{figures.dead_letters:,}", topics.dead_letters if wide else "dead letters"),
        (f"{figures.rate_per_s:,.0f}", f"a second {course if wide else ''}"),
        (_latency(latency), "ms p50 · p99"),
    ]
    table = Table.grid(expand=True)
    for _ in cells:
        table.add_column(no_wrap=True, ratio=1)
    table.add_row(*(Text(number, "bold cyan") for number, _ in cells))
    table.add_row(*(Text(label, "dim") for _, label in cells))
    return table


def _course(figures: Figures, topics: Topics, width: int) -> list[Text]:
    """The answers' RMSE by day of event, and below it when what happened; and an empty line."""
    room = width - len(COURSE) - 12
    days = [each for each in figures.days if each.errors.rmse is not None]
    each_point = max(1, -(-len(days) // room))
    groups = [days[at : at + each_point] for at in range(0, len(days), each_point)]
    values = [sum((day.errors for day in group), Errors()).rmse or 0.0 for group in groups]
    marks = Text(" " * len(COURSE), no_wrap=True, overflow="ellipsis")
    for told in figures.told:
        if told.kind not in COURSE_MARKS or told.event_time is None:
            continue
        at = sum(group[0].day <= told.event_time.date() for group in groups) - 1
        if len(COURSE) + at < len(marks.plain):
            continue  # there is no room beside what happened before
        said = f"↑{COURSE_MARKS[told.kind]} {told.event_time:%d %b} "
        marks.append(" " * (len(COURSE) + at - len(marks.plain)))
        marks.append(said, KIND_STYLES.get(told.kind, ""))
    return [
        Text.assemble(
            (COURSE, "dim"),
            (sparkline(values, [0.0, *values]), "bold cyan"),
            (f" {_number(values[-1] if values else None)} {topics.unit}", "dim"),
            no_wrap=True,
            overflow="ellipsis",
        ),
        marks,
        Text(),
    ]


def _version_table(figures: Figures, topics: Topics, *, wide: bool) -> Table:
    table = _table()
    young = any(each.errors.mostly_young for each in figures.served)
    hint = "  ~ windows still open" if young else ""
    table.add_column(f"model version{hint}", no_wrap=True, ratio=1)
    table.add_column("served as", no_wrap=True)
    for heading in ("scored", "RMSE", "MAE", "bias"):
        table.add_column(heading, justify="right", no_wrap=True)
    if wide:
        table.add_column(f"RMSE of the last 1,000, {topics.unit}", no_wrap=True, width=34)
    among = [point for each in figures.served for point in each.trend[-POINTS:]]
    for each in figures.served:
        errors = each.errors
        row = [
            Text(each.version),
            _role(each, figures.champion),
            Text(f"{errors.count:,}"),
            Text(("~" if errors.mostly_young else "") + _number(errors.rmse), "bold"),
            Text(_number(errors.mae)),
            Text(_number(errors.bias, signed=True)),
        ]
        table.add_row(
            *row, *([Text(sparkline(each.trend[-POINTS:], among), "cyan")] if wide else [])
        )
    return table


def _role(served: Served, champion: str | None) -> Text:
    if served.role == "champion" and served.version != champion:
        return Text(*WAS_CHAMPION)
    return Text(*ROLES.get(served.role, (served.role, "")))


def _sample_table(samples: Sequence[Sample], topics: Topics, *, wide: bool) -> Table:
    table = _table()
    table.add_column("event", no_wrap=True, ratio=1)
    table.add_column("", no_wrap=True)
    table.add_column("its time, UTC", no_wrap=True)
    table.add_column("predicted", justify="right", no_wrap=True)
    table.add_column(f"was, {topics.unit}", justify="right", no_wrap=True)
    table.add_column("error", justify="right", no_wrap=True)
    for each in samples:
        table.add_row(
            Text(each.key if wide else each.key[:8]),
            Text(each.segment),
            Text(f"{each.event_time:%a %Y-%m-%d %H:%M}"),
            Text(_number(each.prediction)),
            Text("…" if each.outcome is None else _number(each.outcome)),
            Text("" if each.error is None else _number(each.error, signed=True)),
        )
    return table


def _chosen(samples: Sequence[Sample], count: int) -> Sequence[Sample]:
    """The last ones whose outcome is known, and the very last one, that still waits for its own."""
    waiting = [each for each in samples if each.outcome is None][-1:]
    known = [each for each in samples if each.outcome is not None][-max(count - 1, 0) :]
    return [*known, *waiting]


def _happening_line(happening: Happening) -> Text:
    return Text.assemble(
        (f"{local_time(happening.at)}  ", "dim"),
        (f"{happening.kind:<11}  ", KIND_STYLES.get(happening.kind, "")),
        happening.text,
        no_wrap=True,
        overflow="ellipsis",
    )


def _what_to_expect(topics: Topics) -> list[Text]:
    story = [
        ("an event asks for a prediction", topics.events),
        ("the model in service answers it, exactly once", topics.predictions),
        ("the outcome comes in: now the error is known", topics.scored),
        ("what cannot be used is put aside, with its cause", topics.dead_letters),
        ("a model is an event, too: a better one takes over", topics.models),
    ]
    return [
        Text("What you will see, on a real Kafka on this machine:", "dim"),
        *(Text.assemble((f"  {topic:<20} ", "cyan"), (what, "dim")) for what, topic in story),
    ]


def _table() -> Table:
    return Table(
        box=None,
        expand=True,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )


def clock(seconds: float) -> str:
    """Minutes and seconds: ``1:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def local_time(at: datetime) -> str:
    """The time of day on this machine's clock."""
    return f"{at.astimezone():%H:%M:%S}"


def sparkline(values: Sequence[float], among: Sequence[float]) -> str:
    """Values as blocks, on a scale from the lowest to the highest of the values ``among``.

    >>> sparkline([1.0, 2.0], [1.0, 2.0, 3.0])
    '▁▅'
    """
    low, high = min(among, default=0.0), max(among, default=0.0)
    top = len(BLOCKS) - 1
    return "".join(
        BLOCKS[round((value - low) / (high - low) * top) if high > low else 0] for value in values
    )


def _latency(latency: Latency | None) -> str:
    return "–" if latency is None else f"{latency.p50:.0f} · {latency.p99:.0f}"


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:+.2f}" if signed else f"{value:.2f}"
