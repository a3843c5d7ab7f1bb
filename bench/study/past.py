"""The past as the study replays it: every trip with its outcome, in order of event time."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.study.plan import midnight
from edml.application import Application
from edml.trainer.dataset import Examples
from edml.trainer.span import Span

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """Examples of an application, by event time."""

    application: Application
    examples: Examples

    @property
    def times(self) -> pl.Series:
        """The event times, in order."""
        return self.examples.events[self.application.event.time]

    def rows(self, start: datetime, end: datetime) -> slice:
        """Where the events from ``start`` up to before ``end`` are."""
        return slice(int(self.times.search_sorted(start)), int(self.times.search_sorted(end)))

    def of(self, span: Span) -> slice:
        """Where the events of some days are."""
        return self.rows(midnight(span.start), midnight(span.end))

    def known(self, as_of: date, since: date) -> slice:
        """Where the events since a day are whose outcomes were all waited for when another began.

        Nothing of the future is among them: see `edml.trainer.dataset.known`.
        """
        return self.rows(midnight(since), midnight(as_of) - self.application.outcome.wait)

    def nothing(self) -> Numbers:
        """Predictions that nobody has made yet."""
        return np.full(self.examples.rows, np.nan)


def rmse(predictions: Numbers, labels: Numbers) -> float:
    """The root of the mean squared error.

    >>> rmse(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    1.0
    """
    return float(np.sqrt(np.mean((predictions - labels) ** 2)))
