"""The one declaration of a use case.

An `Application` says which events ask for a prediction, which outcomes answer them, how features
are made, which columns the wide and the deep part of the model take, and where the past is read.
From that, every command works. What is declared wrongly fails here, at import, with the field's
name.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import narwhals as nw
import polars as pl

from edml.application.columns import (
    Category,
    Cross,
    Deep,
    Embedding,
    FeatureType,
    Number,
    Wide,
    columns_of,
)
from edml.application.fields import dtypes_of, fields_of
from edml.application.policy import Policy
from edml.application.sources import Downloads, Simulate, Simulation
from edml.application.streams import EVENT_TIME, OUTCOME_TIME, EventStream, OutcomeStream
from edml.errors import DeclarationError

__all__ = [
    "EVENT_TIME",
    "OUTCOME_TIME",
    "Application",
    "Category",
    "Cross",
    "Deep",
    "Downloads",
    "Embedding",
    "EventStream",
    "FeatureFunction",
    "FeatureType",
    "History",
    "Number",
    "OutcomeStream",
    "Past",
    "Policy",
    "Role",
    "Simulate",
    "Simulation",
    "Wide",
    "dtypes_of",
    "fields_of",
]

Role = Literal["champion", "challenger", "previous"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Past:
    """Events of the past, each with what became of it.

    ``frame`` has one row an event: every field of the event and of the outcome classes, cleaned,
    in order of event time. ``dropped`` counts, by cause, the rows that cleaning left out, and
    ``noted`` those that it kept though something is missing; ``source`` says where the rows are
    from.
    """

    frame: pl.DataFrame
    dropped: Mapping[str, int]
    source: str
    noted: Mapping[str, int] = field(default_factory=dict)


class History(Protocol):
    """Reads past events in ``[start, end)`` by local date, from a folder, or None to simulate."""

    def __call__(self, data: Path | None, start: date, end: date) -> Past:
        """The events from ``start`` up to before ``end``."""
        ...


FeatureFunction = Callable[[nw.LazyFrame[Any], Mapping[str, nw.LazyFrame[Any]]], nw.LazyFrame[Any]]
"""``features(events, lookups)`` adds columns to events, joining the declared lookup tables."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """One use case: everything that is special to it.

    ``rules`` are conditions that a good event meets, by the cause that is given when it does not.
    ``segment`` names a column, of the event or added by ``features``, by which errors are told
    apart. ``lookups`` are small tables that ``features`` may join. ``window`` is the width of the
    windows in which errors are added up. Records may arrive out of order by ``lateness``; an event
    time may be ``ahead`` of the clock by that much (a replay runs ahead of it). ``retention`` is
    how long events stay on the log: long enough to score them again. ``topic_prefix`` stands before
    the name of each topic. ``policy`` says how the model is kept good.
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
    downloads: Downloads | None = None
    simulate: Simulate | None = None
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise DeclarationError(
                f"name is {self.name!r}: expected lower-case letters, digits, '-' and '_'"
            )
        _check_type("event", self.event, EventStream)
        _check_type("outcome", self.outcome, OutcomeStream)
        if self.event.topic == self.outcome.topic:
            raise DeclarationError(
                f"outcome.topic is {self.outcome.topic!r}: expected another topic than the events'"
            )
        for name in ("features", "history"):
            if not callable(getattr(self, name)):
                raise DeclarationError(f"{name} is {getattr(self, name)!r}: expected a function")
        if self.downloads is not None:
            _check_type("downloads", self.downloads, Downloads)
        if self.simulate is not None and not callable(self.simulate):
            raise DeclarationError(f"simulate is {self.simulate!r}: expected a function")
        for name, table in self.lookups.items():
            _check_type(f"lookups[{name!r}]", table, pl.DataFrame)
        _check_parts("wide", self.wide, Category, Cross)
        _check_parts("deep", self.deep, Number, Embedding)
        if not self.columns:
            raise DeclarationError("wide and deep are both empty: expected a column for the model")
        self._check_times()
        self._check_policy()
        self._check_label()
        self._check_rules()
        self._check_features()

    @cached_property
    def columns(self) -> Mapping[str, Category | Number]:
        """The feature columns that the model takes, by name, in the order of their declaration."""
        return columns_of((*self.wide, *self.deep))

    @property
    def clip(self) -> float:
        """How large an error counts at the most when models are watched, in the outcome's unit."""
        return self.policy.clipped_at(self.outcome.valid)

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

    def _check_times(self) -> None:
        for name in ("window", "lateness", "ahead", "retention"):
            _check_type(name, getattr(self, name), timedelta)
        for name in ("window", "retention"):
            if getattr(self, name) <= timedelta(0):
                raise DeclarationError(
                    f"{name} is {getattr(self, name)!r}: expected a positive timedelta"
                )
        for name in ("lateness", "ahead"):
            if getattr(self, name) < timedelta(0):
                raise DeclarationError(f"{name} is {getattr(self, name)!r}: expected zero or more")
        # What a restart of scoring reads again: two spans of what may still meet, and the lateness.
        needed = 2 * self.outcome.wait + 3 * self.lateness
        if self.retention < needed:
            raise DeclarationError(
                f"retention is {self.retention}: expected no less than twice the outcome's wait "
                f"plus three times the lateness ({needed}), and the downtime that is allowed"
            )

    def _check_policy(self) -> None:
        _check_type("policy", self.policy, Policy)
        self.policy.clipped_at(self.outcome.valid)
        if self.policy.block % self.window:
            raise DeclarationError(
                f"policy.block is {self.policy.block}: expected a whole number of windows "
                f"({self.window} each)"
            )

    def _check_label(self) -> None:
        instant = pl.Datetime("us", "UTC")
        outcomes = _frame(
            {**dtypes_of(self.outcome.schema), EVENT_TIME: instant, OUTCOME_TIME: instant}
        )
        found = _dtype("outcome.value", self.outcome.value, outcomes)
        if not found.is_numeric():
            raise DeclarationError(f"outcome.value gives {found}: expected a number")

    def _check_rules(self) -> None:
        events = _frame(dtypes_of(self.event.schema))
        for cause, rule in self.rules.items():
            _check_type(f"rules[{cause!r}]", rule, nw.Expr)
            found = _dtype(f"rules[{cause!r}]", rule, events)
            if found != nw.Boolean():
                raise DeclarationError(f"rules[{cause!r}] gives {found}: expected a truth value")

    def _check_features(self) -> None:
        """Ask the feature function for the columns that it would give; no row is computed."""
        lookups = {name: nw.from_native(table.lazy()) for name, table in self.lookups.items()}
        try:
            found = self.features(_frame(dtypes_of(self.event.schema)), lookups).collect_schema()
        except Exception as error:
            raise DeclarationError(
                f"features fails on events of {self.event.schema.__name__}: "
                f"{type(error).__name__}: {error}"
            ) from error
        for name in (*self.columns, self.segment):
            if name not in found:
                where = "segment" if name == self.segment else f"column {name!r}"
                raise DeclarationError(
                    f"{where} is {name!r}: expected a column that features gives: "
                    f"{', '.join(found.names())}"
                )
            if name in {self.event.key, self.event.time}:
                raise DeclarationError(
                    f"column {name!r} is the event's key or time: expected another name"
                )
        for name, column in self.columns.items():
            counts = found[name].is_numeric() or found[name] == nw.Boolean()
            if counts == (column.type == "string"):
                raise DeclarationError(
                    f"column {name!r} is {found[name]} where features gives it: "
                    f"expected {column.type}, as it is declared"
                )


def _frame(schema: Mapping[str, pl.DataType]) -> nw.LazyFrame[Any]:
    return nw.from_native(pl.LazyFrame(schema=schema))


def _dtype(where: str, expression: nw.Expr, frame: nw.LazyFrame[Any]) -> nw.dtypes.DType:
    """The type of what an expression gives; no row is computed."""
    try:
        return frame.select(found=expression).collect_schema()["found"]
    except Exception as error:
        raise DeclarationError(
            f"{where} cannot be computed: {error}: expected an expression over "
            f"{', '.join(frame.collect_schema().names())}"
        ) from error


def _check_type(where: str, value: object, expected: type) -> None:
    if not isinstance(value, expected):
        raise DeclarationError(f"{where} is {value!r}: expected {expected.__name__}")


def _check_parts(name: str, parts: Sequence[object], *expected: type) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, expected):
            names = " or ".join(each.__name__ for each in expected)
            raise DeclarationError(f"{name}[{number}] is {part!r}: expected {names}")
