"""What became of an event: the outcome that counts, or why there is none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application
from edml.backtesting.answering import answered
from edml.scoring.records import OUTCOME

State = Literal["counts", "awaited", "missing", "late", "invalid"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of one event, and a sentence about it.

    ``value`` is in the unit of the outcome, and only there when the outcome counts; ``at`` is the
    outcome's own time. While none has come, it is ``awaited`` until ``until``, and ``missing``
    once outcomes are known for longer.
    """

    state: State
    sentence: str
    until: datetime
    value: float | None = None
    at: datetime | None = None


def outcome_of(
    application: Application,
    prediction: pl.DataFrame,
    outcomes: pl.DataFrame,
    reached: datetime | None,
) -> Outcome:
    """What became of the event of one prediction, by the application's rule.

    ``outcomes`` are those of its key in the order of the log, ``reached`` is the time up to which
    outcomes are known.
    """
    stream = application.outcome
    event_time: datetime = prediction[EVENT_TIME][0]
    until = event_time + stream.wait
    found = answered(application, prediction, outcomes)
    if found.missing:
        return _none_yet(event_time, until, reached)
    if found.late:
        first: datetime = outcomes[stream.time][0]
        return Outcome(
            "late",
            f"it came after {first - event_time}, and counts only within {stream.wait}",
            until,
            at=first,
        )
    if found.invalid:
        low, high = stream.valid
        return Outcome(
            "invalid",
            f"it does not count: {stream.label} must lie between {low:g} and {high:g} "
            f"{stream.unit}",
            until,
            at=outcomes[stream.time][0],
        )
    row = found.scored.row(0, named=True)
    waited = row[OUTCOME_TIME] - event_time
    return Outcome("counts", f"it came after {waited}", until, row[OUTCOME], row[OUTCOME_TIME])


def _none_yet(event_time: datetime, until: datetime, reached: datetime | None) -> Outcome:
    if reached is not None and reached > until:
        return Outcome(
            "missing",
            f"none came within the wait, until {until:%Y-%m-%d %H:%M} UTC; "
            f"outcomes are known up to {reached:%Y-%m-%d %H:%M}",
            until,
        )
    known = "" if reached is None else f"; outcomes are known up to {reached:%Y-%m-%d %H:%M}"
    return Outcome(
        "awaited",
        f"none yet: it is waited for since {event_time:%Y-%m-%d %H:%M} UTC, "
        f"until {until:%Y-%m-%d %H:%M}{known}",
        until,
    )
