import pytest

from edml.kafka.partition import partitions
from edml.models.evidence import Alarm, Training, Verdict
from edml.models.records import Release
from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import START, trips

V1 = "0.1.0-20191128143000-1a2b3c4"


def tell(city: City, kind: str, evidence: str) -> None:
    """Write a release, as the loop does."""
    from edml.kafka.releases import ReleaseWriter

    writer = ReleaseWriter(
        city.cluster.settings.client(), city.cluster.registry, city.cluster.control.releases
    )
    writer.tell(Release("taxi", kind, V1, START, "monitor", evidence=evidence))  # type: ignore[arg-type]


def test_a_prediction_is_explained(city: City, terminal: Terminal) -> None:
    """From the key alone to event, features, model, alarm, verdict, outcome and error."""
    city.publish(V1)
    alarm = Alarm(
        version="v0", about="performance", start=START, end=START, statistic=30.0, threshold=20.0
    )
    training = Training(reason="alarm", as_of=START, alarm=alarm.id)
    verdict = Verdict(
        judgement="promote",
        tried=V1,
        against="v0",
        start=START,
        end=START,
        as_of=START,
        blocks=4,
        statistic=120.0,
        threshold=100.0,
        cause="better on the same trips",
    )
    tell(city, "retrained", training.to_json())
    tell(city, "promoted", verdict.to_json())
    frame = trips(40)
    city.pick_up(frame)
    city.drop_off(frame.head(30))
    with city.serving():
        eventually(lambda: city.predictions().height == 40)
    first, last = frame["uuid"][0], frame["uuid"][39]
    found = terminal("explain", first, "--json").document
    (answer,) = found["predictions"]
    recorded = city.predictions().filter(uuid=first).row(0, named=True)
    assert answer["prediction"] == recorded["prediction"]
    assert (answer["version"], answer["role"]) == (V1, "champion")
    assert found["features"] == recorded["features"]
    assert found["event"]["pickup_zone"] == frame["pickup_zone"][0]
    minutes = (frame["dropoff_at"][0] - frame["pickup_at"][0]).total_seconds() / 60
    assert found["outcome"]["state"] == "counts"
    assert found["outcome"]["value"] == pytest.approx(minutes)
    assert answer["error"] == pytest.approx(answer["prediction"] - minutes)
    origin = found["origins"][V1]
    assert origin["facts"]["commit"] == "1a2b3c4"
    assert len(origin["facts"]["sha256"]) == 64
    assert origin["training"]["alarm"] == alarm.id
    assert origin["promotion"]["verdict"]["cause"] == "better on the same trips"
    assert any(alarm.id in each for each in origin["unknown"])  # no release tells of that alarm
    assert "it is waited for since" in terminal("explain", last).out


def test_a_key_is_found_wherever_it_lies(city: City, terminal: Terminal) -> None:
    """A client that places keys otherwise does not hide its events."""
    city.publish(V1)
    (record,) = city.records(trips(1))
    topic = city.app.event.topic
    home = int(partitions([record["key"].encode()], 4)[0])
    city.write(topic, [record | {"partition": (home + 1) % 4}])
    with city.serving():
        eventually(lambda: city.predictions().height == 1)
    assert terminal("explain", record["key"], "--json").code == 0


def test_what_cannot_be_explained_is_told(city: City, terminal: Terminal) -> None:
    """A key that nobody has heard of, and an event that nobody has predicted yet."""
    city.cluster.create()
    unknown = terminal("explain", "nobody")
    assert (unknown.code, "neither a prediction nor an event" in unknown.err) == (1, True)
    city.pick_up(trips(1))
    waiting = terminal("explain", trips(1)["uuid"][0])
    assert (waiting.code, "has no prediction" in waiting.err) == (1, True)
