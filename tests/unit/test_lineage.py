"""From a prediction to its origin: what is told, and what is said not to be known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from edml.apps.taxi import taxi
from edml.events import OFFSET, PARTITION, TIMESTAMP
from edml.lineage.explanation import Explanation, Known, explain
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Metadata, Model, Release, Signature
from edml.serving.records import prediction_dtypes

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

ALARM = Alarm(
    version="v1", about="bias", start=AT - 9 * DAY, end=AT - 8 * DAY, statistic=25.0, threshold=20.0
)
TRAINING = Training(reason="alarm", as_of=AT - 8 * DAY, alarm=ALARM.id)
VERDICT = Verdict(
    judgement="promote",
    tried="v2",
    against="v1",
    start=AT - 7 * DAY,
    end=AT - 2 * DAY,
    as_of=AT - 2 * DAY,
    blocks=5,
    statistic=120.0,
    threshold=100.0,
    cause="better on the same trips",
)


def release(kind: str, version: str, *, before: timedelta, evidence: str = "") -> Release:
    """Something that happened that long before the prediction."""
    return Release("taxi", kind, version, AT - before, "monitor", evidence=evidence)  # type: ignore[arg-type]


LOOP = [
    release("alarmed", "v1", before=8 * DAY, evidence=ALARM.to_json()),
    release("retrained", "v2", before=7 * DAY, evidence=TRAINING.to_json(tried=[])),
    release("promoted", "v2", before=2 * DAY, evidence=VERDICT.to_json()),
]


def model(version: str, parameters: dict[str, str] | None = None) -> Model:
    """A published model."""
    about = Metadata(
        AT,
        "1a2b3c4",
        "made by hand",
        AT - 90 * DAY,
        AT,
        100,
        {"rmse": 5.0},
        parameters=parameters or {},
    )
    return Model("taxi", version, "onnx", "ab" * 32, 1_000, Signature([], []), [], about)


def predictions(*rows: tuple[str, str, float], event_offset: int = 7) -> pl.DataFrame:
    """Predictions of one event: role, version, minutes."""
    return pl.DataFrame(
        [
            {
                "uuid": "a",
                "prediction": minutes,
                "version": version,
                "role": role,
                "event_time": AT,
                "segment": "Queens",
                "event_partition": 2,
                "event_offset": event_offset,
                "features": dict.fromkeys(taxi.columns),
                PARTITION: 2,
                OFFSET: 10 + number,
                TIMESTAMP: AT,
            }
            for number, (role, version, minutes) in enumerate(rows)
        ],
        schema=prediction_dtypes(taxi)
        | {PARTITION: pl.Int32, OFFSET: pl.Int64, TIMESTAMP: pl.Datetime("us", "UTC")},
    )


def explained(
    predicted: pl.DataFrame,
    *ends: timedelta,
    releases: list[Release] | None = None,
    reached: datetime | None = None,
    gone: bool = False,
    parameters: dict[str, str] | None = None,
) -> Explanation:
    """The explanation, where drop-offs came so long after the pick-up."""
    outcomes = pl.DataFrame(
        {"uuid": ["a"] * len(ends), "dropoff_at": [AT + each for each in ends]},
        schema={"uuid": pl.String, "dropoff_at": pl.Datetime("us", "UTC")},
    )
    known = Known(
        predictions=predicted,
        event=None if gone else {"uuid": "a", "pickup_zone": 7},
        outcomes=outcomes,
        reached=reached,
        releases=LOOP if releases is None else releases,
    )
    return explain(taxi, known, lambda version: None if gone else model(version, parameters))


def test_a_prediction_leads_to_the_alarm_behind_its_model() -> None:
    """Version, data, training, alarm, verdict, outcome and error, each from its own record."""
    found = explained(predictions(("challenger", "v3", 9.0), ("champion", "v2", 12.0)), 11 * MINUTE)
    answer, shadow = found.predictions
    assert (answer.version, answer.role, answer.error) == ("v2", "champion", 1.0)
    assert (shadow.version, shadow.error) == ("v3", -2.0)
    assert answer.place == "taxi.predictions[2]@11"
    assert answer.event_place == "taxi.pickups[2]@7"
    origin = found.origins["v2"]
    assert origin.facts is not None
    assert (origin.facts.commit, origin.facts.rmse) == ("1a2b3c4", 5.0)
    assert (origin.training, origin.alarm) == (TRAINING, ALARM)
    assert origin.promotion is not None
    assert origin.promotion.verdict == VERDICT
    assert origin.unknown == ()
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("ends", "reached", "state", "told"),
    [
        ((11 * MINUTE,), None, "counts", "after 0:11:00"),
        ((), None, "awaited", "since 2026-03-02 12:00 UTC, until 2026-03-02 15:00"),
        ((), AT + 2 * 60 * MINUTE, "awaited", "known up to 2026-03-02 14:00"),
        ((), AT + 4 * 60 * MINUTE, "missing", "none came within the wait"),
        ((200 * MINUTE,), None, "late", "counts only within 3:00:00"),
        ((MINUTE / 2,), None, "invalid", "between 1 and 180 minutes"),
        ((-MINUTE,), None, "awaited", "none yet"),
    ],
)
def test_an_outcome_is_told_or_waited_for(
    ends: tuple[timedelta, ...], reached: datetime | None, state: str, told: str
) -> None:
    """What became of the event, or since when that is waited for; an error only where it counts."""
    found = explained(predictions(("champion", "v2", 12.0)), *ends, reached=reached)
    assert found.outcome.state == state
    assert told in found.outcome.sentence
    assert (found.predictions[0].error is not None) == (state == "counts")


def test_an_error_of_an_outcome_of_zero_is_told() -> None:
    """Zero is a value: an error of it is not left out."""
    found = explained(predictions(("champion", "v2", 1.0)), MINUTE)
    assert found.predictions[0].error == 0.0


def test_what_is_not_known_is_said() -> None:
    """No event, no model, no training, no promotion."""
    found = explained(predictions(("challenger", "v9", 9.0)), gone=True)
    assert "no longer on the log" in found.unknown[0]
    assert "in the shadow alone" in found.unknown[1]
    record, training, promotion = found.origins["v9"].unknown
    assert "hash, data and commit are not known" in record
    assert "no alarm is known" in training
    assert "has not been promoted" in promotion


def test_an_alarm_that_is_gone_and_evidence_that_is_none_are_told() -> None:
    """Somebody else may write releases: what cannot be read is said, and the rest is told."""
    bad = release("promoted", "v2", before=DAY, evidence="{}")
    found = explained(predictions(("champion", "v2", 12.0)), releases=[LOOP[1], bad])
    origin = found.origins["v2"]
    assert origin.training == TRAINING
    assert origin.promotion is not None
    assert origin.promotion.verdict is None
    assert any(ALARM.id in each for each in origin.unknown)
    assert any("cannot be read" in each for each in origin.unknown)


def test_a_model_may_tell_itself_why_it_was_trained() -> None:
    """Its record says so, where the release that did is not there."""
    told = {"reason": "alarm", "alarm": ALARM.id, "as_of": TRAINING.as_of.isoformat()}
    predicted = predictions(("champion", "v2", 12.0))
    found = explained(predicted, releases=[LOOP[0]], parameters=told).origins["v2"]
    assert (found.training, found.alarm) == (TRAINING, ALARM)
    renewal = {**told, "reason": "follow_up", "renews": "v1"}
    found = explained(predicted, releases=[LOOP[0]], parameters=renewal).origins["v2"]
    assert found.training == replace(TRAINING, reason="follow_up", renews="v1")
    called = {"reason": "schedule", "as_of": TRAINING.as_of.isoformat()}
    found = explained(predicted, releases=[], parameters=called).origins["v2"]
    assert found.training == Training(reason="schedule", as_of=TRAINING.as_of)
    assert found.alarm is None


def test_the_promotion_is_the_one_before_the_prediction() -> None:
    """A version may be champion twice: the first time by the judge, later by a roll-back."""
    again = release("rolled_back", "v2", before=-DAY)
    found = explained(predictions(("champion", "v2", 12.0)), releases=[*LOOP, again])
    promotion = found.origins["v2"].promotion
    assert promotion is not None
    assert promotion.kind == "promoted"


def test_the_first_event_of_a_key_counts() -> None:
    """A key that came twice is explained by its first event; the other is counted."""
    twice = pl.concat(
        [
            predictions(("champion", "v2", 20.0), event_offset=9),
            predictions(("champion", "v2", 12.0)),
        ]
    )
    found = explained(twice)
    assert (found.predictions[0].prediction, found.others) == (12.0, 1)
