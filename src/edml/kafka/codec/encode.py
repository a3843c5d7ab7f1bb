"""A frame as Avro values in the Confluent wire format.

Many rows are written side by side, field after field (`pieces`), few rows or long texts are joined
part by part (`parts`). What has a number of parts of its own, an array or a map, is left to
fastavro. The bytes are the same.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any, Final

import fastavro
import polars as pl

from edml.errors import SchemaError
from edml.kafka.codec import wire
from edml.kafka.codec.blocks import Block, cut, join, same
from edml.kafka.codec.dtypes import frame_schema
from edml.kafka.codec.fit import Fit
from edml.kafka.codec.layout import Array, Map, Node, Nullable, Record, RecordSchema, flat, record
from edml.kafka.codec.parts import Part, parts
from edml.kafka.codec.pieces import LongTextError, pieces

FEW: Final = 200
"""Up to so many rows, joining their parts is faster than writing side by side."""


class Encoder:
    """Encodes frames as records of one schema, registered under ``schema_id``.

    Args:
        schema: of the values.
        schema_id: its id at the registry.
        few: up to so many rows are joined part by part.

    Raises:
        SchemaError: the schema is not valid, or has a field that no column can hold.
    """

    def __init__(self, schema: RecordSchema, schema_id: int, *, few: int = FEW) -> None:
        self._few: Final = few
        frame_schema(schema)
        self._layout: Final = record(schema)
        self._header: Final = wire.header(schema_id)
        self._parsed: Final = fastavro.parse_schema(schema)
        self._flat: Final = flat(self._layout)
        self._fit: Final = Fit(self._layout)

    def encode(self, frame: pl.DataFrame) -> list[bytes]:
        """Give back one value a row. Columns that the schema does not have are left out.

        Raises:
            SchemaError: a column is missing, or holds what its field cannot.
        """
        written = self.write(frame)
        return cut(written) if isinstance(written, Block) else written

    def write(self, frame: pl.DataFrame) -> Block | list[bytes]:
        """Give back all values side by side; one by one where they are few, or not all alike.

        Raises:
            SchemaError: a column is missing, or holds what its field cannot.
        """
        columns = self._fit.columns(frame)
        if not self._flat or not frame.height:
            return self._one_by_one(columns)
        if frame.height > self._few:
            with suppress(LongTextError):
                return self._side_by_side(columns, frame.height)
        return self._joined(columns)

    def _side_by_side(self, columns: Sequence[pl.Series], rows: int) -> Block:
        fields = zip(columns, self._layout.fields, strict=True)
        written = [piece for column, field in fields for piece in pieces(column, field.type)]
        return join([same(self._header), *written], rows)

    def _joined(self, columns: Sequence[pl.Series]) -> list[bytes]:
        written: list[Part] = [repeat(self._header)]
        for column, field in zip(columns, self._layout.fields, strict=True):
            written += parts(column, field.type)
        return list(map(b"".join, zip(*written, strict=False)))

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
