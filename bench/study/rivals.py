"""What the loop is compared with: all with the same learner and, but for the oracle's, columns."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from bench.study.past import Numbers, Past
from bench.study.plan import Plan
from edml.application import Application, Number
from edml.trainer.trees import Trees, TreesLearner

FOLDS: Final = 5
INSTANT: Final = "instant"
_YEAR: Final = timedelta(days=365)

Tell = Callable[[str], None]


def first_champion(past: Past, plan: Plan) -> Trees:
    """The model that everything begins with."""
    return _learned(past, past.of(plan.first))


def static(past: Past, plan: Plan, champion: Trees) -> Numbers:
    """The first champion, never replaced."""
    found = past.nothing()
    tested = past.of(plan.tested)
    found[tested] = champion(past.examples[tested])
    return found


def calendar(past: Past, plan: Plan, tell: Tell, months: int) -> Numbers:
    """Trained anew as each month begins, on the last ``months``, whatever they were like."""
    found = past.nothing()
    for month in plan.months():
        tell(f"calendar, {months} months: {month.start:%Y-%m}")
        since = month.start - (_YEAR if months == 12 else timedelta(days=30 * months))
        model = _learned(past, past.known(month.start, max(since, plan.first.start)))
        found[past.of(month)] = model(past.examples[past.of(month)])
    return found


def oracle(past: Past, plan: Plan, tell: Tell) -> Numbers:
    """Trained across the change: on all days, what is tested and what is yet to come included.

    It is cross-validated by whole days, so it knows the days around a trip, but nothing of the
    trip's own day. It has one more column, the day's number, by which it tells times apart.
    """
    application = with_instant(past.application)
    instant = past.examples.events.select(day_number(past.application).alias(INSTANT))
    examples = replace(past.examples, features=past.examples.features.hstack(instant))
    learner = TreesLearner(application=application)
    fold = instant.to_series().to_numpy().astype(np.int64) % FOLDS
    tested = np.zeros(examples.rows, dtype=np.bool_)
    tested[past.of(plan.tested)] = True
    found = past.nothing()
    for number in range(FOLDS):
        tell(f"oracle, fold {number + 1} of {FOLDS}")
        learned = examples.where(pl.Series(fold != number))
        model = learner.fit(learned, np.ones(learned.rows), None)
        held_out = (fold == number) & tested
        found[held_out] = model(examples.where(pl.Series(held_out)))
    return found


def with_instant(application: Application) -> Application:
    """The application with one more column: the number of the day."""

    def features(events: nw.LazyFrame[Any], lookups: Any) -> nw.LazyFrame[Any]:
        day = nw.col(application.event.time).dt.timestamp("ms") / 86_400_000
        return application.features(events, lookups).with_columns(day.alias(INSTANT))

    return replace(application, features=features, deep=[*application.deep, Number(INSTANT)])


def day_number(application: Application) -> pl.Expr:
    """The number of the day in UTC, as a float."""
    return (pl.col(application.event.time).dt.epoch("d")).cast(pl.Float64)


def _learned(past: Past, rows: slice) -> Trees:
    examples = past.examples[rows]
    return TreesLearner(application=past.application).fit(examples, np.ones(examples.rows), None)
