"""Which months there are, and which of them the demo learns from and lets happen again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from edml.errors import DataError

FEWEST: Final = 3
MOST_TO_LEARN_FROM: Final = 10
_FILE: Final = re.compile(r".*(\d{4}-\d{2})\.parquet")


@dataclass(frozen=True, slots=True)
class Months:
    """From a month to a month, both included, written as ``2019-10``; or from a day to a day."""

    first: str
    last: str

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} … {self.last}"

    @property
    def options(self) -> tuple[str, ...]:
        """As commands take them."""
        return "--from", self.first, "--to", self.last

    @property
    def each(self) -> tuple[str, ...]:
        """Every one of them, or that has one of the days.

        >>> Months("2019-11", "2020-01").each
        ('2019-11', '2019-12', '2020-01')
        """
        found = [month_of(self.first)]
        while found[-1] < month_of(self.last):
            found.append(following(found[-1]))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Split:
    """A version learns from ``little``, the next one from ``more``; ``live`` happens again."""

    little: Months
    more: Months
    live: Months

    @property
    def all(self) -> Months:
        """From the first month that is needed to the last."""
        return Months(self.more.first, month_of(self.live.last))


USUAL: Final = Split(
    little=Months("2019-10", "2019-10"),
    more=Months("2019-01", "2019-10"),
    live=Months("2019-11", "2020-02"),
)


CHANGING: Final = Months("2020-02-15", "2020-05-15")
"""The days in which the city changes: New York's was locked down in their middle."""


def month_of(day: str) -> str:
    """The month of a day, or the month itself.

    >>> month_of("2020-02-15"), month_of("2020-02")
    ('2020-02', '2020-02')
    """
    return day[: len("2020-02")]


def before(live: Months, there: Sequence[str] | None = None) -> Split:
    """The months before the days that happen again, at most ten in a row: one version learns them.

    ``there`` are the months that a folder has; None stands for any. Raises `DataError` when it has
    not those that are needed.
    """
    wanted = [preceding(live.each[0])]
    while len(wanted) < MOST_TO_LEARN_FROM:
        wanted.insert(0, preceding(wanted[0]))
    if there is not None:
        missing = [month for month in (wanted[-1], *live.each) if month not in there]
        if missing:
            raise DataError(
                f"the demo needs {', '.join(missing)}, and there are {', '.join(there) or 'none'}",
                where="--data",
                todo="name other days with --from and --to, or fetch more with `edml data fetch`",
            )
        wanted = list(_last_in_a_row([month for month in there if month in wanted]))
    learnt = Months(wanted[0], wanted[-1])
    return Split(little=learnt, more=learnt, live=live)


def preceding(month: str) -> str:
    """The month before a month.

    >>> preceding("2020-01")
    '2019-12'
    """
    first = date.fromisoformat(f"{month}-01")
    return f"{first - timedelta(days=1):%Y-%m}"


def following(month: str) -> str:
    """The month after a month.

    >>> following("2019-12")
    '2020-01'
    """
    first = date.fromisoformat(f"{month}-01")
    return f"{first + timedelta(days=32):%Y-%m}"


def files(data: Path) -> dict[str, Path]:
    """The Parquet files of a folder by the month that their names end with, in order."""
    named = {path: _FILE.fullmatch(path.name) for path in sorted(data.glob("*.parquet"))}
    return {match[1]: path for path, match in named.items() if match}


def split(data: Path) -> Split:
    """The usual months where the folder has them, else the last ones in a row that it has.

    Raises `DataError` when these are fewer than three.
    """
    there = list(files(data))
    if set(USUAL.all.each) <= set(there):
        return USUAL
    months = _last_in_a_row(there)
    if len(months) < FEWEST:
        raise DataError(
            f"the demo needs {FEWEST} months in a row, and there are {', '.join(there) or 'none'}",
            where=str(data),
            todo="fetch more with `edml data fetch --from 2019-01 --to 2020-02`, or leave --data"
            " out: trips are simulated then",
        )
    learnt = months[: -max(1, len(months) // 4)]
    live = months[len(learnt) :]
    return Split(
        little=Months(learnt[-1], learnt[-1]),
        more=Months(learnt[-MOST_TO_LEARN_FROM:][0], learnt[-1]),
        live=Months(live[0], live[-1]),
    )


def _last_in_a_row(months: Sequence[str]) -> Sequence[str]:
    start = max(
        (at for at in range(1, len(months)) if months[at] != following(months[at - 1])), default=0
    )
    return months[start:]
