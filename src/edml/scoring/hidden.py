"""The repetitions that stand in no index: looked at only where nothing else settles a record."""

from functools import cached_property

import numpy as np

from edml.scoring.chunk import Records
from edml.scoring.growing import taken
from edml.scoring.rows import Rows


class Hidden:
    """The hidden records of some rows by key. They are gathered when they are first asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def make(self, one: np.void, reached: int) -> tuple[bool, bool]:
        """What those from ``reached`` on make of a new record.

        Whether it is a repetition, and whether it is of the same event as one of them.
        """
        keys = self._ordered["key"]
        first, end = np.searchsorted(keys, one["key"]), np.searchsorted(keys, one["key"], "right")
        some = self._ordered[int(first) : int(end)]
        near = some["time"] >= reached
        for name in ("check", "side", "partition"):
            near &= some[name] == one[name]
        same = some["source"] == one["source"]
        again = (some["source"] < one["source"]) | (same & (some["role"] == one["role"]))
        return bool((near & again).any()), bool((near & same).any())

    @cached_property
    def _ordered(self) -> Records:
        """All of them in the order of their keys."""
        records = self._rows.hidden()
        return taken(records, np.argsort(records["key"], kind="stable"))
