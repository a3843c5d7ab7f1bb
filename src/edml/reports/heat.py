"""A figure of strengths: a row a name, a cell a block of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edml.reports.frame import NARROW, WIDE, Frame, spanned
from edml.reports.lines import nothing
from edml.reports.shapes import Figure, Key, Plot, Rect, Shape, Table, Text

_ROW = 24.0


@dataclass(frozen=True)
class Cell:
    """How strong something is in a block: ``strength`` is 0 to 1, ``told`` its figure in words."""

    name: str
    at: datetime
    strength: float
    told: str


def heat(title: str, about: str, cells: Sequence[Cell], block: timedelta) -> Figure:
    """A figure of cells, the names in the order in which they come."""

    def plot(width: float) -> Plot:
        return _plot(width, cells, block)

    names = tuple(dict.fromkeys(each.name for each in cells))
    by_time: dict[datetime, dict[str, str]] = {}
    for each in cells:
        by_time.setdefault(each.at, {})[each.name] = each.told
    return Figure(
        title=title,
        about=about,
        wide=plot(WIDE[0]),
        narrow=plot(NARROW[0]),
        table=Table(
            ("from (UTC)", *names),
            tuple(
                (f"{at:%Y-%m-%d %H:%M}", *(told.get(name, "") for name in names))
                for at, told in sorted(by_time.items())
            ),
            frozenset(names),
        ),
        keys=(Key("as in training", "heat none"), Key("quite another", "heat full")),
    )


def _plot(width: float, cells: Sequence[Cell], block: timedelta) -> Plot:
    names = list(dict.fromkeys(each.name for each in cells))
    if not names:
        return nothing((width, 0))
    height = 12 + _ROW * len(names) + 26
    frame = Frame.of((width, height), names, top=6)
    first, last = min(each.at for each in cells), max(each.at for each in cells) + block
    times = spanned(frame, first, last)
    cell = max(1.0, times(first + block) - times(first) - 1)
    shapes: list[Shape] = [*frame.times(times)]
    for row, name in enumerate(names):
        y = frame.top + _ROW * row
        shapes.append(Text(frame.left - 6, y + 15, name, "axis", "end"))
        for each in (each for each in cells if each.name == name):
            title = f"{name}, {each.at:%Y-%m-%d %H:%M}: {each.told}"
            shapes += [
                Rect(times(each.at), y, cell, _ROW - 3, "heat none"),
                Rect(times(each.at), y, cell, _ROW - 3, "heat full", title, each.strength),
            ]
    return Plot(width, height, tuple(shapes))
