from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from bench.drift.streams import Numbers, alike_days
from edml.application import Policy
from edml.monitoring.judge import FUTILITY, Trial, evidence, verdict
from tests.parcels import MORNING

DAY = timedelta(days=1)
MIDNIGHT = MORNING.replace(hour=0)
POLICY = Policy(trial=(4 * DAY, 28 * DAY), promote_error=0.01)


def pairs(gains: Numbers, count: int = 1000) -> pl.DataFrame:
    """A block a day, in which the version on trial gains so much."""
    against = np.full(gains.size, 30.0 * count)
    tried = against * (2 - gains) / (2 + gains)
    return pl.DataFrame(
        {
            "start": [MIDNIGHT + day * DAY for day in range(gains.size)],
            "count": np.full(gains.size, count),
            "tried_squared": tried,
            "against_squared": against,
            "tried_error": np.zeros(gains.size),
            "against_error": np.zeros(gains.size),
            "tried_prediction": np.full(gains.size, 11.0 * count),
            "against_prediction": np.full(gains.size, 10.0 * count),
        },
        schema_overrides={"start": pl.Datetime("us", "UTC")},
    )


def days(mean: float, number: int = 40, seed: int = 1) -> Numbers:
    """Gains that differ from day to day, by 0.1, and are alike from one day to the next."""
    return mean + 0.1 * alike_days(np.random.default_rng(seed), (number,), 0.5)


def test_a_version_that_is_much_better_is_promoted_within_days() -> None:
    """A third less of the squared error, as after a lockdown, is plain to see."""
    found = verdict(pairs(days(0.5)), POLICY)
    assert found.kind == "promote"
    assert 4 <= found.blocks <= 8
    assert found.statistic >= found.threshold == 100
    assert (found.start, found.end) == (MIDNIGHT, MIDNIGHT + found.blocks * DAY)
    assert found.figures["gain"] == pytest.approx(0.5, abs=0.15)
    assert found.figures["change"] == pytest.approx(0.1)
    assert found.figures["rmse"] < found.figures["rmse_against"]


def test_a_version_that_is_worse_is_dropped_early() -> None:
    """It is plain that there is nothing to be gained by waiting."""
    found = verdict(pairs(days(-0.3)), POLICY)
    assert (found.kind, found.cause) == ("drop", "it is not better by 2% of the squared error")
    assert found.blocks < 10
    assert found.figures["against"] >= 1 / FUTILITY


def test_a_version_that_shows_nothing_is_dropped_in_the_end() -> None:
    """A trial does not last for ever."""
    found = verdict(pairs(np.tile([0.3, -0.1], 20)), POLICY)
    assert (found.kind, found.blocks) == ("drop", 28)
    assert found.cause == "it has not shown within 28 days that it is better"


def test_a_trial_takes_its_time() -> None:
    """However clear it is, no version is promoted before the least time is over."""
    gains = days(1.0)
    assert verdict(pairs(gains[:9]), replace(POLICY, trial=(10 * DAY, 28 * DAY))).kind == "wait"
    assert verdict(pairs(gains), replace(POLICY, trial=(10 * DAY, 28 * DAY))).blocks == 10


def test_what_is_decided_stays_decided() -> None:
    """Later blocks change nothing; the order of rows does not matter; it is the same each time."""
    every = pairs(days(0.5))
    found = verdict(every, POLICY)
    assert verdict(every.sample(fraction=1.0, shuffle=True, seed=3), POLICY) == found
    assert verdict(every[: found.blocks], POLICY) == found
    assert verdict(every[: found.blocks - 1], POLICY).kind == "wait"


def test_a_renewal_takes_over_when_it_has_done_no_worse() -> None:
    """After the least time, on what would promote no other challenger; the verdict says so."""
    every = pairs(days(0.1))
    found = verdict(every, POLICY, renews=True)
    assert (found.kind, found.blocks) == ("promote", 4)
    assert found.cause == "a renewal: it has done no worse in 4 days"
    assert found.statistic > found.threshold == 0
    assert found.statistic == pytest.approx(found.figures["gain"], abs=0.1)
    assert verdict(every[:4], POLICY).kind == "wait"
    assert verdict(every[:3], POLICY, renews=True).kind == "wait"


def test_a_renewal_that_has_done_worse_waits_until_the_next_one_is_due() -> None:
    """It may catch up; that it is worse is no news after another rest."""
    waits = np.array([-0.3, 0.2, -0.3, 0.2, 0.1, 0.3])
    found = verdict(pairs(waits), POLICY, renews=True)
    assert (found.kind, found.blocks) == ("promote", 6)
    assert verdict(pairs(waits[:5]), POLICY, renews=True).kind == "wait"
    never = verdict(pairs(np.tile([-0.3, 0.2], 20)), POLICY, renews=True)
    assert (never.kind, never.blocks) == ("drop", 7)
    assert never.cause == "a renewal: it has done worse in 7 days"


def test_a_renewal_that_is_plainly_worse_is_dropped_at_once() -> None:
    """The evidence for that is among its figures."""
    found = verdict(pairs(days(-0.5)), POLICY, renews=True)
    assert (found.kind, found.cause) == ("drop", "a renewal: it is worse")
    assert found.blocks == 4
    assert found.figures["against"] >= 1 / FUTILITY


@pytest.mark.parametrize("gains", [[], [0.0], [0.5], [0.0] * 40, [2.0] * 40, [-1.9] * 3])
def test_of_odd_trials_nothing_odd_is_said(gains: list[float]) -> None:
    """None at all, one block, versions that are equal, versions that are never wrong."""
    found = verdict(pairs(np.array(gains)), POLICY)
    assert isinstance(found, Trial)
    assert np.isfinite([found.statistic, *found.figures.values()]).all()
    assert (found.kind == "promote") == (gains == [2.0] * 40)
    renewal = verdict(pairs(np.array(gains)), POLICY, renews=True)
    assert np.isfinite([renewal.statistic, *renewal.figures.values()]).all()
    assert (renewal.kind == "promote") == (gains in ([0.0] * 40, [2.0] * 40))


def test_a_day_without_events_is_no_day() -> None:
    """It says nothing of either version."""
    every = pairs(days(0.5))
    nothing = every.with_columns(
        count=pl.when(pl.col("start") == MIDNIGHT + DAY).then(0).otherwise("count")
    )
    without = every.filter(pl.col("start") != MIDNIGHT + DAY)
    assert verdict(nothing, POLICY) == verdict(without, POLICY)


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.5])
def test_a_version_that_is_no_better_is_hardly_ever_promoted(alike: float) -> None:
    """On heavy-tailed days that are alike: fewer than the stated 1% of trials, and 5% of 5%."""
    gains = alike_days(np.random.default_rng(7), (2000, 28), alike)
    found = evidence(gains, np.ones(27, dtype=np.bool_))[:, 3:].max(axis=1)
    assert np.mean(found >= 100) <= 0.01
    assert np.mean(found >= 20) <= 0.05


def test_thin_days_weigh_less() -> None:
    """Noise in a few trips neither delays what is clear nor makes what is not look so."""
    random = np.random.default_rng(9)
    counts = np.where(np.arange(28) % 14 < 7, 30.0, 5_000.0)
    noise = random.standard_normal((2000, 28)) * np.sqrt(3 / counts)
    gains = 0.1 * alike_days(random, (2000, 28), 0.5) + noise
    follows = np.ones(27, dtype=np.bool_)
    assert np.mean(evidence(gains, follows, counts)[:, 3:].max(axis=1) >= 100) <= 0.01
    weighed, alike = (evidence(gains + 0.4, follows, each)[:, -1] for each in (counts, None))
    assert np.median(weighed) > 1000 > np.median(alike)


def test_evidence_grows_with_the_gain() -> None:
    """Twenty days of a gain of one spread are more than of none, less than of two and a half."""
    gains = alike_days(np.random.default_rng(8), (200, 20), 0.5)
    follows = np.ones(19, dtype=np.bool_)
    none, some, much = (np.median(evidence(gains + m, follows)[:, -1]) for m in (0.0, 1.0, 2.5))
    assert none < 1 < some < 100 < much
