"""False alarms and delays of edml's detectors, and the judge's errors, on generated streams."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from bench.drift.streams import START, Numbers, Stream, alike_days, metrics
from edml.apps.taxi import taxi
from edml.models.evidence import Alarm
from edml.monitoring import drift, inputs
from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import blocks
from edml.monitoring.judge import THIN, evidence, verdict

DENSE: Final = Stream(per_hour=3000)
HELD_OUT: Final = 30
FEATURE: Final = "hour_of_day"
"""The name of a feature of the taxis; its values here are no hours."""

QUIET: Final[Mapping[str, Stream]] = {
    "days as on the taxis' sample, 3,000 an hour": DENSE,
    "the same, 15 an hour": replace(DENSE, per_hour=15),
    "days twice as different": replace(DENSE, day=1.0),
    "days that are more alike (0.6)": replace(DENSE, alike=0.6),
    "a season of ±0.2 minutes: all that is let pass": replace(DENSE, season=0.2),
    "a season of ±0.4 minutes: twice that": replace(DENSE, season=0.4),
}
"""Streams on which nothing changes."""

CHANGES: Final[Mapping[str, Stream]] = {
    "bias of 0.5 minutes": replace(DENSE, bias=0.5),
    "bias of 1 minute": replace(DENSE, bias=1.0),
    "bias of 2 minutes": replace(DENSE, bias=2.0),
    "bias of 4 minutes": replace(DENSE, bias=4.0),
    "bias of 4 minutes, 15 an hour": replace(DENSE, bias=4.0, per_hour=15),
    "bias of 2 minutes within 60 days": replace(DENSE, bias=2.0, ramp=60),
    "errors 1.2 times as large": replace(DENSE, factor=1.2),
    "errors 1.5 times as large": replace(DENSE, factor=1.5),
    "errors 2 times as large within 60 days": replace(DENSE, factor=2.0, ramp=60),
}
"""Streams that change."""

CHANGE: Final = 90


def false_alarms(stream: Stream, runs: int, days: int) -> dict[str, float]:
    """How many days are between two alarms on average, of so many runs of so many days."""
    found = sum(len(_alarms(stream, days, seed)) for seed in range(runs))
    rest = taxi.policy.rest / taxi.policy.block
    watched = runs * days - found * rest
    return {
        "years": runs * days / 365,
        "alarms": found,
        "days_between": watched / max(1, found),
        "stated_days": taxi.policy.quiet_for / timedelta(days=1),
    }


def delays(stream: Stream, runs: int) -> dict[str, float]:
    """How many days after a change the first alarm is; one that comes before is not counted."""
    changed = replace(stream, change=CHANGE)
    after = [
        next((day for day in _days(_alarms(changed, CHANGE + 180, seed)) if day > 0), np.inf)
        for seed in range(runs)
    ]
    return {
        "median": float(np.median(after)),
        "nine_in_ten": float(np.quantile(after, 0.9)),
        "found": float(np.mean(np.isfinite(after))),
    }


def shares(days: int, seed: int, *, moved: float = 0.0) -> pl.DataFrame:
    """A tally of a feature with ten values, of 72,000 trips a day.

    Weekends are other days, the year moves the shares, and so does each day of its own; from
    `CHANGE` on, one value is ``moved`` (a logarithm) more frequent.
    """
    random = np.random.default_rng(seed)
    day = np.arange(days)[:, None]
    usual = random.normal(0, 1, 10) + random.normal(0, 0.5, 10) * (day % 7 > 4)
    season = random.normal(0, 0.2, 10) * np.sin(2 * np.pi * day / 365)
    of_day = 0.1 * alike_days(random, (10, days), 0.35).T
    logits = usual + season + of_day + moved * (day >= CHANGE) * (np.arange(10) == 0)
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    counts = np.array([random.multinomial(72_000, each) for each in share])
    starts = [START + timedelta(days=each) for each in range(days)]
    return pl.concat(
        pl.DataFrame(
            {"version": "v1", "start": starts, "feature": FEATURE, "bin": str(value + 1)}
        ).with_columns(value=counts[:, value].astype(np.float64))
        for value in range(10)
    ).cast(inputs.TALLY)


def input_alarms(days: int, seed: int, *, moved: float = 0.0) -> list[Alarm]:
    """The alarms about such a feature."""
    tallied = shares(days, seed, moved=moved)
    seen = tallied.filter(pl.col("start") < START + timedelta(days=HELD_OUT))
    counts = dict(seen.group_by("bin").agg(pl.col("value").sum()).iter_rows())
    bins = {"v1": inputs.Bins.of(json.dumps({FEATURE: {"counts": counts}}), taxi)}
    return inputs.alarms(tallied, bins, taxi.policy)


def judge_errors(alike: float, trials: int) -> dict[str, float]:
    """How often a version that is no better is promoted within 28 days."""
    gains = alike_days(np.random.default_rng(1), (trials, 28), alike)
    found = evidence(gains, np.ones(27, dtype=np.bool_))[:, 3:].max(axis=1)
    return {f"stated_{error}": float(np.mean(found >= 1 / error)) for error in (0.01, 0.05)}


def judge_days(gain: float, trials: int) -> dict[str, float]:
    """After how many days a version is promoted that gains so many spreads of a day."""
    gains = alike_days(np.random.default_rng(2), (trials, 60), 0.5) + gain
    above = evidence(gains, np.ones(59, dtype=np.bool_)) >= 1 / taxi.policy.promote_error
    above[:, :3] = False
    after = np.where(above.any(axis=1), above.argmax(axis=1) + 1, np.inf)
    return {"median": float(np.median(after)), "within_28": float(np.mean(after <= 28))}


ALIKE: Final = 0.6
SPREAD: Final = 0.05
"""Of the gains of days of `THINNEST` trips, between a model and its renewal: as on the sample."""

THINNEST: Final = 330


def renewals(worse: float, per_day: int, trials: int) -> dict[str, float]:
    """What becomes of renewals that are worse by a share of the squared error; better, if below 0.

    How many take over, and after how many days (the median); how many of those are rolled back
    within a week, by which the next renewal may have come, and within four if none has.
    """
    random = np.random.default_rng(3)
    days = SPREAD / np.sqrt(1 + THIN / THINNEST)
    shape = (trials, 35)
    noise = np.sqrt(THIN / per_day) * random.standard_normal(shape)
    gains = days * (alike_days(random, shape, ALIKE) + noise) - worse
    found = [verdict(_trial(each, per_day), taxi.policy, renews=True) for each in gains]
    won = [number for number, each in enumerate(found) if each.kind == "promote"]
    after = [
        verdict(_trial(-gains[each, found[each].blocks :], per_day), taxi.policy) for each in won
    ]
    back = np.array([each.blocks if each.kind == "promote" else np.inf for each in after])
    return {
        "taken_over": len(won) / trials,
        "days": float(np.median([found[each].blocks for each in won])) if won else np.nan,
        "back_within_7": float(np.mean(back <= 7)) if won else np.nan,
        "back_within_28": float(np.mean(back <= 28)) if won else np.nan,
    }


def _trial(gains: Numbers, per_day: int) -> pl.DataFrame:
    """A block a day in which the version on trial gains so much."""
    nothing = np.zeros(gains.size)
    return pl.DataFrame(
        {
            "start": [START + timedelta(days=day) for day in range(gains.size)],
            "count": np.full(gains.size, per_day),
            "tried_squared": (2 - gains) / (2 + gains) * 30 * per_day,
            "against_squared": np.full(gains.size, 30.0 * per_day),
            **{f"{who}_{what}": nothing for who in _BOTH for what in ("error", "prediction")},
        }
    )


_BOTH: Final = ("tried", "against")


def experiments(runs: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What is measured, the case, and its figures."""
    for name, stream in QUIET.items():
        yield "false alarms", name, false_alarms(stream, runs, 730)
    found = sum(len(input_alarms(730, seed)) for seed in range(runs))
    figures = {"years": 2 * runs, "alarms": found, "days_between": 730 * runs / max(1, found)}
    yield "false alarms", "inputs: weekends, a season, days that differ", figures
    for moved in (0.7, 1.4):
        after = [list(_days(input_alarms(CHANGE + 60, seed, moved=moved))) for seed in range(runs)]
        late = [next((day for day in each if day > 0), np.inf) for each in after]
        figures = {"median": float(np.median(late)), "found": float(np.mean(np.isfinite(late)))}
        yield (
            "days until a change is found",
            f"inputs: a value {np.exp(moved):.1f} times as frequent",
            figures,
        )
    for name, stream in CHANGES.items():
        yield "days until a change is found", name, delays(stream, runs)
    for alike in (0.0, 0.3, 0.5, 0.6):
        name = f"days that are alike by {alike}"
        yield "promoted though no better", name, judge_errors(alike, 40 * runs)
    for gain in (1.0, 2.0, 3.0, 5.0):
        name = f"a gain of {gain:g} spreads of a day"
        yield "days until promoted", name, judge_days(gain, 10 * runs)
    for per_day in (THINNEST, 72_000):
        for worse in (-0.05, -0.02, 0.0, 0.02, 0.05, 0.1):
            name = f"{per_day} trips a day, worse by {worse:.0%}"
            yield "a renewal takes over", name, renewals(worse, per_day, 40 * runs)


def _alarms(stream: Stream, days: int, seed: int) -> list[Alarm]:
    held_out = replace(stream, change=None, per_hour=min(stream.per_hour, 60))
    baselines = {"v1": Baseline.of(metrics(held_out.errors(HELD_OUT, 10_000 + seed), taxi), taxi)}
    windows = stream.windows(days, seed, taxi)
    return drift.alarms(blocks(windows, baselines, taxi), baselines, taxi.policy)


def _days(alarms: list[Alarm]) -> Iterator[int]:
    for alarm in alarms:
        yield (alarm.end - START).days - CHANGE
