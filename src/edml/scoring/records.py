"""What scoring writes: each prediction with its outcome, and the sums of errors by window."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application
from edml.serving import records as served

OUTCOME: Final = "outcome"
ERROR: Final = "error"
WINDOW: Final = "window_start"
SOURCE: Final = "source_partition"

SCORED_KEY: Final = (served.KEY, served.VERSION)
"""The fields that make the key of a scored prediction."""

SCORE_KEY: Final = ("application", served.VERSION, served.ROLE, served.SEGMENT, WINDOW, SOURCE)
"""The fields that make the key of a score: the topic keeps the last record of each."""

PROGRESS: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The ``window_start`` of a record that tells how far a partition is, and nothing else."""


@dataclass(frozen=True)
class Score:
    """The sums of one window, version, role and segment so far, from one partition of the inputs.

    Each record replaces the one before it with the same key (`SCORE_KEY`); readers add the
    partitions up (`edml.scoring.reading.windows`). Times are instants, errors are
    ``prediction - outcome`` in the unit of the outcome.

    Two kinds of records have no version, role and segment. One counts the outcomes of a window by
    their own time (``outcomes``, ``matched``, ``duplicates``). The other, with `PROGRESS` as its
    window, tells the partition's watermark alone.
    """

    application: str
    version: str
    role: str
    segment: str
    window_start: datetime
    source_partition: int
    predictions: int
    count: int
    invalid: int
    late: int
    duplicates: int
    outcomes: int
    matched: int
    sum_error: float
    sum_absolute_error: float
    sum_squared_error: float
    sum_outcome: float
    sum_squared_outcome: float
    complete_at: datetime
    """The watermark from which the window is complete: its end plus the wait."""
    watermark: datetime
    """How far the partition is: the lesser of both inputs' watermarks."""
    complete: bool
    """Whether this partition's part of the window is complete."""
    sum_clipped_error: float = 0.0
    """Of errors that are cut at the policy's ``clip``: what drift is told by."""
    sum_clipped_squared: float = 0.0


def scored_schema(application: Application) -> dict[str, Any]:
    """The Avro schema of an application's scored predictions."""
    instant = {"type": "long", "logicalType": "timestamp-micros"}
    label = f"{application.outcome.label} in {application.outcome.unit}"
    return {
        "type": "record",
        "name": "ScoredPrediction",
        "namespace": served.namespace(application),
        "doc": f"A prediction of {label} with its outcome; error = prediction - outcome.",
        "fields": [
            {"name": served.KEY, "type": "string"},
            {"name": served.VERSION, "type": "string"},
            {"name": served.ROLE, "type": "string"},
            {"name": EVENT_TIME, "type": instant},
            {"name": OUTCOME_TIME, "type": instant},
            {"name": served.PREDICTION, "type": "double"},
            {"name": OUTCOME, "type": "double"},
            {"name": ERROR, "type": "double"},
            {"name": served.SEGMENT, "type": "string"},
            {"name": served.FEATURES, "type": served.features_schema(application)},
        ],
    }


def scored_dtypes(application: Application) -> pl.Schema:
    """The columns of a frame of scored predictions."""
    prediction = served.prediction_dtypes(application)
    return pl.Schema(
        {
            served.KEY: pl.String(),
            served.VERSION: pl.String(),
            served.ROLE: pl.String(),
            EVENT_TIME: prediction[EVENT_TIME],
            OUTCOME_TIME: prediction[EVENT_TIME],
            served.PREDICTION: pl.Float64(),
            OUTCOME: pl.Float64(),
            ERROR: pl.Float64(),
            served.SEGMENT: pl.String(),
            served.FEATURES: prediction[served.FEATURES],
        }
    )
