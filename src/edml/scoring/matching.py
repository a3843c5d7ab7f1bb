"""Predictions beside their outcomes, and what the outcome rule says of each pair."""

from dataclasses import dataclass
from typing import Final

import narwhals as nw
import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application
from edml.events import PARTITION
from edml.scoring import records
from edml.scoring.bounds import Bounds
from edml.scoring.intake import AFTER, COUNTS, TIME, Intake, integers, met, rows_where
from edml.scoring.records import scored_dtypes
from edml.scoring.rows import Chunk, Flags, Rows
from edml.scoring.rule import Rule
from edml.serving import records as served


@dataclass(frozen=True)
class Pairs:
    """Predictions and the outcomes of their events, row by row."""

    predictions: pl.DataFrame
    outcomes: pl.DataFrame

    @property
    def height(self) -> int:
        """The number of pairs."""
        return self.predictions.height


def match(
    predictions: Rows, outcomes: Rows, new: tuple[Intake, Intake], bounds: Bounds
) -> Pairs | None:
    """The pairs that new predictions and outcomes make, with each other and with what is known.

    ``predictions`` holds the new ones already, ``outcomes`` does not hold its own yet: so each pair
    is found once.
    """
    predicted, answered = (each.fresh for each in new)
    first = None if answered is None else _beside_new_outcomes(predictions, answered)
    second = None if predicted is None else _beside_new_predictions(outcomes, predicted)
    pairs = [_belonging(each, bounds) for each in (first, second) if each is not None]
    if not pairs:
        return None
    return Pairs(
        pl.concat([each.predictions for each in pairs]),
        pl.concat([each.outcomes for each in pairs]),
    )


def _beside_new_outcomes(predictions: Rows, fresh: Chunk) -> Pairs | None:
    place, rows = predictions.find(fresh.keys, predictions.columns)
    return None if rows is None else Pairs(rows, fresh.frame[place])


def _beside_new_predictions(outcomes: Rows, fresh: Chunk) -> Pairs | None:
    place, rows = outcomes.find(fresh.keys, outcomes.columns)
    return None if rows is None else Pairs(fresh.frame[place], rows)


def _belonging(pairs: Pairs, bounds: Bounds) -> Pairs:
    """The pairs of an event that counts and its own outcome."""
    event, outcome = pairs.predictions, pairs.outcomes
    partitions = integers(event, PARTITION)
    times = integers(event, TIME)
    lag = integers(outcome, TIME) - times
    after = event.get_column(AFTER).to_numpy() | outcome.get_column(AFTER).to_numpy()
    belongs: Flags = (
        (partitions == integers(outcome, PARTITION))
        & (lag >= 0)
        & (lag <= bounds.rule.reach)
        & met(times, partitions, after, bounds)
        & event.get_column(COUNTS).to_numpy()
        & outcome.get_column(COUNTS).to_numpy()
    )
    return Pairs(rows_where(event, belongs), rows_where(outcome, belongs))


@dataclass(frozen=True)
class Verdicts:
    """What the outcome rule says of pairs: each is scored, invalid or late.

    ``outcome`` is the label, NaN where it is not valid.
    """

    pairs: Pairs
    outcome: pl.Series
    late: Flags
    invalid: Flags

    @property
    def counts(self) -> Flags:
        """The pairs that are scored."""
        scored: Flags = ~(self.late | self.invalid)
        return scored


def judge(application: Application, pairs: Pairs) -> Verdicts:
    """Which pairs are in time, and which of these have a label that counts."""
    lag = integers(pairs.outcomes, TIME) - integers(pairs.predictions, TIME)
    late = lag > Rule.of(application).wait
    label = _labels(application, pairs)
    low, high = application.outcome.valid
    values = label.to_numpy()  # a null as NaN
    invalid = ~late & ~((values >= low) & (values <= high))
    return Verdicts(pairs, label, late, invalid)


def _labels(application: Application, pairs: Pairs) -> pl.Series:
    """What the outcomes say, as the application reads them."""
    own = pairs.outcomes[[each for each in pairs.outcomes.columns if each not in _TIMES]]
    times = [
        pairs.predictions.get_column(EVENT_TIME),
        pairs.outcomes.get_column(application.outcome.time).alias(OUTCOME_TIME),
    ]
    frame = nw.from_native(own.hstack(times))
    value = application.outcome.value.alias(records.OUTCOME)
    return frame.select(value).to_native()[records.OUTCOME].cast(pl.Float64)


_TIMES: Final = (EVENT_TIME, OUTCOME_TIME)


def scored(application: Application, verdicts: Verdicts) -> pl.DataFrame:
    """The scored predictions, as records."""
    counts = verdicts.counts
    event = rows_where(verdicts.pairs.predictions, counts)
    outcomes = rows_where(verdicts.pairs.outcomes, counts)
    outcome = verdicts.outcome if counts.all() else verdicts.outcome.filter(counts)
    error = event.get_column(served.PREDICTION) - outcome
    answered = outcomes.get_column(application.outcome.time).alias(OUTCOME_TIME)
    columns = scored_dtypes(application).names()
    return event.hstack([answered, outcome, error.alias(records.ERROR)])[columns]
