"""Streams of errors as a live model makes them: seasons, heavy tails, days that are alike."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edml.application import Application
from edml.trainer.season import HeldOut

Numbers = NDArray[np.float64]

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SEGMENTS: Final = ("centre", "airport")
AIRPORT: Final = 0.1
"""The part of the trips that is of the second segment."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Trips' errors in minutes, ``per_hour`` of them at noon and half as many at midnight.

    Errors have Student's t with ``freedom`` degrees of freedom, times ``size``, larger in the
    evening: their kurtosis in a sample is that of taxis. Each day has an offset of ``day`` minutes
    and errors that are larger or smaller by a tenth of that, both heavy-tailed; the next day has
    the part ``alike`` of either. Offsets go ``season`` minutes up and down in the year. From
    ``change`` on, ``bias`` minutes are added and errors are ``factor`` times as large, reached
    within ``ramp`` days.
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
        mean, spread, busy = self._hours(days, random)
        count = random.poisson(self.per_hour * busy)
        hour = np.repeat(np.arange(24 * days), count)
        error = mean[hour] + spread[hour] * random.standard_t(self.freedom, hour.size)
        seconds = hour * 3600 + random.integers(0, 3600, hour.size)
        airport = (random.random(hour.size) < AIRPORT).astype(int)
        return pl.DataFrame(
            {
                "event_time": pl.Series(seconds * 1_000_000).cast(pl.Duration("us")) + start,
                "segment": np.array(SEGMENTS)[airport],
                "error": error,
                "prediction": 12 + error,
            }
        )

    def windows(
        self, days: int, seed: int, application: Application, start: datetime = START
    ) -> pl.DataFrame:
        """The sums of such errors, hour by hour, drawn as such: however dense, it takes no longer.

        They are those of `edml.monitoring.blocks.from_errors` by the central limit theorem.
        """
        random = np.random.default_rng(seed)
        mean, spread, busy = self._hours(days, random)
        strata = _quantiles(self.freedom)
        clipped = np.clip(
            mean[:, None] + spread[:, None] * strata, -application.clip, application.clip
        )
        squared = clipped**2
        parts = []
        for segment, share in zip(SEGMENTS, (1 - AIRPORT, AIRPORT), strict=True):
            count = random.poisson(self.per_hour * busy * share)
            noise = np.sqrt(count) * random.standard_normal((2, count.size))
            parts.append(
                pl.DataFrame(
                    {
                        "version": "v1",
                        "segment": segment,
                        "window_start": start
                        + pl.Series(np.arange(24 * days) * 3_600_000_000).cast(pl.Duration("us")),
                        "source_partition": pl.Series(np.zeros(count.size, np.int32)),
                        "count": count.astype(np.int64),
                        "sum_clipped_error": count * clipped.mean(axis=1)
                        + noise[0] * clipped.std(axis=1),
                        "sum_clipped_squared": count * squared.mean(axis=1)
                        + noise[1] * squared.std(axis=1),
                        "sum_prediction": 12.0 * count,
                    }
                )
            )
        return pl.concat(parts)

    def _hours(self, days: int, random: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
        """Of each hour, the mean error, the factor of Student's t, and how busy it is."""
        offset, hardness = (alike_days(random, (days,), self.alike) for _ in range(2))
        there = self._changed(days)
        wave = self.season * np.sin(2 * np.pi * np.arange(days) / 365)
        of_day = np.tile(np.arange(24), days)
        mean = np.repeat(self.day * offset + there * self.bias + wave, 24)
        mean = mean + 0.4 * np.sin(of_day * np.pi / 12)
        harder = np.exp(self.day / 10 * hardness) * (1 + there * (self.factor - 1))
        evening = 1 + 0.3 * np.sin((of_day - 12) * np.pi / 12)
        spread = self.size / np.sqrt(2) * evening * np.repeat(harder, 24)
        return mean, spread, 0.75 + 0.25 * np.sin((of_day - 6) * np.pi / 12)

    def _changed(self, days: int) -> Numbers:
        """How much of the change is there, by day."""
        if self.change is None:
            return np.zeros(days)
        since = np.arange(days) - self.change
        return np.clip((since + 1) / max(1, self.ramp), 0, 1)


@cache
def _quantiles(freedom: float) -> Numbers:
    """The means of 400 equally probable parts of Student's t."""
    draws = np.sort(np.random.default_rng(0).standard_t(freedom, 400_000))
    strata: Numbers = draws.reshape(400, -1).mean(axis=1)
    return strata


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
    rmse, bias = np.sqrt(np.mean(error**2)), error.mean()
    return {"rmse": float(rmse), "bias": float(bias), "rows": float(error.size)}
