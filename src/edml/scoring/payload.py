"""Columns of any type, kept row by row: few of many rows are found as fast as all of them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.scoring.growing import Growing, Integers, padded, taken

FEW: Final = 64
"""Values up to which a loop over them is faster than to set up anything better."""

_VALID: Final = "_valid"
_CODE: Final = np.dtype(np.int32)


def coded(values: pl.Series) -> tuple[Integers, list[Any]]:
    """Values as codes ``0 …`` and the values that these stand for; a null is a value, too."""
    if values.len() <= FEW:
        codes: dict[Hashable, int] = {}
        found = [codes.setdefault(each, len(codes)) for each in values.to_list()]
        return np.array(found, dtype=np.int64), list(codes)
    if values.null_count() == 0 and bool((values == values[0]).all()):
        return np.zeros(values.len(), dtype=np.int64), [values[0]]
    encoded = values.to_arrow().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), (
        encoded.dictionary.to_pylist()
    )


class Codes:
    """Values by the order in which they were first seen. Grows; a code never changes its value."""

    def __init__(self, *values: Hashable) -> None:
        self.values: list[Any] = list(values)
        self._codes: dict[Any, int] = {each: code for code, each in enumerate(values)}

    def code(self, value: Hashable) -> int:
        """The value's code."""
        found = self._codes.setdefault(value, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found

    def codes(self, values: pl.Series) -> Integers:
        """The values' codes."""
        local, distinct = coded(values)
        return np.array([self.code(each) for each in distinct], dtype=np.int64)[local]

    def series(self, codes: Integers, dtype: pl.DataType) -> pl.Series:
        """The values of codes."""
        return pl.Series(self.values, dtype=dtype)[codes]


class Unlike:
    """Values that need not be comparable: each has a code of its own."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def codes(self, values: pl.Series) -> Integers:
        """The values' codes."""
        first = len(self.values)
        self.values += values.to_list()
        return np.arange(first, len(self.values))

    def series(self, codes: Integers, dtype: pl.DataType) -> pl.Series:
        """The values of codes."""
        return pl.Series([self.values[each] for each in codes], dtype=dtype)


@dataclass(frozen=True)
class Layout:
    """How columns are kept: what is as wide in every row in a record, all else by a code."""

    schema: pl.Schema

    @property
    def record(self) -> np.dtype[np.void]:
        """One row."""
        fields: list[Any] = [(name, _fixed(each) or _CODE) for name, each in self.schema.items()]
        return padded([*fields, (_VALID, np.bool_, (len(fields),))])

    @property
    def dictionaries(self) -> Mapping[str, Codes | Unlike]:
        """An empty one for each column that is kept by code."""
        return {
            name: Codes() if dtype == pl.String else Unlike()
            for name, dtype in self.schema.items()
            if _fixed(dtype) is None
        }


class Payload:
    """Rows of some columns. Rows are added at the end, and never change."""

    def __init__(self, layout: Layout, capacity: int) -> None:
        self._layout = layout
        self._rows = Growing(layout.record, capacity)
        self._dictionaries = layout.dictionaries

    @property
    def height(self) -> int:
        """The number of rows."""
        return self._rows.size

    def extend(self, columns: Sequence[pl.Series], count: int) -> None:
        """Add ``count`` rows: the layout's columns, in order."""
        new = self._rows.room(count)
        new[_VALID] = True
        for number, column in enumerate(columns):
            name = column.name
            if name in self._dictionaries:
                new[name] = self._dictionaries[name].codes(column)
            elif column.null_count():
                new[_VALID][:, number] = column.is_not_null().to_numpy()
                new[name] = _plain(column.to_physical().fill_null(strategy="zero"))
            else:
                new[name] = _plain(column)

    def columns(self, rows: Integers) -> list[pl.Series]:
        """The layout's columns of some rows."""
        if not self._layout.schema:
            return []
        some = taken(self._rows.filled, rows)
        found = []
        for number, (name, dtype) in enumerate(self._layout.schema.items()):
            values, valid = some[name], some[_VALID][:, number]
            if name in self._dictionaries:
                column = self._dictionaries[name].series(values, dtype).alias(name)
            else:
                column = as_column(name, values, dtype)
                if not valid.all():
                    there = pl.when(pl.lit(pl.Series(valid))).then(name)
                    column = column.to_frame().select(there).to_series()
            found.append(column)
        return found

    def only(self, rows: Integers) -> Self:
        """Some of the rows."""
        few = type(self)(self._layout, rows.size)
        few.extend(self.columns(rows), rows.size)
        return few


def as_column(name: str, values: npt.NDArray[Any], dtype: pl.DataType) -> pl.Series:
    """Numbers as a column; instants are given in their unit since 1970."""
    column = pl.Series(name, np.ascontiguousarray(values))
    return column if column.dtype == dtype else column.cast(dtype)


def _plain(column: pl.Series) -> npt.NDArray[Any]:
    values = column.to_numpy()
    return values.view(np.int64) if values.dtype.kind in "mM" else values


def _fixed(dtype: pl.DataType) -> np.dtype[Any] | None:
    """How a number, an instant or a truth value is kept; None for what is not one."""
    if isinstance(dtype, (pl.Datetime, pl.Duration)):
        return np.dtype(np.int64)
    return _FIXED.get(dtype)


_FIXED: Final[Mapping[pl.DataType, np.dtype[Any]]] = {
    pl.Int8(): np.dtype(np.int8),
    pl.Int16(): np.dtype(np.int16),
    pl.Int32(): np.dtype(np.int32),
    pl.Int64(): np.dtype(np.int64),
    pl.Float32(): np.dtype(np.float32),
    pl.Float64(): np.dtype(np.float64),
    pl.Boolean(): np.dtype(np.bool_),
}
