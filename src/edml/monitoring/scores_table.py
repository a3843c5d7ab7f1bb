"""The topic of scores as a table that is kept for years: of the past, only sums.

Windows are kept one by one while they may still change, and for as long as trials last. Of those
before, the partitions and the windows of an hour are added up: hours are what a season is told by.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from edml.application import Application, dtypes_of
from edml.monitoring.blocks import START, SUMS, block_of, counted
from edml.scoring import records
from edml.scoring.reading import reached
from edml.serving import records as served

_ADDED: Final = ("predictions", "count", "invalid", "late", "sum_error", "sum_outcome", *SUMS)
_COLUMNS: Final = ("application", *records.SCORE_KEY[1:], *_ADDED, "watermark")
_INSTANT: Final = pl.Datetime("us", "UTC")
_HOUR: Final = timedelta(hours=1)
_NONE: Final = pl.DataFrame(schema=dtypes_of(records.Score)).select(_COLUMNS)

MANY: Final = 100_000
"""Records are merged into the table when there are so many."""


class ScoresTable:
    """Takes records of the scores topic as they are read, and gives complete blocks.

    The topic has ``kafka_partitions``: each is read in order, none in step with the others.
    ``partitions`` is how many the predictions have.
    """

    def __init__(self, application: Application, *, partitions: int, kafka_partitions: int) -> None:
        self._application = application
        self._partitions = partitions
        self._read: dict[int, pl.DataFrame | None] = dict.fromkeys(range(kafka_partitions))
        self._new: list[pl.DataFrame] = []
        self._rows = 0
        self._current = _NONE
        self._windows: list[pl.DataFrame] = []
        self._answers: list[pl.DataFrame] = []
        self._folded: datetime | None = None

    @property
    def caught_up(self) -> bool:
        """Whether every partition of the topic has been read to its end once."""
        return not self._read

    @property
    def watermark(self) -> datetime | None:
        """How far in event time all partitions are; None before each has told something."""
        self._merge()
        return reached(self._current, self._partitions)

    def take(self, scores: pl.DataFrame, kafka_partition: int) -> None:
        """Take records, in the order of the log."""
        ours = scores.filter(pl.col("application") == self._application.name)
        ours = ours.select(_COLUMNS).cast(_NONE.schema)
        if kafka_partition in self._read and ours.height:
            self._read[kafka_partition] = _furthest(ours, self._read[kafka_partition])
        self._new.append(ours)
        self._rows += ours.height
        if self._rows >= MANY:
            self._merge()

    def ended(self, kafka_partition: int) -> None:
        """Told that a partition of the topic is read to its end."""
        self._read.pop(kafka_partition, None)

    def windows(self) -> pl.DataFrame:
        """The windows of complete blocks: see `edml.monitoring.blocks.counted`."""
        self._merge()
        return pl.concat([*self._windows, self._counted(self._current)])

    def answers(self) -> pl.DataFrame:
        """The complete blocks with their outcomes: see `edml.monitoring.outcomes.doubts`."""
        self._merge()
        return pl.concat([*self._answers, self._answered(self._current)])

    def _merge(self) -> None:
        """Let newer records replace older ones, and fold what does not change any more."""
        if not self._new:
            return
        rows = pl.concat([self._current, *self._new])
        if self._folded is not None:
            rows = rows.filter(_is_progress() | (pl.col(records.WINDOW) >= self._folded))
        self._new, self._rows = [], 0
        self._current = rows.unique(records.SCORE_KEY, keep="last", maintain_order=True)
        settled = self._settled()
        if settled is not None and (self._folded is None or settled > self._folded):
            self._fold(settled)

    def _fold(self, until: datetime) -> None:
        """Keep nothing of the blocks before ``until`` but sums: of old ones, by the hour."""
        past = _is_progress() | (pl.col(records.WINDOW) < until)
        whole = self._current.filter(past)
        self._answers = [pl.concat([*self._answers, self._answered(whole)])]
        windows = pl.concat([*self._windows, self._counted(whole)])
        recent = pl.col(records.WINDOW) >= until - self._application.policy.trial[1]
        self._windows = [
            windows.filter(recent),
            _by_hour(windows.filter(~recent), self._application),
        ]
        self._current = self._current.filter(~past | _is_progress())
        self._folded = until

    def _settled(self) -> datetime | None:
        """The end of the blocks of which no record is to come any more."""
        app = self._application
        known = [reached(self._current, self._partitions)]
        known += [
            None if found is None else reached(found, self._partitions)
            for found in self._read.values()
        ]
        times = [each for each in known if each is not None]
        if len(times) < len(known):
            return None
        sure = min(times) - app.outcome.wait - 2 * app.lateness - app.policy.block
        block = app.policy.block
        epoch = records.PROGRESS
        return epoch + (sure - epoch) // block * block

    def _counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        return counted(rows, self._application, self._partitions)

    def _answered(self, rows: pl.DataFrame) -> pl.DataFrame:
        app = self._application
        watermark = reached(rows, self._partitions)
        end = block_of(app) + pl.lit(app.policy.block + app.outcome.wait)
        return (
            rows.filter((pl.col(served.VERSION) != "") & (end <= pl.lit(watermark, _INSTANT)))
            .group_by(served.VERSION, block_of(app).alias(START))
            .agg(pl.col(_ADDED).sum())
            .select(
                served.VERSION,
                START,
                "predictions",
                "count",
                "sum_error",
                answered=pl.col("count") + pl.col("invalid") + pl.col("late"),
                sum_prediction=pl.col("sum_error") + pl.col("sum_outcome"),
            )
            .sort(START, served.VERSION)
        )


def _is_progress() -> pl.Expr:
    return pl.col(records.WINDOW) == records.PROGRESS


def _furthest(rows: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    """The latest watermark of each source partition."""
    columns = (records.SOURCE, "watermark")
    parts: Iterable[pl.DataFrame] = [rows.select(columns)]
    if before is not None:
        parts = [before, *parts]
    return pl.concat(parts).group_by(records.SOURCE).agg(pl.col("watermark").max())


def _by_hour(windows: pl.DataFrame, application: Application) -> pl.DataFrame:
    """The windows of each hour added up, if blocks are made of hours."""
    if application.policy.block % _HOUR or application.window >= _HOUR:
        return windows
    keys = (served.VERSION, served.SEGMENT, records.WINDOW, records.SOURCE)
    return (
        windows.with_columns(
            pl.col(records.WINDOW).dt.truncate(_HOUR), pl.lit(0, pl.Int64).alias(records.SOURCE)
        )
        .group_by(keys)
        .agg(pl.exclude(keys).sum())
        .select(windows.columns)
        .sort(keys)
    )
