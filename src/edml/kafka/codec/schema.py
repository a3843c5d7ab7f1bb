"""The Avro schema of a typed event class, derived by py-avro-schema.

A ``datetime`` is an instant (``timestamp-micros``, in UTC), a `LocalTime` is time on the wall
(``local-timestamp-micros``), ``X | None`` a union with null.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

import py_avro_schema as pas
import typeguard

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
    _resolve_annotations(event, set())
    try:
        derived = json.loads(
            pas.generate(event, namespace=namespace, options=pas.Option.NO_AUTO_NAMESPACE)
        )
    except (pas.TypeNotSupportedError, TypeError, ValueError, typeguard.TypeCheckError) as error:
        raise DeclarationError(
            f"{event.__name__} has no Avro schema: {error}",
            todo="give its fields the types str, int, float, bool, bytes, date, time, datetime, "
            "LocalTime, an Enum of strings, another dataclass, or one of these `| None`",
        ) from error
    return cast("RecordSchema", _refined(derived, event))


def avsc(schema: RecordSchema) -> str:
    """Give back the schema as the text of an ``.avsc`` file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _resolve_annotations(event: type, done: set[type]) -> None:
    """Make annotations that are strings (``from __future__ import annotations``) what they name.

    py-avro-schema reads a string as the name of a record that it has already met.
    """
    if event in done:
        return
    done.add(event)
    hints = get_type_hints(event, include_extras=True)
    for field in dataclasses.fields(event):
        field.type = hints[field.name]
        for inner in _dataclasses(field.type):
            _resolve_annotations(inner, done)


def _dataclasses(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from _dataclasses(inner)


def _refined(schema: Any, hint: Any) -> Any:
    """Give back the schema with wall clocks where the hint has them, and people's docs alone."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        if any(isinstance(mark, WallClock) for mark in marks):
            return {**schema, "logicalType": "local-timestamp-micros"}
        return _refined(schema, inner)
    if isinstance(schema, list):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        return [
            branch if branch == "null" or len(inner) != 1 else _refined(branch, inner[0])
            for branch in schema
        ]
    match schema:
        case {"type": "record", "fields": fields}:
            return _refined_record(schema, fields, hint)
        case {"type": "array", "items": items}:
            return {**schema, "items": _refined(items, get_args(hint)[0])}
        case {"type": "map", "values": values}:
            return {**schema, "values": _refined(values, get_args(hint)[1])}
    return schema


def _refined_record(schema: RecordSchema, fields: list[Any], event: type) -> RecordSchema:
    hints = get_type_hints(event, include_extras=True)
    refined = {
        **schema,
        "fields": [
            {**field, "type": _refined(field["type"], hints[field["name"]])} for field in fields
        ],
    }
    # A dataclass without a docstring is given one by Python, which is its signature.
    if schema.get("doc", "").startswith(f"{event.__name__}("):
        del refined["doc"]
    return refined
