"""Days, months and moments on the command line."""

from datetime import UTC, date, datetime, time
from typing import Any, Literal

import click

from edml.errors import UsageError
from edml.trainer.span import day_after, first_day


class Day(click.ParamType[date]):
    """A month such as 2019-11, or a day such as 2019-11-28.

    ``first`` gives its first day; ``last`` the day after it: what is named last is included.
    """

    def __init__(self, which: Literal["first", "last"]) -> None:
        self._read = first_day if which == "first" else day_after
        self.name = "month or day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read a month or a day."""
        if isinstance(value, date):
            return value
        try:
            return self._read(value)
        except UsageError as error:
            self.fail(f"{error.what}: {error.todo}", param, ctx)


class Moment(click.ParamType[datetime]):
    """A month, a day, or a time such as 2019-11-28T14:30Z: as an instant, without a zone in UTC.

    ``first`` gives the beginning of a month or day; ``last`` its end: what is named last is
    included.
    """

    def __init__(self, which: Literal["first", "last"]) -> None:
        self._day = Day(which)
        self.name = "month, day or time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read a month, a day or a time."""
        if isinstance(value, datetime):
            return value
        if "T" not in value:
            return datetime.combine(self._day.convert(value, param, ctx), time(), UTC)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time: write it as 2019-11-28T14:30Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
