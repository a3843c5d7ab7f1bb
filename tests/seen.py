"""Scored predictions as they stand on the log, made from what is known of some past events."""

from datetime import datetime

import narwhals as nw
import polars as pl

from edml import features
from edml.application import EVENT_TIME, OUTCOME_TIME, Application, fields_of
from edml.scoring.records import scored_dtypes


def scored(
    application: Application, past: pl.DataFrame, *, role: str = "champion", version: str = "v1"
) -> pl.DataFrame:
    """One scored prediction an event of a `Past`'s frame; each prediction is 0."""
    events = past.select(*fields_of(application.event.schema))
    computed = features.compute(application, events)
    labelled = (
        nw.from_native(past)
        .with_columns(
            nw.col(application.event.time).alias(EVENT_TIME),
            nw.col(application.outcome.time).alias(OUTCOME_TIME),
        )
        .with_columns(application.outcome.value.cast(nw.Float64()).alias("outcome"))
        .to_native()
    )
    return labelled.select(
        pl.col(application.event.key).alias("uuid"),
        pl.lit(version).alias("version"),
        pl.lit(role).alias("role"),
        EVENT_TIME,
        OUTCOME_TIME,
        pl.lit(0.0).alias("prediction"),
        "outcome",
        (0.0 - pl.col("outcome")).alias("error"),
        computed[application.segment].alias("segment"),
        computed.select(*application.columns).to_struct("features"),
    ).cast(dict(scored_dtypes(application)))  # type: ignore[arg-type]


def latest(frame: pl.DataFrame, column: str) -> datetime:
    """The latest time of a column."""
    found = frame[column].max()
    assert isinstance(found, datetime)
    return found
