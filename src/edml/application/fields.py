"""The fields of an event class: their names, their types, and the columns that hold them."""

import dataclasses
import types
import typing
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final

import polars as pl

from edml.errors import DeclarationError
from edml.events import WallClock

_DTYPES: Final[dict[Any, pl.DataType]] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    bytes: pl.Binary(),
    date: pl.Date(),
    time: pl.Time(),
    datetime: pl.Datetime("us", "UTC"),
}


def fields_of(schema: type) -> dict[str, Any]:
    """The fields of an event class with their types, markers included."""
    hints = typing.get_type_hints(schema, include_extras=True)
    return {each.name: hints[each.name] for each in dataclasses.fields(schema)}


def dtypes_of(schema: type) -> pl.Schema:
    """The columns of a frame of events of this class.

    Raises `DeclarationError` when a field has a type that no column holds.
    """
    found: dict[str, pl.DataType] = {}
    for name, annotation in fields_of(schema).items():
        dtype = _dtype(annotation)
        if dtype is None:
            raise DeclarationError(
                f"{schema.__name__}.{name} is a field of type {type_name(annotation)}: "
                "expected str, int, float, bool, bytes, date, time, datetime, LocalTime, an Enum "
                "of strings, a dataclass, a list of one of these, or one of these `| None`"
            )
        found[name] = dtype
    return pl.Schema(found)


def type_name(annotation: Any) -> str:
    """What a person would call a type."""
    if typing.get_origin(annotation) is typing.Annotated:
        return "LocalTime" if _on_wall(annotation) else str(annotation)
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _dtype(annotation: Any) -> pl.DataType | None:
    inner = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case types.UnionType | typing.Union:
            present = [each for each in inner if each is not types.NoneType]
            return _dtype(present[0]) if len(present) == 1 else None
        case typing.Annotated:
            return pl.Datetime("us") if _on_wall(annotation) else _dtype(inner[0])
        case origin if origin is list:
            items = _dtype(inner[0])
            return None if items is None else pl.List(items)
        case None:
            return _DTYPES.get(annotation) or _dtype_of_class(annotation)
        case _:
            return None


def _dtype_of_class(annotation: Any) -> pl.DataType | None:
    if not isinstance(annotation, type):
        return None
    if dataclasses.is_dataclass(annotation):
        return pl.Struct(dtypes_of(annotation))
    if issubclass(annotation, Enum) and all(isinstance(each.value, str) for each in annotation):
        return pl.Enum([each.value for each in annotation])
    return None


def _on_wall(annotation: Any) -> bool:
    kind, *marks = typing.get_args(annotation)
    return kind is datetime and any(isinstance(mark, WallClock) for mark in marks)
