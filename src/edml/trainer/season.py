"""What errors are to be expected when, and how much days differ, from the rows held out.

Errors have their hours and weekdays: an evening's trips are harder to tell than a morning's. What
is watched later is compared with what the same hours and weekdays would have shown. A hold-out is
short, so each effect is shrunk towards none by what is noise in it (empirical Bayes; Efron &
Morris 1973): the weekdays' by the variation of whole days, not by that of rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]

HOURS: Final = 24
WEEKDAYS: Final = 7

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_THURSDAY: Final = 3
"""The weekday of the first of January 1970, where Monday is 0."""

WINSORISED: Final = 2.0
"""Blocks' deviations count up to so many spreads."""

_ROUNDS: Final = 100
_FEWEST_GROUPS: Final = 2
_FEWEST_BLOCKS: Final = 5
_LEAST_FACTOR: Final = 1e-3
_TINY: Final = 1e-12


@dataclass(frozen=True)
class HeldOut:
    """Errors (prediction minus label) of rows held out; ``times`` are instants in µs of UTC."""

    times: Integers
    segments: pl.Series
    errors: Numbers
    clip: float
    block: timedelta

    @classmethod
    def of(
        cls, times: pl.Series, segments: pl.Series, errors: Numbers, clip: float, block: timedelta
    ) -> Self:
        """From a column of UTC instants."""
        microseconds = times.dt.epoch("us").to_numpy()
        return cls(microseconds, segments, errors, clip, block)

    def metrics(self) -> dict[str, float]:
        """What `edml.monitoring` compares with later, by name.

        ``season.error`` and ``season.squared`` are the means of errors and of their squares, each
        error clipped to ``season.clip``; ``season.error.hour.17`` is added to it in that hour (UTC)
        and ``season.error.weekday.0`` on Mondays, while a square's are factors; so are those of
        ``season.error.segment.Queens``. ``block.error.spread`` is by how much the mean errors of
        blocks differ from that beyond what their counts explain, ``.correlation`` of one with the
        next (if the hold-out has neighbours), ``.noise`` the variance of one row. ``block.squared``
        has the same of the logarithm of a block's mean square over the expected one, and
        ``block.count`` is how many blocks there were.
        """
        found = {"season.clip": self.clip}
        clipped = np.clip(self.errors, -self.clip, self.clip)
        error = self._effects(clipped, clipped.mean())
        square = clipped**2
        mean = max(float(square.mean()), np.finfo(np.float64).tiny)
        squared = self._effects(square / mean, 1.0)
        found |= {"season.error": float(clipped.mean()), "season.squared": mean}
        found |= dict(error.named("season.error", 0.0)) | dict(squared.named("season.squared", 1.0))
        found |= dict(self._varied(clipped, square / mean, error, squared))
        return found

    def _effects(self, values: Numbers, mean: float) -> "_Effects":
        """What hours, weekdays and segments add to the mean."""
        left = values - mean
        hour = _shrunk(left, self.hour, HOURS)
        left = left - hour[self.hour]
        names = sorted(str(each) for each in self.segments.unique().drop_nulls())
        place = self.segments.cast(pl.String).replace_strict(
            names, list(range(len(names))), default=len(names), return_dtype=pl.Int64
        )
        number = place.fill_null(len(names)).to_numpy()
        segment = _shrunk(left, number, len(names) + 1)
        days, day = np.unique(self.times // _DAY_US, return_inverse=True)
        means = np.bincount(day, left - segment[number]) / np.bincount(day)
        weekday = _shrunk(means, (days + _THURSDAY) % WEEKDAYS, WEEKDAYS)
        return _Effects(hour, weekday, dict(zip(names, segment, strict=False)))

    def _varied(
        self, error: Numbers, square: Numbers, errors: "_Effects", squares: "_Effects"
    ) -> Iterator[tuple[str, float]]:
        """How blocks differ from what is expected of them."""
        blocks, block = np.unique(
            self.times // (self.block // timedelta(microseconds=1)), return_inverse=True
        )
        count = np.bincount(block)
        expected = errors.at(self.hour, self.weekday)
        ratio = np.maximum(1.0 + squares.at(self.hour, self.weekday), _LEAST_FACTOR)
        noise = {"error": float(error.var()), "squared": float(square.var())}
        mean_error = np.bincount(block, error - error.mean() - expected) / count
        logarithm = _logarithm(np.bincount(block, square) / np.bincount(block, ratio))
        yield "block.count", float(len(blocks))
        adjoins = np.diff(blocks) == 1
        for name, deviations in (("error", mean_error), ("squared", logarithm)):
            spread, correlation = _spread(deviations, noise[name] / count, adjoins)
            yield f"block.{name}.spread", spread
            yield f"block.{name}.noise", noise[name]
            if np.count_nonzero(adjoins) >= _FEWEST_BLOCKS:
                yield f"block.{name}.correlation", correlation

    @property
    def hour(self) -> Integers:
        """The hour of each row, in UTC."""
        return self.times // _HOUR_US % HOURS

    @property
    def weekday(self) -> Integers:
        """The weekday of each row, in UTC; Monday is 0."""
        return (self.times // _DAY_US + _THURSDAY) % WEEKDAYS


@dataclass(frozen=True)
class _Effects:
    """What hours, weekdays and segments add to a mean."""

    hour: Numbers
    weekday: Numbers
    segment: Mapping[str, float]

    def at(self, hour: Integers, weekday: Integers) -> Numbers:
        """What is added in these hours of these weekdays."""
        added: Numbers = self.hour[hour] + self.weekday[weekday]
        return added

    def named(self, prefix: str, neutral: float) -> Iterator[tuple[str, float]]:
        """The effects by name, ``neutral`` where there is none."""
        for part, effects in (("hour", self.hour), ("weekday", self.weekday)):
            for number, effect in enumerate(effects):
                yield f"{prefix}.{part}.{number}", neutral + float(effect)
        for name, effect in self.segment.items():
            yield f"{prefix}.segment.{name}", neutral + float(effect)


def _shrunk(values: Numbers, group: Integers, groups: int) -> Numbers:
    """The means of groups around that of all, each shrunk by the noise in it."""
    count = np.bincount(group, minlength=groups)
    seen = count > 0
    if np.count_nonzero(seen) < _FEWEST_GROUPS or values.size <= groups:
        return np.zeros(groups)
    mean = np.divide(np.bincount(group, values, groups), count, where=seen, out=np.zeros(groups))
    mean[seen] -= values.mean()
    noise = np.sum((values - values.mean() - mean[group]) ** 2) / (values.size - groups)
    between = np.mean(mean[seen] ** 2) - np.mean(noise / count[seen])
    if between <= 0:
        return np.zeros(groups)
    shrunk: Numbers = mean * count / (count + noise / between)
    return shrunk


def _logarithm(ratios: Numbers) -> Numbers:
    """The logarithms of ratios, of which none is far from the others below."""
    logarithms: Numbers = np.log(np.maximum(ratios, _LEAST_FACTOR))
    return logarithms


def _spread(deviations: Numbers, noise: Numbers, follows: NDArray[np.bool_]) -> tuple[float, float]:
    """The standard deviation of blocks beyond their noise, and the correlation of neighbours.

    Both are of deviations winsorised at `WINSORISED` times their own standard deviation.
    """
    if deviations.size < _FEWEST_BLOCKS:
        return 0.0, 0.0
    left = deviations - np.average(deviations, weights=1 / (noise + deviations.var() + _TINY))
    square = float(np.mean(left**2))
    for _ in range(_ROUNDS):
        square = float(np.mean(np.minimum(left**2, WINSORISED**2 * square)))
    limit = WINSORISED * np.sqrt(square)
    clipped = np.clip(left, -limit, limit)
    pairs = (clipped[1:] * clipped[:-1])[follows]
    correlation = float(pairs.mean()) / square if pairs.size and square > 0 else 0.0
    return float(np.sqrt(max(square - float(np.mean(noise)), 0.0))), max(correlation, 0.0)
