"""Batch inference: the same prediction as on the log, for a file of events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from edml.application import Application
from edml.events import OFFSET, PARTITION, Batch
from edml.serving import records
from edml.serving.event_files import CAUSE
from edml.serving.predict import Predict
from edml.serving.served import Predicts, ServedModel

_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True)
class FilePredictions:
    """Keys with predictions, and the rows without: their number from 0, and the cause."""

    predictions: pl.DataFrame
    rejected: pl.DataFrame


def predict_events(
    application: Application, version: str, model: Predicts, events: pl.DataFrame, now: datetime
) -> FilePredictions:
    """Predict events as `edml.serving.event_files.read_events` gives them, in order.

    The predictions have the event's key, the label by its name, and the model's version.
    """
    numbered = events.with_row_index(OFFSET).with_columns(
        pl.col(OFFSET).cast(pl.Int64), pl.lit(0, pl.Int32).alias(PARTITION)
    )
    bad = numbered.filter(pl.col(CAUSE).is_not_null()).select(OFFSET, CAUSE)
    good = numbered.filter(pl.col(CAUSE).is_null()).drop(CAUSE)
    served = [ServedModel("champion", version, model)]
    predict = Predict(application)
    predicted: list[pl.DataFrame] = []
    rejected = [bad]
    for part in good.iter_slices(_ROWS_AT_ONCE):
        outputs = predict(served, Batch({application.event.topic: part}), now)
        predicted += outputs.frames.values()
        rejected += [each.frame.select(OFFSET, CAUSE) for each in outputs.rejected]
    return FilePredictions(
        _renamed(application, predicted), pl.concat(rejected).sort(OFFSET).rename({OFFSET: "row"})
    )


def _renamed(application: Application, predicted: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat([pl.DataFrame(schema=records.prediction_dtypes(application)), *predicted])
    return frame.select(
        pl.col(records.KEY).alias(application.event.key),
        pl.col(records.PREDICTION).alias(application.outcome.label),
        records.VERSION,
    )
