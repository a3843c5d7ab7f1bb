"""What a replay writes, and in which order: every event and every outcome at its own event time.

A replay may be shifted by whole weeks, so that the day of the week stays true. Instants and wall
times move alike: a trip at eight in the morning stays one. (Where the shift crosses a change of the
clock, the instant is therefore an hour off the place's own clock; nothing reads it as such.) A
shifted event is another event, and so has another key, always the same one for the same shift.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from edml.application import Application, fields_of
from edml.errors import UsageError

WEEK: Final = timedelta(weeks=1)
_SHIFTED: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "shifted.replay.edml")
_EVENT, _OUTCOME = 0, 1


@dataclass(frozen=True)
class Plan:
    """A schedule of records, in order of event time. ``past`` is the frame of a `Past`, shifted."""

    application: Application
    past: pl.DataFrame
    weeks: int

    @staticmethod
    def of(application: Application, past: pl.DataFrame, *, weeks: int = 0) -> "Plan":
        """The plan to replay ``past``, shifted by so many weeks.

        Raises `UsageError` when there is nothing in it.
        """
        if past.is_empty():
            raise UsageError(
                "there is nothing to replay", todo="name a day or days that have events"
            )
        return Plan(application, _shifted(application, past, weeks) if weeks else past, weeks)

    @cached_property
    def schedule(self) -> pl.DataFrame:
        """One row a record: its time ``at``, its ``stream`` (0 or 1), its ``row`` in the past."""
        streams = (self.application.event.time, self.application.outcome.time)
        return pl.concat(
            self.past.select(at=time, stream=pl.lit(number, pl.Int8))
            .with_row_index("row")
            .filter(pl.col("at").is_not_null())
            for number, time in enumerate(streams)
        ).sort("at", "stream", "row")

    def __len__(self) -> int:
        return self.schedule.height

    @cached_property
    def seconds(self) -> npt.NDArray[np.float64]:
        """When each record is due, in seconds after the first."""
        at = self.schedule["at"]
        seconds: npt.NDArray[np.float64] = (at - at[0]).dt.total_microseconds().to_numpy() / 1e6
        return seconds

    @cached_property
    def id(self) -> str:
        """A name for what is written: the same records have the same, wherever they are from."""
        digest = blake2b(digest_size=6)
        digest.update(self.schedule["at"].to_physical().to_numpy().tobytes())
        key = self.application.event.key
        digest.update("\n".join(self.past[key].to_list()).encode())
        return digest.hexdigest()

    def at(self, record: int) -> datetime:
        """The event time of a record (UTC)."""
        at: datetime = self.schedule["at"][record]
        return at

    def seconds_at(self, at: datetime) -> float:
        """How long after the first record this time is."""
        return (at - self.at(0)).total_seconds()

    def from_time(self, at: datetime) -> int:
        """The first record that is due at this time, or later."""
        return int(self.schedule["at"].search_sorted(at, side="left"))

    def records(self, begin: int, end: int, *, since: int = 0) -> Mapping[str, pl.DataFrame]:
        """The records ``[begin, end)`` by topic, with their fields.

        Outcomes of events that come before the record ``since`` are left out.
        """
        part = self.schedule[begin:end]
        events = part.filter(pl.col("stream") == _EVENT)["row"]
        outcomes = part.filter(pl.col("stream") == _OUTCOME)["row"]
        if since:
            begun = self.past[outcomes][self.application.event.time] >= self.at(since)
            outcomes = outcomes.filter(begun)
        event, outcome = self.application.event, self.application.outcome
        return {
            event.topic: self.past[events].select(*fields_of(event.schema)),
            outcome.topic: self.past[outcomes].select(*fields_of(outcome.schema)),
        }


def weeks_to(last: date, target: date) -> int:
    """By how many weeks days move, so that the ``last`` comes as late as ``target`` allows.

    >>> weeks_to(date(2019, 11, 28), date(2024, 5, 1))  # from a Thursday to Thursday, 2024-04-25
    230
    """
    return (target - last) // WEEK


def weeks_around(first: date, last: date, today: date) -> int:
    """By how many weeks days move, so that ``today`` is among them.

    Raises `UsageError` when none of them is a day of the week such as today.
    """
    weeks = -((last - today) // WEEK)
    if first + weeks * WEEK > today:
        raise UsageError(
            f"no day from {first} to {last} is a {today:%A}, as today is",
            todo=f"name days that hold a {today:%A}, or shift to today instead of now",
        )
    return weeks


def _shifted(application: Application, past: pl.DataFrame, weeks: int) -> pl.DataFrame:
    keys = {application.event.key, application.outcome.key}
    return past.with_columns(
        cs.datetime() + weeks * WEEK,
        *(_other_keys(past[name], weeks).alias(name) for name in keys),
    )


def _other_keys(keys: pl.Series, weeks: int) -> pl.Series:
    return pl.Series([str(uuid.uuid5(_SHIFTED, f"{weeks}:{key}")) for key in keys])
