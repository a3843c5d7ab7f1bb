"""One record by itself, for a person to look at."""

from typing import Any

from edml.errors import SchemaError
from edml.kafka.codec import wire
from edml.kafka.codec.wire import MalformedError
from edml.kafka.registry import Registry
from edml.kafka.serdes import FrameDecoder


def decode_one(registry: Registry, value: bytes | None) -> dict[str, Any] | str:
    """The fields of a record by the schema that it was written with; or why it has none."""
    try:
        schema = registry.schema(wire.schema_id(value))
        decoded = FrameDecoder(registry, schema).decode([value])
    except (MalformedError, SchemaError) as error:
        return str(error)
    if decoded.bad:
        return decoded.bad[0].cause
    return decoded.frame.row(0, named=True)
