from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from bench.study import outcome, rivals, worlds
from bench.study.past import Past
from bench.study.plan import TAXIS, Plan, midnight
from bench.study.report import markdown
from bench.study.study import told_of
from edml.errors import UsageError
from edml.models.evidence import Alarm, Training
from edml.models.records import Release
from edml.trainer import dataset
from edml.trainer.dataset import known
from edml.trainer.span import Span
from tests.parcels import parcels

PLAN = Plan(
    first=Span(date(2026, 1, 1), date(2026, 2, 1)),
    end=date(2026, 3, 16),
    normal=Span(date(2026, 2, 1), date(2026, 3, 1)),
    changed=date(2026, 3, 1),
    recovered=Span(date(2026, 3, 1), date(2026, 3, 16)),
)


@pytest.fixture(scope="module")
def past() -> Past:
    """Parcels of some weeks."""
    return Past(parcels, dataset.read(parcels, None, PLAN.whole).examples)


def release(kind: str, version: str, at: datetime, evidence: str = "") -> Release:
    """Something that happened."""
    return Release("parcels", kind, version, at, "study", evidence=evidence)  # type: ignore[arg-type]


def alarm(day: date, about: str = "bias") -> Alarm:
    """An alarm at the end of a day."""
    return Alarm(
        version="v1",
        about=about,  # type: ignore[arg-type]
        start=midnight(day) - timedelta(days=2),
        end=midnight(day),
        statistic=30.0,
        threshold=20.0,
    )


def told(raised: Alarm) -> Release:
    """The release that tells it, some hours later."""
    return release("alarmed", "v1", raised.end + timedelta(hours=3), raised.to_json())


def test_months_are_those_of_the_calendar() -> None:
    """The last one may be a part of one."""
    assert [(each.start, each.end) for each in PLAN.months()] == [
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 3, 16)),
    ]
    assert len(list(TAXIS.months())) == 18


def test_what_is_told_of_must_have_been_tested() -> None:
    """On what the first champion has learnt, it looks better than it is."""
    with pytest.raises(UsageError, match="normal is 2026-01-15 to 2026-02-14"):
        replace(PLAN, normal=Span(date(2026, 1, 15), date(2026, 2, 15)))


def test_nothing_of_the_future_is_learnt_from(past: Past) -> None:
    """What a calendar learns from is what a retraining may, too."""
    as_of = date(2026, 2, 1)
    rows = past.known(as_of, date(2026, 1, 1))
    may = past.examples.events.select(known(parcels, midnight(as_of))).to_series()
    assert may[rows].all()
    assert rows.stop < past.of(PLAN.first).stop


def test_each_month_is_predicted_by_what_was_learnt_before_it(past: Past) -> None:
    """A calendar predicts all that is tested, and nothing else."""
    found = rivals.calendar(past, PLAN, lambda _: None, months=1)
    tested = past.of(PLAN.tested)
    assert np.isfinite(found[tested]).all()
    assert np.isnan(found[: tested.start]).all()
    assert outcome.of(past, PLAN.tested, found) < 0.5


def test_the_oracle_knows_no_trip_s_own_day(past: Past) -> None:
    """A label that only one day has is not predicted on that day."""
    labels = past.examples.labels.copy()
    strange = past.of(Span(date(2026, 2, 10), date(2026, 2, 11)))
    labels[strange] = 60.0
    poisoned = Past(parcels, dataset.Examples(past.examples.events, past.examples.features, labels))
    found = rivals.oracle(poisoned, PLAN, lambda _: None)
    assert found[strange].max() < 40


def test_a_share_is_of_what_the_oracle_has_over_static(past: Past) -> None:
    """Half of the way is half; the static champion has nothing, the oracle all of it."""
    labels = past.examples.labels
    predictions = {
        outcome.STATIC: labels + 4.0,
        outcome.ORACLE: labels + 2.0,
        outcome.EDML: labels - 3.0,
    }
    found = outcome.shares(past, Span(date(2026, 3, 1), date(2026, 3, 16)), predictions, "edml")
    assert found == pytest.approx({"pooled": 0.5, "weeks": 0.5, "months": 0.5})


def test_weeks_weigh_by_their_days(past: Past) -> None:
    """A week that is cut off by the end counts for less."""
    span = Span(date(2026, 3, 1), date(2026, 3, 12))
    labels = past.examples.labels
    late = past.of(Span(date(2026, 3, 8), date(2026, 3, 12)))
    edml = labels + 4.0
    edml[late] = labels[late] + 2.0
    predictions = {outcome.STATIC: labels + 4, outcome.ORACLE: labels + 2.0, outcome.EDML: edml}
    found = outcome.shares(past, span, predictions, outcome.EDML)
    assert found["weeks"] == pytest.approx(4 / 11)


def test_an_alarm_is_useful_when_its_candidate_has_won() -> None:
    """Otherwise it is a false one; those that ask for no training do not count."""
    first, second, third = alarm(date(2026, 2, 5)), alarm(date(2026, 2, 12)), alarm(PLAN.end)
    at = first.end + timedelta(hours=3)
    inputs = alarm(date(2026, 2, 6), "inputs")
    training = Training(reason="alarm", as_of=at, alarm=first.id)
    releases = [
        told(first),
        told(inputs),
        release("requested", "v1", at, training.to_json()),
        release("retrained", "v2", at, training.to_json()),
        told(second),
        release("promoted", "v2", at + timedelta(days=5)),
        told(third),
    ]
    assert outcome.alarms_in(releases, PLAN.normal) == outcome.Alarms(useful=1, false=1)
    assert outcome.alarms_in(releases[:5], PLAN.normal) == outcome.Alarms(useful=0, false=2)


def test_a_delay_is_from_the_change_to_the_block_that_raised_the_alarm() -> None:
    """An alarm that ended before is about something else; without any there is none."""
    changed = datetime(2026, 3, 1, tzinfo=UTC)
    early, late = told(alarm(date(2026, 3, 1))), told(alarm(date(2026, 3, 4)))
    assert outcome.detection_delay_days([early, late], changed) == 3.0
    assert outcome.detection_delay_days([early], changed) is None


def test_figures_of_a_world_without_a_change(past: Past) -> None:
    """They tell of months and alarms, and of no recovery."""
    labels = past.examples.labels
    names = (*outcome.RIVALS, outcome.EDML, outcome.ORACLE)
    plan = Plan(first=PLAN.first, end=PLAN.end, normal=PLAN.tested)
    found = outcome.figures(past, plan, dict.fromkeys(names, labels + 1.0), [])
    assert found["normal_months_ratio"] == 1.0
    assert found["months"][0] == {"month": "2026-02", **dict.fromkeys(names, 1.0)}
    assert "recovered_share" not in found
    assert found["retrainings"] == found["false_alarms"] == 0


def test_figures_become_tables(past: Past) -> None:
    """Everybody's months, the goals, and what happened; an oracle has recovered all."""
    labels = past.examples.labels
    names = (outcome.STATIC, outcome.YEAR, outcome.MONTH, outcome.EDML, outcome.ORACLE)
    predictions = {name: labels + 5.0 - number for number, name in enumerate(names)}
    releases = [told(alarm(date(2026, 3, 4)))]
    found = outcome.figures(past, PLAN, predictions, releases)
    shown = markdown({**found, "releases": [told_of(each) for each in releases]}, {"rmse": "a.svg"})
    assert "| `recovered_share` | 0.75 | 0.90 or more, and > 0.50 |" in shown
    assert "| `detection_delay_days` | 3.0 | 4 or less |" in shown
    assert "| 2026-02 | 5.00 | 4.00 | 3.00 | 2.00 | 1.00 |" in shown
    assert "| 2026-03-04 | alarmed | v1 |  |" in shown
    assert "](a.svg)" in shown


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("abrupt", 0.0, 1.0), ("gradual", 0.0, 0.5), ("no drift", 0.0, 0.0)],
)
def test_worlds_change_as_they_are_called(name: str, before: float, after: float) -> None:
    """The share of trips that are of the changed city, before the change and a month after it."""
    share = worlds.SHARES[name]
    assert share(date(2020, 3, 10)) == before
    assert share(date(2020, 4, 10)) == pytest.approx(after)


def test_seasons_come_again() -> None:
    """Whoever has seen a year has seen them."""
    share = worlds.SHARES["seasonal"]
    assert share(date(2018, 5, 1)) == share(date(2019, 5, 1))
    assert share(date(2019, 7, 1)) > 0.29 > share(date(2019, 2, 1))


def test_a_world_is_mixed_by_its_share() -> None:
    """Nothing of a day is of the changed city before the change: trips are as without it."""
    quiet = worlds.mixed("2020-02", worlds.SHARES["no drift"])
    changed = worlds.mixed("2020-04", worlds.SHARES["abrupt"])
    usual = worlds.mixed("2020-04", worlds.SHARES["no drift"])

    def minutes(trips: pl.DataFrame) -> float:
        lasted = pl.col("tpep_dropoff_datetime") - pl.col("tpep_pickup_datetime")
        return float(trips.select(lasted.dt.total_seconds().median()).item()) / 60

    assert quiet.equals(worlds.mixed("2020-02", worlds.SHARES["abrupt"]))
    assert minutes(changed) < 0.85 * minutes(usual)
