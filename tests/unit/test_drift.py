from datetime import timedelta

import polars as pl
import pytest

from bench.drift.streams import START, Stream, metrics
from edml.application import Policy
from edml.apps.taxi import taxi
from edml.models.evidence import Alarm
from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import blocks, from_errors
from edml.monitoring.drift import alarms

HELD_OUT = 30
LIVE = 90
CHANGE = HELD_OUT + 45
POLICY = Policy(quiet_for=timedelta(days=730))


def watched(stream: Stream, seed: int = 1) -> list[Alarm]:
    """The alarms of a month held out and three months live."""
    errors = stream.errors(HELD_OUT + LIVE, seed)
    went_live = START + timedelta(days=HELD_OUT)
    held_out = errors.filter(pl.col("event_time") < went_live)
    live = errors.filter(pl.col("event_time") >= went_live)
    baselines = {"v1": Baseline.of(metrics(held_out, taxi), taxi)}
    return alarms(blocks(from_errors(live, taxi, "v1"), baselines, taxi), baselines, POLICY)


DRIFTS = {
    "bias": (Stream(change=CHANGE, bias=2.0), "bias", 6),
    "bias, the other way": (Stream(change=CHANGE, bias=-2.0), "bias", 6),
    "larger errors": (Stream(change=CHANGE, factor=1.6), "performance", 6),
    "a slow change": (Stream(change=CHANGE, bias=2.0, ramp=30), "bias", 24),
    "on a thin stream": (Stream(change=CHANGE, bias=3.0, per_hour=15), "bias", 6),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found(drift: str) -> None:
    """Within days of an abrupt change, and of a slow one before it is all there."""
    stream, about, within = DRIFTS[drift]
    first = watched(stream)[0]
    assert (first.about, first.segment) == (about, "")
    assert CHANGE < (first.end - START).days <= CHANGE + within
    assert abs((first.start - START).days - CHANGE) <= within
    assert first.statistic >= first.threshold
    assert Alarm.from_json(first.to_json(), version="v1") == first


QUIET = {
    "at full density": Stream(per_hour=1200),
    "on a thin stream": Stream(per_hour=15),
    "with a season": Stream(season=0.15),
    "on days that are very much alike": Stream(alike=0.6),
}


@pytest.mark.parametrize("kind", QUIET)
def test_what_is_normal_is_no_drift(kind: str) -> None:
    """Heavy tails, hours, and days that are alike raise no alarm."""
    assert watched(QUIET[kind]) == []
