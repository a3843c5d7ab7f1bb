"""A figure of values over time: a line each, marks where something happened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Final

from edml.reports.frame import NARROW, WIDE, Frame, plain, spanned
from edml.reports.scales import Scale, Times
from edml.reports.shapes import Dot, Figure, Key, Path, Plot, Rect, Rule, Shape, Table, Text

MOST_DOTS: Final = 80
GROUND: Final = "ground"
_STYLES: Final = 6

SIGNS: Final = {"alarm": "▲", "promotion": "●", "roll_back": "◀"}
"""What marks are told apart by beside their colours."""

_LOW, _HIGH = 0.02, 0.98
_ROBUST: Final = 4.0


def style(number: int) -> str:
    """The style of one thing among others: six can be told apart, then they begin again."""
    return f"s{number % _STYLES}"


@dataclass(frozen=True)
class Point:
    """A value in the window from ``at`` on; ``count`` is of how many events, for the table."""

    at: datetime
    value: float
    count: int = 0
    complete: bool = True


@dataclass(frozen=True)
class Line:
    """The values of one series, in order of time.

    ``style`` is one of `style`, or `GROUND` for what the others are seen against: that is drawn
    broad and pale, below them.
    """

    label: str
    points: tuple[Point, ...]
    style: str


@dataclass(frozen=True)
class Mark:
    """Something that happened: ``kind`` is alarm, promotion or roll_back."""

    at: datetime
    kind: str
    label: str


def lines(  # noqa: PLR0913  what is drawn, and what it is called
    title: str,
    about: str,
    unit: str,
    series: Sequence[Line],
    marks: Sequence[Mark] = (),
    *,
    from_zero: bool = False,
) -> Figure:
    """A figure of lines. Windows that are not complete are drawn dashed, with hollow points."""
    drawn = sorted((each for each in series if each.points), key=lambda each: each.style != GROUND)

    def plot(size: tuple[float, float]) -> Plot:
        return _plot(size, unit, drawn, marks, from_zero=from_zero)

    return Figure(
        title=title,
        about=about,
        wide=plot(WIDE),
        narrow=plot(NARROW),
        table=_table(drawn, marks),
        keys=tuple(_keys(drawn, marks)),
    )


def _plot(
    size: tuple[float, float],
    unit: str,
    series: Sequence[Line],
    marks: Sequence[Mark],
    *,
    from_zero: bool,
) -> Plot:
    values = [point.value for each in series for point in each.points]
    times_of = [point.at for each in series for point in each.points]
    if not values:
        return nothing(size)
    low, high = _bounds(values)
    low = min(0.0, low) if from_zero else low
    scale, ticks = Scale.around(low, high, size[1] - 26, 30)
    labels = [plain(each) for each in ticks]
    frame = Frame.of(size, labels, top=30)
    times = spanned(frame, min(times_of), max(times_of))
    shapes = [
        *_awaited(frame, times, series),
        *frame.across(scale, ticks, labels),
        *frame.times(times),
        Text(0, 14, unit, "axis"),
        *marked(marks, times, top=frame.top - 4, bottom=frame.bottom),
    ]
    for each in series:
        shapes += _line(each, times, _clamped(scale))
    return Plot(*size, tuple(shapes))


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Least and largest value; a few that lie far out do not press all others flat."""
    ordered = sorted(values)
    low, high = (ordered[round((len(ordered) - 1) * share)] for share in (_LOW, _HIGH))
    room = _ROBUST * (high - low)
    return max(ordered[0], low - room), min(ordered[-1], high + room)


def _clamped(scale: Scale) -> Callable[[float], float]:
    """Values that lie outside are drawn at the edge."""
    return lambda value: scale(min(max(value, scale.low), scale.high))


def _awaited(frame: Frame, times: Times, series: Sequence[Line]) -> Iterator[Shape]:
    """A band over the windows in which outcomes are awaited."""
    starts = [point.at for each in series for point in each.points if not point.complete]
    if starts:
        x = min(times(min(starts)), frame.right - 3)
        title = "outcomes are still awaited"
        yield Rect(x, frame.top, frame.right - x, frame.bottom - frame.top, "awaited", title)


def marked(marks: Sequence[Mark], times: Times, *, top: float, bottom: float) -> Iterator[Shape]:
    """Each mark within the times: a line down, and its sign above it."""
    for each in marks:
        if times.first <= each.at <= times.last:
            x = times(each.at)
            title = f"{each.label}, {each.at:%Y-%m-%d %H:%M}"
            yield Rule(x, top, x, bottom, f"mark {each.kind}", title)
            yield Text(x, top - 3, SIGNS[each.kind], f"mark {each.kind}", "middle")


def mark_keys(marks: Sequence[Mark]) -> Iterator[Key]:
    """The legend of marks."""
    for kind in dict.fromkeys(each.kind for each in marks):
        yield Key(kind.replace("_", "-"), f"mark {kind}", SIGNS[kind])


def _line(line: Line, times: Times, scale: Callable[[float], float]) -> Iterator[Shape]:
    """Solid through complete windows, dashed into those that are not."""
    for complete, points in _runs(line.points):
        places = tuple((times(each.at), scale(each.value)) for each in points)
        yield Path(places, f"{line.style} line" if complete else f"{line.style} line open")
    if len(line.points) <= MOST_DOTS and line.style != GROUND:
        for each in line.points:
            told = "" if each.complete else ", not complete"
            when = f"{each.at:%Y-%m-%d %H:%M}"
            title = f"{line.label}, {when}: {each.value:,.3f} of {each.count:,}{told}"
            kind = "dot" if each.complete else "dot open"
            yield Dot(times(each.at), scale(each.value), f"{line.style} {kind}", title, radius=2.6)


def _runs(points: Sequence[Point]) -> Iterator[tuple[bool, list[Point]]]:
    """Stretches within which all windows are complete, and others."""
    steps = groupby(pairwise(points), lambda step: step[0].complete and step[1].complete)
    for complete, stretch in steps:
        pairs = list(stretch)
        yield complete, [pairs[0][0], *(after for _, after in pairs)]


def _keys(series: Sequence[Line], marks: Sequence[Mark]) -> Iterator[Key]:
    for each in series:
        yield Key(each.label, f"{each.style} line")
    if any(not point.complete for each in series for point in each.points):
        yield Key("outcomes still awaited", "awaited")
    yield from mark_keys(marks)


def _table(series: Sequence[Line], marks: Sequence[Mark]) -> Table:
    """One row a window, one column a series; then what happened."""
    by_time: dict[datetime, dict[str, Point]] = {}
    for each in series:
        for point in each.points:
            by_time.setdefault(point.at, {})[each.label] = point
    labels = [each.label for each in series]
    rows = [
        (f"{at:%Y-%m-%d %H:%M}", *(_cell(points.get(each)) for each in labels), "")
        for at, points in by_time.items()
    ]
    rows += [(f"{each.at:%Y-%m-%d %H:%M}", *("" for _ in labels), each.label) for each in marks]
    right = frozenset(labels)
    return Table(("from (UTC)", *labels, "what happened"), tuple(sorted(rows)), right)


def _cell(point: Point | None) -> str:
    if point is None:
        return ""
    return f"{point.value:,.3f}{'' if point.complete else '*'}"


def nothing(size: tuple[float, float]) -> Plot:
    """A plot that says that there is nothing to see yet."""
    width, _ = size
    return Plot(width, 80, (Text(width / 2, 44, "nothing yet", "axis", "middle"),))
