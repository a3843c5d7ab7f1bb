"""What is told of scores: sums that changed, windows that are complete, how far partitions are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from edml.scoring import records
from edml.scoring.bounds import by_number
from edml.scoring.growing import Flags, Integers
from edml.scoring.kinds import NONE, Kinds
from edml.scoring.payload import as_column
from edml.scoring.rule import Rule
from edml.scoring.sums import COUNTED, SUMMED, Sums, Totals
from edml.scoring.watermark import NEVER

_INSTANT: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Progress:
    """The watermarks of partitions: how far they are, and how far readers know them to be."""

    reached: Mapping[int, int]
    told: Mapping[int, int]

    def passed(self, rule: Rule) -> bool:
        """Whether a watermark has passed the end of a window or its wait."""
        return any(
            _passed(each, self.told.get(p, NEVER), rule.window)
            or _passed(each - rule.wait, self.told.get(p, NEVER) - rule.wait, rule.window)
            for p, each in self.reached.items()
        )


def scores(
    application: str, rule: Rule, sums: Sums, progress: Progress, kinds: Kinds
) -> tuple[Sums, pl.DataFrame]:
    """The sums, all of them published, and the records that tell what is new."""
    known, changed = sums.told()
    every = known.published
    most = int(every.partitions.max(initial=max(progress.reached, default=0)))
    watermark = by_number(progress.reached, most)
    complete_at = every.windows + rule.window + rule.wait
    completed = (by_number(progress.told, most)[every.partitions] < complete_at) & (
        complete_at <= watermark[every.partitions]
    )
    moved = [
        p
        for p, each in progress.reached.items()
        if _passed(each, progress.told.get(p, NEVER), rule.window)
    ]
    rows = every.where(changed | completed).and_([_progress(moved)])
    return known, _records(application, rule, rows, watermark, kinds)


def _passed(reached: int, told: int, width: int) -> bool:
    return reached // width > told // width


def _progress(partitions: list[int]) -> Totals:
    """Rows without sums, that only carry the partition's watermark."""
    number = len(partitions)
    return Totals(
        np.array(partitions, dtype=np.int64),
        np.full(number, NONE),
        np.zeros(number, dtype=np.int64),
        np.zeros((number, len(COUNTED)), dtype=np.int64),
        np.zeros((number, len(SUMMED))),
    )


def _records(
    application: str, rule: Rule, rows: Totals, watermark: Integers, kinds: Kinds
) -> pl.DataFrame:
    progress: Flags = rows.windows == 0
    complete_at = np.where(progress, 0, rows.windows + rule.window + rule.wait)
    reached = watermark[rows.partitions]
    return pl.DataFrame(
        [
            pl.Series("application", [application], dtype=pl.String).new_from_index(0, rows.height),
            *kinds.columns(rows.kinds),
            as_column(records.WINDOW, rows.windows, _INSTANT),
            as_column(records.SOURCE, rows.partitions.astype(np.int32), pl.Int32()),
            *(
                pl.Series(name, column)
                for name, column in zip(COUNTED, rows.counts.T.copy(), strict=True)
            ),
            *(
                pl.Series(name, column)
                for name, column in zip(SUMMED, rows.sums.T.copy(), strict=True)
            ),
            as_column("complete_at", complete_at, _INSTANT),
            as_column("watermark", np.maximum(reached, 0), _INSTANT),
            pl.Series("complete", ~progress & (complete_at <= reached)),
        ]
    )
