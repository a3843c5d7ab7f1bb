"""What scores say: windows added up over the partitions, and the errors of each version."""

from datetime import datetime
from typing import Final, cast

import polars as pl

from edml.scoring import records
from edml.scoring.sums import COUNTED, SUMMED
from edml.serving import records as served

KIND: Final = ("application", served.VERSION, served.ROLE, served.SEGMENT)

_INSTANT: Final = pl.Datetime("us", "UTC")


def windows(scores: pl.DataFrame, partitions: int) -> pl.DataFrame:
    """One row for each version, role, segment and window of events, over all partitions.

    Args:
        scores: Records of the scores topic in the order of the log; older ones of a key may stand
            before newer ones.
        partitions: How many partitions the predictions have.

    Returns:
        The sums (see `edml.scoring.records.Score`), and ``rmse``, ``mae`` and ``bias`` in the unit
        of the outcome (null while nothing is counted), ``missing`` (predictions without an outcome
        so far), and ``complete``: whether every partition's watermark has passed the end of the
        window and the wait. Rows are sorted by window.
    """
    summed = _summed(scores, partitions).filter(pl.col(served.VERSION) != "")
    kept = (*KIND, records.WINDOW, *_COUNTED_BY_EVENT, *SUMMED, "complete")
    return _with_errors(summed.select(kept)).sort(records.WINDOW, *KIND)


def outcomes(scores: pl.DataFrame, partitions: int) -> pl.DataFrame:
    """One row for each window of outcomes by their own time, over all partitions.

    ``outcomes`` counts the first outcome of each key, ``matched`` those that belong to an event
    with a prediction, ``unmatched`` the others, and ``duplicates`` what came again.
    """
    summed = _summed(scores, partitions).filter(pl.col(served.VERSION) == "")
    return summed.select(
        "application",
        records.WINDOW,
        "outcomes",
        "matched",
        "duplicates",
        unmatched=pl.col("outcomes") - pl.col("matched"),
        complete="complete",
    ).sort(records.WINDOW)


def summary(windows: pl.DataFrame, *by: str, complete_only: bool = True) -> pl.DataFrame:
    """The windows of `windows` added up, by version, role and segment unless told otherwise.

    Windows that are not complete hold short waits only, so their error is biased: they are left out
    unless ``complete_only`` is false.
    """
    keys = list(by) or [served.VERSION, served.ROLE, served.SEGMENT]
    used = windows.filter(pl.col("complete")) if complete_only else windows
    return _with_errors(
        used.group_by(keys).agg(pl.col(*_COUNTED_BY_EVENT, *SUMMED).sum(), windows=pl.len())
    ).sort(keys)


def reached(scores: pl.DataFrame, partitions: int) -> datetime | None:
    """How far in event time all partitions are: None while one has told nothing yet."""
    watermarks = scores.group_by(records.SOURCE).agg(pl.col("watermark").max())["watermark"]
    # A partition that has told nothing may still hold anything.
    return cast(datetime, watermarks.min()) if len(watermarks) >= partitions else None


_COUNTED_BY_EVENT: Final = tuple(each for each in COUNTED if each not in {"outcomes", "matched"})


def _summed(scores: pl.DataFrame, partitions: int) -> pl.DataFrame:
    """The newest record of each key, added up over the partitions, progress left out."""
    newest = scores.unique(subset=records.SCORE_KEY, keep="last", maintain_order=True)
    watermark = pl.lit(reached(scores, partitions), _INSTANT)
    return (
        newest.filter(pl.col(records.WINDOW) != records.PROGRESS)
        .group_by(*KIND, records.WINDOW)
        .agg(pl.col(*COUNTED, *SUMMED).sum(), pl.col("complete_at").first())
        .with_columns(complete=(pl.col("complete_at") <= watermark).fill_null(value=False))
    )


def _with_errors(sums: pl.DataFrame) -> pl.DataFrame:
    count = pl.when(pl.col("count") > 0).then("count")
    return sums.with_columns(
        rmse=(pl.col("sum_squared_error") / count).sqrt(),
        mae=pl.col("sum_absolute_error") / count,
        bias=pl.col("sum_error") / count,
        missing=pl.col("predictions") - pl.col("count") - pl.col("invalid") - pl.col("late"),
    )
