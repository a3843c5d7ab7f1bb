import json

import polars as pl
import pytest

from edml.application import Policy
from edml.models.evidence import Alarm
from edml.monitoring.inputs import PREDICTION, Bins, added_up, alarms, tally
from edml.serving.records import prediction_dtypes
from tests.parcel_predictions import BINS, DAY, MIDNIGHT, predictions
from tests.parcels import MORNING, parcels


def found(predicted: pl.DataFrame) -> list[Alarm]:
    """The alarms of these predictions."""
    return alarms(tally(predicted, {"v1": BINS}, parcels), {"v1": BINS}, Policy())


def test_bins_are_those_of_the_training_rows() -> None:
    """Rare values are counted together; equal quantiles make one bin, with all of their rows."""
    assert BINS.known == {"service": ("standard", "express"), "region": ("north",)}
    assert BINS.edges == {"hour": (6.0, 12.0, 18.0), "weight_g": (0.0, 100.0)}
    assert BINS.shares["weight_g"] == {"0": 0.5, "1": 0.25, "2": 0.25, "other": 0.0}
    assert BINS.shares["region"]["other"] == pytest.approx(0.01)
    assert Bins.of("", parcels).features == ()


def test_each_value_is_counted_in_its_bin() -> None:
    """What is missing, unknown or no number is counted, too."""
    rows = pl.DataFrame(
        {
            "version": ["v1"] * 3,
            "event_time": [MORNING, MORNING, MORNING + DAY],
            "prediction": [2.0, float("nan"), 3.0],
            "features": [
                {"service": "express", "region": "north", "hour": 6.0, "weight_g": 100.5},
                {"service": "slow", "region": None, "hour": None, "weight_g": float("inf")},
                {"service": "express", "region": "west", "hour": 7.0, "weight_g": 0.0},
            ],
        },
        schema={
            name: prediction_dtypes(parcels)[name]
            for name in ("version", "event_time", "prediction", "features")
        },
    )
    counted = tally(rows, {"v1": BINS, "v2": BINS}, parcels)
    first = counted.filter(pl.col("start") == MIDNIGHT).select("feature", "bin", "value")
    assert set(first.rows()) == {
        (PREDICTION, "count", 1.0),
        (PREDICTION, "sum", 2.0),
        (PREDICTION, "squares", 4.0),
        ("service", "express", 1.0),
        ("service", "other", 1.0),
        ("region", "north", 1.0),
        ("region", "other", 1.0),
        ("hour", "0", 1.0),
        ("hour", "other", 1.0),
        ("weight_g", "2", 1.0),
        ("weight_g", "other", 1.0),
    }
    assert added_up(*(tally(row, {"v1": BINS}, parcels) for row in (rows[:1], rows[1:]))).equals(
        counted
    )


def test_a_change_of_inputs_and_predictions_is_found() -> None:
    """The feature is named; what only follows the weekday is no change."""
    first, *_ = found(predictions(100, change=70))
    assert (first.about, first.segment) in {("inputs", "service"), ("predictions", "")}
    assert 70 < (first.end - MIDNIGHT).days <= 78
    assert Alarm.from_json(first.to_json(), version="v1") == first


@pytest.mark.parametrize("seed", range(4))
def test_weekdays_are_no_news(seed: int) -> None:
    """Nothing is told of two hundred days that are as days are."""
    assert found(predictions(200, seed)) == []


def test_thin_days_are_no_news() -> None:
    """How many events there are tells nothing: their number falls to a tenth."""
    dense, thin = predictions(60, 1), predictions(120, 2, per_day=40)
    later = thin.filter(pl.col("event_time") >= MIDNIGHT + 60 * DAY)
    assert found(pl.concat([dense, later])) == []


def test_a_feature_that_tells_the_time_is_not_watched() -> None:
    """The day of the year is another one each day; that is not what a model ages by."""
    days = predictions(80)
    day = (pl.col("event_time") - MIDNIGHT).dt.total_days().cast(pl.Float64)
    told = days.with_columns(pl.col("features").struct.with_fields(hour=day))
    quantiles = json.dumps({"hour": {"quantiles": list(range(0, 400, 20))}})
    bins = {"v1": Bins.of(quantiles, parcels)}
    assert alarms(tally(told, bins, parcels), bins, Policy()) == []
