"""Sums of errors by version, role, segment and window of the event, from each partition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.events import PARTITION
from edml.scoring.bounds import Bounds
from edml.scoring.intake import COUNTS, OPENS, TIME, Intake, integers, rows_where
from edml.scoring.matching import Verdicts
from edml.scoring.rows import Integers
from edml.serving import records as served

_KIND: Final = (served.VERSION, served.ROLE, served.SEGMENT)

KEY: Final = (PARTITION, *_KIND, TIME)
"""What sums are told apart by; ``TIME`` is the start of the window, in µs."""

COUNTED: Final = (
    "predictions",
    "count",
    "invalid",
    "late",
    "duplicates",
    "outcomes",
    "matched",
)
SUMMED: Final = (
    "sum_error",
    "sum_absolute_error",
    "sum_squared_error",
    "sum_outcome",
    "sum_squared_outcome",
)
SCHEMA: Final = pl.Schema(
    {
        PARTITION: pl.Int32(),
        **dict.fromkeys(_KIND, pl.String()),
        TIME: pl.Int64(),
        **dict.fromkeys(COUNTED, pl.Int64()),
        **dict.fromkeys(SUMMED, pl.Float64()),
    }
)

_WHAT: Final = "_what"
_ERROR: Final = "_error"
_OUTCOME: Final = "_outcome"
_PREDICTIONS, _COUNT, _INVALID, _LATE, _DUPLICATES, _OUTCOMES, _MATCHED = range(len(COUNTED))

MANY: Final = 1 << 17
"""Facts are added up when there are so many, though none is to be published yet."""


@dataclass(frozen=True)
class Sums:
    """The windows that are open.

    ``published`` holds the sums that readers know and ``added`` those that came on top. ``facts``
    are not added up yet: each row is one thing to count, of the kind that ``_what`` tells, for one
    version, role and segment or for none.
    """

    published: pl.DataFrame
    added: pl.DataFrame
    facts: tuple[pl.DataFrame, ...] = ()
    waiting: int = 0

    @classmethod
    def none(cls) -> Self:
        """Before anything is counted."""
        return cls(SCHEMA.to_frame(), SCHEMA.to_frame())

    @property
    def changed(self) -> bool:
        """Whether readers do not know all."""
        return bool(self.facts) or not self.added.is_empty()

    def add(self, facts: Sequence[pl.DataFrame], bounds: Bounds) -> Self:
        """These sums and some facts more; what is of closed windows was counted once already."""
        still_open = [
            integers(each, TIME) >= bounds.closed[integers(each, PARTITION)] for each in facts
        ]
        new = [rows_where(*each) for each in zip(facts, still_open, strict=True) if each[1].any()]
        waiting = self.waiting + sum(each.height for each in new)
        grown = replace(self, facts=(*self.facts, *new), waiting=waiting)
        return grown if waiting < MANY else grown.summed(bounds.rule.window)

    def summed(self, window: int) -> Self:
        """The same sums, with all facts added up."""
        if not self.facts:
            return self
        counts = [
            (pl.col(_WHAT) == what).sum().cast(pl.Int64).alias(name)
            for what, name in enumerate(COUNTED)
        ]
        error, outcome = pl.col(_ERROR), pl.col(_OUTCOME)
        terms = (error, error.abs(), error**2, outcome, outcome**2)
        totals = [term.sum().alias(name) for term, name in zip(terms, SUMMED, strict=True)]
        facts = (
            _together(self.facts)
            .with_columns(pl.col(TIME) - pl.col(TIME) % window)
            .group_by(KEY)
            .agg(*counts, *totals)
        )
        return replace(self, added=_total(self.added, facts), facts=(), waiting=0)

    def told(self) -> Self:
        """The same sums, all of them published; facts must have been added up."""
        if self.added.is_empty():
            return self
        unchanged = self.published.join(self.added, on=KEY, how="anti")
        published = pl.concat([unchanged, self.news()])
        return replace(self, published=published, added=self.added.clear())

    def news(self) -> pl.DataFrame:
        """The rows that have changed since they were published, with all that they come to."""
        before = self.published.join(self.added, on=KEY, how="semi")
        return _total(before, self.added)

    def since(self, closed: Integers) -> Self:
        """Without the published windows that begin before ``closed``, by partition number."""
        rows = self.published
        still_open = integers(rows, TIME) >= closed[integers(rows, PARTITION)]
        return replace(self, published=rows_where(rows, still_open))

    def keep(self, which: pl.Expr) -> Self:
        """Only the rows of which ``which`` is true."""
        return replace(
            self,
            published=self.published.filter(which),
            added=self.added.filter(which),
            facts=tuple(each.filter(which) for each in self.facts),
        )


def of_predictions(taken: Intake) -> list[pl.DataFrame]:
    """What new predictions count for, in the window of their event."""
    return _of_records(taken, _PREDICTIONS, named=True)


def of_outcomes(taken: Intake) -> list[pl.DataFrame]:
    """What new outcomes count for, in the window of their own time."""
    return _of_records(taken, _OUTCOMES, named=False)


def of_verdicts(verdicts: Verdicts) -> list[pl.DataFrame]:
    """What pairs count for: in the window of the event, and in that of the outcome's own time.

    An outcome is matched once, however many models have predicted its event.
    """
    pairs, counts = verdicts.pairs, verdicts.counts
    what = np.where(verdicts.late, _LATE, np.where(verdicts.invalid, _INVALID, _COUNT))
    outcome = np.where(counts, verdicts.outcome.to_numpy(), 0.0)
    prediction = pairs.predictions.get_column(served.PREDICTION).to_numpy()
    error = np.where(counts, prediction - outcome, 0.0)
    opened = rows_where(pairs.outcomes, pairs.predictions.get_column(OPENS).to_numpy())
    return [
        _facts(pairs.predictions, what, named=True, error=error, outcome=outcome),
        _facts(opened, np.full(opened.height, _MATCHED), named=False),
    ]


def _of_records(taken: Intake, what: int, *, named: bool) -> list[pl.DataFrame]:
    if taken.fresh is None:
        return []
    frame = taken.fresh.frame
    counts = frame.get_column(COUNTS).to_numpy()
    return [_facts(frame, np.where(counts, what, _DUPLICATES), named=named)]


def _facts(
    rows: pl.DataFrame,
    what: npt.NDArray[np.int_],
    *,
    named: bool,
    error: npt.NDArray[np.float64] | None = None,
    outcome: npt.NDArray[np.float64] | None = None,
) -> pl.DataFrame:
    """One fact for each row, with the row's kind if it is ``named``."""
    zeros = np.zeros(rows.height)
    return pl.DataFrame(
        [
            *(rows.get_column(each) for each in (KEY if named else (PARTITION, TIME))),
            pl.Series(_WHAT, what.astype(np.int8)),
            pl.Series(_ERROR, zeros if error is None else error),
            pl.Series(_OUTCOME, zeros if outcome is None else outcome),
        ]
    )


def _together(facts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All facts in one frame; the kind of those without one is empty."""
    named = [each for each in facts if served.ROLE in each.columns]
    others = [each for each in facts if served.ROLE not in each.columns]
    if not others:
        return pl.concat(named)
    no_kind = [pl.lit("").alias(each) for each in _KIND]
    unnamed = pl.concat(others).select(PARTITION, *no_kind, TIME, _WHAT, _ERROR, _OUTCOME)
    return pl.concat([*named, unnamed])


def _total(*frames: pl.DataFrame) -> pl.DataFrame:
    """Sums of the same key as one."""
    some = [each for each in frames if each.height]
    if len(some) < len(frames):
        return some[0] if some else frames[0]
    return pl.concat(some).group_by(KEY).agg(pl.col(*COUNTED, *SUMMED).sum())
