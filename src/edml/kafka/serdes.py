"""Frames to records and back, as the log's source and sink need them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from edml.kafka.codec.blocks import Block, cut
from edml.kafka.codec.decode import Decoded, Decoder
from edml.kafka.codec.encode import Encoder
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.pieces import LongTextError, texts
from edml.kafka.packed import Packed
from edml.kafka.registry import Registry

Record = dict[str, Any]
"""A record as confluent-kafka takes it."""


class FrameDecoder:
    """Values of one topic to frames of one reader's schema."""

    def __init__(self, registry: Registry, reader: RecordSchema) -> None:
        self._decoder = Decoder(registry.schema, reader)

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """The frame of the good values, and the bad ones."""
        return self._decoder.decode(values)


class FrameEncoder:
    """Rows to records of one topic; the key is a text column, or a record of its own."""

    def __init__(
        self,
        registry: Registry,
        topic: str,
        schema: RecordSchema,
        *,
        key: str | RecordSchema,
    ) -> None:
        self._values = Encoder(schema, registry.register(f"{topic}-value", schema))
        self._key = key if isinstance(key, str) else _record_key(registry, topic, key)

    def encode(self, frame: pl.DataFrame) -> list[Record]:
        """One ``{"key": …, "value": …}`` a row."""
        return self._one_by_one(frame, self._values.encode(frame))

    def pack(self, frame: pl.DataFrame) -> Packed | list[Record]:
        """The same records side by side; one by one where they are few, or not all alike."""
        values = self._values.write(frame)
        if not isinstance(values, Block):
            return self._one_by_one(frame, values)
        key = self._key
        keys = _texts(frame[key]) if isinstance(key, str) else key.write(frame)
        if not isinstance(keys, Block):
            return self._one_by_one(frame, cut(values))
        return Packed(keys, values)

    def _one_by_one(self, frame: pl.DataFrame, values: Sequence[bytes]) -> list[Record]:
        if isinstance(self._key, str):
            keys: Sequence[str | bytes] = frame[self._key].to_list()
        else:
            keys = self._key.encode(frame)
        return [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]


def key_schema(schema: RecordSchema, fields: Sequence[str]) -> RecordSchema:
    """The schema of a key that is some fields of its value."""
    chosen = {each["name"]: each for each in schema["fields"]}
    return {
        "type": "record",
        "name": f"{schema['name']}Key",
        "namespace": schema["namespace"],
        "fields": [{"name": name, "type": chosen[name]["type"]} for name in fields],
    }


def _texts(column: pl.Series) -> Block | None:
    with suppress(LongTextError):
        return None if column.null_count() else texts(column)
    return None


def _record_key(registry: Registry, topic: str, schema: RecordSchema) -> Encoder:
    return Encoder(schema, registry.register(f"{topic}-key", schema))
