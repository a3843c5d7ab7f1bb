"""Past events with what became of them, as rows that a model learns from or is tested on.

The same rule as in scoring says which outcomes count, and the same features as in serving are made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml import features
from edml.application import EVENT_TIME, OUTCOME_TIME, Application, Number, Past, fields_of
from edml.errors import TrainingError
from edml.events import WallClock
from edml.trainer.span import Span

_CAUSE: Final = "_cause"
_LABEL: Final = "_label"


@dataclass(frozen=True)
class Examples:
    """Rows in order of event time: which events they are, their features, one label each.

    ``events`` has the event's key and time under their own names, and `OUTCOME_TIME`, from when on
    the label is known. Those of history are whole: they have the event's other fields, too.
    """

    events: pl.DataFrame
    features: pl.DataFrame
    labels: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    """How much each row counts, if not all count the same."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.labels)

    @property
    def digest(self) -> str:
        """A hash of what is learnt from."""
        found = sha256(self.labels.tobytes())
        found.update(self.features.hash_rows().to_numpy().tobytes())
        if self.weights is not None:
            found.update(self.weights.tobytes())
        return found.hexdigest()[:16]

    def split(self, share: float) -> tuple["Examples", "Examples"]:
        """The earlier part, and the last ``share`` of the rows."""
        first = self.rows - round(self.rows * share)
        return self[:first], self[first:]

    def spread(self, every: int) -> tuple["Examples", "Examples"]:
        """All rows but one in ``every``, and those: spread over the whole time."""
        chosen = pl.int_range(self.rows, eager=True) % every == every - 1
        return self.where(~chosen), self.where(chosen)

    def spread_weeks(self, time: str, every: int) -> tuple["Examples", "Examples"]:
        """All weeks but one in ``every``, and those: seven days in a row, of every season.

        ``time`` is the column of ``events`` with their time. Weeks are counted from the newest
        event back, and the one in the middle of ``every`` is it: the newest is among the others.
        """
        ages = self.events.select(pl.col(time).max() - pl.col(time)).to_series()
        chosen = ages.dt.total_days() // 7 % every == every // 2
        return self.where(~chosen), self.where(chosen)

    def thinned(self, most: int) -> "Examples":
        """At most so many rows, spread over the whole time."""
        if self.rows <= most:
            return self
        return self._taken(np.linspace(0, self.rows - 1, most).round().astype(np.int64))

    def weighted(self, weights: NDArray[np.float64]) -> "Examples":
        """The same rows, each of which counts so much."""
        return replace(self, weights=weights)

    def __getitem__(self, rows: slice) -> "Examples":
        return self._taken(np.arange(self.rows)[rows])

    def where(self, chosen: pl.Series) -> "Examples":
        """The rows for which a column of truth values holds."""
        return self._taken(chosen.to_numpy().nonzero()[0])

    def ordered(self, *by: str) -> "Examples":
        """The same rows in the order of some columns of ``events``."""
        order = self.events.select(pl.arg_sort_by(by, maintain_order=True)).to_series()
        return self._taken(order.to_numpy())

    @staticmethod
    def joined(parts: Sequence["Examples"]) -> "Examples":
        """The rows of some examples, one after the other; what is not known of an event is null."""
        return Examples(
            pl.concat([each.events for each in parts], how="diagonal"),
            pl.concat([each.features for each in parts]),
            np.concatenate([each.labels for each in parts]),
        )

    def _taken(self, rows: NDArray[np.integer[Any]]) -> "Examples":
        weights = None if self.weights is None else self.weights[rows]
        return Examples(self.events[rows], self.features[rows], self.labels[rows], weights)


@dataclass(frozen=True)
class Dataset:
    """Examples, where they are from, and the rows left out or kept with a flaw, by cause."""

    examples: Examples
    source: str
    left_out: Mapping[str, int]
    noted: Mapping[str, int]


def read(application: Application, data: Path | None, span: Span) -> Dataset:
    """The examples of some days.

    Raises:
        TrainingError: there is no row that counts.
    """
    past = application.history(data, span.start, span.end)
    judged = _judged(application, past)
    good = judged.filter(pl.col(_CAUSE).is_null())
    events = good.select(*fields_of(application.event.schema), OUTCOME_TIME)
    # Of the outcome, a feature function must not even see the time.
    whole = events.select(*fields_of(application.event.schema))
    computed = features.compute(application, whole).with_columns(
        # What is not a number is missing, too.
        pl.when(pl.col(name).is_finite()).then(pl.col(name))
        for name, column in application.columns.items()
        if isinstance(column, Number)
    )
    incomplete = features.missing(application, computed)
    usable = incomplete.is_null()
    left_out = {**past.dropped, **_counts(judged[_CAUSE]), **_counts(incomplete)}
    if not usable.any():
        counted = ", ".join(f"{count} {cause}" for cause, count in left_out.items())
        raise TrainingError(
            f"no event of {span} has an outcome that counts",
            where=past.source,
            todo=f"choose another span; left out were: {counted or 'none'}",
        )
    return Dataset(
        Examples(
            events.filter(usable), computed.filter(usable), good.filter(usable)[_LABEL].to_numpy()
        ),
        source=past.source,
        left_out=left_out,
        noted=past.noted,
    )


def known(application: Application, as_of: datetime) -> pl.Expr:
    """Whether a row may be learnt from at some point in event time: nothing of it is of the future.

    Its outcome must have come by then. So must those of its neighbours, or of the latest rows only
    the ones that did not take long would be seen: the longest wait must be over.
    """
    waited = pl.col(application.event.time) <= as_of - application.outcome.wait
    return waited & (pl.col(OUTCOME_TIME) <= as_of)


def hours(application: Application, events: pl.DataFrame) -> pl.Series:
    """The hour of each event: on its wall clock where it has one, else in UTC; null if unknown."""
    walls = (
        name
        for name, annotation in fields_of(application.event.schema).items()
        if any(isinstance(mark, WallClock) for mark in getattr(annotation, "__metadata__", ()))
    )
    name = next(walls, application.event.time)
    if name not in events.columns:
        return pl.Series("hour", [None], pl.Int8).new_from_index(0, events.height)
    return events[name].dt.hour().alias("hour")


def _judged(application: Application, past: Past) -> pl.DataFrame:
    """Each row with its label, and why it does not count, or null when it does."""
    outcome = application.outcome
    low, high = outcome.valid
    event_time, outcome_time = nw.col(application.event.time), nw.col(outcome.time)
    waited = nw.col(OUTCOME_TIME) - nw.col(EVENT_TIME)
    timed = nw.from_native(past.frame).with_columns(
        event_time.alias(EVENT_TIME), outcome_time.alias(OUTCOME_TIME)
    )
    causes: dict[str, nw.Expr] = {
        # As in serving, a rule that cannot be told is not met.
        **{
            cause: ~nw.coalesce(rule, nw.lit(value=False))
            for cause, rule in application.rules.items()
        },
        "the outcome is before the event": waited < nw.lit(timedelta(0)),
        f"the outcome came after more than {outcome.wait}": waited > nw.lit(outcome.wait),
        f"no {outcome.label}": nw.col(_LABEL).is_null() | nw.col(_LABEL).is_nan(),
        f"{outcome.label} below {low:g} {outcome.unit}": nw.col(_LABEL) < low,
        f"{outcome.label} above {high:g} {outcome.unit}": nw.col(_LABEL) > high,
    }
    labelled = timed.with_columns(outcome.value.cast(nw.Float64()).alias(_LABEL))
    return labelled.with_columns(
        nw.coalesce(*(nw.when(unmet).then(nw.lit(cause)) for cause, unmet in causes.items())).alias(
            _CAUSE
        )
    ).to_native()


def _counts(causes: pl.Series) -> dict[str, int]:
    counted: list[tuple[Any, ...]] = (
        causes.drop_nulls().value_counts(sort=True, name="count").rows()
    )
    return dict(counted)
