"""What holds for every detector, and for the judge, whatever they are shown."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.drift.rates import renewals
from bench.drift.streams import START, Numbers, Stream, alike_days, metrics
from edml.application import Policy
from edml.apps.taxi import taxi
from edml.monitoring import drift, inputs
from edml.monitoring.baseline import Baseline
from edml.monitoring.blocks import blocks, from_errors
from edml.monitoring.inputs import Bins
from edml.monitoring.judge import verdict
from edml.monitoring.quiet import Normal
from edml.monitoring.watch import Detector, Watched

DAY = timedelta(days=1)
DAYS, CHANGE = 90, 60
POLICY = Policy(rest=7 * DAY)


@dataclass(frozen=True)
class Case:
    """One of them: what it is shown, a row or several a block, and what it finds as JSON."""

    shown: pl.DataFrame
    find: Callable[[pl.DataFrame], list[str]]
    sums: tuple[str, ...]

    def before(self, day: int) -> list[str]:
        """What is found in the days before one."""
        return self.find(self.shown.filter(pl.col("start") < START + day * DAY))


@cache
def baselines() -> dict[str, Baseline]:
    """From a month held out, of a stream like the one that is watched."""
    held_out = Stream(per_hour=20).errors(30, 5)
    return {"v1": Baseline.of(metrics(held_out, taxi), taxi)}


def errors_case(stream: Stream) -> Case:
    """Performance and bias."""
    windows = from_errors(stream.errors(DAYS, 4), taxi, "v1")
    return Case(
        blocks(windows, baselines(), taxi),
        lambda shown: [alarm.to_json() for alarm in drift.alarms(shown, baselines(), POLICY)],
        ("sum_clipped_error", "sum_clipped_squared", "count"),
    )


def inputs_case() -> Case:
    """The distribution of a feature, and predictions."""
    counts = {"express": 400, "standard": 600}
    bins = {"v1": Bins.of(json.dumps({"hour_of_day": {"counts": {"1": 40, "2": 60}}}), taxi)}
    random = np.random.default_rng(2)
    rows = []
    for day in range(DAYS):
        share = 0.4 if day < CHANGE else 0.8
        first = random.binomial(sum(counts.values()), share)
        tallied = {"1": first, "2": 1000 - first}
        told: dict[str, dict[str, Any]] = {
            "hour_of_day": tallied,
            "": {"count": 1000, "sum": 9e3 + first, "squares": 2e5},
        }
        rows += [
            ("v1", START + day * DAY, feature, each, float(value))
            for feature, values in told.items()
            for each, value in values.items()
        ]
    return Case(
        pl.DataFrame(rows, schema=inputs.TALLY, orient="row"),
        lambda shown: [alarm.to_json() for alarm in inputs.alarms(shown, bins, POLICY)],
        ("value",),
    )


def judge_case(gain: float) -> Case:
    """A trial; that it is to go on is not told."""
    gains = gain + 0.1 * alike_days(np.random.default_rng(3), (DAYS,), 0.5)
    shown = pl.DataFrame(
        {
            "start": [START + day * DAY for day in range(DAYS)],
            "count": np.full(DAYS, 5_000),
            "tried_squared": 1e5 * (1 - gains / 2),
            "against_squared": 1e5 * (1 + gains / 2),
            "tried_error": np.full(DAYS, 10.0),
            "against_error": np.full(DAYS, 500.0),
            "tried_prediction": np.full(DAYS, 5e4),
            "against_prediction": np.full(DAYS, 5e4),
        }
    )

    def find(shown: pl.DataFrame) -> list[str]:
        found = verdict(shown, POLICY)
        return [] if found.kind == "wait" else [json.dumps(asdict(found), default=str)]

    sums = tuple(name for name in shown.columns if name != "start")
    return Case(shown, find, sums)


CASES: dict[str, Callable[[], Case]] = {
    "performance": cache(lambda: errors_case(Stream(per_hour=20, change=CHANGE, factor=1.6))),
    "bias": cache(lambda: errors_case(Stream(per_hour=20, change=CHANGE, bias=2.5))),
    "inputs and predictions": cache(inputs_case),
    "promote": cache(lambda: judge_case(0.4)),
    "drop": cache(lambda: judge_case(-0.4)),
}
every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_something_is_found(name: str) -> None:
    """Else nothing below would show anything."""
    case = CASES[name]()
    assert case.find(case.shown)


@every_case
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(name: str, seed: int) -> None:
    """Nor does when it is asked: the same is found each time."""
    case = CASES[name]()
    shuffled = case.shown.sample(fraction=1.0, shuffle=True, seed=seed)
    assert case.find(shuffled) == case.find(case.shown)


@every_case
@settings(max_examples=10, deadline=None)
@given(day=st.integers(0, DAYS))
def test_what_was_found_stays_found(name: str, day: int) -> None:
    """Asked after each block or at the end: later blocks only add at the end."""
    case = CASES[name]()
    earlier, whole = case.before(day), case.find(case.shown)
    assert earlier == whole[: len(earlier)]


@every_case
@pytest.mark.parametrize("days", [0, 1, 2])
def test_of_hardly_any_blocks_nothing_is_claimed(name: str, days: int) -> None:
    """Neither of none at all."""
    assert CASES[name]().before(days) == []


@every_case
@settings(max_examples=5, deadline=None)
@given(missing=st.sets(st.integers(0, CHANGE), min_size=1, max_size=10))
def test_blocks_may_be_missing(name: str, missing: set[int]) -> None:
    """It takes as long or longer until something is found, and then it is of the same kind."""
    case = CASES[name]()
    there = case.shown.filter(~pl.col("start").is_in([START + day * DAY for day in missing]))
    whole, found = (json.loads(case.find(shown)[0]) for shown in (case.shown, there))
    kinds = {"about", "kind"} & whole.keys()
    assert kinds
    assert {found[kind] for kind in kinds} == {whole[kind] for kind in kinds}


@every_case
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e300])
def test_a_spoilt_block_spoils_nothing(name: str, value: float) -> None:
    """What is no number is left out; what is huge counts as one odd block. All stays JSON."""
    case = CASES[name]()
    bad = START + 20 * DAY
    spoilt = case.shown.with_columns(
        pl.when(pl.col("start") == bad)
        .then(pl.lit(value))
        .otherwise(pl.col(each).cast(pl.Float64))
        .alias(each)
        for each in case.sums
    )
    found = case.find(spoilt)
    assert found
    for each in found:
        json.loads(each, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def test_errors_that_are_always_the_same_raise_no_alarm() -> None:
    """And where they were always another, they do."""
    constant = replace(Stream(), size=0.0, day=0.0)
    errors = constant.errors(DAYS, 1).with_columns(error=pl.lit(1.0))
    same = {"v1": Baseline.of(metrics(errors, taxi), taxi)}
    windows = from_errors(errors, taxi, "v1")
    assert drift.alarms(blocks(windows, same, taxi), same, POLICY) == []
    other = from_errors(errors.with_columns(error=pl.lit(2.0)), taxi, "v1")
    assert drift.alarms(blocks(other, same, taxi), same, POLICY)


RUNS, LENGTH = 300, 720


def false_alarms(normal: Normal, worlds: Numbers, allowed: float) -> int:
    """How many of these series, a row each, raise an alarm that is allowed once in so many days."""
    watched = Watched("bias", "", normal, slack=0.2, falls=True, share=1.0)
    detector = Detector([watched] * len(worlds))
    before, noise = np.full(len(worlds), np.nan), np.zeros(len(worlds))
    raised = np.zeros(len(worlds), dtype=np.bool_)
    for day in range(worlds.shape[1]):
        detector.add(day, worlds[:, day], before, noise)
        before = worlds[:, day]
        raised |= detector.statistic >= allowed
    return int(raised.sum())


USUAL = Normal(spread=1.0, correlation=0.3, blocks=7.0, band=0.2, least=0.01)
WORLDS: dict[str, tuple[Normal, float, float]] = {
    "as expected": (USUAL, 0.35, 0.0),
    "off by what is tolerated": (USUAL, 0.35, 0.2),
    "days that have nothing to do with one another": (USUAL, 0.0, 0.0),
    "days that are much alike": (USUAL, 0.6, 0.0),
    "a hold-out that was too calm": (replace(USUAL, spread=0.5), 0.35, 0.0),
    "a hold-out that was too wild": (replace(USUAL, spread=2.0), 0.35, 0.0),
}


@pytest.mark.parametrize("world", WORLDS)
def test_false_alarms_are_as_rare_as_stated(world: str) -> None:
    """In six hundred years of heavy-tailed days, an alarm in 180 days would be 1,200 of them."""
    normal, alike, mean = WORLDS[world]
    worlds = alike_days(np.random.default_rng(11), (RUNS, LENGTH), alike) + mean
    # A run stops counting at its first alarm: the mean distance is at least days / alarms.
    found = false_alarms(normal, worlds, allowed=180)
    assert found <= RUNS * (1 - np.exp(-LENGTH / 180))
    assert false_alarms(normal, worlds + 2.0, allowed=180) == RUNS


@pytest.mark.parametrize(
    ("worse", "most"), [(0.0, 0.75), (0.02, 0.5), (0.05, 0.15), (0.1, 0.03), (0.2, 0.0)]
)
@pytest.mark.parametrize("per_day", [330, 72_000])
def test_worse_renewals_take_over_as_rarely_as_stated(
    worse: float, most: float, per_day: int
) -> None:
    """On days that are alike, by how much of the squared error they are worse; equals mostly do."""
    found = renewals(worse, per_day, trials=200)
    assert found["taken_over"] <= most
    if worse == 0:
        assert found["taken_over"] > 0.5
        assert found["back_within_28"] <= 0.02


def test_renewals_that_are_better_take_over_within_days() -> None:
    """By the 2% that would take weeks to show, or by 5%."""
    for better, least in ((0.02, 0.75), (0.05, 0.9)):
        found = renewals(-better, 330, trials=200)
        assert found["taken_over"] >= least
        assert found["days"] == 4


def test_alarms_rest() -> None:
    """After an alarm nothing counts for a while: no storm of them, however wrong a model is."""
    case = CASES["bias"]()
    ends = [datetime.fromisoformat(json.loads(each)["to"]) for each in case.find(case.shown)]
    assert len(ends) >= 2
    assert all(later - earlier > POLICY.rest for earlier, later in pairwise(ends))
