"""What is expected of a model: its errors on the hold-out, by hour, weekday and segment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import polars as pl

from edml.application import Application
from edml.monitoring.quiet import Normal

_PARTS: Final = ("hour", "weekday", "segment")
_SEGMENT: Final = "segment."
_ROWS: Final = ".rows"
_FEWEST_ROWS: Final = 400
"""From so many rows, a mean error is known to a twentieth of the RMSE."""

_USUAL_SPREAD: Final = {"error": 0.15, "squared": 0.25}
"""How much blocks differ where nobody has measured it: a share of the RMSE, and a logarithm."""
_USUAL_CORRELATION: Final = 0.3
_USUAL_BLOCKS: Final = 7.0
_MOST_BLOCKS: Final = 7.0
"""A hold-out counts for no more blocks than this, so that what is live is soon learnt from."""
_USUAL_NOISE: Final = 6.0
"""Variance of squared errors over their mean's square: heavy tails, clipped."""
_LEAST_SPREAD: Final = {"error": 0.01, "squared": 0.02}


@dataclass(frozen=True, eq=False)
class Baseline:
    """The clipped errors that were seen on a model's hold-out; see `edml.trainer.season`.

    ``metrics`` are those of its `Metadata`. A model that was published without its season has the
    bias and the squared RMSE of the hold-out at all times, and what is usual for the rest.
    """

    metrics: Mapping[str, float]
    clip: float

    @classmethod
    def of(cls, metrics: Mapping[str, float], application: Application) -> Self:
        """What a model of the application is compared with."""
        return cls(metrics, application.clip)

    @cached_property
    def seasonal(self) -> bool:
        """Whether the season was measured, with errors clipped as they are now."""
        return self.metrics.get("season.clip") == self.clip

    @cached_property
    def squared(self) -> float:
        """The mean squared error that is expected, of clipped errors."""
        rmse = self.metrics.get("rmse", self.clip)
        usual = min(rmse, self.clip) ** 2
        found = self.metrics.get("season.squared", usual) if self.seasonal else usual
        return max(found, np.finfo(np.float64).tiny)

    @cached_property
    def error(self) -> float:
        """The mean error that is expected, of clipped errors."""
        bias = self.metrics.get("bias", 0.0)
        found = self.metrics.get("season.error", bias) if self.seasonal else bias
        return float(np.clip(found, -self.clip, self.clip))

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The segments of which the hold-out had rows enough to know them, in order."""
        return tuple(
            sorted(
                name.removeprefix(_SEGMENT).removesuffix(_ROWS)
                for name, rows in self.metrics.items()
                if name.startswith(_SEGMENT) and name.endswith(_ROWS) and rows >= _FEWEST_ROWS
            )
        )

    def expected(self, windows: pl.DataFrame) -> pl.DataFrame:
        """The windows with ``expected_error`` and ``expected_squared``: sums, like theirs."""
        start = pl.col("window_start")
        keys = (
            start.dt.hour().cast(pl.String),
            (start.dt.weekday() - 1).cast(pl.String),
            pl.col("segment"),
        )
        error, squared = pl.lit(self.error), pl.lit(self.squared)
        for part, key in zip(_PARTS, keys, strict=True):
            error += _looked_up(self._effects("error", part), key, 0.0)
            squared *= _looked_up(self._effects("squared", part), key, 1.0)
        return windows.with_columns(
            expected_error=pl.col("count") * error, expected_squared=pl.col("count") * squared
        )

    def normal(self, what: str, segment: str, band: float) -> Normal:
        """How the blocks' mean ``error``, or the logarithm of their mean ``squared``, vary."""
        unit = self.rmse(segment) if what == "error" else 1.0
        spread, correlation = _USUAL_SPREAD[what] * unit, _USUAL_CORRELATION
        count = self.metrics.get("block.count", 0.0) if self.seasonal else 0.0
        if count:
            usual = _USUAL_BLOCKS / (_USUAL_BLOCKS + count)
            measured = self.metrics[f"block.{what}.spread"]
            if what == "error":
                measured *= unit / self.rmse("")
            spread = float(np.sqrt(usual * spread**2 + (1 - usual) * measured**2))
            found = self.metrics.get(f"block.{what}.correlation", correlation)
            correlation = usual * correlation + (1 - usual) * found
        return Normal(
            spread=spread,
            correlation=correlation,
            blocks=min(_USUAL_BLOCKS + count, _MOST_BLOCKS),
            band=band,
            least=_LEAST_SPREAD[what] * unit,
        )

    def rmse(self, segment: str) -> float:
        """The root of the mean clipped square that is expected, of a segment or (``""``) of all."""
        return float(np.sqrt(self.squared * self._effects("squared", "segment").get(segment, 1.0)))

    @property
    def noise(self) -> float:
        """The variance of one event's clipped square over the mean one."""
        return (
            self.metrics.get("block.squared.noise", _USUAL_NOISE)
            if self.seasonal
            else (_USUAL_NOISE)
        )

    def _effects(self, what: str, part: str) -> dict[str, float]:
        """What was measured for each hour, weekday or segment."""
        prefix = f"season.{what}.{part}."
        return {
            name.removeprefix(prefix): value
            for name, value in self.metrics.items()
            if self.seasonal and name.startswith(prefix)
        }


def _looked_up(effects: Mapping[str, float], key: pl.Expr, none: float) -> pl.Expr:
    if not effects:
        return pl.lit(none)
    return key.replace_strict(
        list(effects), list(effects.values()), default=none, return_dtype=pl.Float64
    )
