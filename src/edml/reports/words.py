"""How figures and versions are written on a page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from edml.errors import UsageError
from edml.models.version import Version


@dataclass(frozen=True)
class Tile:
    """One figure, large: what it is called, its value, and a few words about it."""

    name: str
    value: str
    about: str = ""

    @property
    def words(self) -> bool:
        """Whether the value is a name: those are written smaller."""
        return not any(each.isdigit() for each in self.value) or "-" in self.value[1:]


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; a dash for None."""
    return "–" if value is None else f"{value:,.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """The same with its sign."""
    return "–" if value is None else f"{value:+,.{digits}f}"


def minute(at: datetime | None) -> str:
    """A time to the minute; a dash for None."""
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M}"


def short_names(versions: Collection[str]) -> dict[str, str]:
    """By version, the shortest name that tells it from the others: commit and training, or all.

    >>> short_names(["0.1.0-20191128143000-1a2b3c4", "0.1.0-20191129143000-1a2b3c4-2"])
    {'0.1.0-20191128143000-1a2b3c4': '1a2b3c4', '0.1.0-20191129143000-1a2b3c4-2': '1a2b3c4-2'}
    """
    named = {each: _commit(each) for each in versions}
    names: Sequence[str] = list(named.values())
    return {each: name if names.count(name) == 1 else each for each, name in named.items()}


def _commit(version: str) -> str:
    try:
        parsed = Version.parse(version)
    except UsageError:
        return version
    return parsed.commit if parsed.training == 1 else f"{parsed.commit}-{parsed.training}"
