import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest

import edml
from edml.application import Category, Cross, Embedding, Number, dtypes_of
from edml.errors import DeclarationError
from edml.events import LocalTime
from tests.parcels import REGION, SERVICE, Delivered, HandedOver, parcels


@dataclass(frozen=True)
class OnTheWall:
    """An event that has no instant."""

    parcel: str
    handed_over_at: LocalTime


@dataclass(frozen=True)
class OfOddTypes:
    """An event with a field that no column can hold."""

    parcel: str
    handed_over_at: datetime
    anything: complex


@dataclass(frozen=True)
class WithOwnNames:
    """An event with a name that is edml's own."""

    parcel: str
    handed_over_at: datetime
    _offset: int


WRONG_EVENTS: Mapping[str, tuple[Any, str]] = {
    "topic": ("", "event.topic is '': expected a topic's name"),
    "schema": (dict, "event.schema is <class 'dict'>: expected a dataclass"),
    "key": ("uuid", "event.key is 'uuid': expected a field of HandedOver: handed_over_at, parcel,"),
    "time": ("depot", "event.time is 'depot', a field of type str: expected datetime"),
}


@pytest.mark.parametrize("field", WRONG_EVENTS)
def test_wrong_event(field: str) -> None:
    """A wrong field of the events is told by name, with what is expected."""
    wrong, message = WRONG_EVENTS[field]
    with pytest.raises(DeclarationError, match=re.escape(message)):
        replace(parcels.event, **{field: wrong})


WRONG_SCHEMAS: Mapping[type, str] = {
    OnTheWall: "event.time is 'handed_over_at', a field of type LocalTime: expected datetime (an",
    OfOddTypes: "OfOddTypes.anything is a field of type complex: expected str, int, float",
    WithOwnNames: "event.schema has a field '_offset': expected a name that begins with a letter",
}


@pytest.mark.parametrize("schema", WRONG_SCHEMAS)
def test_wrong_schema(schema: type) -> None:
    """An event class that cannot be on the log is told by its field."""
    with pytest.raises(DeclarationError, match=re.escape(WRONG_SCHEMAS[schema])):
        replace(parcels.event, schema=schema)


WRONG_OUTCOMES: Mapping[str, tuple[Any, str]] = {
    "topic": ("a topic", "outcome.topic is 'a topic': expected a topic's name"),
    "key": ("hours", "outcome.key is 'hours', a field of type float: expected str"),
    "time": ("at", "outcome.time is 'at': expected a field of Delivered: parcel, delivered_at"),
    "label": ("how long", "outcome.label is 'how long': expected a name such as"),
    "value": ("hours", "outcome.value is 'hours': expected a narwhals expression"),
    "unit": ("", "outcome.unit is '': expected the label's unit"),
    "valid": ((72.0, 0.0), "outcome.valid is (72.0, 0.0): expected (lowest, highest)"),
    "wait": (3, "outcome.wait is 3: expected a positive timedelta"),
}


@pytest.mark.parametrize("field", WRONG_OUTCOMES)
def test_wrong_outcome(field: str) -> None:
    """A wrong field of the outcomes is told by name, with what is expected."""
    wrong, message = WRONG_OUTCOMES[field]
    with pytest.raises(DeclarationError, match=re.escape(message)):
        replace(parcels.outcome, **{field: wrong})


def forgetful(
    events: nw.LazyFrame[Any], lookups: Mapping[str, nw.LazyFrame[Any]]
) -> nw.LazyFrame[Any]:
    """Forgets all that was to be added."""
    del lookups
    return events


def confused(
    events: nw.LazyFrame[Any], lookups: Mapping[str, nw.LazyFrame[Any]]
) -> nw.LazyFrame[Any]:
    """Asks for a table that nobody declared."""
    return events.join(lookups["airports"], on="depot", how="left")


WRONG_FIELDS: Mapping[str, tuple[Any, str]] = {
    "name": ("My Parcels", "name is 'My Parcels': expected lower-case letters"),
    "event": ("parcels", "event is 'parcels': expected EventStream"),
    "outcome": (
        replace(parcels.outcome, topic=parcels.event.topic),
        "outcome.topic is 'parcels.handed-over': expected another topic than the events'",
    ),
    "features": (None, "features is None: expected a function"),
    "history": (Path("data"), "expected a function"),
    "lookups": ({"depots": {}}, "lookups['depots'] is {}: expected DataFrame"),
    "wide": ([Number("hour")], "wide[0] is Number(name='hour', type='float'): expected Category"),
    "deep": ([SERVICE], "expected Number or Embedding"),
    "segment": ("borough", "segment is 'borough': expected a column that features gives: "),
    "window": (timedelta(0), "window is datetime.timedelta(0): expected a positive timedelta"),
    "lateness": (timedelta(-1), "lateness is datetime.timedelta(days=-1): expected zero or more"),
    "ahead": (60, "ahead is 60: expected timedelta"),
    "retention": (timedelta(days=3), "retention is 3 days, 0:00:00: expected no less than"),
    "rules": ({"heavy": "weight_kg > 30"}, "rules['heavy'] is 'weight_kg > 30': expected Expr"),
}


@pytest.mark.parametrize("field", WRONG_FIELDS)
def test_wrong_application(field: str) -> None:
    """A wrong field of the application is told by name, with what is expected."""
    wrong, message = WRONG_FIELDS[field]
    with pytest.raises(DeclarationError, match=re.escape(message)):
        replace(parcels, **{field: wrong})


WRONG_CONTENTS: Mapping[str, tuple[dict[str, Any], str]] = {
    "no column": ({"wide": [], "deep": []}, "wide and deep are both empty: expected a column"),
    "rule over no field": (
        {"rules": {"heavy": nw.col("weight") < 30}},
        "rules['heavy'] cannot be computed: ",
    ),
    "rule that is no condition": (
        {"rules": {"heavy": nw.col("weight_kg") + 1}},
        "rules['heavy'] gives Float64: expected a truth value",
    ),
    "label over no field": (
        {"outcome": replace(parcels.outcome, value=nw.col("days"))},
        "outcome.value cannot be computed: ",
    ),
    "label that is no number": (
        {"outcome": replace(parcels.outcome, value=nw.col("parcel"))},
        "outcome.value gives String: expected a number",
    ),
    "feature forgotten": (
        {"features": forgetful},
        "column 'hour' is 'hour': expected a column that features gives: handed_over_at",
    ),
    "feature function that fails": (
        {"features": confused},
        "features fails on events of HandedOver: KeyError: 'airports'",
    ),
    "feature of another type": (
        {"deep": [Number("region")], "wide": []},
        "column 'region' is String where features gives it: expected float",
    ),
    "feature with the event's time": (
        {"deep": [Number("handed_over_at")]},
        "column 'handed_over_at' is the event's key or time: expected another name",
    ),
    "category with two vocabularies": (
        {"wide": [Category("region", ["north"])]},
        "column 'region' is declared twice, with other values each time",
    ),
}


@pytest.mark.parametrize("case", WRONG_CONTENTS)
def test_wrong_contents(case: str) -> None:
    """What does not fit together is found where it is declared, before any event comes."""
    changes, message = WRONG_CONTENTS[case]
    if "segment" not in changes and changes.get("features") is forgetful:
        changes = changes | {"segment": "depot", "wide": [SERVICE], "deep": [Number("hour")]}
    with pytest.raises(DeclarationError, match=re.escape(message)):
        replace(parcels, **changes)


def test_wrong_columns() -> None:
    """A wrong column is told by its own name."""
    with pytest.raises(DeclarationError, match=r"Category\('zone'\)\.values is \[\]: expected one"):
        Category("zone", [])
    with pytest.raises(DeclarationError, match=r"Category\('zone'\)\.values is \[1, 'a'\]"):
        Category("zone", [1, "a"])  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="the same value stands twice"):
        Category("zone", [1, 1])
    with pytest.raises(DeclarationError, match=r"Number\.name is 'a b': expected a column's name"):
        Number("a b")
    with pytest.raises(DeclarationError, match=r"Embedding\('region'\)\.dimension is 0"):
        Embedding(REGION, 0)
    with pytest.raises(DeclarationError, match=r"Cross\.second is Number"):
        Cross(REGION, Number("hour"))  # type: ignore[arg-type]


def test_columns() -> None:
    """Columns come once each, in the order of their declaration; a category wins over a number."""
    application = replace(parcels, wide=[SERVICE], deep=[Number("hour"), Embedding(REGION, 2)])
    assert list(application.columns) == ["service", "hour", "region"]
    hour = Category("hour", range(24))
    application = replace(parcels, wide=[hour], deep=[Number("hour")])
    assert {"hour": hour} == dict(application.columns)


def test_topics() -> None:
    """Output topics are named by the application."""
    topics = (parcels.predictions_topic, parcels.scored_topic, parcels.scores_topic)
    assert topics == ("parcels.predictions", "parcels.scored", "parcels.scores")


class Colour(Enum):
    """What a tulip can be."""

    RED = "red"
    WHITE = "white"


@dataclass(frozen=True)
class Tulip:
    """An event with a field of each type."""

    name: str
    petals: int
    height_cm: float
    open: bool
    bulb: bytes
    planted: date
    opens: time
    seen_at: datetime
    seen_local: LocalTime
    colour: Colour
    parcel: Delivered
    neighbours: list[str]
    note: str | None = None


def test_dtypes() -> None:
    """Each type of field has a column that holds it."""
    assert dtypes_of(Tulip) == pl.Schema(
        {
            "name": pl.String(),
            "petals": pl.Int64(),
            "height_cm": pl.Float64(),
            "open": pl.Boolean(),
            "bulb": pl.Binary(),
            "planted": pl.Date(),
            "opens": pl.Time(),
            "seen_at": pl.Datetime("us", "UTC"),
            "seen_local": pl.Datetime("us"),
            "colour": pl.Enum(["red", "white"]),
            "parcel": pl.Struct(
                {
                    "parcel": pl.String(),
                    "delivered_at": pl.Datetime("us", "UTC"),
                    "hours": pl.Float64(),
                }
            ),
            "neighbours": pl.List(pl.String()),
            "note": pl.String(),
        }
    )


def test_taxis_are_known_in_their_own_files_alone() -> None:
    """Nothing below the command line knows what a taxi is, but for examples in docstrings.

    The command line and the demo show taxis as their example; the settings name the default.
    """
    package = Path(edml.__path__[0])
    show = {"apps", "cli", "console", "demo"}
    told = re.compile(r"taxi|pickup|dropoff|passenger|borough|\bTLC\b|new.york", re.IGNORECASE)
    docstrings = re.compile(r'"""[\s\S]*?"""')
    knowing = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in show
        and told.search(docstrings.sub("", path.read_text()))
    }
    assert knowing == {"settings.py"}


def test_an_event_is_a_typed_class() -> None:
    """The class says what is on the log: its fields are the columns."""
    assert {"handed_over_at", "parcel", "depot", "service", "weight_kg"} == set(
        dtypes_of(HandedOver)
    )
