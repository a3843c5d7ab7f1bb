"""Keys that come often within one batch: their records are judged one by one, in order."""

from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np

from edml.scoring.bounds import Bounds
from edml.scoring.chunk import OUTCOME, PREDICTION, Records
from edml.scoring.growing import Flags, Integers, joined, taken
from edml.scoring.hidden import Hidden
from edml.scoring.intake import since
from edml.scoring.rows import Found, Rows


class Seen:
    """Records of one key and input: what they make of another, in logarithmic time.

    ``_sources`` ascend, and so do ``_times``, the latest of all records up to that source: whatever
    is neither of an earlier event nor later than another is left out.
    """

    def __init__(self) -> None:
        self._sources: list[int] = []
        self._times: list[int] = []
        self._events: dict[int, int] = {}
        self._copies: dict[tuple[int, int], int] = {}

    def add(self, time: int, source: int, role: int) -> None:
        """One more record."""
        self._events[source] = max(time, self._events.get(source, time))
        copy = source, role
        self._copies[copy] = max(time, self._copies.get(copy, time))
        at = bisect_right(self._sources, source)
        if at and self._times[at - 1] >= time:
            return
        start = bisect_left(self._sources, source)
        end = bisect_right(self._times, time, start)
        self._sources[start:end] = [source]
        self._times[start:end] = [time]

    def repeated(self, source: int, role: int, reached: int) -> bool:
        """Whether one of them from ``reached`` on is of an earlier event, or of this and role."""
        at = bisect_left(self._sources, source)
        if at and self._times[at - 1] >= reached:
            return True
        copy = self._copies.get((source, role))
        return copy is not None and copy >= reached

    def followed(self, source: int, reached: int) -> bool:
        """Whether one of them from ``reached`` on is of this event."""
        event = self._events.get(source)
        return event is not None and event >= reached


class Crowds:
    """Judges the records of keys that come often in a batch."""

    def __init__(self, rows: Rows, hidden: Hidden, bounds: Bounds) -> None:
        self._rows = rows
        self._hidden = hidden
        self._bounds = bounds
        self._last = len(rows.chunks) - 1

    def tell(self, new: Records, crowded: Integers) -> Found:
        """Set the flags of the records at ``crowded``, places of all that have their keys.

        Gives back pairs with records of the other input that may belong together.
        """
        some = taken(new, crowded)
        order = np.lexsort((some["partition"], some["check"], some["key"]))
        first = np.ones(order.size, dtype=np.bool_)
        first[1:] = np.logical_or.reduce(
            [some[name][order[1:]] != some[name][order[:-1]] for name in _SAME]
        )
        heads = first.nonzero()[0]
        old = self._rows.find(taken(some, order[heads]))
        old = old.where(np.argsort(old.new, kind="stable"))
        starts = np.searchsorted(old.new, np.arange(heads.size + 1)).tolist()
        groups = np.split(crowded[order], heads[1:])
        none = old.where(np.empty(0, dtype=np.int64))
        return none.and_(
            *(
                self._group(new, places, old.where(np.arange(starts[at], starts[at + 1])))
                for at, places in enumerate(groups)
            )
        )

    def _group(self, new: Records, places: Integers, old: Found) -> Found:
        """Judge all new records of one key, beside the old ones of it that are found."""
        old = old.where((old.old["partition"] == new["partition"][places[0]]).nonzero()[0])
        for side in (PREDICTION, OUTCOME):
            ours = places[new["side"][places] == side]
            self._side(new, ours, old.where((old.old["side"] == side).nonzero()[0]))
        return self._pairs(new, places[new["counts"][places]], old)

    def _side(self, new: Records, places: Integers, old: Found) -> None:
        """Judge the new records of one key and input."""
        seen, shown = Seen(), Seen()
        before = old.old
        for time, source, role, chunk in zip(
            *(before[name].tolist() for name in _TOLD), old.chunk.tolist(), strict=True
        ):
            seen.add(time, source, role)
            if chunk == self._last:
                shown.add(time, source, role)
        some, spacing, hides = taken(new, places), self._rows.spacing, self._rows.hides
        columns = [some[name].tolist() for name in _TOLD]
        flags = np.zeros((places.size, 3), dtype=np.bool_)
        for at, (time, source, role, reached) in enumerate(
            zip(*columns, since(some, self._bounds).tolist(), strict=True)
        ):
            again = seen.repeated(source, role, reached)
            follows = again or seen.followed(source, reached)
            if hides and not again and self._unsettled(seen, source, role, reached - spacing):
                again, followed = self._hidden.make(some[at], reached)
                follows = follows or again or followed
            seen.add(time, source, role)
            covered = again and shown.repeated(source, role, time - spacing)
            if not covered:
                shown.add(time, source, role)
            flags[at] = not again, not follows, covered
        new["counts"][places], new["opens"][places], new["hidden"][places] = flags.T

    @staticmethod
    def _unsettled(seen: Seen, source: int, role: int, reached: int) -> bool:
        """Whether a hidden record may be near one, though none that is seen is."""
        return seen.repeated(source, role, reached) or seen.followed(source, reached)

    def _pairs(self, new: Records, counting: Integers, old: Found) -> Found:
        """The records of one key that count, beside those of the other input within reach."""
        known = (old.old["counts"]).nonzero()[0]
        both = joined([taken(new, counting), taken(old.old, known)])
        predictions = (both["side"] == PREDICTION).nonzero()[0]
        outcomes = (both["side"] == OUTCOME).nonzero()[0]
        outcomes = outcomes[np.argsort(both["time"][outcomes], kind="stable")]
        times, begun = both["time"][outcomes], both["time"][predictions]
        first = np.searchsorted(times, begun, "left")
        counts = np.searchsorted(times, begun + self._bounds.rule.reach, "right") - first
        one = np.repeat(predictions, counts)
        start = np.repeat(first - (np.cumsum(counts) - counts), counts)
        other = outcomes[start + np.arange(one.size)]
        # Outcomes come after predictions, and what is new before what was known.
        is_new = (one < counting.size) | (other < counting.size)
        one, other = one[is_new], other[is_new]
        later: Flags = other < counting.size
        came, beside = np.where(later, other, one), np.where(later, one, other)
        chunk = np.concatenate([np.full(counting.size, self._last), old.chunk[known]])
        number = np.concatenate([self._rows.height + counting, old.number[known]])
        return Found(counting[came], chunk[beside], number[beside], taken(both, beside))


_SAME: Final = ("key", "check", "partition")
_TOLD: Final = ("time", "source", "role")
