from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from edml.monitoring.baseline import Baseline
from edml.trainer.season import HeldOut
from tests.parcels import MORNING, parcels

DAY = timedelta(days=1)


def held_out(errors: pl.DataFrame) -> dict[str, float]:
    """The season of these errors."""
    return HeldOut.of(
        errors["event_time"], errors["segment"], errors["error"].to_numpy(), 9.0, DAY
    ).metrics()


def made(days: int, seed: int = 1, *, evening: float = 0.0, day: float = 0.0) -> pl.DataFrame:
    """A hundred errors an hour, off by ``evening`` from 18 o'clock on, and by ``day`` each day."""
    random = np.random.default_rng(seed)
    hours = np.repeat(np.arange(24 * days), 100)
    error = random.normal(0, 2, hours.size) + evening * (hours % 24 >= 18)
    error += random.normal(0, day, days)[hours // 24]
    midnight = MORNING.replace(hour=0)
    return pl.DataFrame(
        {
            "event_time": pl.Series(hours * 3_600_000_000).cast(pl.Duration("us")) + midnight,
            "segment": np.where(random.random(hours.size) < 0.5, "west", "north"),
            "error": error,
        }
    )


def test_an_evening_is_expected_to_be_an_evening() -> None:
    """Hours that were worse are expected to be; of hours and weekdays alike, nothing is made up."""
    metrics = held_out(made(28, evening=2.0))
    assert metrics["season.error"] == pytest.approx(0.5, abs=0.05)
    assert metrics["season.error.hour.20"] == pytest.approx(1.5, abs=0.15)
    assert metrics["season.error.hour.9"] == pytest.approx(-0.5, abs=0.15)
    assert metrics["season.squared.hour.20"] == pytest.approx(8.0 / 5.0, rel=0.1)
    assert all(abs(metrics[f"season.error.weekday.{day}"]) < 0.05 for day in range(7))
    assert abs(metrics["season.error.segment.west"]) < 0.05


def test_days_differ_by_more_than_their_counts_tell() -> None:
    """The spread of days is that of the days; where there is none beyond chance, none is told."""
    metrics = held_out(made(60, day=0.5))
    assert metrics["block.count"] == 60
    assert metrics["block.error.spread"] == pytest.approx(0.45, abs=0.12)
    assert metrics["block.error.noise"] == pytest.approx(4.2, rel=0.1)
    assert held_out(made(60))["block.error.spread"] < 0.05


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_of_a_few_rows_little_is_claimed(rows: int) -> None:
    """However few they are, all figures are numbers, and a baseline can be made of them."""
    few = held_out(made(1)[:rows])
    assert all(np.isfinite(value) for value in few.values())
    assert few["block.error.spread"] == 0.0
    normal = Baseline.of({**few, "rmse": 2.0}, parcels).normal("error", "", 0.1)
    assert 0 < normal.spread < 9.0


def test_without_a_season_rmse_and_bias_stand_for_it() -> None:
    """Models that were published without it, or with errors clipped elsewhere, can be watched."""
    windows = pl.DataFrame(
        {"window_start": [MORNING], "segment": ["west"], "count": [10]},
        schema_overrides={"window_start": pl.Datetime("us", "UTC")},
    )
    plain = {"rmse": 3.0, "bias": 0.5}
    for metrics in (plain, {**plain, "season.clip": 8.0, "season.error": 7.0}):
        expected = Baseline.of(metrics, parcels).expected(windows).row(0, named=True)
        assert expected["expected_error"] == pytest.approx(5.0)
        assert expected["expected_squared"] == pytest.approx(90.0)
