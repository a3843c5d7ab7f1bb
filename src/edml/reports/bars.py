"""A figure of one value a block of time, above and below zero, and what they come to."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from edml.reports.frame import NARROW, WIDE, Frame, plain, spanned
from edml.reports.lines import Line, Point, nothing
from edml.reports.scales import Scale
from edml.reports.shapes import Figure, Key, Path, Plot, Rect, Table, Text


def bars(title: str, about: str, unit: str, line: Line, block: timedelta) -> Figure:
    """A figure of bars, one a block of events, and the mean so far as a line over them."""
    means = _so_far(line.points)

    def plot(size: tuple[float, float]) -> Plot:
        return _plot(size, unit, line.points, means, block)

    return Figure(
        title=title,
        about=about,
        wide=plot(WIDE),
        narrow=plot(NARROW),
        table=Table(
            ("from (UTC)", "events", line.label, "mean so far"),
            tuple(
                (
                    f"{each.at:%Y-%m-%d %H:%M}",
                    f"{each.count:,}",
                    f"{each.value:+,.3f}",
                    f"{mean:+,.3f}",
                )
                for each, mean in zip(line.points, means, strict=True)
            ),
            frozenset({"events", line.label, "mean so far"}),
        ),
        keys=(Key("better", "better"), Key("worse", "worse"), Key("mean so far", "s3 line")),
    )


def _plot(
    size: tuple[float, float],
    unit: str,
    points: Sequence[Point],
    means: Sequence[float],
    block: timedelta,
) -> Plot:
    if not points:
        return nothing(size)
    values = [each.value for each in points]
    scale, ticks = Scale.around(min(0, *values), max(0, *values), size[1] - 26, 30)
    labels = [plain(each) for each in ticks]
    frame = Frame.of(size, labels, top=30)
    times = spanned(frame, points[0].at, points[-1].at + block)
    width = max(1.0, times(points[0].at + block) - times(points[0].at) - 1.5)
    shapes = [
        *frame.across(scale, ticks, labels),
        *frame.times(times),
        Text(0, 14, unit, "axis"),
    ]
    for each in points:
        top, bottom = sorted((scale(each.value), scale(0)))
        title = f"{each.at:%Y-%m-%d %H:%M}: {each.value:+,.3f} ({each.count:,} events)"
        style = "better" if each.value >= 0 else "worse"
        shapes.append(Rect(times(each.at), top, width, max(bottom - top, 0.5), style, title))
    middles = (_middle(each.at, block) for each in points)
    path = tuple((times(at), scale(mean)) for at, mean in zip(middles, means, strict=True))
    if len(path) > 1:
        shapes.append(Path(path, "s3 line"))
    return Plot(*size, tuple(shapes))


def _middle(at: datetime, block: timedelta) -> datetime:
    return at + block / 2


def _so_far(points: Sequence[Point]) -> list[float]:
    """The mean of each block and all before, every event counting alike."""
    total, events, means = 0.0, 0, []
    for each in points:
        weight = max(each.count, 1)
        total, events = total + each.value * weight, events + weight
        means.append(total / events)
    return means
