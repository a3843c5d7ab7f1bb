"""Days and months on the command line."""

import re
from datetime import date, timedelta
from typing import Any, Final, Literal

import click

_MONTH: Final = re.compile(r"\d{4}-\d{2}")


class Day(click.ParamType):
    """A month such as 2019-11, or a day such as 2019-11-28: a span of time from its first day on.

    ``first`` gives that day; ``last`` the day after the span: what is named last is included.
    """

    def __init__(self, which: Literal["first", "last"]) -> None:
        self._which = which
        self.name = "month or day"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """Read a month or a day."""
        if isinstance(value, date):
            return value
        month = bool(_MONTH.fullmatch(value))
        try:
            first = date.fromisoformat(f"{value}-01" if month else value)
        except ValueError:
            self.fail(f"{value!r} is not a month or a day: write 2019-11 or 2019-11-28", param, ctx)
        if self._which == "first":
            return first
        return (first + timedelta(days=32)).replace(day=1) if month else first + timedelta(days=1)
