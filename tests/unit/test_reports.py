"""Pages: whole in themselves, every text escaped, every plot with its figures as a table."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Metadata, Model, Release, Roles, Signature
from edml.monitoring.inputs import Bins, tally
from edml.reports.backtest import backtest_page
from edml.reports.bars import bars
from edml.reports.happenings import marks, reigns, told
from edml.reports.lines import Line, Mark, Point, lines
from edml.reports.overview import Known, overview_page
from edml.reports.page import render
from edml.reports.scales import Scale, Times, nice
from edml.reports.shapes import Path, Rect, Rule, Text
from edml.reports.shift import SHIFTS, distance, shifts
from edml.reports.words import short_names
from tests.page import Page

START = datetime(2020, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 11, 25, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
V1, V2 = "0.1.0-20200301000000-1a2b3c4", "0.1.0-20200315000000-1a2b3c4-2"
EVIL = '<script>alert("x")</script> & co'


def windows(*reigned: tuple[str, str, int, int]) -> pl.DataFrame:
    """Windows of an hour: version, role, first day, day after the last; the last one is open."""
    rows = [
        {
            "application": "taxi",
            "version": version,
            "role": role,
            "segment": "Queens",
            "window_start": START + day * DAY + hour * HOUR,
            "predictions": 10,
            "count": 8,
            "invalid": 0,
            "late": 0,
            "duplicates": 0,
            "sum_error": 8.0 * (1 if version == V1 else -1),
            "sum_absolute_error": 16.0,
            "sum_squared_error": 8.0 * (25.0 if version == V1 else 16.0),
            "sum_outcome": 80.0,
            "sum_squared_outcome": 900.0,
            "complete": day < 27,
        }
        for version, role, first, end in reigned
        for day in range(first, end)
        for hour in (1, 9)
    ]
    frame = pl.DataFrame(rows)
    count = pl.col("count")
    return frame.with_columns(
        rmse=(pl.col("sum_squared_error") / count).sqrt(),
        mae=pl.col("sum_absolute_error") / count,
        bias=pl.col("sum_error") / count,
        missing=pl.lit(2),
        sum_clipped_error=pl.col("sum_error"),
        sum_clipped_squared=pl.col("sum_squared_error"),
    )


ALARM = Alarm(
    version=V1,
    about="bias",
    segment="Queens",
    start=START + 8 * DAY,
    end=START + 10 * DAY,
    statistic=25.0,
    threshold=20.0,
    figures={"expected_rmse": 5.0},
)
VERDICT = Verdict(
    judgement="promote",
    tried=V2,
    against=V1,
    start=START + 14 * DAY,
    end=START + 18 * DAY,
    as_of=START + 18 * DAY,
    blocks=4,
    statistic=120.0,
    threshold=100.0,
    cause="better on the same trips",
)
TRAINING = Training(reason="alarm", as_of=START + 10 * DAY, alarm=ALARM.id)


def release(kind: str, version: str, at: datetime, evidence: str = "", **more: Any) -> Release:
    """Something that happened."""
    return Release("taxi", kind, version, at, "monitor", evidence=evidence, **more)  # type: ignore[arg-type]


RELEASES = [
    release("promoted", V1, NOW),
    release("loaded", V1, NOW),
    release("alarmed", V1, NOW, ALARM.to_json()),
    release("retrained", V2, NOW, TRAINING.to_json(tried=[], admission={"gain": 2.5, "by": "?"})),
    release("promoted", V2, NOW, VERDICT.to_json()),
    release("refused", "v0", NOW, cause=EVIL),
]
DISTRIBUTIONS = json.dumps(
    {
        "day_of_week": {"counts": {str(day): 100 for day in range(1, 8)}, "other": 0},
        "passenger_count": {"quantiles": [1.0] * 15 + [2.0] * 4 + [3.0, 6.0]},
    }
)


def model(version: str) -> Model:
    """A published model."""
    about = Metadata(
        START, "1a2b3c4", "made by hand", START, START, 100, {"rmse": 4.5}, DISTRIBUTIONS
    )
    return Model("taxi", version, "onnx", "ab" * 32, 1_000, Signature([], []), [], about)


def predictions(count: int, *, day: int, passengers: float) -> pl.DataFrame:
    """So many predictions, an hour apart, all for one weekday and so many passengers."""
    hours = pl.int_range(count, eager=True)
    features = {"day_of_week": [day] * count, "passenger_count": [passengers] * count}
    return pl.DataFrame(
        {
            "version": [V1] * count,
            "prediction": [9.0] * count,
            "event_time": pl.select(pl.lit(START) + hours * HOUR).to_series(),
            "features": pl.DataFrame(features).to_struct("features"),
        }
    )


def tallied(predicted: pl.DataFrame) -> pl.DataFrame:
    """What is counted of predictions."""
    return tally(predicted, {V1: Bins.of(DISTRIBUTIONS, taxi)}, taxi)


def known(**changes: Any) -> Known:
    """A month in which a second champion follows the first."""
    served = windows((V1, "champion", 0, 18), (V2, "challenger", 12, 18), (V2, "champion", 18, 28))
    bins = Bins.of(DISTRIBUTIONS, taxi)
    pair = pl.DataFrame(
        {
            "start": [START + day * DAY for day in range(12, 18)],
            "count": [16] * 6,
            "tried_squared": [16.0 * 16] * 6,
            "against_squared": [25.0 * 16] * 5 + [9.0 * 16],
        }
    )
    found: dict[str, Any] = {
        "windows": served,
        "shifts": shifts(tallied(predictions(600, day=3, passengers=6.0)), bins),
        "pairs": {(V2, V1): pair},
        "releases": RELEASES,
        "models": [model(V1), model(V2)],
        "roles": Roles("taxi", 2, V2, None, V1),
    }
    return Known(**found | changes)


def test_the_page_of_an_application_is_whole() -> None:
    """It needs no other file; each plot has a text and a table; alarms and verdicts are told."""
    page = Page(overview_page(taxi, known(), NOW))
    page.check()
    for expected in (
        "RMSE of each version",
        "1a2b3c4-2",
        "better on the same trips",
        "bias of Queens",
        "expected rmse 5",
        "day_of_week",
        "outcomes still awaited",
        "alarm of Queens",
    ):
        assert expected in page.text


def test_texts_of_others_are_escaped() -> None:
    """Who writes to the topic of releases writes no HTML."""
    served = windows((EVIL, "champion", 0, 18))
    page = overview_page(
        taxi,
        known(windows=served, models=[model(EVIL)], roles=Roles("taxi", 1, EVIL), pairs={}),
        NOW,
    )
    assert "<script" not in page
    assert EVIL in Page(page).text


def test_before_anything_happened_there_is_a_page() -> None:
    """No model, no score, no release: the page says so."""
    nothing = known(
        windows=windows((V1, "champion", 0, 1)).clear(),
        shifts=pl.DataFrame(schema=SHIFTS),
        pairs={},
        releases=[],
        models=[],
        roles=Roles("taxi", 0),
    )
    page = Page(overview_page(taxi, nothing, NOW))
    page.check()
    assert "Nothing is scored yet" in page.text
    assert "No model is published yet" in page.text


def test_a_decision_stands_where_its_events_are() -> None:
    """In a replay, the clock of the releases is another one than that of the events."""
    reigned = reigns(known().windows)
    alarm, promotion = marks(RELEASES, reigned, {V2: "second"})
    assert (alarm.kind, alarm.at) == ("alarm", ALARM.end)
    assert (promotion.kind, promotion.at, promotion.label) == (
        "promotion",
        VERDICT.as_of,
        "promoted: second",
    )
    by_hand = [RELEASES[0], release("promoted", V2, NOW)]
    (placed,) = marks(by_hand, reigned, {})
    assert placed.at == START + 18 * DAY + HOUR


def test_a_version_may_be_champion_twice() -> None:
    """A roll-back gives two reigns, with the other version's between."""
    served = windows(
        (V1, "champion", 0, 3),
        (V2, "champion", 3, 5),
        (V1, "champion", 5, 8),
        (V1, "previous", 3, 5),
    )
    found = [(each.version, each.role, each.first.day) for each in reigns(served)]
    assert found == [
        (V1, "champion", 2),
        (V2, "champion", 5),
        (V1, "previous", 5),
        (V1, "champion", 7),
    ]


def test_releases_are_told_newest_first() -> None:
    """Those of single instances are left out; evidence that cannot be read is shown as it is."""
    odd = release("alarmed", V1, NOW, '{"alarm": "?"}')
    renewal = replace(TRAINING, reason="follow_up", renews=V1)
    assert told([release("requested", V1, NOW, renewal.to_json())])[0].about.endswith(
        f"renews {V1}, by the same recipe"
    )
    found = told([*RELEASES, odd])
    assert [each.kind for each in found] == [
        "alarmed",
        "refused",
        "promoted",
        "retrained",
        "alarmed",
        "promoted",
    ]
    assert found[0].about == odd.evidence
    assert found[3].about.startswith("because of alarm")
    assert found[3].about.endswith("admission: gain 2.5")


def test_the_distance_is_the_share_that_would_have_to_be_another() -> None:
    """Equal shares are no distance; one value of seven is 6/7; an unknown value is another one."""
    days = {str(day): 1 / 7 for day in range(1, 8)}
    assert distance(dict.fromkeys(days, 3), days)[0] == pytest.approx(0)
    assert distance({"3": 70}, days)[0] == pytest.approx(6 / 7)
    assert distance({"other": 5}, days)[0] == pytest.approx(1)


def test_chance_is_what_samples_of_the_same_give() -> None:
    """The distance of small samples from their own distribution is, on average, that of chance."""
    draw = np.random.default_rng(7)
    shares = {"0": 0.5, "1": 0.3, "2": 0.15, "3": 0.05}
    samples = [draw.multinomial(200, [*shares.values()]).tolist() for _ in range(400)]
    found = [distance(dict(zip(shares, each, strict=True)), shares) for each in samples]
    assert np.mean([each for each, _ in found]) == pytest.approx(found[0][1], rel=0.1)


def test_features_are_told_by_week_the_farthest_first() -> None:
    """Days add up to weeks; what is always elsewhere comes last."""
    bins = Bins.of(DISTRIBUTIONS, taxi)
    found = shifts(tallied(predictions(300, day=3, passengers=6.0)), bins)
    assert found["week"].unique().sort().to_list() == [START, START + 7 * DAY]
    assert found.group_by("feature").agg(pl.col("count").sum())["count"].to_list() == [300, 300]
    usual = shifts(tallied(predictions(300, day=3, passengers=1.0)), bins)
    order = usual["feature"].unique(maintain_order=True).to_list()
    assert order == ["passenger_count", "day_of_week"]  # all events are of one weekday: elsewhere
    far = found.filter(feature="passenger_count")["distance"].to_list()
    near = usual.filter(feature="passenger_count")["distance"].to_list()
    assert min(far) > max(near)


def test_windows_that_are_open_are_drawn_apart() -> None:
    """Complete windows are joined by a solid line, the open ones by a dashed one, on a band."""
    points = [Point(START + day * DAY, 5.0 + day, 10, complete=day < 3) for day in range(5)]
    marked = [Mark(START + DAY, "alarm", "alarm"), Mark(START - DAY, "alarm", "before all")]
    found = lines("RMSE", "About it.", "minutes", [Line("v1", tuple(points), "s0")], marked)
    paths = [each for each in found.wide.shapes if isinstance(each, Path)]
    assert [(each.style, len(each.points)) for each in paths] == [
        ("s0 line", 3),
        ("s0 line open", 3),
    ]
    assert [each.style for each in found.wide.shapes if isinstance(each, Rect)] == ["awaited"]
    assert found.table.rows[-1][1] == "9.000*"
    rules = [each for each in found.wide.shapes if isinstance(each, Rule)]
    assert [each.title[:6] for each in rules if "mark" in each.style] == ["alarm,"]


def test_bars_stand_on_zero() -> None:
    """Better is up, worse is down, and the mean weighs events."""
    points = (Point(START, 2.0, 10), Point(START + DAY, -1.0, 30))
    found = bars("one against another", "", "squared minutes", Line("by", points, "s0"), DAY)
    better, worse = (each for each in found.wide.shapes if isinstance(each, Rect))
    assert (better.style, worse.style) == ("better", "worse")
    assert better.y + better.height == pytest.approx(worse.y)
    assert found.table.rows[1][3] == "-0.250"


def test_a_plot_of_nothing_says_so() -> None:
    """There is a figure all the same."""
    found = lines("RMSE", "", "minutes", [])
    assert [each.text for each in found.wide.shapes if isinstance(each, Text)] == ["nothing yet"]
    assert found.table.rows == ()


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(hours=6), ["2 Mar", "03:00", "06:00"]),
        (6 * DAY, ["3 Mar", "5 Mar", "7 Mar"]),
        (40 * DAY, ["9 Mar", "23 Mar", "6 Apr"]),
        (400 * DAY, ["Jul", "Jan 2021"]),
        (4000 * DAY, ["2025", "2030"]),
    ],
)
def test_times_are_marked_at_round_ones(span: timedelta, expected: Sequence[str]) -> None:
    """Hours, days, weeks from a Monday on, months, years: never more than there is room for."""
    marked = Times(START, START + span, 0, 100).marks(4)
    assert [label for _, label in marked] == expected
    assert all(START <= at <= START + span for at, _ in marked)


def test_scales_hold_their_values() -> None:
    """Both ends lie within, and the marks are evenly spaced."""
    scale, marked = Scale.around(-0.37, 12.1, 100, 0)
    assert 0 <= scale(12.1) <= scale(-0.37) <= 100
    steps = {round(after - before, 9) for before, after in pairwise(marked)}
    assert len(steps) == 1
    assert nice(5.0, 5.0)[0] < 5 < nice(5.0, 5.0)[-1]


def test_names_are_short_where_that_is_enough() -> None:
    """Two of the same short name are written out, and so is what is no version."""
    same = V1.replace("20200301", "20200302")
    assert short_names([V1, V2]) == {V1: "1a2b3c4", V2: "1a2b3c4-2"}
    assert short_names([V1, same, "v0"]) == {V1: V1, same: same, "v0": "v0"}


def test_a_backtest_has_a_page() -> None:
    """Its figures, what differs, and what was left out."""
    window = {"series": V1, "window_start": START, "complete": True, "count": 3}
    errors = {"rmse": 5.0, "mae": 4.0, "bias": -1.0}
    candidate = {"role": "candidate", "version": V1, "count": 3, **errors}
    document = {
        "application": "taxi",
        "label": "trip_duration",
        "unit": "minutes",
        "events": 4,
        "first": START,
        "last": START + DAY,
        "left_out": {EVIL: 1},
        "undecodable": {"taxi.pickups": 2},
        "predictions": {"recorded": 3, "scored": 6, "without_outcome": 0, "late": 0, "invalid": 0},
        "models": [
            candidate | {"shared": None, "candidate_rmse": None, "gain": None},
            candidate | {"role": "champion", "shared": 3, "candidate_rmse": 5.0, "gain": 0.0},
        ],
        "every": "day",
        "windows": [window | errors, window | errors | {"series": "live", "complete": False}],
        "segments": [{"series": V1, "segment": "Queens", "count": 3, **errors}],
        "as_of_live": {
            "tolerance": 1e-5,
            "compared": 3,
            "unanswered": 0,
            "without_event": 0,
            "differing": 1,
            "largest": None,
            "versions": {V1: 3},
            "worst": [
                {"uuid": "a", "version": V1, "recorded": 1.0, "again": None},
            ],
        },
    }
    page = Page(backtest_page(document, NOW))
    page.check()
    assert EVIL in page.text
    assert "cannot be decoded, of taxi.pickups" in page.text
    assert "1 differ by more than 1e-05" in page.text
    assert ("p", "class", "note bad") in page.attributes


def test_a_template_that_lacks_a_value_fails() -> None:
    """A page with holes is not written."""
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render("backtest.html.j2")
