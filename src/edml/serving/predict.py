"""One event, one prediction of each model that serves: a pure function over a batch.

What a batch shares (checks, features) is made once, whatever the number of models. An event that
cannot be predicted is rejected with its cause, and its neighbours are predicted all the same.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import narwhals as nw
import polars as pl

from edml import features
from edml.application import EVENT_TIME, Application
from edml.errors import EdmlError
from edml.events import OFFSET, PARTITION, Batch, Outputs, Rejected
from edml.serving import records
from edml.serving.served import ServedModel

CAUSE: Final = "cause"
NO_SEGMENT: Final = "unknown"


def predict(
    application: Application, served: Sequence[ServedModel], batch: Batch, now: datetime
) -> Outputs:
    """The predictions of a batch of events by every model, and the events that are rejected.

    ``served`` begins with the champion. An event is rejected when it breaks a rule of the
    application, has no features, or gets no finite prediction from the champion; what a model in
    the shadow cannot predict, it does not predict.
    """
    topic = application.event.topic
    events = batch.frames.get(topic)
    if events is None or events.is_empty():
        return Outputs()
    good, broken = _checked(application, events, now)
    featured, unusable = _featured(application, good)
    champion, *shadows = served
    answered, failed = _answered(champion, featured)
    predictions = [_record(application, champion, answered)]
    for shadow in shadows:
        predictions.append(_record(application, shadow, _answered(shadow, answered)[0]))
    rejected = pl.concat([broken, unusable, failed])
    return Outputs(
        {application.predictions_topic: pl.concat(predictions)},
        (Rejected(topic, rejected),) if rejected.height else (),
    )


def _checked(
    application: Application, events: pl.DataFrame, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events that meet the application's rules, and the others with the first cause."""
    rules = {
        "the event time is too far ahead": nw.col(application.event.time)
        <= nw.lit(now + application.ahead),
        **application.rules,
    }
    unmet = [
        nw.when(~nw.coalesce(rule, nw.lit(False))).then(nw.lit(cause))
        for cause, rule in rules.items()
    ]
    return _split(nw.from_native(events).with_columns(nw.coalesce(*unmet).alias(CAUSE)).to_native())


def _featured(application: Application, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events with their features among their columns, and those that lack one."""

    def add(some: pl.DataFrame) -> pl.DataFrame:
        computed = features.compute(application, some)
        return some.with_columns(computed).with_columns(
            features.missing(application, computed).alias(CAUSE)
        )

    added, failed = _in_parts(events, add)
    usable, lacking = _split(added)
    return usable, pl.concat([failed, lacking])


def _answered(served: ServedModel, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events with the model's prediction, and those for which it has no finite one."""

    def add(some: pl.DataFrame) -> pl.DataFrame:
        prediction = served.model.predict(some).alias(records.PREDICTION)
        not_finite = ~prediction.is_finite().fill_null(False)
        cause = pl.when(not_finite).then(
            pl.format("model {} predicts {}", pl.lit(served.version), prediction)
        )
        return some.with_columns(prediction, cause.alias(CAUSE))

    added, failed = _in_parts(events, add)
    finite, others = _split(added)
    return finite, pl.concat([failed, others])


def _record(application: Application, served: ServedModel, answered: pl.DataFrame) -> pl.DataFrame:
    """Events with predictions as prediction records."""
    return answered.select(
        pl.col(application.event.key).alias(records.KEY),
        pl.col(records.PREDICTION),
        pl.lit(served.version).alias(records.VERSION),
        pl.lit(served.role).alias(records.ROLE),
        pl.col(application.event.time).alias(EVENT_TIME),
        pl.col(application.segment).fill_null(NO_SEGMENT).alias(records.SEGMENT),
        pl.col(PARTITION).alias(records.EVENT_PARTITION),
        pl.col(OFFSET).alias(records.EVENT_OFFSET),
        pl.struct(*application.columns).alias(records.FEATURES),
    )


def _in_parts(
    events: pl.DataFrame, call: Callable[[pl.DataFrame], pl.DataFrame]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Call on all events; where that fails, on ever smaller parts, until the culprits stand alone."""
    try:
        return call(events), _none(events)
    except EdmlError as error:
        if events.height <= 1:
            return call(events.clear()), _rejected(
                events.with_columns(pl.lit(error.what).alias(CAUSE))
            )
    half = events.height // 2
    parts = [_in_parts(part, call) for part in (events.head(half), events.tail(-half))]
    return pl.concat([good for good, _ in parts]), pl.concat([bad for _, bad in parts])


def _split(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The events without a cause against them, and those with one."""
    good = events.filter(pl.col(CAUSE).is_null()).drop(CAUSE)
    if good.height == events.height:
        return good, _none(events)
    return good, _rejected(events.filter(pl.col(CAUSE).is_not_null()))


def _rejected(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(PARTITION, OFFSET, pl.col(CAUSE).cast(pl.String))


def _none(events: pl.DataFrame) -> pl.DataFrame:
    return events.clear().select(PARTITION, OFFSET, pl.lit("").alias(CAUSE))
