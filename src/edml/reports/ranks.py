"""A figure of a few parts: a row each, a dot for each of those that are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edml.reports.frame import NARROW, WIDE, Frame, plain
from edml.reports.lines import nothing
from edml.reports.scales import Scale
from edml.reports.shapes import Dot, Figure, Key, Plot, Rule, Shape, Table, Text

_ROW = 26.0


@dataclass(frozen=True)
class Part:
    """One part, of ``count`` events, with a value for each of those that are compared."""

    name: str
    count: int
    values: Mapping[str, float]


def ranks(
    title: str, about: str, unit: str, parts: Sequence[Part], styles: Mapping[str, str]
) -> Figure:
    """A figure of dots in rows; ``styles`` are those of what is compared, by name."""
    compared = list(dict.fromkeys(name for each in parts for name in each.values))

    def plot(width: float) -> Plot:
        return _plot(width, unit, parts, {each: styles[each] for each in compared})

    return Figure(
        title=title,
        about=about,
        wide=plot(WIDE[0]),
        narrow=plot(NARROW[0]),
        table=Table(
            ("", "events", *compared),
            tuple(
                (
                    part.name,
                    f"{part.count:,}",
                    *(
                        f"{part.values[each]:,.3f}" if each in part.values else ""
                        for each in compared
                    ),
                )
                for part in parts
            ),
            frozenset({"events", *compared}),
        ),
        keys=tuple(Key(each, f"{styles[each]} dot") for each in compared),
    )


def _plot(width: float, unit: str, parts: Sequence[Part], compared: Mapping[str, str]) -> Plot:
    values = [value for each in parts for value in each.values.values()]
    if not values:
        return nothing((width, 0))
    height = 14 + _ROW * len(parts) + 40
    frame = Frame.of((width, height), [each.name for each in parts], top=8)
    bottom = frame.top + _ROW * len(parts)
    scale, ticks = Scale.around(min(0, *values), max(values), frame.left, frame.right)
    shapes: list[Shape] = [Text(frame.right, height - 4, unit, "axis", "end")]
    for mark in ticks:
        x = scale(mark)
        shapes += [
            Rule(x, frame.top, x, bottom, "grid"),
            Text(x, bottom + 16, plain(mark), "axis", "middle"),
        ]
    for row, part in enumerate(parts):
        y = frame.top + _ROW * (row + 0.5)
        places = [scale(value) for value in part.values.values()]
        shapes += [
            Text(frame.left - 6, y + 4, part.name, "axis", "end"),
            Rule(min(places), y, max(places), y, "join"),
        ]
        for each, style in compared.items():
            if each in part.values:
                title = f"{part.name}, {each}: {part.values[each]:,.3f} ({part.count:,} events)"
                shapes.append(Dot(scale(part.values[each]), y, f"{style} dot", title, radius=5))
    return Plot(width, height, tuple(shapes))
