"""Spans of days, and how a person writes them: a month such as 2019-11, or a day."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from edml.errors import UsageError

_MONTH: Final = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True)
class Span:
    """Days from ``start`` up to before ``end``."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise UsageError(
                f"nothing lies from {self.start} to before {self.end}",
                todo="name an end that is not before the start",
            )

    def __str__(self) -> str:
        return f"{self.start} to {self.end - timedelta(days=1)}"


def first_day(text: str) -> date:
    """The first day of a month, or the day itself.

    >>> first_day("2019-11")
    datetime.date(2019, 11, 1)
    """
    try:
        return date.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a month or a day", todo="write it as 2019-11 or 2019-11-28"
        ) from None


def day_after(text: str) -> date:
    """The day after a month or a day: where a span ends that includes it.

    >>> day_after("2019-11"), day_after("2019-11-28")
    (datetime.date(2019, 12, 1), datetime.date(2019, 11, 29))
    """
    first = first_day(text)
    if _MONTH.fullmatch(text):
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1)
