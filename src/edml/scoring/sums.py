"""Sums of errors by version, role, segment and window of the event, from each partition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.events import PARTITION
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
    are not added up yet: each is one thing to count, of the kind that ``_what`` tells.
    """

    published: pl.DataFrame
    added: pl.DataFrame
    facts: tuple[pl.DataFrame, ...] = ()

    @classmethod
    def none(cls) -> Self:
        """Before anything is counted."""
        return cls(SCHEMA.to_frame(), SCHEMA.to_frame())

    @property
    def changed(self) -> bool:
        """Whether readers do not know all."""
        return bool(self.facts) or not self.added.is_empty()

    def add(self, facts: Sequence[pl.DataFrame], window: int) -> Self:
        """These sums and some facts more, for windows of so many µs."""
        grown = replace(self, facts=(*self.facts, *(each for each in facts if each.height)))
        if sum(each.height for each in grown.facts) < MANY:
            return grown
        return grown.summed(window)

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
            pl.concat(self.facts)
            .with_columns(pl.col(TIME) - pl.col(TIME) % window)
            .group_by(KEY)
            .agg(*counts, *totals)
        )
        return replace(self, added=_total(self.added, facts), facts=())

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


def of_predictions(taken: Intake) -> pl.DataFrame:
    """What new predictions count for, in the window of their event."""
    return _of_records(taken, _PREDICTIONS, named=True)


def of_outcomes(taken: Intake) -> pl.DataFrame:
    """What new outcomes count for, in the window of their own time."""
    return _of_records(taken, _OUTCOMES, named=False)


def of_verdicts(verdicts: Verdicts) -> list[pl.DataFrame]:
    """What pairs count for: in the window of the event, and in that of the outcome's own time.

    An outcome is matched once, however many models have predicted its event.
    """
    pairs, counts = verdicts.pairs, verdicts.counts
    what = np.where(verdicts.late, _LATE, np.where(verdicts.invalid, _INVALID, _COUNT))
    outcome = np.where(counts, verdicts.outcome.fill_null(0.0).to_numpy(), 0.0)
    prediction = pairs.predictions.get_column(served.PREDICTION).to_numpy()
    error = np.where(counts, prediction - outcome, 0.0)
    opened = rows_where(pairs.outcomes, pairs.predictions.get_column(OPENS).to_numpy())
    return [
        _facts(pairs.predictions, what, named=True, error=error, outcome=outcome),
        _facts(opened, np.full(opened.height, _MATCHED), named=False),
    ]


def _of_records(taken: Intake, what: int, *, named: bool) -> pl.DataFrame:
    if taken.fresh is None:
        return _NO_FACTS
    frame = taken.fresh.frame
    counts = frame.get_column(COUNTS).to_numpy()
    facts = _facts(frame, np.where(counts, what, _DUPLICATES), named=named)
    return rows_where(facts, counts | taken.repeats)


def _facts(
    rows: pl.DataFrame,
    what: npt.NDArray[np.int_],
    *,
    named: bool,
    error: npt.NDArray[np.float64] | None = None,
    outcome: npt.NDArray[np.float64] | None = None,
) -> pl.DataFrame:
    """One fact for each row; the kind of a row that is not ``named`` is empty."""
    zeros = np.zeros(rows.height)
    kind = [
        rows.get_column(each) if named else pl.repeat("", rows.height, eager=True).alias(each)
        for each in _KIND
    ]
    return pl.DataFrame(
        [
            rows.get_column(PARTITION),
            *kind,
            rows.get_column(TIME),
            pl.Series(_WHAT, what.astype(np.int8)),
            pl.Series(_ERROR, zeros if error is None else error),
            pl.Series(_OUTCOME, zeros if outcome is None else outcome),
        ]
    )


_NO_FACTS: Final = pl.DataFrame()


def _total(*frames: pl.DataFrame) -> pl.DataFrame:
    """Sums of the same key as one."""
    some = [each for each in frames if each.height]
    if len(some) < len(frames):
        return some[0] if some else frames[0]
    return pl.concat(some).group_by(KEY).agg(pl.col(*COUNTED, *SUMMED).sum())
