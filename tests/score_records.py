"""Records of the scores topic, as scoring would write them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from edml.application import Application, dtypes_of
from edml.scoring.records import PROGRESS, Score

START: Final = datetime(2020, 1, 6, tzinfo=UTC)
"""A Monday."""

DAY: Final = timedelta(days=1)


def score(  # noqa: PLR0913  a record has many fields
    app: Application,
    version: str,
    window_start: datetime,
    *,
    role: str = "champion",
    segment: str = "Queens",
    partition: int = 0,
    watermark: datetime,
    count: int = 10,
    predictions: int | None = None,
    bias: float = 0.0,
    squared: float = 25.0,
    outcome: float = 12.0,
) -> dict[str, Any]:
    """One record: ``count`` outcomes with a mean error, a mean square, and a mean outcome."""
    complete_at = window_start + app.window + app.outcome.wait
    return {
        "application": app.name,
        "version": version,
        "role": role,
        "segment": segment,
        "window_start": window_start,
        "source_partition": partition,
        "predictions": count if predictions is None else predictions,
        "count": count,
        "invalid": 0,
        "late": 0,
        "duplicates": 0,
        "outcomes": 0,
        "matched": 0,
        "sum_error": count * bias,
        "sum_absolute_error": count * abs(bias),
        "sum_squared_error": count * squared,
        "sum_outcome": count * outcome,
        "sum_squared_outcome": count * outcome**2,
        "sum_clipped_error": count * bias,
        "sum_clipped_squared": count * squared,
        "complete_at": complete_at,
        "watermark": watermark,
        "complete": complete_at <= watermark,
    }


def progress(app: Application, watermark: datetime, *, partition: int = 0) -> dict[str, Any]:
    """A record that tells how far a partition is, and nothing else."""
    empty = score(app, "", PROGRESS, role="", segment="", watermark=watermark, count=0)
    return {**empty, "source_partition": partition, "complete_at": PROGRESS, "complete": False}


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Records as a frame."""
    return pl.DataFrame(rows, schema=dtypes_of(Score))
