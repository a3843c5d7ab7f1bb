"""Days and months on the command line."""

from datetime import date
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
