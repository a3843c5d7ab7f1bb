"""A frame as Avro values in the Confluent wire format, all rows at once.

First the sizes of all fields say where each row begins, then the fields are written one after the
other, each for all rows. What is written as a whole 64-bit word may run over
the next bytes of its row, which are written later; between rows there is room for it.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import fastavro
import numpy as np
import polars as pl

from edml.errors import SchemaError
from edml.kafka.codec import wire
from edml.kafka.codec.dtypes import frame_schema
from edml.kafka.codec.fit import fit
from edml.kafka.codec.layout import Array, Map, Node, Nullable, Record, RecordSchema, flat, record
from edml.kafka.codec.pieces import GAP, Canvas, header, pieces

FEW: Final = 128
"""Up to so many rows, writing one by one is faster than side by side."""


class Encoder:
    """Encodes frames as records of one schema, registered under ``schema_id``.

    Args:
        schema: of the values.
        schema_id: its id at the registry.
        few: up to so many rows are written one by one.

    Raises:
        SchemaError: the schema is not valid, or has a field that no column can hold.
    """

    def __init__(self, schema: RecordSchema, schema_id: int, *, few: int = FEW) -> None:
        self._few: Final = few
        frame_schema(schema)
        self._layout: Final = record(schema)
        self._header: Final = wire.header(schema_id)
        self._parsed: Final = fastavro.parse_schema(schema)
        self._side_by_side: Final = flat(self._layout)

    def encode(self, frame: pl.DataFrame) -> list[bytes]:
        """Give back one value a row. Columns that the schema does not have are left out.

        Raises:
            SchemaError: a column is missing, or holds what its field cannot.
        """
        columns = fit(frame, self._layout)
        if self._side_by_side and frame.height > self._few:
            return self._together(columns, frame.height)
        return self._one_by_one(columns)

    def _together(self, columns: Sequence[pl.Series], rows: int) -> list[bytes]:
        written = header(self._header)
        for column, field in zip(columns, self._layout.fields, strict=True):
            written += pieces(column, field.type)
        sizes = np.zeros(rows, np.int64)
        for piece in written:
            sizes += piece.sizes
        ends = np.cumsum(sizes + GAP) - GAP
        starts = ends - sizes
        canvas = Canvas(np.zeros(int(ends[-1]) + GAP, np.uint8), starts)
        for piece in written:
            piece.write(canvas)
        return canvas.cut(starts, ends)

    def _one_by_one(self, columns: Sequence[pl.Series]) -> list[bytes]:
        return [self._one(row) for row in _rows(columns, self._layout)]

    def _one(self, row: dict[str, Any]) -> bytes:
        value = io.BytesIO()
        value.write(self._header)
        try:
            fastavro.schemaless_writer(value, self._parsed, row)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise SchemaError(
                f"a row does not fit its schema: {type(error).__name__}: {error}",
                where=self._layout.name,
                todo="make the row's values what the schema's fields are",
            ) from error
        return value.getvalue()


def encode(frame: pl.DataFrame, schema: RecordSchema, schema_id: int) -> list[bytes]:
    """Encode one frame; see `Encoder`, which is for many."""
    return Encoder(schema, schema_id).encode(frame)


def _rows(columns: Sequence[pl.Series], layout: Record) -> Iterator[dict[str, Any]]:
    """Give back each row as fastavro takes it."""
    names = [field.name for field in layout.fields]
    values = [
        _mapped(column.to_list(), field.type)
        for column, field in zip(columns, layout.fields, strict=True)
    ]
    return (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))


def _mapped(values: list[Any], node: Node) -> list[Any]:
    """Give back the values with maps as dictionaries, at any depth."""
    return [_value(value, node) for value in values] if _has_map(node) else values


def _has_map(node: Node) -> bool:
    match node:
        case Map():
            return True
        case Nullable(of=inner) | Array(items=inner):
            return _has_map(inner)
        case Record(fields=fields):
            return any(_has_map(field.type) for field in fields)
    return False


def _value(value: Any, node: Node) -> Any:
    match node:
        case _ if value is None:
            return None
        case Nullable(of=of):
            return _value(value, of)
        case Map(values=of):
            return {entry["key"]: _value(entry["value"], of) for entry in value}
        case Array(items=items):
            return [_value(item, items) for item in value]
        case Record(fields=fields):
            return {field.name: _value(value[field.name], field.type) for field in fields}
    return value
