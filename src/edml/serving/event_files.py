"""Files of events: Parquet, CSV or JSON lines, read into the event's own types."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from edml.application import dtypes_of, fields_of
from edml.errors import DataError

CAUSE: Final = "cause"
"""Column that says why a row is no event; null where it is one."""

_Read = Callable[[Path], pl.DataFrame]


def read_events(path: Path, schema: type) -> pl.DataFrame:
    """The rows of a file as events of this class, and a column `CAUSE`.

    A field that may be null may be missing altogether. Times are ISO 8601; one without an offset,
    where an instant is expected, is taken as UTC.

    Raises:
        DataError: it is no such file, or a column is missing.
    """
    found = _by_suffix(path, _READERS)(path)
    needed = _needed(schema)
    missing = [name for name in needed if name not in found.columns]
    if missing:
        raise DataError(
            f"columns are missing: {', '.join(missing)}; there are {', '.join(found.columns)}",
            where=str(path),
            todo=f"name the columns as the fields of {schema.__name__}",
        )
    columns: list[pl.Series] = []
    causes: list[pl.Expr] = []
    for name, dtype in dtypes_of(schema).items():
        given = found[name] if name in found.columns else pl.Series(name, [None] * found.height)
        typed = _typed(given, dtype).alias(name)
        columns.append(typed)
        wrong = pl.lit(typed.is_null() & given.is_not_null())
        causes.append(pl.when(wrong).then(pl.lit(f"{name} is not of type {dtype}")))
        if name in needed:
            causes.append(pl.when(pl.lit(typed.is_null())).then(pl.lit(f"{name} is missing")))
    if CAUSE in found.columns:
        causes.insert(0, pl.lit(found[CAUSE]))
    events = pl.DataFrame(columns)
    return events.with_columns(pl.coalesce(*causes).alias(CAUSE))


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write rows as Parquet, CSV or JSON lines, by the file's name."""
    write = _by_suffix(path, _WRITERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(frame, path)


def _by_suffix(path: Path, by_suffix: Mapping[str, Any]) -> Any:
    try:
        return by_suffix[path.suffix.lower()]
    except KeyError:
        raise DataError(
            f"files of type {path.suffix or 'none'!r} are not known",
            where=str(path),
            todo=f"name a file that ends in {', '.join(by_suffix)}",
        ) from None


def _read(path: Path, read: _Read) -> pl.DataFrame:
    try:
        return read(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the file cannot be read: {error}", where=str(path)) from error


def _json_lines(path: Path) -> pl.DataFrame:
    """Each line's fields as text; a line that is no JSON object has a cause."""
    rows: list[dict[str, str | None]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line).items()
        except (ValueError, AttributeError):
            rows.append({CAUSE: "not a JSON object"})
            continue
        rows.append({name: _text(value) for name, value in values})
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _needed(schema: type) -> list[str]:
    return [
        name
        for name, annotation in fields_of(schema).items()
        if type(None) not in getattr(annotation, "__args__", ())
    ]


def _typed(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The column in its type; null where a value is none of it."""
    if column.dtype != pl.String or dtype == pl.String:
        return column.cast(dtype, strict=False)
    match dtype:
        case pl.Datetime():
            times = [None if text is None else _time(text, dtype) for text in column]
            return pl.Series(column.name, times, dtype=dtype)
        case pl.Boolean():
            return column.str.to_lowercase().replace_strict(
                {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
            )
        case _:
            return column.cast(dtype, strict=False)


def _time(text: str, dtype: pl.Datetime) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if dtype.time_zone is None:
        return time.replace(tzinfo=None)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


_READERS: Final[Mapping[str, _Read]] = {
    ".parquet": lambda path: _read(path, pl.read_parquet),
    ".csv": lambda path: _read(path, lambda csv: pl.read_csv(csv, infer_schema=False)),
    ".jsonl": lambda path: _read(path, _json_lines),
}
_WRITERS: Final[Mapping[str, Callable[[pl.DataFrame, Path], None]]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
}
