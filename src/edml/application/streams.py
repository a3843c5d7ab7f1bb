"""The two streams of an application: events that ask for a prediction, outcomes that answer."""

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Final

import narwhals as nw

from edml.application.columns import NAME
from edml.application.fields import dtypes_of, fields_of, type_name
from edml.errors import DeclarationError

EVENT_TIME: Final = "event_time"
"""Column of predictions, outcomes and labels: the event's own time (UTC)."""

OUTCOME_TIME: Final = "outcome_time"
"""Column at hand when a label is computed: the outcome's own time (UTC)."""

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class EventStream:
    """The events that ask for a prediction.

    ``schema`` is their typed class; ``key`` and ``time`` are its fields that hold the key (a
    string) and the event time (an instant).
    """

    topic: str
    schema: type
    key: str = "uuid"
    time: str

    def __post_init__(self) -> None:
        _check_stream("event", self.topic, self.schema, key=self.key, time=self.time)


@dataclass(frozen=True, kw_only=True)
class OutcomeStream:
    """What really happened, and the label that is read from it.

    ``label`` is the label's name and ``value`` the expression that computes it, over the fields of
    the outcome and the columns ``event_time`` and ``outcome_time``. Only labels within ``valid``
    (both ends included, in ``unit``) count, alike in training, hold-out and scoring. ``wait`` is
    the longest time between event and outcome that counts: an outcome matches iff
    0 <= outcome time - event time <= wait.
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
        if not (isinstance(self.label, str) and NAME.fullmatch(self.label)):
            raise DeclarationError(
                f"outcome.label is {self.label!r}: expected a name such as 'trip_duration'"
            )
        if not isinstance(self.value, nw.Expr):
            raise DeclarationError(
                f"outcome.value is {self.value!r}: expected a narwhals expression over the "
                f"outcome's fields, {EVENT_TIME!r} and {OUTCOME_TIME!r}"
            )
        if not (isinstance(self.unit, str) and self.unit):
            raise DeclarationError(
                f"outcome.unit is {self.unit!r}: expected the label's unit, such as 'minutes'"
            )
        match self.valid:
            case (int() | float() as low, int() | float() as high) if -inf <= low < high <= inf:
                pass
            case _:
                raise DeclarationError(
                    f"outcome.valid is {self.valid!r}: expected (lowest, highest) label that counts"
                )
        if not isinstance(self.wait, timedelta) or self.wait <= timedelta(0):
            raise DeclarationError(f"outcome.wait is {self.wait!r}: expected a positive timedelta")


def _check_stream(name: str, topic: str, schema: type, *, key: str, time: str) -> None:
    if not (isinstance(topic, str) and _TOPIC.fullmatch(topic)):
        raise DeclarationError(
            f"{name}.topic is {topic!r}: expected a topic's name, of letters, digits, '.', '_', '-'"
        )
    if not (isinstance(schema, type) and dataclasses.is_dataclass(schema)):
        raise DeclarationError(f"{name}.schema is {schema!r}: expected a dataclass")
    for field in dtypes_of(schema):
        if not NAME.fullmatch(field):
            raise DeclarationError(
                f"{name}.schema has a field {field!r}: expected a name that begins with a letter"
            )
    _check_role(f"{name}.key", key, schema, str, "str")
    _check_role(f"{name}.time", time, schema, datetime, "datetime (an instant in UTC)")


def _check_role(where: str, field: str, schema: type, wanted: type, told: str) -> None:
    fields = fields_of(schema)
    if field not in fields:
        raise DeclarationError(
            f"{where} is {field!r}: expected a field of {schema.__name__}: {', '.join(fields)}"
        )
    if fields[field] is not wanted:
        raise DeclarationError(
            f"{where} is {field!r}, a field of type {type_name(fields[field])}: expected {told}"
        )
