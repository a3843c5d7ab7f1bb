"""What the columns of a frame hold of Avro's values."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl
from polars._typing import PolarsDataType

from edml.errors import SchemaError
from edml.kafka.codec.layout import (
    Array,
    Enum,
    Fixed,
    Map,
    Node,
    Nullable,
    Record,
    Reference,
    Scalar,
    Union,
    record,
)

MICROSECONDS: Final = {
    "timestamp-millis": 1000,
    "timestamp-micros": 1,
    "local-timestamp-millis": 1000,
    "local-timestamp-micros": 1,
}
"""The unit of each logical type of an instant, in microseconds."""

_YEARS_1_TO_9999_US: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_DAY_US: Final = 86_400_000_000

_DTYPES: Final[Mapping[tuple[str, str | None], pl.DataType]] = {
    ("null", None): pl.Null(),
    ("boolean", None): pl.Boolean(),
    ("int", None): pl.Int32(),
    ("long", None): pl.Int64(),
    ("float", None): pl.Float32(),
    ("double", None): pl.Float64(),
    ("string", None): pl.String(),
    ("bytes", None): pl.Binary(),
    ("int", "date"): pl.Date(),
    ("int", "time-millis"): pl.Time(),
    ("long", "time-micros"): pl.Time(),
    ("long", "timestamp-millis"): pl.Datetime("ms", "UTC"),
    ("long", "timestamp-micros"): pl.Datetime("us", "UTC"),
    ("long", "local-timestamp-millis"): pl.Datetime("ms"),
    ("long", "local-timestamp-micros"): pl.Datetime("us"),
}


def dtype(node: Node) -> pl.DataType | None:
    """Give back the type of the column that holds such values, or None if none can."""
    match node:
        case Scalar() | Fixed() | Enum():
            return _simple(node)
        case Nullable(of=of):
            return dtype(of)
        case Array(items=items):
            return None if (inner := dtype(items)) is None else pl.List(inner)
        case Map(values=values):
            if (inner := dtype(values)) is None:
                return None
            return pl.List(pl.Struct({"key": pl.String(), "value": inner}))
        case Record():
            return _struct(node)
        case Union() | Reference():
            return None


def _simple(node: Scalar | Fixed | Enum) -> pl.DataType:
    if isinstance(node, Enum):
        return pl.Enum(node.symbols)
    if node.logical == "decimal":
        return pl.Decimal(node.precision, node.scale)
    return pl.Binary() if isinstance(node, Fixed) else _DTYPES[node.kind, node.logical]


def _struct(node: Record) -> pl.DataType | None:
    inners = {field.name: dtype(field.type) for field in node.fields}
    known = {name: inner for name, inner in inners.items() if inner is not None}
    return pl.Struct(known) if known and len(known) == len(inners) else None


def column_type(node: Node) -> pl.DataType:
    """Give back the type of the column that holds such values, where it is known that one can."""
    found = dtype(node)
    if found is None:
        raise AssertionError(f"no column can hold {node}")
    return found


def unit(node: Scalar) -> int:
    """Give back the factor from a whole number to what its column holds (times: nanoseconds)."""
    return {"time-millis": 1_000_000, "time-micros": 1_000}.get(node.logical or "", 1)


def bounds(node: Scalar) -> tuple[int, int] | None:
    """Give back the least and the greatest number of the type; None where it takes all 64 bits."""
    match node:
        case Scalar("int", "time-millis"):
            return 0, _DAY_US // 1000 - 1
        case Scalar("int", "date"):
            return -719_162, 2_932_896
        case Scalar("int"):
            return -(2**31), 2**31 - 1
        case Scalar("long", "time-micros"):
            return 0, _DAY_US - 1
        case Scalar("long", str(logical)):
            low, high = _YEARS_1_TO_9999_US
            return low // MICROSECONDS[logical], high // MICROSECONDS[logical]
    return None


def frame_schema(schema: Any) -> pl.Schema:
    """Give back the columns of a frame of such events, in the order of the schema's fields.

    Raises:
        SchemaError: a field has a type that no column can hold, or the schema is not valid.
    """
    return pl.Schema(dict(_columns(record(schema))))


def _columns(layout: Record) -> Iterator[tuple[str, pl.DataType]]:
    for field in layout.fields:
        column = dtype(field.type)
        if column is None:
            raise SchemaError(
                "no column of a frame can hold this field: it is a union of several types, "
                "a record inside of itself, or a record without fields",
                where=f"{layout.name}.{field.name}",
                todo="give the field one type, or null and one type",
            )
        yield field.name, column


def column(values: Sequence[Any], node: Node) -> pl.Series:
    """Give back a column of values in which times are numbers, and enums strings."""
    to = column_type(node)
    return pl.Series(values, dtype=plain(to)).cast(to)


def plain(to: pl.DataType) -> pl.DataType:
    """Give back the type with numbers for times and strings for enums, also inside of it."""
    match to:
        case pl.Datetime() | pl.Time():
            return pl.Int64()
        case pl.Date():
            return pl.Int32()
        case pl.Enum():
            return pl.String()
        case pl.List(inner=inner):
            return pl.List(plain(instance(inner)))
        case pl.Struct(fields=fields):
            return pl.Struct({field.name: plain(instance(field.dtype)) for field in fields})
    return to


def instance(to: PolarsDataType) -> pl.DataType:
    """Give back the type itself where Polars' type hints allow its class too."""
    return to() if isinstance(to, type) else to


def decimal(value: bytes, node: Scalar | Fixed) -> Decimal:
    """Give back the number that the bytes of a decimal are."""
    return Decimal(f"{int.from_bytes(value, 'big', signed=True)}E-{node.scale}")


def utf8(column: pl.Series) -> pl.Series:
    """Give back a column of bytes as strings, null where they are not UTF-8."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series([_string(value) for value in column.to_list()], dtype=pl.String)


def _string(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
