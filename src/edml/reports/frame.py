"""The frame of a plot: its margins, its axes, and the grid behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edml.reports.scales import Scale, Times
from edml.reports.shapes import Rule, Shape, Text

WIDE: Final = (760.0, 300.0)
NARROW: Final = (360.0, 260.0)
"""Sizes of a plot on a screen and on a phone: one unit is a pixel on both."""

_MARGIN: Final = 14.0
_LETTER: Final = 6.6
"""About how wide a letter of an axis is."""

_PER_TIME: Final = 78.0
"""So much room is left to a time on an axis."""


@dataclass(frozen=True)
class Frame:
    """The area within the axes, in units of the plot."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, size: tuple[float, float], labels: Sequence[str], *, top: float = 12.0) -> "Frame":
        """A frame with room for these labels at its left, and for times below."""
        width, height = size
        left = 12 + _LETTER * max(map(len, labels), default=0)
        return cls(left, top, width - _MARGIN, height - 26)

    def across(self, scale: Scale, marks: Sequence[float], labels: Sequence[str]) -> list[Shape]:
        """Lines across, with their numbers."""
        shapes: list[Shape] = []
        for mark, label in zip(marks, labels, strict=True):
            y = scale(mark)
            shapes += [
                Rule(self.left, y, self.right, y, "zero" if mark == 0 else "grid"),
                Text(self.left - 6, y + 4, label, "axis", "end"),
            ]
        return shapes

    def times(self, times: Times) -> list[Shape]:
        """The times below, with short strokes."""
        shapes: list[Shape] = [Rule(self.left, self.bottom, self.right, self.bottom, "axis")]
        most = max(2, int((self.right - self.left) / _PER_TIME))
        for at, label in times.marks(most):
            x = times(at)
            at_edge = x + _LETTER * len(label) / 2 > self.right + _MARGIN
            y, edge = self.bottom + 18, self.right + _MARGIN
            shapes += [
                Rule(x, self.bottom, x, self.bottom + 4, "axis"),
                Text(edge, y, label, "axis", "end")
                if at_edge
                else Text(x, y, label, "axis", "middle"),
            ]
        return shapes


def spanned(frame: Frame, first: datetime, last: datetime) -> Times:
    """The scale of times of a frame."""
    return Times(first, last, frame.left, frame.right)


def plain(value: float) -> str:
    """A number of an axis.

    >>> plain(0.25), plain(1200.0)
    ('0.25', '1,200')
    """
    return f"{value:,g}".replace("-", "\N{MINUS SIGN}")
