"""From the schema that a record was written with to the one that it is read with, on whole columns.

The rules are Avro's: fields are matched by name or alias, numbers are promoted, strings and bytes
are exchanged, fields that the reader does not know are dropped, those that the writer did not know
get the reader's default. Instants are converted between milliseconds and microseconds besides.

https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.errors import SchemaError
from edml.kafka.codec.columns import scatter
from edml.kafka.codec.dtypes import column, column_type, decimal, dtype, unit, utf8
from edml.kafka.codec.layout import (
    NO_DEFAULT,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Node,
    Nullable,
    Record,
    Scalar,
)

Rows = NDArray[np.bool_]
Faults = list[tuple[Rows, str]]
"""Which rows of a column cannot be resolved, and why."""

Resolve = Callable[[pl.Series, Faults], pl.Series]

_PROMOTED: Final[Mapping[str, Sequence[str]]] = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


class Resolution:
    """How frames with a writer's fields become frames with the reader's.

    ``wanted`` names the writer's fields that are needed for it.

    Raises:
        SchemaError: no record of the writer can be read with the reader's schema.
    """

    def __init__(self, writer: Record, reader: Record, path: tuple[str, ...] = ()) -> None:
        self._sources: dict[str, tuple[str, Resolve]] = {}
        self._defaults: dict[str, pl.Series] = {}
        for field in reader.fields:
            inside = (*path, field.name)
            if (source := _source(writer, field)) is not None:
                self._sources[field.name] = source.name, _resolve(source.type, field.type, inside)
            elif field.default is not NO_DEFAULT:
                self._defaults[field.name] = _default(field)
            else:
                raise _incompatible("the writer's schema lacks it, and it has no default", inside)
        self._same: Final = writer == reader
        self._order: Final = [field.name for field in reader.fields]
        self.wanted: Final = frozenset(name for name, _ in self._sources.values())

    def apply(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, Faults]:
        """Give back the frame as the reader's schema has it, and the rows that it cannot have.

        Such rows hold something of no meaning.
        """
        faults: Faults = []
        if self._same:
            return frame, faults
        columns = []
        for name in self._order:
            if name in self._defaults:
                column = self._defaults[name].new_from_index(0, frame.height)
            else:
                source, resolve = self._sources[name]
                within: Faults = []
                column = resolve(frame[source], within)
                faults += [(rows, f"{name}: {cause}") for rows, cause in within]
            columns.append(column.alias(name))
        return pl.DataFrame(columns), faults


def _source(writer: Record, field: Field) -> Field | None:
    """Give back the writer's field of the same name, or else of one of the reader's aliases."""
    named = {source.name: source for source in writer.fields}
    return next((named[name] for name in (field.name, *field.aliases) if name in named), None)


def _incompatible(why: str, path: tuple[str, ...]) -> SchemaError:
    return SchemaError(
        f"{'.'.join(path)}: {why}", todo="give the field a default, or a type that can be read"
    )


def _resolve(writer: Node, reader: Node, path: tuple[str, ...]) -> Resolve:
    """Give back the function that makes the reader's column of the writer's."""
    if writer == reader and dtype(writer) is not None:
        return _unchanged
    if isinstance(writer, Nullable):
        return _present(writer.of, reader, path)
    if isinstance(reader, Nullable):
        nothing = writer == Scalar("null")
        return _cast(column_type(reader)) if nothing else _resolve(writer, reader.of, path)
    match writer, reader:
        case Scalar("bytes", None), Scalar("string"):
            return _strings
        case Scalar(), Scalar() if _readable(writer, reader):
            return _cast(column_type(reader))
        case Enum(), Enum():
            return _enum(reader)
        case Fixed(), Fixed() if (writer.size, dtype(writer)) == (reader.size, dtype(reader)):
            return _unchanged
        case Record(), Record():
            return _record(Resolution(writer, reader, path))
        case (Array(a), Array(b)) | (Map(a), Map(b)) if _readable(a, b):
            return _cast(column_type(reader))
    raise _incompatible(
        f"{_name(writer)} in the writer's schema cannot be read as {_name(reader)}", path
    )


def _present(writer: Node, reader: Node, path: tuple[str, ...]) -> Resolve:
    """Give back how a column that may be null is resolved, by its values that are not."""
    if isinstance(reader, Nullable):
        return _nullable(_resolve(writer, reader.of, path), cause="")
    cause = "null, where the reader's schema wants a value"
    return _nullable(_resolve(writer, reader, path), cause)


def _readable(writer: Node, reader: Node) -> bool:
    """Whether one cast makes the reader's scalar of the writer's."""
    match writer, reader:
        case Scalar(), Scalar():
            return (
                writer == reader
                or _promoted(writer, reader)
                or (_clock(writer) is not None and _clock(writer) == _clock(reader))
            )
    return False


def _promoted(writer: Scalar, reader: Scalar) -> bool:
    """Whether Avro has the writer's primitive type read as the reader's."""
    if "decimal" in (writer.logical, reader.logical):
        return False
    if reader.kind == writer.kind:
        return writer.logical is None or reader.logical is None
    return not (writer.logical or reader.logical) and reader.kind in _PROMOTED.get(writer.kind, ())


def _clock(node: Scalar) -> str | None:
    """Give back which clock the values are of, whatever their unit; None for what is no time."""
    return node.logical.rpartition("-")[0] or None if node.logical else None


def _name(node: Node) -> str:
    match node:
        case Scalar():
            return node.logical or node.kind
        case Nullable(of=of):
            return f"null or {_name(of)}"
    return type(node).__name__.lower()


def _unchanged(column: pl.Series, _faults: Faults) -> pl.Series:
    return column


def _cast(to: pl.DataType, cause: str = "not a value of the reader's type") -> Resolve:
    def resolve(column: pl.Series, faults: Faults) -> pl.Series:
        resolved = column.cast(to, strict=False)
        if resolved.null_count() > column.null_count():
            faults.append(((resolved.is_null() & column.is_not_null()).to_numpy(), cause))
        return resolved

    return resolve


def _strings(column: pl.Series, faults: Faults) -> pl.Series:
    text = utf8(column)
    if text.null_count():
        faults.append((text.is_null().to_numpy(), "not valid UTF-8"))
    return text


def _nullable(inner: Resolve, cause: str) -> Resolve:
    """Resolve the values that are there. Nulls are a fault if there is a cause to give."""

    def resolve(column: pl.Series, faults: Faults) -> pl.Series:
        if not column.null_count():
            return inner(column, faults)
        present = column.is_not_null().to_numpy()
        within: Faults = []
        values = inner(column.drop_nulls(), within)
        for rows, why in within:
            everywhere = np.zeros(len(column), np.bool_)
            everywhere[present] = rows
            faults.append((everywhere, why))
        if cause:
            faults.append((~present, cause))
        return scatter(values, present)

    return resolve


def _enum(reader: Enum) -> Resolve:
    strict = _cast(column_type(reader), "a symbol that the reader's schema lacks")

    def resolve(column: pl.Series, faults: Faults) -> pl.Series:
        if reader.default is None:
            return strict(column, faults)
        return strict(column, []).fill_null(reader.default)

    return resolve


def _record(inner: Resolution) -> Resolve:
    def resolve(column: pl.Series, faults: Faults) -> pl.Series:
        frame, within = inner.apply(column.struct.unnest())
        faults += within
        return frame.to_struct()

    return resolve


def _default(field: Field) -> pl.Series:
    """Give back the default as a column of one row."""
    return column([_value(field.type, field.default)], field.type)


def _value(node: Node, default: Any) -> Any:
    """Give back what a column takes for a default, which stands as JSON in the schema."""
    match node:
        case Nullable(of=of):
            return None if default is None else _value(of, default)
        case Scalar(logical="decimal") | Fixed(logical="decimal"):
            return decimal(default.encode("latin-1"), node)
        case Scalar("bytes") | Fixed():
            return default.encode("latin-1")
        case Scalar("int" | "long"):
            return default * unit(node)
        case Record(fields=fields):
            return {
                field.name: _value(field.type, default.get(field.name, field.default))
                for field in fields
            }
        case Array(items=items):
            return [_value(items, item) for item in default]
        case Map(values=values):
            return [{"key": key, "value": _value(values, value)} for key, value in default.items()]
    return default
