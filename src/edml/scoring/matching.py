"""Predictions beside their outcomes, and what the outcome rule says of each pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from edml.application import EVENT_TIME, OUTCOME_TIME, Application, dtypes_of
from edml.features.traced import Traced
from edml.scoring import records
from edml.scoring.bounds import Bounds
from edml.scoring.chunk import OUTCOME, PREDICTION, Records
from edml.scoring.growing import Flags, Integers, joined, taken
from edml.scoring.intake import met
from edml.scoring.kinds import Kinds
from edml.scoring.payload import Layout, as_column
from edml.scoring.repetition import tell
from edml.scoring.rows import Found, Rows
from edml.scoring.rule import Rule
from edml.serving import records as served

_INSTANT: Final = pl.Datetime("us", "UTC")

_PREDICTED: Final = "_prediction"
"""The prediction among its features, where none can have this name."""


@dataclass(frozen=True)
class Pairs:
    """Predictions and the outcomes of their events, side by side.

    ``new`` is the place among the new records of that record of the pair which came last;
    ``chunks`` and ``numbers`` tell by side where both stand.
    """

    predictions: Records
    outcomes: Records
    new: Integers
    chunks: tuple[Integers, Integers]
    numbers: tuple[Integers, Integers]

    def where(self, flags: Flags) -> Self:
        """The pairs that are flagged."""
        if flags.all():
            return self
        rows = flags.nonzero()[0]
        return type(self)(
            taken(self.predictions, rows),
            taken(self.outcomes, rows),
            self.new[rows],
            (self.chunks[0][rows], self.chunks[1][rows]),
            (self.numbers[0][rows], self.numbers[1][rows]),
        )


def match(rows: Rows, new: Records, bounds: Bounds) -> Pairs:
    """Tell of new records which repeat others, and which belong together.

    ``new`` are about to be added to ``rows``, which are open. Sets all their flags, and gives back
    the pairs of an event that counts and its own outcome that they complete.
    """
    found = tell(rows, new, bounds)
    candidates = _candidates(rows, new, found)
    return candidates.where(_belonging(candidates, bounds))


def _candidates(rows: Rows, new: Records, found: Found) -> Pairs:
    """Pairs of a record of either input."""
    at, chunk, number, old = found
    last = len(rows.chunks) - 1
    predicted = new["side"][at] == PREDICTION
    both, place = joined([new, old]), np.arange(new.size, new.size + at.size)
    here = rows.height + at
    return Pairs(
        taken(both, np.where(predicted, at, place)),
        taken(both, np.where(predicted, place, at)),
        at,
        (np.where(predicted, last, chunk), np.where(predicted, chunk, last)),
        (np.where(predicted, here, number), np.where(predicted, number, here)),
    )


def _belonging(pairs: Pairs, bounds: Bounds) -> Flags:
    """The pairs of an event that counts and its own outcome."""
    event, outcome = pairs.predictions, pairs.outcomes
    lag = outcome["time"] - event["time"]
    belong: Flags = (
        (event["partition"] == outcome["partition"])
        & (lag >= 0)
        & (lag <= bounds.rule.reach)
        & event["counts"]
        & outcome["counts"]
        & met(event["time"], event["partition"], event["after"] | outcome["after"], bounds)
    )
    return belong


@dataclass(frozen=True)
class Verdicts:
    """What the outcome rule says of pairs: each is scored, invalid or late.

    ``outcome`` is the label, NaN where it is not valid; ``error`` is the prediction less the label.
    """

    pairs: Pairs
    prediction: npt.NDArray[np.float64]
    outcome: npt.NDArray[np.float64]
    late: Flags
    invalid: Flags


class Judge:
    """The outcome rule of an application, and what it makes of pairs.

    Scored predictions have the columns of `edml.scoring.records.scored_dtypes`.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._rule = Rule.of(application)
        value = application.outcome.value.alias(records.OUTCOME)
        self._label = Traced(lambda pairs: pairs.select(value))
        self._fields = dtypes_of(application.outcome.schema)

    def __call__(
        self, rows: Rows, pairs: Pairs, keys: pl.Series, kinds: Kinds
    ) -> tuple[Verdicts, pl.DataFrame]:
        """Which pairs are in time, and have a label that counts; and the scored predictions.

        ``keys`` are those of the new records.
        """
        predicted, *features = rows.payload(
            PREDICTION, pairs.chunks[PREDICTION], pairs.numbers[PREDICTION]
        )
        prediction = predicted.to_numpy()
        key = keys[pairs.new]
        times = [
            as_column(EVENT_TIME, pairs.predictions["time"], _INSTANT),
            as_column(OUTCOME_TIME, pairs.outcomes["time"], _INSTANT),
        ]
        label = self._labels(rows, pairs, key, times)
        lag = pairs.outcomes["time"] - pairs.predictions["time"]
        late = lag > self._rule.wait
        low, high = self._application.outcome.valid
        invalid = ~late & ~((label >= low) & (label <= high))
        verdicts = Verdicts(pairs, prediction, label, late, invalid)
        version, role, segment = kinds.columns(pairs.predictions["kind"])
        scored = pl.DataFrame(
            [
                key.alias(served.KEY),
                version,
                role,
                *times,
                predicted.alias(served.PREDICTION),
                pl.Series(records.OUTCOME, label),
                pl.Series(records.ERROR, prediction - label),
                segment,
                pl.DataFrame(features).to_struct(served.FEATURES),
            ]
        )
        counts = ~(late | invalid)
        return verdicts, scored if counts.all() else scored.filter(counts)

    def _labels(
        self, rows: Rows, pairs: Pairs, key: pl.Series, times: Sequence[pl.Series]
    ) -> npt.NDArray[np.float64]:
        """What the outcomes say, as the application reads them; a null as NaN."""
        outcome = self._application.outcome
        own = {outcome.key: key.alias(outcome.key), outcome.time: times[1].alias(outcome.time)}
        if len(own) < len(self._fields):
            kept = rows.payload(OUTCOME, pairs.chunks[OUTCOME], pairs.numbers[OUTCOME])
            own |= {each.name: each for each in kept}
        fields = [own[name] for name in self._fields if name not in {EVENT_TIME, OUTCOME_TIME}]
        label = self._label(pl.DataFrame([*fields, *times])).get_column(records.OUTCOME)
        return label.cast(pl.Float64).to_numpy()


def layouts(application: Application) -> tuple[Layout, Layout]:
    """What is kept of predictions and of outcomes beside what every record has."""
    outcome = application.outcome
    others = {
        name: dtype
        for name, dtype in dtypes_of(outcome.schema).items()
        if name not in {outcome.key, outcome.time}
    }
    features = served.feature_dtypes(application)
    return Layout(pl.Schema({_PREDICTED: pl.Float64(), **features})), Layout(pl.Schema(others))


def payload_of(side: int, frame: pl.DataFrame | None, layout: Layout) -> Sequence[pl.Series]:
    """The columns of new records that are kept as they are."""
    if frame is None:
        return [pl.Series(name, [], dtype=dtype) for name, dtype in layout.schema.items()]
    if side == OUTCOME:
        return [frame.get_column(name) for name in layout.schema]
    features = frame.get_column(served.FEATURES).struct.unnest().get_columns()
    return [frame.get_column(served.PREDICTION).alias(_PREDICTED), *features]
