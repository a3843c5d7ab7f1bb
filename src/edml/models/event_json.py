"""Events as JSON and back: how a self-test row keeps one, readable and in the event's own types."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from edml.application import dtypes_of
from edml.errors import DataError


def to_json(frame: pl.DataFrame) -> list[str]:
    """Each row as a JSON object by column; times in ISO 8601, an instant with its offset."""
    return [json.dumps(row, default=datetime.isoformat) for row in frame.iter_rows(named=True)]


def from_json(event: type, texts: Sequence[str]) -> pl.DataFrame:
    """Read events as a frame with one column a field; a field that is not there is null.

    Raises:
        DataError: a text is no JSON object, or a value is not of its field's type.
    """
    schema = dtypes_of(event)
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


def _value(value: Any, dtype: pl.DataType) -> Any:
    if value is None or not isinstance(dtype, pl.Datetime):
        return value
    time = datetime.fromisoformat(value)
    if dtype.time_zone is None:
        return time
    if time.tzinfo is None:
        raise ValueError(f"{value!r} is an instant and needs its offset, such as +00:00")
    return time.astimezone(UTC)
