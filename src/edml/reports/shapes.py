"""What a plot is made of: a few shapes at places, which the template writes as SVG."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Text:
    """Words at a place."""

    tag: ClassVar = "text"
    x: float
    y: float
    text: str
    style: str = ""
    anchor: Anchor = "start"


@dataclass(frozen=True)
class Rule:
    """A straight line; ``title`` is told where one points at it."""

    tag: ClassVar = "rule"
    x1: float
    y1: float
    x2: float
    y2: float
    style: str = ""
    title: str = ""


@dataclass(frozen=True)
class Rect:
    """A rectangle; of its colour, ``strength`` is how much is seen, from 0 to 1."""

    tag: ClassVar = "rect"
    x: float
    y: float
    width: float
    height: float
    style: str = ""
    title: str = ""
    strength: float = 1.0


@dataclass(frozen=True)
class Dot:
    """A point."""

    tag: ClassVar = "dot"
    x: float
    y: float
    style: str = ""
    title: str = ""
    radius: float = 3.0


@dataclass(frozen=True)
class Path:
    """Points that are joined."""

    tag: ClassVar = "path"
    points: tuple[tuple[float, float], ...]
    style: str = ""

    @property
    def d(self) -> str:
        """The points as SVG has them."""
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in self.points)


Shape = Text | Rule | Rect | Dot | Path


@dataclass(frozen=True)
class Key:
    """One line of a legend: the style that it explains, or the sign."""

    label: str
    style: str
    sign: str = ""


@dataclass(frozen=True)
class Plot:
    """Shapes on a plane of ``width`` times ``height``."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Table:
    """The same figures in rows; ``right`` are the columns of numbers."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Figure:
    """A plot for wide and one for narrow screens, and its table, for whoever cannot see either."""

    title: str
    about: str
    wide: Plot
    narrow: Plot
    table: Table
    keys: tuple[Key, ...] = field(default=())
