"""The prediction record: what was predicted for which event, by which model, from what features."""

from typing import Any, Final

import polars as pl

from edml.application import EVENT_TIME, Application, FeatureType

KEY: Final = "uuid"
PREDICTION: Final = "prediction"
VERSION: Final = "version"
ROLE: Final = "role"
SEGMENT: Final = "segment"
EVENT_PARTITION: Final = "event_partition"
EVENT_OFFSET: Final = "event_offset"
FEATURES: Final = "features"

_AVRO: Final[dict[FeatureType, str]] = {"int": "long", "float": "double", "string": "string"}
_POLARS: Final[dict[FeatureType, pl.DataType]] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
}


def prediction_schema(application: Application) -> dict[str, Any]:
    """The Avro schema of an application's predictions."""
    instant = {"type": "long", "logicalType": "timestamp-micros"}
    return {
        "type": "record",
        "name": "Prediction",
        "namespace": namespace(application),
        "doc": f"A prediction of {application.outcome.label} in {application.outcome.unit}.",
        "fields": [
            {"name": KEY, "type": "string"},
            {"name": PREDICTION, "type": "double"},
            {"name": VERSION, "type": "string"},
            {"name": ROLE, "type": "string"},
            {"name": EVENT_TIME, "type": instant},
            {"name": SEGMENT, "type": "string"},
            {"name": EVENT_PARTITION, "type": "int"},
            {"name": EVENT_OFFSET, "type": "long"},
            {"name": FEATURES, "type": features_schema(application)},
        ],
    }


def features_schema(application: Application) -> dict[str, Any]:
    """The Avro schema of the features that a model is given."""
    return {
        "type": "record",
        "name": "Features",
        "namespace": namespace(application),
        "fields": [
            {"name": name, "type": _AVRO[column.type]}
            for name, column in application.columns.items()
        ],
    }


def namespace(application: Application) -> str:
    """The Avro namespace of an application's own records."""
    return f"edml.{application.name.replace('-', '_')}"


def prediction_dtypes(application: Application) -> pl.Schema:
    """The columns of a frame of predictions."""
    return pl.Schema(
        {
            KEY: pl.String(),
            PREDICTION: pl.Float64(),
            VERSION: pl.String(),
            ROLE: pl.String(),
            EVENT_TIME: pl.Datetime("us", "UTC"),
            SEGMENT: pl.String(),
            EVENT_PARTITION: pl.Int32(),
            EVENT_OFFSET: pl.Int64(),
            FEATURES: pl.Struct(feature_dtypes(application)),
        }
    )


def feature_dtypes(application: Application) -> dict[str, pl.DataType]:
    """The columns of the features that a model is given."""
    return {name: _POLARS[column.type] for name, column in application.columns.items()}
