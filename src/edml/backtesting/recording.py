"""A past that is played again: from the log, or from a folder of history."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from edml.application import EVENT_TIME, Application, Past, fields_of
from edml.events import OFFSET, PARTITION
from edml.serving import records as served
from edml.serving.records import prediction_schema

AT_ONCE: Final = 65_536
"""Rows of a folder that are predicted at once."""

NARROW: Final = (
    served.KEY,
    served.VERSION,
    served.ROLE,
    EVENT_TIME,
    served.SEGMENT,
    served.PREDICTION,
    served.EVENT_PARTITION,
    served.EVENT_OFFSET,
)
"""The columns of a prediction that are kept: all but the features."""


Tell = Callable[[int], object]
"""Is told how many records have been read since the last time."""


class Moments(NamedTuple):
    """From ``start`` up to before ``end``, by the events' own times; None is without bound."""

    start: datetime | None = None
    end: datetime | None = None

    def of(self, frame: pl.DataFrame, time: str) -> pl.DataFrame:
        """The rows whose ``time`` lies within."""
        bounds = [
            *([] if self.start is None else [pl.col(time) >= self.start]),
            *([] if self.end is None else [pl.col(time) < self.end]),
        ]
        return frame.filter(*bounds) if bounds else frame


@dataclass(frozen=True)
class Recording:
    """What happened, in batches in the order of the log within each partition; each is read once.

    ``predictions`` are the recorded ones, with the columns `NARROW`; ``events`` and ``outcomes``
    have the fields of their classes, `PARTITION` and `OFFSET`. A recording is ``whole`` when no
    outcome is awaited any more. ``undecodable`` counts, by topic, the records that are none, once
    all are read.
    """

    predictions: Iterable[pl.DataFrame]
    events: Iterable[pl.DataFrame]
    outcomes: Iterable[pl.DataFrame]
    whole: bool
    undecodable: Mapping[str, int] = field(default_factory=dict)


def narrow_schema(application: Application) -> dict[str, Any]:
    """The Avro schema of predictions of which only `NARROW` is read."""
    schema = prediction_schema(application)
    return schema | {"fields": [each for each in schema["fields"] if each["name"] in NARROW]}


def of_history(application: Application, past: Past, tell: Tell) -> Recording:
    """A folder's past, as if it had been on a log of one partition."""
    outcomes = past.frame.select(*fields_of(application.outcome.schema))
    return Recording(
        predictions=(),
        events=_placed(past.frame.select(*fields_of(application.event.schema)), tell),
        outcomes=_placed(outcomes.sort(application.outcome.time), tell),
        whole=True,
    )


def _placed(frame: pl.DataFrame, tell: Tell) -> Iterator[pl.DataFrame]:
    """The rows in slices, with the places that they might have on a log."""
    placed = frame.with_row_index(OFFSET).with_columns(
        pl.col(OFFSET).cast(pl.Int64), pl.lit(0, pl.Int32).alias(PARTITION)
    )
    for part in placed.iter_slices(AT_ONCE):
        tell(part.height)
        yield part
