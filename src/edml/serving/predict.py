"""One event, one prediction of each model that serves: a pure function over a batch.

What a batch shares (checks, features) is made once, whatever the number of models. An event that
cannot be predicted is rejected with its cause, and its neighbours are predicted all the same.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import narwhals as nw
import numpy as np
import polars as pl

from edml.application import EVENT_TIME, Application
from edml.errors import EdmlError, NoChampionError
from edml.events import OFFSET, PARTITION, Batch, Outputs, Rejected
from edml.features import Features, missing
from edml.features.traced import Traced
from edml.serving import records
from edml.serving.served import ServedModel

logger = logging.getLogger(__name__)

CAUSE: Final = "cause"
NO_SEGMENT: Final = "unknown"

MOST_UNANSWERED: Final = 100
"""So many events in a row without any prediction are not bad events, but a bad model."""

_PREDICTION: Final = "_prediction"
_ROW: Final = "_row"


@dataclass(frozen=True)
class Sifted:
    """Events that got through a check, and the place and the `CAUSE` of those that did not."""

    good: pl.DataFrame
    rejected: tuple[pl.DataFrame, ...] = ()


class Predict:
    """Predicts the events of an application; its rules and features are made ready once."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._features = Features(application)
        self._unanswered = 0
        self._broken = Traced(lambda events: events.select(_first_broken(application)))

    def __call__(self, served: Sequence[ServedModel], batch: Batch, now: datetime) -> Outputs:
        """The predictions of a batch of events by every model, and the events that are rejected.

        ``served`` begins with the champion. An event is rejected when it breaks a rule of the
        application, has no features, or gets no finite prediction from the champion; what a model
        in the shadow cannot predict, it does not predict.

        Raises `NoChampionError` when there are events, but no champion, or one that has answered
        none of the last `MOST_UNANSWERED`: then it is not the events that are bad.
        """
        application = self._application
        events = batch.frames.get(application.event.topic)
        if events is None or events.is_empty():
            return Outputs()
        if not served or served[0].role != "champion":
            raise NoChampionError(
                f"{application.name!r} has no champion to predict {events.height} events with",
                todo=f"publish a model with `edml publish ARTEFACT --app {application.name}`",
            )
        champion, *shadows = served
        checked = self._checked(events, now)
        featured = _in_parts(checked.good, self._featured)
        answered = _in_parts(featured.good, partial(_answered, champion))
        self._watch(champion, featured.good, answered)
        good = answered.good.with_row_index(_ROW) if shadows else answered.good
        predictions = self._records(served, [good, *_shadowed(shadows, good)])
        rejected = (*checked.rejected, *featured.rejected, *answered.rejected)
        return Outputs(
            {application.predictions_topic: predictions},
            (Rejected(application.event.topic, pl.concat(rejected)),) if rejected else (),
        )

    def _watch(self, champion: ServedModel, asked: pl.DataFrame, answered: Sifted) -> None:
        """Tell bad events from a bad champion: the first are rejected, for the second they wait."""
        if not answered.good.is_empty():
            self._unanswered = 0
        elif answered.rejected:
            self._unanswered += asked.height
        if self._unanswered >= MOST_UNANSWERED:
            raise NoChampionError(
                f"the champion {champion.version} answers none of the last {self._unanswered} "
                f"events: {answered.rejected[0][CAUSE][0]}",
                todo="roll back with `edml models rollback`, start again, and redrive what went to "
                "the dead letters with `edml dead-letters redrive`",
            )

    def _checked(self, events: pl.DataFrame, now: datetime) -> Sifted:
        """The events that have a time not too far ahead, and meet the application's rules."""
        timed = _timed(events, self._application.event.time, now + self._application.ahead)
        if not self._application.rules or timed.good.is_empty():
            return timed
        ruled = _sifted(timed.good, self._broken(timed.good).to_series())
        return Sifted(ruled.good, timed.rejected + ruled.rejected)

    def _featured(self, events: pl.DataFrame) -> Sifted:
        """The events with their features among their columns."""
        computed = self._features.compute(events)
        others = [each for each in events.get_columns() if each.name not in computed.columns]
        return _sifted(computed.hstack(others), missing(self._application, computed))

    def _records(
        self, served: Sequence[ServedModel], answered: Sequence[pl.DataFrame]
    ) -> pl.DataFrame:
        """The events that each model has answered as prediction records, event by event.

        So they stay in the order of event time.
        """
        made = [
            self._record(model, events)
            for model, events in zip(served, answered, strict=True)
            if not events.is_empty()
        ]
        if not made:
            return pl.DataFrame(schema=records.prediction_dtypes(self._application))
        if len(made) == 1:
            return made[0]
        rows = [events[_ROW].to_numpy() for events in answered if not events.is_empty()]
        return pl.concat(made)[np.argsort(np.concatenate(rows), kind="stable")]

    def _record(self, served: ServedModel, answered: pl.DataFrame) -> pl.DataFrame:
        """Events with predictions as prediction records. Column by column: it is done each time."""
        application, rows = self._application, answered.height
        column = {each.name: each for each in answered.get_columns()}
        given = pl.DataFrame([column[name] for name in application.columns])
        return pl.DataFrame(
            [
                column[application.event.key].alias(records.KEY),
                column[_PREDICTION].cast(pl.Float64).alias(records.PREDICTION),
                pl.Series(records.VERSION, [served.version]).new_from_index(0, rows),
                pl.Series(records.ROLE, [served.role]).new_from_index(0, rows),
                column[application.event.time].alias(EVENT_TIME),
                _known(column[application.segment]).alias(records.SEGMENT),
                column[PARTITION].alias(records.EVENT_PARTITION),
                column[OFFSET].alias(records.EVENT_OFFSET),
                given.to_struct(records.FEATURES),
            ]
        )


def _known(segments: pl.Series) -> pl.Series:
    return segments.fill_null(NO_SEGMENT) if segments.has_nulls() else segments


def _timed(events: pl.DataFrame, time: str, latest: datetime) -> Sifted:
    """The events that have a time, at the ``latest`` that one."""
    times = events[time]
    last = times.max()
    if not times.has_nulls() and isinstance(last, datetime) and last <= latest:
        return Sifted(events)
    cause = (
        pl.when(pl.col(time).is_null())
        .then(pl.lit("the event time is missing"))
        .when(pl.col(time) > latest)
        .then(pl.lit("the event time is too far ahead"))
    )
    return _sifted(events, events.select(cause.alias(CAUSE)).to_series())


def _first_broken(application: Application) -> nw.Expr:
    """The cause by the first rule that an event does not meet, or null; unknown is not met."""
    return nw.coalesce(
        *(
            nw.when(~nw.coalesce(rule, nw.lit(value=False))).then(nw.lit(cause))
            for cause, rule in application.rules.items()
        )
    ).alias(CAUSE)


def _answered(served: ServedModel, events: pl.DataFrame) -> Sifted:
    """The events with the model's prediction; a good one is a finite number."""
    try:
        prediction = served.model.predict(events).rename(_PREDICTION)
        answered = events.hstack([prediction])
        finite = bool(np.isfinite(prediction.to_numpy()).all())
    # Each flavour's runtime has errors of its own; whatever it says, these events have no answer.
    except Exception as error:
        raise EdmlError(f"model {served.version} cannot predict: {error}") from error
    if finite:
        return Sifted(answered)
    told = pl.col(_PREDICTION).cast(pl.String).fill_null("null")
    cause = pl.when(pl.col(_PREDICTION).is_finite().fill_null(value=False).not_()).then(
        pl.format("model {} predicts {}", pl.lit(served.version), told)
    )
    return _sifted(answered, answered.select(cause.alias(CAUSE)).to_series())


def _shadowed(shadows: Sequence[ServedModel], answered: pl.DataFrame) -> Sequence[pl.DataFrame]:
    """For each model in the shadow, the events that it can predict, with its prediction."""
    found: list[pl.DataFrame] = []
    if not shadows or answered.is_empty():
        return [answered] * len(shadows)
    events = answered.select(name for name in answered.columns if name != _PREDICTION)
    for shadow in shadows:
        parts = _in_parts(events, partial(_answered, shadow))
        for rejected in parts.rejected:
            logger.warning(
                "The %s leaves out %d events: %s", shadow.role, rejected.height, rejected[CAUSE][0]
            )
        found.append(parts.good)
    return found


def _in_parts(events: pl.DataFrame, call: Callable[[pl.DataFrame], Sifted]) -> Sifted:
    """Call on all events; where that fails, on ever smaller parts, until culprits stand alone."""
    if events.is_empty():
        return Sifted(events)
    try:
        return call(events)
    except EdmlError as error:
        if events.height == 1:
            return Sifted(events.clear(), (_rejected(events, pl.lit(error.what)),))
    half = events.height // 2
    parts = [_in_parts(part, call) for part in (events.head(half), events.tail(-half))]
    # A part of which nothing is left has not got the columns of the others, either.
    good = [part.good for part in parts if not part.good.is_empty()]
    return Sifted(
        pl.concat(good) if good else events.clear(),
        tuple(rejected for part in parts for rejected in part.rejected),
    )


def _sifted(events: pl.DataFrame, causes: pl.Series) -> Sifted:
    """The events without a cause against them, and those with one."""
    if causes.null_count() == events.height:
        return Sifted(events)
    bad = causes.is_not_null()
    return Sifted(events.filter(~bad), (_rejected(events.filter(bad), causes.filter(bad)),))


def _rejected(events: pl.DataFrame, cause: pl.Series | pl.Expr) -> pl.DataFrame:
    return events.select(PARTITION, OFFSET, cause.cast(pl.String).alias(CAUSE))
