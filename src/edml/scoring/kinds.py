"""Of which version, role and segment predictions are, as small numbers."""

from typing import Final

import numpy as np
import polars as pl

from edml.scoring.growing import Integers, distinct
from edml.scoring.payload import FEW, Codes, coded
from edml.serving import records as served

KIND: Final = (served.VERSION, served.ROLE, served.SEGMENT)

NONE: Final = 0
"""The code of no kind: outcomes belong to no model."""


class Kinds:
    """A code for each kind, and one for each role. Codes are only added, and never change."""

    def __init__(self) -> None:
        self._kinds = Codes(("", "", ""))
        self._roles = Codes("")

    def of(self, predictions: pl.DataFrame) -> tuple[Integers, Integers]:
        """The code of each prediction's kind, and that of its role."""
        locally = np.zeros(predictions.height, dtype=np.int64)
        columns = [coded(predictions.get_column(name)) for name in KIND]
        for codes, values in columns:
            locally = locally * len(values) + codes
        used, place = distinct(locally)
        kinds, roles = [], []
        for each in used.tolist():
            rest, kind = each, list[str]()
            for _, values in reversed(columns):
                rest, at = divmod(rest, len(values))
                kind.append(values[at])
            segment, role, version = kind
            kinds.append(self._kinds.code((version, role, segment)))
            roles.append(self._roles.code(role))
        return np.array(kinds, dtype=np.int64)[place], np.array(roles, dtype=np.int64)[place]

    def columns(self, codes: Integers) -> list[pl.Series]:
        """Version, role and segment of kinds."""
        values = self._kinds.values
        if codes.size <= FEW:
            found = [values[each] for each in codes.tolist()]
            return [
                pl.Series(name, [each[number] for each in found], dtype=pl.String)
                for number, name in enumerate(KIND)
            ]
        used, place = distinct(codes)
        columns = [
            pl.Series(name, [values[each][number] for each in used.tolist()], dtype=pl.String)
            for number, name in enumerate(KIND)
        ]
        if used.size == 1:
            return [each.new_from_index(0, codes.size) for each in columns]
        return [each[place] for each in columns]
