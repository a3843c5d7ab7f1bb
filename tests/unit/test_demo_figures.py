"""What the demo counts of the records that it sees."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edml.demo.answers import Answers
from edml.demo.figures import Day, Errors, Figures, Happening, Latency, Sample, Served, Told
from edml.demo.rate import Rate
from edml.demo.report import report
from edml.demo.scores import Scores
from edml.demo.tally import Tally
from edml.models.records import Release

AT = datetime(2019, 11, 28, 14, 30, tzinfo=UTC)
FIRST, SECOND = "0.1.0-20191128143000-1a2b3c4", "0.1.0-20191128150000-1a2b3c4-2"


def prediction(key: str, version: str = FIRST, role: str = "champion") -> dict[str, Any]:
    """A row of the topic of predictions."""
    return {
        "uuid": key,
        "prediction": 12.0,
        "version": version,
        "role": role,
        "event_time": AT,
        "segment": "Queens",
    }


def scored(key: str, version: str = FIRST, role: str = "champion") -> dict[str, Any]:
    """A row of the topic of scored predictions."""
    return {"uuid": key, "version": version, "role": role, "outcome": 10.0, "error": 2.0}


def window(
    *, count: int, squared: float, partition: int = 0, complete: bool = True
) -> dict[str, Any]:
    """Cumulative sums of one window, from one partition."""
    return {
        "application": "taxi",
        "version": FIRST,
        "role": "champion",
        "segment": "Queens",
        "window_start": AT,
        "source_partition": partition,
        "count": count,
        "sum_error": 0.0,
        "sum_absolute_error": 0.0,
        "sum_squared_error": squared,
        "complete": complete,
    }


def test_latency_is_from_the_events_write_to_its_answers_arrival() -> None:
    """In whichever order both are seen."""
    answers = Answers()
    answers.event(b"a", 1_000)
    answers.answer(b"a", 1_020.0)
    answers.answer(b"b", 1_050.0)
    answers.event(b"b", 1_010)
    assert answers.latency is not None
    assert answers.latency.p50 == 30.0
    assert answers.latency.p99 == pytest.approx(39.8)
    assert answers.unanswered == 0


def test_a_second_answer_is_counted_as_doubled_and_measured_once() -> None:
    """Exactly once is seen from outside."""
    answers = Answers()
    answers.event(b"a", 1_000)
    answers.answer(b"a", 1_020.0)
    answers.answer(b"a", 9_000.0)
    assert answers.doubled == 1
    assert answers.latency == Latency(20.0, 20.0)


def test_no_answer_is_owed_to_a_dead_letter() -> None:
    """Whether the event or its dead letter is seen first."""
    answers = Answers()
    answers.event(b"good", 1_000)
    answers.event(b"bad", 1_000)
    answers.dead(b"bad")
    answers.dead(b"worse")
    answers.event(b"worse", 1_000)
    assert answers.unanswered == 1


def test_rates_are_of_full_seconds_and_a_pause_does_not_count() -> None:
    """The second that is under way is not full."""
    rate = Rate()
    for at, count in ((100.2, 30), (101.5, 60), (109.1, 30)):
        rate.add(count, at)
    assert rate.recent(110.0) == 10.0
    assert rate.course(102.9) == (30.0, 60.0)
    assert rate.mean == 40.0


def test_windows_replace_what_they_said_before_and_partitions_add_up() -> None:
    """As any reader of the compacted topic does."""
    scores = Scores()
    scores.predicted(FIRST, "champion")
    scores.windows([window(count=1, squared=100.0, complete=False)])
    scores.windows([window(count=2, squared=10.0), window(count=2, squared=6.0, partition=1)])
    (served,) = scores.served
    assert served.errors == Errors(count=4, squared=16.0)
    assert served.errors.rmse == 2.0


def test_errors_are_mostly_young_when_windows_are_not_complete() -> None:
    """Their longest outcomes are still to come, so their error is told too small."""
    scores = Scores()
    scores.predicted(FIRST, "champion")
    scores.windows([window(count=90, squared=9.0)])
    scores.windows([window(count=10, squared=1.0, partition=1, complete=False)])
    (served,) = scores.served
    assert served.errors.young == 10
    assert served.errors.mostly_young


def test_progress_records_have_no_version_and_count_for_nothing() -> None:
    """They tell a watermark alone."""
    scores = Scores()
    scores.windows([window(count=5, squared=1.0) | {"version": ""}])
    assert scores.served == ()


def test_answers_are_added_up_by_the_day_of_their_event() -> None:
    """Whichever version gave them; what was predicted in the shadow is no answer."""
    scores = Scores()
    later = {"window_start": AT + timedelta(days=1), "version": SECOND}
    scores.windows([window(count=1, squared=9.0), window(count=2, squared=8.0)])
    scores.windows([window(count=1, squared=4.0) | later])
    scores.windows([window(count=7, squared=7.0) | later | {"role": "previous"}])
    assert scores.days == (
        Day(AT.date(), Errors(2, squared=8.0)),
        Day(AT.date() + timedelta(days=1), Errors(1, squared=4.0)),
    )


def test_what_was_told_last_of_a_kind_is_found_with_how_far_events_were() -> None:
    """By the time of the newest answer that was seen before."""
    tally = Tally()
    tally.release(Release("taxi", "promoted", FIRST, AT, "me"))
    tally.prediction(prediction("a"), 1.0)
    tally.release(Release("taxi", "alarmed", FIRST, AT, "monitor", cause="RMSE"))
    figures = tally.figures(2.0)
    assert figures.last("alarmed") == Told("alarmed", FIRST, "RMSE", AT)
    assert figures.last("rejected", "promoted") == Told("promoted", FIRST, None, None)
    assert figures.last("failed") is None


def test_only_the_champions_answers_are_predictions() -> None:
    """What is predicted in the shadow is told apart, by version and role."""
    tally = Tally()
    tally.event(b"a", 1_000)
    tally.prediction(prediction("a", SECOND), 1.02)
    tally.prediction(prediction("a", FIRST, "previous"), 1.02)
    tally.scored(scored("a", SECOND))
    tally.scored(scored("a", FIRST, "previous"))
    figures = tally.figures(2.0)
    assert (figures.events, figures.predictions, figures.scored) == (1, 1, 1)
    assert [(each.version, each.role) for each in figures.served] == [
        (SECOND, "champion"),
        (FIRST, "previous"),
    ]


def test_a_sample_gets_its_outcome_and_error() -> None:
    """Once the outcome has come."""
    tally = Tally()
    tally.prediction(prediction("a"), 1.0)
    assert tally.figures(2.0).samples == (Sample("a", "Queens", AT, 12.0),)
    tally.scored(scored("a"))
    (sample,) = tally.figures(2.0).samples
    assert (sample.outcome, sample.error) == (10.0, 2.0)


def test_releases_say_who_is_champion_and_what_is_loaded() -> None:
    """And each is something to tell."""
    tally = Tally()
    for kind, version in (("promoted", FIRST), ("loaded", FIRST), ("promoted", SECOND)):
        tally.release(Release("taxi", kind, version, AT, "me"))  # type: ignore[arg-type]
    figures = tally.figures(2.0)
    assert figures.champion == SECOND
    assert figures.loaded == {FIRST}
    assert figures.happenings[-1] == Happening(AT, "promoted", SECOND)


def test_the_report_has_one_entry_a_version_with_its_answers_as_champion(tmp_path: Path) -> None:
    """So its counts add up to what was scored."""
    figures = Figures(
        events=13,
        predictions=10,
        scored=6,
        dead_letters=3,
        mean_rate_per_s=249.96,
        latency=Latency(21.23, 48.0),
        champion=SECOND,
        served=(
            Served(FIRST, "champion", 6, Errors(4, 0, 2.0, 6.0, 16.0)),
            Served(SECOND, "champion", 4, Errors(2, 0, -1.0, 1.0, 2.0)),
            Served(FIRST, "previous", 4, Errors(2, 0, 4.0, 4.0, 8.0)),
        ),
    )
    written = tmp_path / "demo.json"
    report(figures, "simulated").write(written)
    assert json.loads(written.read_text()) == {
        "events": 13,
        "predictions": 10,
        "scored": 6,
        "dead_letters": 3,
        "rate_per_s": 250.0,
        "latency_ms": {"p50": 21.2, "p99": 48.0},
        "versions": [
            {
                "version": FIRST,
                "role": "previous",
                "count": 4,
                "rmse": 2.0,
                "mae": 1.5,
                "bias": 0.5,
            },
            {
                "version": SECOND,
                "role": "champion",
                "count": 2,
                "rmse": 1.0,
                "mae": 0.5,
                "bias": -0.5,
            },
        ],
        "data": "simulated",
        "releases": [],
        "days": [],
    }
