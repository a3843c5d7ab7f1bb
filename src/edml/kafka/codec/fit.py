"""Whether the columns of a frame hold what the fields of a schema take."""

from typing import Final

import polars as pl

from edml.errors import SchemaError
from edml.kafka.codec.dtypes import column_type, instance
from edml.kafka.codec.layout import Fixed, Node, Nullable, Record

_WORDS = (pl.String, pl.Categorical, pl.Enum)


class Fit:
    """How the columns of frames are fitted to the fields of a record.

    Whole numbers may have another width, words may be categories, an instant another unit.
    """

    def __init__(self, layout: Record, where: str | None = None) -> None:
        where = where or layout.name
        self._where: Final = where
        self._fields: Final = [_Field(f.name, f.type, f"{where}.{f.name}") for f in layout.fields]

    def columns(self, frame: pl.DataFrame) -> list[pl.Series]:
        """Give back a column a field, in the schema's order, of exactly the field's type.

        Raises:
            SchemaError: a column is missing, of another type, or has a value that does not fit.
        """
        return [field.fitted(self._named(frame, field.name)) for field in self._fields]

    def _named(self, frame: pl.DataFrame, name: str) -> pl.Series:
        try:
            return frame[name]
        except pl.exceptions.ColumnNotFoundError as error:
            raise SchemaError(
                f"the frame has no column {name!r}, which the schema has",
                where=f"{self._where}.{name}",
                todo=f"add it; the columns are {', '.join(frame.columns)}",
            ) from error


class _Field:
    """How one column is fitted."""

    def __init__(self, name: str, node: Node, where: str) -> None:
        self.name: Final = name
        self._where: Final = where
        self._nullable: Final = isinstance(node, Nullable)
        self._of: Final = node.of if isinstance(node, Nullable) else node
        self._to: Final = column_type(node)
        self._inner: Final = Fit(self._of, where) if isinstance(self._of, Record) else None

    def fitted(self, column: pl.Series) -> pl.Series:
        """Give back the column as its field takes it."""
        nulls = column.null_count()
        if nulls and not self._nullable:
            raise SchemaError(
                f"{nulls} of {len(column)} rows are null, and the schema has no null here",
                where=self._where,
                todo="fill the column, or declare the field as `… | None`",
            )
        if self._inner is not None and isinstance(column.dtype, pl.Struct):
            return _struct(column, self._inner, nulls)
        if column.dtype != self._to:
            column = _cast(column, self._to, self._where)
        if isinstance(self._of, Fixed) and self._of.logical is None:
            _sized(column, self._of, self._where)
        return column


def _struct(column: pl.Series, fit: Fit, nulls: int) -> pl.Series:
    """Give back the records as the field takes them; where there is none, its fields are null."""
    inner = (column.drop_nulls() if nulls else column).struct.unnest()
    fitted = pl.DataFrame(fit.columns(inner)).to_struct(column.name)
    if not nulls:
        return fitted
    present = column.is_not_null()
    return fitted.gather((present.cum_sum() - 1).set(~present, None))


def _cast(column: pl.Series, to: pl.DataType, where: str) -> pl.Series:
    if not _holds(column.dtype, to):
        raise SchemaError(
            f"the column is {column.dtype}, and the schema takes {to}",
            where=where,
            todo="cast the column, where you know what its values mean",
        )
    try:
        return column.cast(to)
    except pl.exceptions.InvalidOperationError as error:
        raise SchemaError(
            f"a value does not fit the schema's {to}: {str(error).splitlines()[0]}",
            where=where,
            todo="correct the value, or widen the field",
        ) from error


def _holds(has: pl.DataType, to: pl.DataType) -> bool:
    """Whether every value of the one type that can be cast to the other means the same there."""
    if isinstance(has, pl.Null) or has == to:
        return True
    if isinstance(has, pl.Datetime) and isinstance(to, pl.Datetime):
        return (has.time_zone is None) == (to.time_zone is None)
    if isinstance(has, pl.List) and isinstance(to, pl.List):
        return _holds(instance(has.inner), instance(to.inner))
    if isinstance(has, _WORDS) and isinstance(to, _WORDS):
        return True
    if isinstance(has, pl.Decimal) and isinstance(to, pl.Decimal):
        return has.scale <= to.scale
    return (has.is_integer() and to.is_numeric()) or (has.is_float() and to.is_float())


def _sized(column: pl.Series, node: Fixed, where: str) -> None:
    sizes = column.drop_nulls().bin.size()
    if (wrong := sizes != node.size).any():
        raise SchemaError(
            f"a value of {sizes.filter(wrong)[0]} bytes, where the schema takes {node.size}",
            where=where,
            todo=f"make every value {node.size} bytes long",
        )
