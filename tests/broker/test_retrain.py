"""From an alarm on the log to a challenger on the log, whatever is killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edml.kafka.releases import ReleaseWriter
from edml.kafka.serdes import FrameEncoder, key_schema
from edml.models.evidence import Alarm, Training
from edml.models.records import Release
from edml.retraining import lease
from edml.retraining.assignment import Workplace
from edml.scoring.records import SCORED_KEY, scored_schema
from edml.trainer import tables
from edml.wiring.publishing import publish
from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.networks import knowing, network
from tests.seen import scored
from tests.trips import START, trips

pytestmark = pytest.mark.timeout(300)  # each trains a model, in a process of its own

V1 = "0.1.0-20191128143000-1a2b3c4"
TRIPS = 1400
EVERY = timedelta(minutes=30)
AS_OF = START + TRIPS * EVERY + timedelta(hours=4)
ALARM = Alarm(version=V1, about="bias", start=START, end=AS_OF, statistic=30.0, threshold=20.0)
REQUEST = Training(reason="alarm", as_of=AS_OF, alarm=ALARM.id)


def see(city: City, *, longer: float) -> None:
    """Trips that took that many times as long as the champion says, more or less."""
    rows = scored(city.app, trips(TRIPS, every=EVERY), version=V1)
    said = tables.answers(network(city.app, trips(200)), rows["features"].struct.unnest())
    noise = np.random.default_rng(2).uniform(0.8, 1.2, TRIPS)
    rows = rows.with_columns(outcome=said * noise * longer)
    schema = scored_schema(city.app)
    encoder = FrameEncoder(
        city.cluster.registry, city.app.scored_topic, schema, key=key_schema(schema, SCORED_KEY)
    )
    city.write(city.app.scored_topic, encoder.encode(rows))


def champion(city: City) -> None:
    """A champion that can be corrected."""
    made = knowing(city.app, city.folder / V1, trips(200), version=V1)
    publish(city.cluster, made.folder, flavour="onnx", role="champion", by="test")


def alarm(city: City) -> None:
    """What a monitor writes: an alarm, and that a training is wanted."""
    control = city.cluster.control
    writer = ReleaseWriter(city.cluster.settings.client(), city.cluster.registry, control.releases)
    now = datetime.now(UTC)
    told = {"alarmed": ALARM.to_json(), "requested": REQUEST.to_json()}
    for kind, evidence in told.items():
        writer.tell(Release("taxi", kind, V1, now, "monitor", evidence=evidence))  # type: ignore[arg-type]


def kinds(city: City) -> list[str]:
    """What has happened since the champion was published; renewals of a lease apart."""
    found = [each.kind for each in city.releases()][2:]
    return [kind for at, kind in enumerate(found) if kind != "training" or kind != found[at - 1]]


def retrained(terminal: Terminal) -> Any:
    """What ``edml retrain`` tells of a training that ended well, in this process."""
    answer = terminal("retrain", "--json")
    assert answer.code == 0, answer.err + answer.out
    return answer.document


def retraining(folder: Path) -> "subprocess.Popen[str]":
    """``edml retrain`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edml", "retrain", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_alarm_becomes_a_challenger(city: City, terminal: Terminal) -> None:
    """The candidate learns from the log alone, beats the champion, and names its alarm."""
    champion(city)
    see(city, longer=1.5)
    alarm(city)
    told = retrained(terminal)
    assert (told["outcome"], told["training"]) == ("retrained", ALARM.id)
    assert kinds(city) == ["alarmed", "requested", "training", "retrained", "challenging"]
    listed = terminal("models", "--json").document
    assert listed["roles"] == {"champion": V1, "challenger": told["version"]}
    made = next(each for each in listed["models"] if each["version"] == told["version"])
    parameters = made["metadata"]["parameters"]
    assert parameters["alarm"] == parameters["training"] == ALARM.id
    assert parameters["as_of"] == AS_OF.isoformat()
    assert made["metadata"]["data_to"] <= (AS_OF - city.app.outcome.wait).isoformat()
    metrics = made["metadata"]["metrics"]
    assert metrics["rmse"] < metrics["baseline.champion.rmse"]


def test_a_killed_training_goes_on_and_is_published_once(
    city: City, terminal: Terminal, tmp_path: Path
) -> None:
    """Kill -9 in its middle: who comes after goes on, and there is one candidate."""
    champion(city)
    see(city, longer=1.5)
    alarm(city)
    place = Workplace.of(city.cluster.settings.home, REQUEST)
    killed = retraining(tmp_path)
    eventually(lambda: place.assignment() is not None and place.output.exists(), 120)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = place.assignment()
    assert before is not None
    assert kinds(city) == ["alarmed", "requested", "training"]
    told = retrained(terminal)
    assert (told["outcome"], told["version"]) == ("retrained", before.version)
    assert kinds(city) == ["alarmed", "requested", "training", "retrained", "challenging"]
    assert not place.folder.exists()


def test_one_that_is_no_better_is_rejected(city: City, terminal: Terminal) -> None:
    """The champion says what comes true, but for chance: a release says so, and that is all."""
    champion(city)
    see(city, longer=1.0)
    alarm(city)
    told = retrained(terminal)
    assert told["outcome"] == "rejected"
    assert kinds(city) == ["alarmed", "requested", "training", "rejected"]
    release = city.releases()[-1]
    assert release.cause == told["cause"]
    assert "not better than the champion" in told["cause"]
    assert json.loads(release.evidence)["admission"]["admitted"] is False
    listed = terminal("models", "--json").document
    assert [each["version"] for each in listed["models"]] == [V1]


def test_two_workers_train_once(city: City, terminal: Terminal, tmp_path: Path) -> None:
    """One of them trains; the other one says who does."""
    del terminal  # its settings are those of the workers
    champion(city)
    see(city, longer=1.5)
    alarm(city)
    workers = [retraining(tmp_path) for _ in range(2)]
    words = [each.communicate(timeout=240) for each in workers]
    codes = [each.returncode for each in workers]
    assert sorted(codes) == [0, 1], words
    assert "trains, until" in words[codes.index(1)][1]
    assert [each.kind for each in city.releases()].count("retrained") == 1


def test_a_training_that_fails_is_told_of(city: City, terminal: Terminal) -> None:
    """Nothing was seen, so nothing can be learnt: no candidate, and a cause."""
    champion(city)
    terminal("retrain", "--ask")
    answer = terminal("retrain")
    assert answer.code == 1
    assert "too few" in answer.out
    assert kinds(city) == ["requested", "training", "failed"]
    assert lease.due(city.releases()) is None
