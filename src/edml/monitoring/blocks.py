"""Blocks of event time: the sums of errors that drift and verdicts are told from.

A block is long enough that what makes one trip like its neighbours (the same traffic, the same
rain) is within it: a day, as a rule. How many events it has says how sure its mean is, and
nothing else: a thin block is not a sign of anything.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.monitoring.baseline import Baseline
from edml.scoring import records
from edml.scoring.reading import reached
from edml.serving import records as served

START: Final = "start"
WHOLE: Final = ""
"""The segment that stands for all of them."""

SUMS: Final = ("sum_clipped_error", "sum_clipped_squared")
_ALL: Final = (*SUMS, "sum_prediction")
EXPECTED: Final = ("expected_error", "expected_squared")

_KEY: Final = (served.VERSION, served.SEGMENT, records.WINDOW, records.SOURCE)
_INSTANT: Final = pl.Datetime("us", "UTC")


def counted(scores: pl.DataFrame, application: Application, partitions: int) -> pl.DataFrame:
    """The windows of whole blocks that are complete: no outcome is to come that counts.

    Args:
        scores: Records of the scores topic in the order of the log; older ones of a key may stand
            before newer ones.
        application: Whose scores they are.
        partitions: How many partitions the predictions have.

    Returns:
        One row for each ``version``, ``segment``, ``window_start`` and ``source_partition`` with
        ``count``, the sums of `SUMS` and ``sum_prediction``, the roles of a version added up.
    """
    newest = scores.unique(subset=records.SCORE_KEY, keep="last", maintain_order=True)
    watermark = reached(newest, partitions)
    block_end = block_of(application) + pl.lit(application.policy.block)
    windows = (
        newest.filter(
            (pl.col(served.VERSION) != "")
            & (block_end + pl.lit(application.outcome.wait) <= pl.lit(watermark, _INSTANT))
        )
        .with_columns(sum_prediction=pl.col("sum_error") + pl.col("sum_outcome"))
        .group_by(_KEY)
        .agg(pl.col("count", *_ALL).sum())
    )
    return windows.filter(pl.col("count") > 0).sort(_KEY)


def from_errors(errors: pl.DataFrame, application: Application, version: str) -> pl.DataFrame:
    """The same windows from single errors of a version, all of which count.

    ``errors`` has the columns ``event_time``, ``segment``, ``error`` and ``prediction``, and may
    have ``source_partition``.
    """
    clip = application.clip
    clipped = pl.col(records.ERROR).clip(-clip, clip)
    if records.SOURCE not in errors.columns:
        errors = errors.with_columns(pl.lit(0, pl.Int32).alias(records.SOURCE))
    return (
        errors.filter(pl.col(records.ERROR).is_not_nan())
        .group_by(
            pl.lit(version).alias(served.VERSION),
            served.SEGMENT,
            pl.col(EVENT_TIME).dt.truncate(application.window).alias(records.WINDOW),
            records.SOURCE,
        )
        .agg(
            count=pl.len().cast(pl.Int64),
            sum_clipped_error=clipped.sum(),
            sum_clipped_squared=(clipped**2).sum(),
            sum_prediction=pl.col(served.PREDICTION).sum(),
        )
        .sort(_KEY)
    )


def blocks(
    windows: pl.DataFrame, baselines: Mapping[str, Baseline], application: Application
) -> pl.DataFrame:
    """The blocks of each version that has a baseline: of each segment, and of all of them.

    Returns:
        One row for each ``version``, ``segment`` (`WHOLE` for all) and ``start`` with ``count``,
        the sums of `SUMS`, and what was `EXPECTED` of them at these hours; sorted by start.
    """
    parts = [
        baseline.expected(windows.filter(pl.col(served.VERSION) == version))
        for version, baseline in sorted(baselines.items())
    ]
    every = pl.concat(parts) if parts else _no_expectations(windows)
    every = every.with_columns(block_of(application).alias(START))
    keys = (served.VERSION, served.SEGMENT, START)
    whole = every.with_columns(pl.lit(WHOLE).alias(served.SEGMENT))
    return (
        pl.concat([every, whole])
        .sort(_KEY)
        .group_by(keys, maintain_order=True)
        .agg(pl.col("count", *SUMS, *EXPECTED).sum())
        .sort(START, served.VERSION, served.SEGMENT)
    )


def paired(
    windows: pl.DataFrame, tried: str, against: str, application: Application
) -> pl.DataFrame:
    """The blocks of two versions, where both have seen the same events.

    That is so in those windows, partitions and segments in which both have the same count.

    Returns:
        One row for each ``start`` with ``count``, and of each version the sums of clipped squares
        (``tried_squared``, ``against_squared``), clipped errors (``tried_error``,
        ``against_error``) and predictions (``tried_prediction``, ``against_prediction``).
    """
    keys = (served.SEGMENT, records.WINDOW, records.SOURCE, "count")
    ours, theirs = (
        windows.filter(pl.col(served.VERSION) == version).select(
            *keys,
            pl.col("sum_clipped_squared").alias(f"{name}_squared"),
            pl.col("sum_clipped_error").alias(f"{name}_error"),
            pl.col("sum_prediction").alias(f"{name}_prediction"),
        )
        for name, version in (("tried", tried), ("against", against))
    )
    sums = [
        f"{name}_{what}"
        for what in ("squared", "error", "prediction")
        for name in ("tried", "against")
    ]
    return (
        ours.join(theirs, on=keys, how="inner")
        .sort(keys)
        .group_by(block_of(application).alias(START), maintain_order=True)
        .agg(pl.col("count", *sums).sum())
        .sort(START)
    )


def block_of(application: Application, column: str = records.WINDOW) -> pl.Expr:
    """The start of the block in which an instant lies: that of a window, unless told otherwise."""
    length = application.policy.block // timedelta(microseconds=1)
    return (pl.col(column).dt.epoch("us") // length * length).cast(_INSTANT)


def _no_expectations(windows: pl.DataFrame) -> pl.DataFrame:
    return windows.clear().with_columns(pl.lit(0.0).alias(each) for each in EXPECTED)
