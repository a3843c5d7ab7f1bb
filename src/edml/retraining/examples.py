"""What may be learnt from at a point in event time: what the log has seen, and what was before it.

Of a trip that is on the log, the features are those that the champion was given; of one that is
only in history, they are computed by the same function. A trip that is in both counts once.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application, Number
from edml.errors import DataError, TrainingError
from edml.scoring.records import OUTCOME
from edml.serving import records as served
from edml.trainer import dataset
from edml.trainer.dataset import Examples, known
from edml.trainer.span import Span

MOST_ROWS: Final = 1_000_000
"""More rows than that teach a model little, and cost time and memory."""

_DAY: Final = timedelta(days=1)


def from_log(application: Application, scored: pl.DataFrame, as_of: datetime) -> Examples:
    """The examples among scored predictions, in the order of the log within each partition.

    Of each event, the champion's first prediction counts. Those that were known at ``as_of`` are
    kept.
    """
    event = application.event
    low, high = application.outcome.valid
    rows = (
        scored.filter(pl.col(served.ROLE) == "champion")
        .rename({served.KEY: event.key, EVENT_TIME: event.time})
        .filter(known(application, as_of) & pl.col(OUTCOME).is_between(low, high))
        .unique(event.key, keep="first", maintain_order=True)
        .sort(event.time, event.key)
    )
    features = rows.select(pl.col(served.FEATURES).struct.unnest())
    if application.segment not in features.columns:
        features = features.with_columns(rows[served.SEGMENT].alias(application.segment))
    finite = [pl.col(each).is_finite() for each in _numbers(application)]
    usable = features.select(pl.all_horizontal(pl.lit(value=True), *finite)).to_series()
    examples = Examples(
        rows.select(event.key, event.time, OUTCOME_TIME), features, rows[OUTCOME].to_numpy()
    )
    usable = usable.new_from_index(0, rows.height) if usable.len() == 1 else usable
    return examples.where(usable).thinned(MOST_ROWS)


def from_history(
    application: Application, data: Path, since: datetime, as_of: datetime
) -> tuple[Examples | None, dict[str, str]]:
    """The examples of a folder that were known at ``as_of``, and why months of it are not there.

    Months that cannot be read are left out: a live stream's latest ones are not in any folder yet.
    Where there are more rows than `MOST_ROWS`, as many of each month are left.
    """
    parts, missing = [], {}
    months = list(_months(since.date(), as_of.date() + _DAY))
    for span in months:
        try:
            examples = dataset.read(application, data, span).examples
        except (DataError, TrainingError) as error:
            missing[f"{span.start:%Y-%m}"] = error.what
            continue
        usable = examples.events.select(known(application, as_of)).to_series()
        parts.append(examples.where(usable).thinned(MOST_ROWS // len(months)))
    return (Examples.joined(parts) if parts else None), missing


def united(application: Application, log: Examples, history: Examples | None) -> Examples:
    """Both in order of event time; of an event that is in both, what the log has."""
    if history is None or not history.rows:
        return log
    key = application.event.key
    seen = history.events[key].is_in(log.events[key].implode())
    both = Examples.joined([log, history.where(~seen)])
    return both.ordered(application.event.time, key)


def _months(start: date, end: date) -> Iterator[Span]:
    """The days from ``start`` up to before ``end``, month by month."""
    while start < end:
        following = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        yield Span(start, min(following, end))
        start = following


def _numbers(application: Application) -> list[str]:
    return [name for name, column in application.columns.items() if isinstance(column, Number)]
