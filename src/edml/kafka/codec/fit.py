"""Whether the columns of a frame hold what the fields of a schema take."""

import polars as pl

from edml.errors import SchemaError
from edml.kafka.codec.dtypes import column_type, instance
from edml.kafka.codec.layout import Fixed, Node, Nullable, Record

_WORDS = (pl.String, pl.Categorical, pl.Enum)


def fit(frame: pl.DataFrame, layout: Record) -> list[pl.Series]:
    """Give back a column a field, in the schema's order, of exactly the field's type.

    Whole numbers may have another width, words may be categories, an instant another unit.

    Raises:
        SchemaError: a column is missing, of another type, or has a value that does not fit.
    """
    return [
        _fit(_named(frame, f.name, layout.name), f.type, f"{layout.name}.{f.name}")
        for f in layout.fields
    ]


def _named(frame: pl.DataFrame, name: str, where: str) -> pl.Series:
    if name not in frame.columns:
        raise SchemaError(
            f"the frame has no column {name!r}, which the schema has",
            where=where,
            todo=f"add it; the columns are {', '.join(frame.columns)}",
        )
    return frame[name]


def _fit(column: pl.Series, node: Node, where: str) -> pl.Series:
    if isinstance(node, Nullable):
        return _typed(column, node.of, where)
    if nulls := column.null_count():
        raise SchemaError(
            f"{nulls} of {len(column)} rows are null, and the schema has no null here",
            where=where,
            todo="fill the column, or declare the field as `… | None`",
        )
    return _typed(column, node, where)


def _typed(column: pl.Series, node: Node, where: str) -> pl.Series:
    if isinstance(node, Record) and isinstance(column.dtype, pl.Struct):
        return _struct(column, node, where)
    to = column_type(node)
    if column.dtype != to:
        column = _cast(column, to, where)
    if isinstance(node, Fixed) and node.logical is None:
        _sized(column, node, where)
    return column


def _struct(column: pl.Series, node: Record, where: str) -> pl.Series:
    present = column.is_not_null()
    inner = column.drop_nulls().struct.unnest()
    fields = [_fit(_named(inner, f.name, where), f.type, f"{where}.{f.name}") for f in node.fields]
    fitted = pl.DataFrame(fields).to_struct(column.name)
    return fitted if present.all() else fitted.gather((present.cum_sum() - 1).set(~present, None))


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
