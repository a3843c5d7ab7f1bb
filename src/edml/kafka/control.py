"""What edml writes about itself, record by record: models, roles, releases, commands.

These are few, so they are read and written one by one, each as a typed class. The topic of models
holds two kinds of records side by side: a `ModelsEntry` is either a model or the roles.
"""

import io
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import cattrs
import fastavro

from edml.kafka.codec import wire
from edml.kafka.codec.schema import avro_schema
from edml.kafka.registry import Registry
from edml.models.records import Model, Roles

T = TypeVar("T")


@dataclass(frozen=True)
class ModelsKey:
    """Names a model by its version, or an application's roles, which have none."""

    application: str
    version: str | None = None


@dataclass(frozen=True)
class ModelsEntry:
    """A record on the topic of models: one of the two is there."""

    model: Model | None = None
    roles: Roles | None = None


class Typed(Generic[T]):
    """Writes and reads records of one class under one subject."""

    def __init__(self, registry: Registry, subject: str, cls: type[T]) -> None:
        self._registry = registry
        self._class = cls
        self._parsed = fastavro.parse_schema(avro_schema(cls))
        self._id: Final = registry.register(subject, avro_schema(cls))

    def encode(self, record: T) -> bytes:
        """The record in the Confluent wire format."""
        buffer = io.BytesIO()
        buffer.write(wire.header(self._id))
        fastavro.schemaless_writer(buffer, self._parsed, asdict(record))  # type: ignore[call-overload]
        return buffer.getvalue()

    def decode(self, value: bytes) -> T:
        """The record; it may have been written with an older schema."""
        writer = self._registry.schema(wire.schema_id(value))
        body = io.BytesIO(value[wire.HEADER.size :])
        found = fastavro.schemaless_reader(body, writer, self._parsed)
        return _converter.structure(found, self._class)


def _as_it_is(value: Any, _: type) -> Any:
    return value


_converter = cattrs.Converter()
_converter.register_structure_hook(datetime, _as_it_is)
