"""The Avro schema of a typed event class, derived by py-avro-schema.

A ``datetime`` is an instant (``timestamp-micros``, in UTC), a `LocalTime` is time on the wall
(``local-timestamp-micros``), ``X | None`` a union with null.
"""

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

import py_avro_schema as pas

from edml.errors import DeclarationError
from edml.events import WallClock
from edml.kafka.codec.layout import RecordSchema

NAMESPACE: Final = "edml"
"""Of the schemas of events, unless another one is asked for."""


def avro_schema(event: type, namespace: str = NAMESPACE) -> RecordSchema:
    """Give back the Avro schema of a dataclass, as its JSON reads. It is the same each time.

    Raises:
        DeclarationError: a field has a type, or a default, that Avro does not have.
    """
    if not dataclasses.is_dataclass(event):
        raise DeclarationError(
            f"{event!r} is no dataclass",
            todo="declare the event as a class with typed fields under @dataclass(frozen=True)",
        )
    try:
        return _record(event, namespace, [])
    ...


def avsc(schema: RecordSchema) -> str:
    """Give back the schema as the text of an ``.avsc`` file: indented, with a newline at its end."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
