"""Explains one prediction from the records around it; what is not known is said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from edml.application import EVENT_TIME, Application
from edml.events import OFFSET, PARTITION, TIMESTAMP
from edml.lineage.origin import Origin, origin
from edml.lineage.outcome import Outcome, outcome_of
from edml.models.records import Model, Release
from edml.serving import records as served

ROLES: Final = ("champion", "challenger", "previous")

FindModel = Callable[[str], Model | None]
"""Gives the model of a version; None when its record is not on the log any more."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was found about one key.

    ``predictions`` are the recorded ones with their places, at least one; ``event`` is the record
    of the event that `first_event` names, None where it is gone; ``outcomes`` have their places,
    too. ``reached`` is up to when outcomes are known, as far as can be told. ``releases`` are what
    happened to the application's models, oldest first.
    """

    predictions: pl.DataFrame
    event: Mapping[str, Any] | None
    outcomes: pl.DataFrame
    reached: datetime | None
    releases: Sequence[Release]


@dataclass(frozen=True)
class Predicted:
    """One recorded prediction.

    ``at`` is when it was written (the record's timestamp), ``place`` where it lies on the log,
    ``event_place`` where its event lies. ``error`` is prediction - outcome, where that counts.
    """

    prediction: float
    version: str
    role: str
    at: datetime
    place: str
    event_place: str
    error: float | None


@dataclass(frozen=True)
class Explanation:
    """Everything about the predictions of one event.

    ``predictions`` begin with the answer, that of the champion. ``event`` is None where its record
    is gone, ``others`` counts further events of the same key. ``origins`` tell, by version, where
    each model came from. ``unknown`` says what could not be found out about the event.
    """

    uuid: str
    event_time: datetime
    segment: str
    event: Mapping[str, Any] | None
    features: Mapping[str, Any]
    predictions: tuple[Predicted, ...]
    outcome: Outcome
    origins: Mapping[str, Origin]
    others: int
    unknown: tuple[str, ...]


def explain(application: Application, known: Known, find: FindModel) -> Explanation:
    """Explain the first event among the predictions of one key."""
    place = first_event(known.predictions)
    ours = _of_event(known.predictions, place)
    answer = ours.row(0, named=True)
    outcome = outcome_of(application, ours.head(1), known.outcomes, known.reached)
    at = {row[served.VERSION]: row[TIMESTAMP] for row in ours.iter_rows(named=True)}
    unknown = []
    if known.event is None:
        unknown.append(
            f"the event at {_place(application.event.topic, *place)} is no longer on the log: "
            "its retention is over"
        )
    if answer[served.ROLE] != ROLES[0]:
        unknown.append("no champion has answered this event: it was predicted in the shadow alone")
    return Explanation(
        uuid=answer[served.KEY],
        event_time=answer[EVENT_TIME],
        segment=answer[served.SEGMENT],
        event=known.event,
        features=answer[served.FEATURES],
        predictions=tuple(
            _predicted(application, row, outcome) for row in ours.iter_rows(named=True)
        ),
        outcome=outcome,
        origins={
            version: origin(version, find(version), known.releases, served_at=at[version])
            for version in ours[served.VERSION].unique(maintain_order=True)
        },
        others=_events(known.predictions).height - 1,
        unknown=tuple(unknown),
    )


def first_event(predictions: pl.DataFrame) -> tuple[int, int]:
    """The partition and the offset of the first event that was predicted: the one that counts."""
    partition, offset = _events(predictions).row(0)
    return partition, offset


def _events(predictions: pl.DataFrame) -> pl.DataFrame:
    """The places of all events, in order."""
    return (
        predictions.select(served.EVENT_PARTITION, served.EVENT_OFFSET)
        .unique()
        .sort(served.EVENT_PARTITION, served.EVENT_OFFSET)
    )


def _of_event(predictions: pl.DataFrame, place: tuple[int, int]) -> pl.DataFrame:
    """The event's first prediction in each role, the champion's in front."""
    order = pl.col(served.ROLE).replace_strict(
        {role: number for number, role in enumerate(ROLES)}, default=len(ROLES)
    )
    return (
        predictions.filter(
            pl.col(served.EVENT_PARTITION) == place[0], pl.col(served.EVENT_OFFSET) == place[1]
        )
        .sort(order, PARTITION, OFFSET)
        .unique([served.ROLE, served.VERSION], keep="first", maintain_order=True)
    )


def _predicted(application: Application, row: Mapping[str, Any], outcome: Outcome) -> Predicted:
    return Predicted(
        prediction=row[served.PREDICTION],
        version=row[served.VERSION],
        role=row[served.ROLE],
        at=row[TIMESTAMP],
        place=_place(application.predictions_topic, row[PARTITION], row[OFFSET]),
        event_place=_place(
            application.event.topic, row[served.EVENT_PARTITION], row[served.EVENT_OFFSET]
        ),
        error=None if outcome.value is None else row[served.PREDICTION] - outcome.value,
    )


def _place(topic: str, partition: int, offset: int) -> str:
    return f"{topic}[{partition}]@{offset}"
