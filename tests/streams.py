"""Streams of errors as a model on the log makes them: seasons, heavy tails, days that are alike."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application
from edml.trainer.season import HeldOut

Numbers = NDArray[np.float64]

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Trips' errors in minutes, ``per_hour`` of them at noon and half as many at night.

    Errors have Student's t with ``freedom`` degrees of freedom, times ``size``, larger in the
    evening; their kurtosis is that of taxis. Each day has an offset of ``day`` minutes, and a
    factor of e^``day``/10, both heavy-tailed, of which the next day has the part ``alike``. From
    ``change`` on, ``bias`` minutes are added, growing to that over ``ramp`` days, and errors are
    ``factor`` times as large. Offsets move by ``season`` minutes over the year.
    """

    per_hour: int = 300
    size: float = 4.0
    freedom: float = 4.2
    day: float = 0.5
    alike: float = 0.35
    season: float = 0.0
    change: int | None = None
    ramp: int = 0
    bias: float = 0.0
    factor: float = 1.0

    def errors(self, days: int, seed: int, start: datetime = START) -> pl.DataFrame:
        """The errors of so many days: ``event_time``, ``segment``, ``error``, ``prediction``."""
        random = np.random.default_rng(seed)
        offset, hardness = (alike_days(random, (days,), self.alike) for _ in range(2))
        hour = np.arange(24 * days)
        busy = 0.75 + 0.25 * np.sin((hour - 6) * np.pi / 12)
        count = random.poisson(self.per_hour * busy)
        day = np.repeat(hour // 24, count)
        of_day = np.repeat(hour % 24, count)
        drifted = self._drifted(days)
        shape = self.size * (1 + 0.3 * np.sin((of_day - 12) * np.pi / 12))
        spread = (
            shape * np.exp(self.day / 10 * hardness[day]) * (1 + drifted * (self.factor - 1))[day]
        )
        wave = self.season * np.sin(2 * np.pi * np.arange(days) / 365)
        mean = self.day * offset + drifted * self.bias + wave
        error = mean[day] + 0.4 * np.sin(of_day * np.pi / 12)
        error = error + spread * random.standard_t(self.freedom, day.size) / np.sqrt(2)
        seconds = np.repeat(hour, count) * 3600 + random.integers(0, 3600, day.size)
        names = np.array(["centre", "airport"])
        return pl.DataFrame(
            {
                "event_time": pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + start,
                "segment": names[(random.random(day.size) < 0.1).astype(int)],
                "error": error,
                "prediction": 12 + error,
            }
        )

    def _drifted(self, days: int) -> Numbers:
        """How much of the change is there, by day."""
        if self.change is None:
            return np.zeros(days)
        since = np.arange(days) - self.change
        return np.clip((since + 1) / max(1, self.ramp), 0, 1)


def alike_days(random: np.random.Generator, shape: tuple[int, ...], alike: float) -> Numbers:
    """Days of which each is like the one before: an autoregression of heavy-tailed shocks.

    The last axis is that of the days; their variance is 1.
    """
    shocks = random.standard_t(5, shape) / np.sqrt(5 / 3)
    days = np.empty(shape)
    days[..., 0] = shocks[..., 0]
    for day in range(1, shape[-1]):
        days[..., day] = alike * days[..., day - 1] + np.sqrt(1 - alike**2) * shocks[..., day]
    return days


def metrics(held_out: pl.DataFrame, application: Application) -> dict[str, float]:
    """What the trainer would write into a model's metadata, of errors held out."""
    whole = HeldOut.of(
        held_out["event_time"],
        held_out["segment"],
        held_out["error"].to_numpy(),
        application.clip,
        application.policy.block,
    )
    found = _score(held_out)
    for (segment,), part in held_out.group_by("segment"):
        found |= {f"segment.{segment}.{name}": value for name, value in _score(part).items()}
    return found | whole.metrics()


def _score(errors: pl.DataFrame) -> dict[str, float]:
    error = errors["error"].to_numpy()
    return {"rmse": float(np.sqrt(np.mean(error**2))), "bias": float(error.mean())}
