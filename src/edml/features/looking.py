"""Events on which a left join with a small lookup is a gather: a tenth of what Polars' join takes.

A join builds a hash table and asks it; where the key is an integer out of a short range, a row of
the lookup lies where its key says. The feature function is none the wiser.
"""

from typing import Any, Final, TypeVar

import narwhals as nw
import polars as pl

_LONGEST_RANGE: Final = 65_536
_Frame = TypeVar("_Frame", bound="Looking")


class Looking(nw.LazyFrame[Any]):
    """Events that are looked up in a `Lookup` by the places of its rows, where that can be."""

    def join(self, other: Any, *args: Any, **named: Any) -> Any:
        """Join, as narwhals does; its signature holds."""
        if isinstance(other, Lookup):
            gathered = self._gathered(other, *args, **named)
            if gathered is not None:
                return looking(gathered)
        return super().join(_ours(other), *args, **named)

    def join_asof(self, other: Any, **named: Any) -> Any:
        """Join with the nearest, as narwhals does."""
        return super().join_asof(_ours(other), **named)

    def _gathered(  # noqa: PLR0913  narwhals' parameters
        self,
        other: "Lookup",
        on: str | list[str] | None = None,
        how: str = "inner",
        *,
        left_on: str | list[str] | None = None,
        right_on: str | list[str] | None = None,
        suffix: str = "",
    ) -> pl.LazyFrame | None:
        del suffix  # it stands for nothing where no name is in both
        left, right = _only(on or left_on), _only(on or right_on)
        if how != "left" or left is None or right is None:
            return None
        return _gathered(self.to_native(), other.to_native(), left, right)


class Lookup(Looking):
    """A table that stays as it is, whatever the batch."""

    def join(self, other: Any, *args: Any, **named: Any) -> Any:
        """Join; with events beside it, it is no lookup any more."""
        whole = self if isinstance(other, Lookup) else looking(self.to_native())
        return nw.LazyFrame.join(whole, _ours(other), *args, **named)


def _ours(other: Any) -> Any:
    """The frame in our class, as narwhals asks of two that are joined."""
    if isinstance(other, nw.LazyFrame) and not isinstance(other, Looking):
        return looking(other.to_native())
    return other


def looking(events: pl.LazyFrame) -> Looking:
    """Events that are to be looked up."""
    return _of_class(events, Looking)


def lookup(table: pl.DataFrame) -> Lookup:
    """A table to look events up in."""
    return _of_class(table.lazy(), Lookup)


def _of_class(native: pl.LazyFrame, kind: type[_Frame]) -> _Frame:
    # What narwhals gives has no other way to become a class of ours; both have the same fields.
    frame: Any = nw.from_native(native)
    frame.__class__ = kind
    made: _Frame = frame
    return made


def _only(names: str | list[str] | None) -> str | None:
    """The name, if it is one."""
    if isinstance(names, str):
        return names
    return names[0] if names is not None and len(names) == 1 else None


def _gathered(
    events: pl.LazyFrame, lookup: pl.LazyFrame, left: str, right: str
) -> pl.LazyFrame | None:
    """The events with the lookup's columns; None where only a join can tell."""
    known, table = events.collect_schema(), lookup.collect()
    keys = table[right]
    others = [column for column in table.get_columns() if column.name != right]
    if (
        not known[left].is_signed_integer()
        or not keys.dtype.is_signed_integer()
        or any(column.name in known for column in others)
        or keys.is_empty()
        or keys.has_nulls()
        or keys.n_unique() != len(keys)
    ):
        return None
    low, high = int(keys.min()), int(keys.max())  # type: ignore[arg-type]  # they are integers
    if high - low >= _LONGEST_RANGE:
        return None
    # One place before the first key and one behind the last, where there is nothing.
    places = pl.DataFrame({right: range(low - 1, high + 2)}, schema={right: keys.dtype})
    rows = places.join(table, on=right, how="left", maintain_order="left")
    at = pl.col(left).cast(pl.Int64).clip(low - 1, high + 1).fill_null(low - 1) - (low - 1)
    return events.with_columns(
        pl.lit(rows[column.name]).gather(at).alias(column.name) for column in others
    )
