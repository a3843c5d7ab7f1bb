"""What is told of scores: sums that changed, windows that are complete, how far partitions are."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from edml.events import PARTITION
from edml.scoring import records
from edml.scoring.intake import TIME
from edml.scoring.rule import Rule
from edml.scoring.sums import COUNTED, KEY, SCHEMA, SUMMED, Sums
from edml.scoring.watermark import NEVER
from edml.serving import records as served

_WATERMARK: Final = "_watermark"
_TOLD: Final = "_told"
_INSTANT: Final = pl.Datetime("us", "UTC")


def scores(
    application: str,
    rule: Rule,
    sums: Sums,
    reached: Mapping[int, int],
    told: Mapping[int, int],
) -> pl.DataFrame:
    """The records to publish.

    ``reached`` is, by partition, its watermark; ``told`` is the one that readers know.
    """
    changed = sums.news()
    watermarks = _watermarks(reached, told)
    moved = [p for p, each in reached.items() if _passed(each, told.get(p, NEVER), rule.window)]
    complete_at = pl.col(TIME) + rule.window + rule.wait
    completed = (
        sums.published.join(watermarks, on=PARTITION)
        .filter((pl.col(_TOLD) < complete_at) & (complete_at <= pl.col(_WATERMARK)))
        .select(SCHEMA.names())
        .join(changed, on=KEY, how="anti")
    )
    progress = _progress(moved)
    return _records(application, rule, pl.concat([changed, completed, progress]), watermarks)


def something_to_tell(
    rule: Rule, sums: Sums, reached: Mapping[int, int], told: Mapping[int, int]
) -> bool:
    """Whether sums have changed, or a watermark has passed the end of a window or its wait."""
    return sums.changed or any(
        _passed(each, told.get(p, NEVER), rule.window)
        or _passed(each - rule.wait, told.get(p, NEVER) - rule.wait, rule.window)
        for p, each in reached.items()
    )


def _passed(reached: int, told: int, width: int) -> bool:
    return reached // width > told // width


def _watermarks(reached: Mapping[int, int], told: Mapping[int, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            PARTITION: list(reached),
            _WATERMARK: list(reached.values()),
            _TOLD: [told.get(p, NEVER) for p in reached],
        },
        schema={PARTITION: pl.Int32, _WATERMARK: pl.Int64, _TOLD: pl.Int64},
    )


def _progress(partitions: list[int]) -> pl.DataFrame:
    """Rows without sums, that only carry the partition's watermark."""
    return pl.select(
        pl.Series(PARTITION, partitions, dtype=pl.Int32),
        *(
            pl.lit("" if dtype == pl.String else 0, dtype).alias(name)
            for name, dtype in SCHEMA.items()
            if name != PARTITION
        ),
    )


def _records(
    application: str, rule: Rule, rows: pl.DataFrame, watermarks: pl.DataFrame
) -> pl.DataFrame:
    progress = pl.col(TIME) == 0
    complete_at = pl.when(progress).then(0).otherwise(pl.col(TIME) + rule.window + rule.wait)
    return rows.join(watermarks, on=PARTITION, how="left").select(
        pl.lit(application).alias("application"),
        served.VERSION,
        served.ROLE,
        served.SEGMENT,
        pl.col(TIME).cast(_INSTANT).alias(records.WINDOW),
        pl.col(PARTITION).alias(records.SOURCE),
        *COUNTED,
        *SUMMED,
        complete_at.cast(_INSTANT).alias("complete_at"),
        pl.col(_WATERMARK).clip(0).cast(_INSTANT).alias("watermark"),
        (~progress & (complete_at <= pl.col(_WATERMARK))).alias("complete"),
    )
