"""A figure of who had which role, and when: a row a version, a bar a reign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edml.reports.frame import NARROW, WIDE, Frame, spanned
from edml.reports.lines import Mark, mark_keys, marked, nothing
from edml.reports.shapes import Figure, Key, Plot, Rect, Shape, Table, Text

_ROW = 26.0
_LEAST = 2.0


@dataclass(frozen=True)
class Reign:
    """A version in a role, from its first event to its last."""

    version: str
    role: str
    first: datetime
    last: datetime


def spans(title: str, about: str, reigns: Sequence[Reign], marks: Sequence[Mark]) -> Figure:
    """A figure of reigns, in the order in which versions first served."""

    def plot(width: float) -> Plot:
        return _plot(width, reigns, marks)

    return Figure(
        title=title,
        about=about,
        wide=plot(WIDE[0]),
        narrow=plot(NARROW[0]),
        table=Table(
            ("version", "role", "first event (UTC)", "last event (UTC)"),
            tuple(
                (
                    each.version,
                    each.role,
                    f"{each.first:%Y-%m-%d %H:%M}",
                    f"{each.last:%Y-%m-%d %H:%M}",
                )
                for each in reigns
            ),
        ),
        keys=(
            *(Key(role, f"role {role}") for role in dict.fromkeys(each.role for each in reigns)),
            *mark_keys(marks),
        ),
    )


def _plot(width: float, reigns: Sequence[Reign], marks: Sequence[Mark]) -> Plot:
    versions = list(dict.fromkeys(each.version for each in reigns))
    if not versions:
        return nothing((width, 0))
    height = 24 + _ROW * len(versions) + 26
    frame = Frame.of((width, height), versions, top=20)
    times = spanned(frame, min(e.first for e in reigns), max(e.last for e in reigns))
    shapes: list[Shape] = [*frame.times(times)]
    for row, version in enumerate(versions):
        y = frame.top + 6 + _ROW * row
        shapes.append(Text(frame.left - 6, y + 12, version, "axis", "end"))
        for each in (each for each in reigns if each.version == version):
            x, end = times(each.first), times(each.last)
            title = (
                f"{version}, {each.role}: {each.first:%Y-%m-%d %H:%M} to {each.last:%Y-%m-%d %H:%M}"
            )
            lane = (0.0, 11.0) if each.role == "champion" else (12.0, 5.0)
            shapes.append(
                Rect(x, y + lane[0], max(end - x, _LEAST), lane[1], f"role {each.role}", title)
            )
    shapes += marked(marks, times, top=frame.top - 2, bottom=frame.bottom)
    return Plot(width, height, tuple(shapes))
