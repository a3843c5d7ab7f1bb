from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import polars as pl
import pytest

from edml.errors import DeclarationError, SchemaError
from edml.events import LocalTime
from edml.kafka.codec.dtypes import frame_schema
from edml.kafka.codec.schema import avro_schema


class Payment(Enum):
    """How a trip is paid."""

    CARD = "card"
    CASH = "cash"


@dataclass(frozen=True)
class Place:
    """Where."""

    zone: int
    seen: LocalTime | None


@dataclass(frozen=True)
class Bare:  # noqa: D101 - without a docstring, Python makes one
    uuid: str


@dataclass(frozen=True)
class Trip:
    """A trip begins."""

    uuid: str
    pickup_at: datetime
    pickup_local: LocalTime
    passengers: int | None
    payment: Payment
    place: "Place"
    shared: bool = False


def test_an_event_class_gives_its_columns() -> None:
    """An instant is in UTC, wall time has no zone, and an optional field is a nullable column."""
    place = pl.Struct({"zone": pl.Int64(), "seen": pl.Datetime("us")})

    assert frame_schema(avro_schema(Trip)) == pl.Schema(
        {
            "uuid": pl.String(),
            "pickup_at": pl.Datetime("us", "UTC"),
            "pickup_local": pl.Datetime("us"),
            "passengers": pl.Int64(),
            "payment": pl.Enum(["card", "cash"]),
            "place": place,
            "shared": pl.Boolean(),
        }
    )


def test_the_schema_says_what_a_person_wrote_and_no_more() -> None:
    """Name, namespace and docstring are the class's; a signature is no documentation."""
    schema = avro_schema(Trip, namespace="taxi")

    assert (schema["name"], schema["namespace"], schema["doc"]) == (
        "Trip",
        "taxi",
        "A trip begins.",
    )
    assert avro_schema(Bare).keys() == {"type", "name", "namespace", "fields"}
    assert schema["fields"][6]["default"] is False


def test_what_avro_does_not_have_is_a_wrong_declaration() -> None:
    """A field of a type without a schema, and what is no dataclass, are refused at once."""

    @dataclass(frozen=True)
    class Odd:
        number: complex

    with pytest.raises(DeclarationError, match="Odd has no Avro schema"):
        avro_schema(Odd)
    with pytest.raises(DeclarationError, match="is no dataclass"):
        avro_schema(int)


def test_a_field_that_no_column_holds_is_named() -> None:
    """A union of two types is valid Avro, and no column of a frame."""
    union = {"name": "x", "type": ["int", "string"]}

    with pytest.raises(SchemaError) as error:
        frame_schema({"type": "record", "name": "Trip", "fields": [union]})

    assert error.value.where == "Trip.x"
