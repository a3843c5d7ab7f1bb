"""Binds a model's inputs, by name, to the columns of a frame."""

from typing import Any, Final

import polars as pl
from numpy.typing import NDArray

from edml.errors import FeatureError
from edml.models.flavour import Columns
from edml.models.records import Signature, Tensor

_TYPES: Final[dict[str, pl.DataType]] = {
    "int64": pl.Int64(),
    "int32": pl.Int32(),
    "float64": pl.Float64(),
    "float32": pl.Float32(),
    "bool": pl.Boolean(),
    "string": pl.String(),
}


def beside(events: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Everything that a model may take: the features, and the event's fields of other names."""
    return features.hstack(events.select(pl.exclude(features.columns)).get_columns())


def unbound(signature: Signature, schema: pl.Schema) -> list[str]:
    """Say for each input that a frame of this schema cannot fill, why not."""
    return [
        cause
        for tensor in signature.inputs
        if (cause := _unbound(tensor, schema.get(tensor.name), schema)) is not None
    ]


def bind(signature: Signature, frame: pl.DataFrame) -> Columns:
    """The inputs of a model out of a frame, by name, each in its own type.

    Raises:
        FeatureError: an input has no column, or the column has nulls or values of another type.
    """
    causes = unbound(signature, frame.schema)
    if causes:
        raise FeatureError("; ".join(causes))
    return {tensor.name: _array(frame[tensor.name], tensor) for tensor in signature.inputs}


def incomplete(signature: Signature, frame: pl.DataFrame) -> pl.Series:
    """For each row, why the model cannot take it (a null among its inputs), or null when it can."""
    causes = [
        pl.when(pl.col(tensor.name).is_null()).then(pl.lit(f"{tensor.name!r} is missing"))
        for tensor in signature.inputs
    ]
    return frame.select(cause=pl.coalesce(*causes)).to_series()


def _unbound(tensor: Tensor, column: pl.DataType | None, schema: pl.Schema) -> str | None:
    wanted = _TYPES.get(tensor.dtype)
    if wanted is None or tensor.shape != [-1]:
        return (
            f"input {tensor.name!r} is {tensor.dtype} of shape {tensor.shape}: "
            f"expected one value a row (shape [-1]) of {', '.join(_TYPES)}"
        )
    if column is None:
        return f"no column provides the input {tensor.name!r}; there are {', '.join(schema)}"
    if not _castable(column, wanted):
        return f"input {tensor.name!r} is {tensor.dtype}, but the column is {column}"
    return None


def _castable(column: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether a cast keeps what the values mean; integers do not come out of fractions."""
    if wanted.is_float():
        return column.is_numeric()
    if wanted.is_integer():
        return column.is_integer()
    return column == wanted


def _array(column: pl.Series, tensor: Tensor) -> NDArray[Any]:
    if column.null_count():
        raise FeatureError(f"input {tensor.name!r} has {column.null_count()} nulls")
    try:
        return column.cast(_TYPES[tensor.dtype]).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise FeatureError(f"input {tensor.name!r} is not {tensor.dtype}: {error}") from error
