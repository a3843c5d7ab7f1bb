"""What is studied: on which time the first champion learns, and which spans are told about."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from edml.errors import UsageError
from edml.trainer.span import Span


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One study.

    The first champion is trained on ``first``; from its end to ``end`` everything is tested.
    ``normal`` is a span without a change. Where the world has changed, the bias rises from
    ``changed`` on, and what was recovered is told of ``recovered``.
    """

    first: Span
    end: date
    normal: Span
    changed: date | None = None
    recovered: Span | None = None

    def __post_init__(self) -> None:
        for name in ("normal", "recovered"):
            span = getattr(self, name)
            if span and not self.first.end <= span.start < span.end <= self.end:
                raise UsageError(
                    f"{name} is {span}, and what is tested is {self.tested}",
                    todo=f"name a span of what is tested as {name}",
                )

    @property
    def tested(self) -> Span:
        """What everybody is tested on."""
        return Span(self.first.end, self.end)

    @property
    def whole(self) -> Span:
        """All that is read."""
        return Span(self.first.start, self.end)

    def months(self) -> Iterator[Span]:
        """The calendar months of what is tested; the first and the last may be parts of one."""
        start = self.tested.start
        while start < self.end:
            following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
            yield Span(start, min(following, self.end))
            start = following


def midnight(day: date) -> datetime:
    """When a day begins, in UTC: months and blocks are those of UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


TAXIS = Plan(
    first=Span(date(2018, 1, 1), date(2019, 1, 1)),
    end=date(2020, 7, 1),
    normal=Span(date(2019, 1, 1), date(2020, 3, 1)),
    changed=date(2020, 3, 11),
    recovered=Span(date(2020, 3, 16), date(2020, 7, 1)),
)
"""New York's taxis before and in the lockdown of spring 2020."""
