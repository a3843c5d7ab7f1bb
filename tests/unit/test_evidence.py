import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edml.errors import DataError
from edml.models.evidence import Alarm, Lease, Training, Verdict

DAY = datetime(2020, 3, 18, tzinfo=UTC)
ALARM = Alarm(
    version="v1",
    about="performance",
    segment="Queens",
    start=DAY - timedelta(days=7),
    end=DAY,
    statistic=31.0,
    threshold=20.0,
    figures={"rmse": 8.5, "expected_rmse": 5.2},
)
TRAINING = Training(reason="alarm", as_of=DAY, alarm=ALARM.id)
VERDICT = Verdict(
    judgement="promote",
    tried="v2",
    against="v1",
    start=DAY,
    end=DAY + timedelta(days=7),
    as_of=DAY + timedelta(days=8),
    blocks=7,
    statistic=120.0,
    threshold=100.0,
    cause="v2 is better",
    figures={"better_by": 1.5},
)


def test_evidence_comes_back_from_its_json() -> None:
    """What a release says is what its readers get, the clock's zone aside."""
    assert Alarm.from_json(ALARM.to_json(), version="v1") == ALARM
    assert Verdict.from_json(VERDICT.to_json()) == VERDICT
    lease = Lease(training=TRAINING, holder="here", until=DAY)
    assert Lease.from_json(lease.to_json()) == lease


def test_a_renewal_names_what_it_renews() -> None:
    """In all releases about it; where none is named, as in older ones, nothing is renewed."""
    renewal = replace(TRAINING, reason="follow_up", renews="v2")
    lease = Lease(training=renewal, holder="here", until=DAY)
    assert Training.from_json(lease.to_json()) == renewal
    older = json.loads(renewal.to_json())
    del older["renews"]
    assert Training.from_json(json.dumps(older)) == replace(renewal, renews=None)


def test_any_release_about_a_training_names_it() -> None:
    """A candidate's evidence has more than the training, which is read from it all the same."""
    text = TRAINING.to_json(tried=[{"months": 3}], chosen={"months": 3})
    assert Training.from_json(text) == TRAINING


def test_a_training_has_its_alarms_id_or_its_own() -> None:
    """Two requests of the same alarm, or of the same day of the calendar, are one."""
    assert TRAINING.id == ALARM.id == "v1/performance/Queens@2020-03-18T00:00:00+00:00"
    calendar = Training(reason="schedule", as_of=DAY)
    assert calendar.id == "schedule@2020-03-18T00:00:00+00:00"
    assert replace(calendar, reason="follow_up", alarm=ALARM.id).id.startswith("follow_up@")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"reason": "alarm", "as_of": "soon"}'])
def test_what_is_no_evidence_is_told(text: str) -> None:
    """Not JSON, no object, a field that is missing, a time that is none."""
    with pytest.raises(DataError, match="evidence"):
        Training.from_json(text)
