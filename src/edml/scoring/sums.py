"""Sums of errors by version, role, segment and window of the event, from each partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from edml.scoring.bounds import Bounds, by_number
from edml.scoring.chunk import OUTCOME, Records
from edml.scoring.growing import Flags, Integers, distinct, taken
from edml.scoring.kinds import NONE
from edml.scoring.matching import Verdicts

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
    "sum_clipped_error",
    "sum_clipped_squared",
)

_PREDICTIONS, _COUNT, _INVALID, _LATE, _DUPLICATES, _OUTCOMES, _MATCHED = range(len(COUNTED))

MANY: Final = 1 << 14
"""Totals are added up when there are so many, though none is to be published yet."""


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums by partition, code of the kind, and start of the window in µs.

    ``counts`` has a column for each of `COUNTED`, ``sums`` one for each of `SUMMED`.
    """

    partitions: Integers
    kinds: Integers
    windows: Integers
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]

    @classmethod
    def none(cls) -> Self:
        """Nothing at all."""
        no = np.empty(0, dtype=np.int64)
        return cls(no, no, no, np.empty((0, len(COUNTED)), np.int64), np.empty((0, len(SUMMED))))

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.windows.size

    def where(self, flags: Flags) -> Self:
        """The rows that are flagged."""
        if flags.all():
            return self
        return type(self)(
            self.partitions[flags],
            self.kinds[flags],
            self.windows[flags],
            self.counts[flags],
            self.sums[flags],
        )

    def and_(self, others: Sequence[Self]) -> Self:
        """These rows, and those of others after them."""
        every = [self, *others]
        return type(self)(
            np.concatenate([each.partitions for each in every]),
            np.concatenate([each.kinds for each in every]),
            np.concatenate([each.windows for each in every]),
            np.concatenate([each.counts for each in every]),
            np.concatenate([each.sums for each in every]),
        )

    def total(self, known: int = 0) -> tuple[Self, Flags]:
        """One row for each key, and whether more than the first ``known`` rows went into it."""
        order = np.lexsort((self.windows, self.kinds, self.partitions))
        keys = [each[order] for each in (self.partitions, self.kinds, self.windows)]
        first = np.ones(self.height, dtype=np.bool_)
        first[1:] = np.logical_or.reduce([each[1:] != each[:-1] for each in keys])
        starts = np.flatnonzero(first)
        if not starts.size:
            return self, first
        partitions, kinds, windows = (each[starts] for each in keys)
        sums = type(self)(
            partitions,
            kinds,
            windows,
            np.add.reduceat(self.counts[order], starts),
            np.add.reduceat(self.sums[order], starts),
        )
        return sums, np.logical_or.reduceat(order >= known, starts)


class Fact(NamedTuple):
    """Things to count, each of the kind that ``what`` tells, in the window of ``time``."""

    partition: Integers
    kind: Integers
    time: Integers
    what: Integers


@dataclass(frozen=True, eq=False)
class Sums:
    """The windows that are open.

    ``published`` holds the sums that readers know, one row a key; ``added`` what came on top, in
    the order in which it came.
    """

    published: Totals
    added: tuple[Totals, ...] = ()
    waiting: int = 0

    @classmethod
    def none(cls) -> Self:
        """Before anything is counted."""
        return cls(Totals.none())

    @property
    def changed(self) -> bool:
        """Whether readers do not know all."""
        return bool(self.added)

    def add(self, totals: Totals | None) -> Self:
        """These sums and some more."""
        if totals is None:
            return self
        added, waiting = (*self.added, totals), self.waiting + totals.height
        if waiting < MANY:
            return replace(self, added=added, waiting=waiting)
        return replace(self, added=(_total(added),), waiting=0)

    def told(self) -> tuple[Self, Flags]:
        """The same sums, all of them published; and which of their rows have changed."""
        if not self.added:
            return self, np.zeros(self.published.height, dtype=np.bool_)
        published, changed = self.published.and_(self.added).total(self.published.height)
        return type(self)(published), changed

    def since(self, closed: Mapping[int, int]) -> Self:
        """Without the published windows that begin before ``closed``, by partition number."""
        rows = self.published
        oldest = by_number(closed, int(rows.partitions.max(initial=0)))
        return replace(self, published=rows.where(rows.windows >= oldest[rows.partitions]))

    def of(self, partitions: frozenset[int]) -> Self:
        """The sums of some partitions."""
        wanted = sorted(partitions)

        def ours(rows: Totals) -> Totals:
            return rows.where(np.isin(rows.partitions, wanted))

        return replace(self, published=ours(self.published), added=tuple(map(ours, self.added)))


def added_up(new: Records, verdicts: Verdicts | None, bounds: Bounds) -> Totals | None:
    """What new records and pairs count for, but for what is of closed windows: that was counted.

    Predictions count in the window of their event, and so do pairs. Outcomes count in the window of
    their own time, and are matched once, however many models have predicted their event.
    """
    what = np.where(new["side"] == OUTCOME, _OUTCOMES, _PREDICTIONS)
    what = np.where(new["counts"], what, _DUPLICATES)
    facts = [Fact(new["partition"], new["kind"], new["time"], what)]
    if verdicts is not None:
        event, outcome = verdicts.pairs.predictions, verdicts.pairs.outcomes
        said = np.where(verdicts.late, _LATE, np.where(verdicts.invalid, _INVALID, _COUNT))
        facts.append(Fact(event["partition"], event["kind"], event["time"], said))
        opened = taken(outcome, event["opens"].nonzero()[0])
        nobody, matched = np.full(opened.size, NONE), np.full(opened.size, _MATCHED)
        facts.append(Fact(opened["partition"], nobody, opened["time"], matched))
    partition, kind, time, said = (
        np.concatenate(each).astype(np.int64, copy=False) for each in zip(*facts, strict=True)
    )
    still_open = time >= bounds.closed[partition]
    if not still_open.any():
        return None
    if not still_open.all():
        partition, kind, time = (each[still_open] for each in (partition, kind, time))
    totals, place = _grouped(partition, kind, time // bounds.rule.window)
    counts = np.bincount(
        place * len(COUNTED) + said[still_open], minlength=totals.height * len(COUNTED)
    )
    totals.counts[:] = counts.reshape(totals.counts.shape)
    if verdicts is not None:
        scored = still_open & (said == _COUNT)
        where, pair = place[scored[still_open]], np.flatnonzero(scored) - new.size
        label = verdicts.outcome[pair]
        error = verdicts.prediction[pair] - label
        clipped = np.clip(error, -bounds.rule.clip, bounds.rule.clip)
        terms = (error, np.abs(error), error**2, label, label**2, clipped, clipped**2)
        for column, term in enumerate(terms):
            totals.sums[:, column] = np.bincount(where, weights=term, minlength=totals.height)
    return replace(totals, windows=totals.windows * bounds.rule.window)


def _grouped(partition: Integers, kind: Integers, window: Integers) -> tuple[Totals, Integers]:
    """Empty sums of each partition, kind and number of a window there is, and the place of each."""
    earliest, kinds = int(window.min()), int(kind.max()) + 1
    span = int(window.max()) - earliest + 1
    groups, place = distinct((partition * kinds + kind) * span + (window - earliest))
    rest, later = np.divmod(groups, span)
    partitions, of_kind = np.divmod(rest, kinds)
    totals = Totals(
        partitions,
        of_kind,
        later + earliest,
        np.zeros((groups.size, len(COUNTED)), dtype=np.int64),
        np.zeros((groups.size, len(SUMMED))),
    )
    return totals, place


def _total(parts: Sequence[Totals]) -> Totals:
    first, *others = parts
    return first.and_(others).total()[0] if others else first
