"""Predictions meet their outcomes, all at once: the outcome rule on a past that is whole.

It is the rule of `edml.scoring`: the first event and the first outcome of a key count, and belong
together iff 0 <= outcome time - event time <= wait. There is no watermark here, so what came too
late for scoring, but within the wait, counts.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import narwhals as nw
import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application, fields_of
from edml.scoring.records import ERROR, OUTCOME
from edml.serving import records as served

_ROW: Final = "_row"
_WAITED: Final = "_waited"


@dataclass(frozen=True)
class Answered:
    """Predictions with outcomes that count, and how many have none.

    ``scored`` has a prediction's columns (`edml.backtesting.recording.NARROW`), `OUTCOME`, `ERROR`
    (prediction - outcome, in the unit of the outcome) and `OUTCOME_TIME`.
    """

    scored: pl.DataFrame
    missing: int
    late: int
    invalid: int


def answered(
    application: Application, predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> Answered:
    """Join predictions with outcomes; both are in the order of the log within each partition."""
    stream = application.outcome
    first = predictions.unique(
        [served.KEY, served.VERSION, served.ROLE], keep="first", maintain_order=True
    )
    own = outcomes.select(*fields_of(stream.schema)).unique(
        stream.key, keep="first", maintain_order=True
    )
    named = own.select(
        pl.col(stream.key).alias(served.KEY), pl.col(stream.time).alias(OUTCOME_TIME)
    )
    pairs = (
        first.join(named.with_row_index(_ROW), on=served.KEY)
        .with_columns((pl.col(OUTCOME_TIME) - pl.col(EVENT_TIME)).alias(_WAITED))
        .filter(pl.col(_WAITED) >= timedelta(0))
    )
    in_time = pairs.filter(pl.col(_WAITED) <= stream.wait)
    labelled = in_time.with_columns(_labels(application, own, in_time)).with_columns(
        (pl.col(served.PREDICTION) - pl.col(OUTCOME)).alias(ERROR)
    )
    scored = labelled.filter(pl.col(OUTCOME).is_between(*stream.valid)).drop(_ROW, _WAITED)
    return Answered(
        scored,
        missing=first.height - pairs.height,
        late=pairs.height - in_time.height,
        invalid=in_time.height - scored.height,
    )


def _labels(application: Application, outcomes: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """The label of each pair, as the application reads it from the outcome and both times."""
    times = pairs.select(EVENT_TIME, OUTCOME_TIME)
    fields = outcomes[pairs[_ROW]].drop(EVENT_TIME, OUTCOME_TIME, strict=False)
    value = application.outcome.value.cast(nw.Float64()).alias(OUTCOME)
    return nw.from_native(fields.hstack(times)).select(value).to_native().to_series()
