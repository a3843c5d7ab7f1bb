"""Events as JSON and back: how a self-test row keeps one, readable and in the event's own types."""

import json
import types
import typing
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from edml.application import fields_of
from edml.errors import DataError
from edml.events import WallClock

_TYPES: Final[dict[type, pl.DataType]] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
}


def dtypes(event: type) -> dict[str, pl.DataType | None]:
    """The column types of a frame of this event class; None where Polars is left to see for itself."""
    return {name: _dtype(annotation) for name, annotation in fields_of(event).items()}


def to_json(frame: pl.DataFrame) -> list[str]:
    """Each row as a JSON object by column; times in ISO 8601, an instant with its offset."""
    return [json.dumps(row, default=datetime.isoformat) for row in frame.iter_rows(named=True)]


def from_json(event: type, texts: Sequence[str]) -> pl.DataFrame:
    """Read events as a frame with one column a field; a field that is not there is null.

    Raises:
        DataError: a text is no JSON object, or a value is not of its field's type.
    """
    schema = dtypes(event)
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        try:
            row = json.loads(text)
            rows.append({name: _value(row.get(name), dtype) for name, dtype in schema.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"not a {event.__name__} in JSON: {error}", where=f"event {number}: {text[:200]}"
            ) from error
    try:
        return pl.DataFrame(rows, schema=schema)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"not {event.__name__}s in JSON: {error}") from error


def _value(value: Any, dtype: pl.DataType | None) -> Any:
    if value is None or not isinstance(dtype, pl.Datetime):
        return value
    time = datetime.fromisoformat(value)
    if dtype.time_zone is None:
        return time
    if time.tzinfo is None:
        raise ValueError(f"{value!r} is an instant and needs its offset, such as +00:00")
    return time.astimezone(UTC)


def _dtype(annotation: Any) -> pl.DataType | None:
    match typing.get_origin(annotation):
        case types.UnionType | typing.Union:
            inner = [each for each in typing.get_args(annotation) if each is not types.NoneType]
            return _dtype(inner[0]) if len(inner) == 1 else None
        case typing.Annotated:
            kind, *marks = typing.get_args(annotation)
            if kind is datetime and any(isinstance(mark, WallClock) for mark in marks):
                return pl.Datetime("us")
            return _dtype(kind)
        case None if annotation is datetime:
            return pl.Datetime("us", "UTC")
        case _:
            return _TYPES.get(annotation)
