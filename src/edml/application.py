"""The one declaration of a use case.

An `Application` says which events ask for a prediction, which outcomes answer them, how features
are made, which columns the wide and the deep part of the model take, and where the past is read.
From that, every command works. What is declared wrongly fails here, at import, with the field's
name.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import narwhals as nw
import polars as pl

from edml.errors import DeclarationError

Role = Literal["champion", "challenger", "previous"]
FeatureType = Literal["int", "float", "string"]

EVENT_TIME = "event_time"
"""Column of predictions, outcomes and labels: the event's own time (UTC)."""

OUTCOME_TIME = "outcome_time"
"""Column at hand when a label is computed: the outcome's own time (UTC)."""


@dataclass(frozen=True, kw_only=True)
class EventStream:
    """The events that ask for a prediction: topic, typed class, and where key and time are."""

    topic: str
    schema: type
    key: str = "uuid"
    time: str

    def __post_init__(self) -> None:
        _check_stream("event", self.topic, self.schema, key=self.key, time=self.time)


@dataclass(frozen=True, kw_only=True)
class OutcomeStream:
    """What really happened: topic, typed class, key, event time, and the label read from it.

    ``label`` is the label's name and ``value`` the expression that computes it, over the fields of
    the outcome and the columns ``event_time`` and ``outcome_time``. Only labels within ``valid``
    (both ends included, in ``unit``) count, alike in training, hold-out and scoring. ``wait`` is
    the longest time between event and outcome that counts: an outcome matches iff 0 <= outcome time
    - event time <= wait.
    """

    topic: str
    schema: type
    key: str = "uuid"
    time: str
    label: str
    value: nw.Expr
    unit: str
    valid: tuple[float, float]
    wait: timedelta

    def __post_init__(self) -> None:
        _check_stream("outcome", self.topic, self.schema, key=self.key, time=self.time)
        if not self.label.isidentifier():
            raise DeclarationError(
                f"outcome.label is {self.label!r}: expected a name such as 'trip_duration'"
            )
        if not isinstance(self.value, nw.Expr):
            raise DeclarationError(
                f"outcome.value is {self.value!r}: expected a narwhals expression over the "
                f"outcome's fields, {EVENT_TIME!r} and {OUTCOME_TIME!r}"
            )
        low, high = self.valid
        if not low < high:
            raise DeclarationError(
                f"outcome.valid is {self.valid!r}: expected (lowest, highest) label that counts"
            )
        if self.wait <= timedelta(0):
            raise DeclarationError(f"outcome.wait is {self.wait!r}: expected a positive timedelta")


@dataclass(frozen=True)
class Category:
    """A feature with known values, integers or strings; any other value is out of vocabulary."""

    name: str
    values: Sequence[int] | Sequence[str]

    def __post_init__(self) -> None:
        if not self.values or not (
            all(isinstance(value, int) for value in self.values)
            or all(isinstance(value, str) for value in self.values)
        ):
            raise DeclarationError(
                f"Category({self.name!r}): values must be one or more integers, or strings"
            )
        if len(set(self.values)) != len(self.values):
            raise DeclarationError(f"Category({self.name!r}): the same value stands twice")

    @property
    def type(self) -> FeatureType:
        """``int`` or ``string``."""
        return "int" if isinstance(self.values[0], int) else "string"


@dataclass(frozen=True)
class Number:
    """A feature that is a number; the model normalises it."""

    name: str
    type: FeatureType = field(default="float", init=False)


@dataclass(frozen=True)
class Cross:
    """The combination of two categories, for the wide part."""

    first: Category
    second: Category


@dataclass(frozen=True)
class Embedding:
    """A category as a dense vector of ``dimension`` numbers, for the deep part."""

    category: Category
    dimension: int

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise DeclarationError(
                f"Embedding({self.category.name!r}): dimension is {self.dimension}: expected >= 1"
            )


Wide = Category | Cross
Deep = Number | Embedding


@dataclass(frozen=True)
class Past:
    """Events of the past, each with what became of it.

    ``frame`` has one row an event: every field of the event and of the outcome classes, cleaned, in
    order of event time. ``dropped`` counts, by cause, the rows that cleaning left out, and
    ``noted`` those that it kept though something is missing; ``source`` says where the rows are
    from.
    """

    frame: pl.DataFrame
    dropped: Mapping[str, int]
    source: str
    noted: Mapping[str, int] = field(default_factory=dict)


class History(Protocol):
    """Reads past events; a source is a folder, or None to simulate."""

    def __call__(self, data: Path | None, start: date, end: date) -> Past:
        """The events of the days in ``[start, end)``, by local date."""
        ...


FeatureFunction = Callable[[nw.LazyFrame[Any], Mapping[str, nw.LazyFrame[Any]]], nw.LazyFrame[Any]]
"""``features(events, lookups)`` adds columns to events, and may join the lookup tables."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """One use case: everything that is special to it.

    ``rules`` are conditions that a good event meets, by the cause that is given when it does not.
    ``segment`` names a column that ``features`` adds, by which errors are told apart. ``lookups``
    are small tables that ``features`` may join. ``window`` is the width of the windows in which
    errors are added up. Records may arrive out of order by ``lateness``; an event time may be
    ``ahead`` of the clock by that much (a replay runs ahead of it). ``retention`` is how long
    events stay on the log: never less than the wait.
    """

    name: str
    event: EventStream
    outcome: OutcomeStream
    features: FeatureFunction
    wide: Sequence[Wide]
    deep: Sequence[Deep]
    history: History
    segment: str
    rules: Mapping[str, nw.Expr] = field(default_factory=dict)
    lookups: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    window: timedelta = timedelta(minutes=10)
    lateness: timedelta = timedelta(hours=1)
    ahead: timedelta = timedelta(days=7)
    retention: timedelta = timedelta(days=7)
    topic_prefix: str = ""

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier() or self.name != self.name.lower():
            raise DeclarationError(
                f"name is {self.name!r}: expected lower-case letters, digits, '-' or '_'"
            )
        for name in ("features", "history"):
            if not callable(getattr(self, name)):
                raise DeclarationError(f"{name} is {getattr(self, name)!r}: expected a function")
        _check_columns("wide", self.wide, (Category, Cross))
        _check_columns("deep", self.deep, (Number, Embedding))
        if not self.columns:
            raise DeclarationError("wide and deep are both empty: the model needs a column")
        for cause, rule in self.rules.items():
            if not isinstance(rule, nw.Expr):
                raise DeclarationError(
                    f"rules[{cause!r}] is {rule!r}: expected a narwhals expression"
                )
        for name, table in self.lookups.items():
            if not isinstance(table, pl.DataFrame):
                raise DeclarationError(
                    f"lookups[{name!r}] is {type(table)}: expected a Polars DataFrame"
                )
        self._check_times()

    def _check_times(self) -> None:
        if self.window <= timedelta(0):
            raise DeclarationError(f"window is {self.window!r}: expected a positive timedelta")
        if self.lateness < timedelta(0):
            raise DeclarationError(f"lateness is {self.lateness!r}: expected zero or more")
        if self.retention < self.outcome.wait + self.lateness:
            raise DeclarationError(
                f"retention is {self.retention}: expected no less than the outcome's wait plus the "
                f"lateness ({self.outcome.wait + self.lateness})"
            )

    @cached_property
    def columns(self) -> Mapping[str, Category | Number]:
        """The feature columns that the model takes, by name, in the order of their declaration."""
        found: dict[str, Category | Number] = {}
        for column in (*self.wide, *self.deep):
            for leaf in _leaves(column):
                known = found.setdefault(leaf.name, leaf)
                if isinstance(known, Number) and isinstance(leaf, Category):
                    found[leaf.name] = leaf
                elif isinstance(leaf, Category) and known != leaf:
                    raise DeclarationError(
                        f"column {leaf.name!r} is declared twice, with other values each time"
                    )
        return found

    def prefixed(self, prefix: str) -> "Application":
        """The same application with ``prefix`` before the name of each of its topics."""
        if not prefix:
            return self
        return replace(
            self,
            event=replace(self.event, topic=f"{prefix}{self.event.topic}"),
            outcome=replace(self.outcome, topic=f"{prefix}{self.outcome.topic}"),
            topic_prefix=prefix,
        )

    @property
    def predictions_topic(self) -> str:
        """Where predictions are written."""
        return f"{self.topic_prefix}{self.name}.predictions"

    @property
    def scored_topic(self) -> str:
        """Where predictions are written with their outcomes."""
        return f"{self.topic_prefix}{self.name}.scored"

    @property
    def scores_topic(self) -> str:
        """Where the windows' sums of errors are written."""
        return f"{self.topic_prefix}{self.name}.scores"


def fields_of(schema: type) -> dict[str, Any]:
    """The fields of an event class with their types, markers included."""
    hints = typing.get_type_hints(schema, include_extras=True)
    return {each.name: hints[each.name] for each in dataclasses.fields(schema)}


def _check_stream(name: str, topic: str, schema: type, **roles: str) -> None:
    if not topic:
        raise DeclarationError(f"{name}.topic is empty: expected a topic's name")
    if not (isinstance(schema, type) and dataclasses.is_dataclass(schema)):
        raise DeclarationError(f"{name}.schema is {schema!r}: expected a dataclass")
    fields = fields_of(schema)
    for role, column in roles.items():
        if column not in fields:
            raise DeclarationError(
                f"{name}.{role} is {column!r}: {schema.__name__} has only {', '.join(fields)}"
            )
        wanted = datetime if role == "time" else str
        if fields[column] is not wanted:
            raise DeclarationError(
                f"{name}.{role} is {column!r}, a field of type {fields[column]}: "
                f"expected {wanted.__name__}"
                + (" (an instant in UTC)" if wanted is datetime else "")
            )


def _check_columns(part: str, columns: Sequence[object], expected: tuple[type, ...]) -> None:
    for number, column in enumerate(columns):
        if not isinstance(column, expected):
            names = " or ".join(each.__name__ for each in expected)
            raise DeclarationError(f"{part}[{number}] is {column!r}: expected {names}")


def _leaves(column: Wide | Deep) -> tuple[Category | Number, ...]:
    match column:
        case Cross(first, second):
            return (first, second)
        case Embedding(category, _):
            return (category,)
        case _:
            return (column,)
