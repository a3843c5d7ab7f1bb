from datetime import UTC, datetime, timedelta

import confluent_kafka as ck

from tests.broker.city import City, eventually
from tests.broker.terminal import Terminal
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"


def test_topics_are_created_and_listed(city: City, terminal: Terminal) -> None:
    """What is missing is told, then created; a second time there is nothing to do."""
    assert "missing" in terminal("topics").out
    created = terminal("topics", "create", "--partitions", "3", "--json").document["created"]
    assert city.app.event.topic in created
    assert "All topics exist" in terminal("topics", "create", "--partitions", "3").out
    listed = {each["name"]: each for each in terminal("topics", "--json").document}
    assert listed[city.app.event.topic]["partitions"] == 3
    assert listed[city.cluster.control.models]["partitions"] == 1
    assert all(each["exists"] for each in listed.values())


def test_another_number_of_partitions_is_refused(terminal: Terminal) -> None:
    """Topics are never changed under their readers."""
    terminal("topics", "create", "--partitions", "3")
    answer = terminal("topics", "create", "--partitions", "4")
    assert answer.code == 1
    assert "has 3 partitions instead of 4" in answer.err


def test_a_group_is_put_back_when_nobody_reads(city: City, terminal: Terminal) -> None:
    """While it serves, it is refused; afterwards all is predicted again."""
    city.publish(V1)
    city.pick_up(trips(20))
    seek = ("topics", "seek", "--group", "serve", "--to")
    with city.serving():
        eventually(lambda: city.predictions().height >= 20)
        answer = terminal(*seek, "earliest")
        assert answer.code == 2
        assert "has members" in answer.err
    eventually(lambda: terminal(*seek, "earliest").code == 0)
    with city.serving():
        eventually(lambda: city.predictions().height >= 40)
    assert {2} == set(city.predictions().group_by("uuid").len()["len"])


def test_a_group_goes_on_at_a_time_or_at_the_end(city: City, terminal: Terminal) -> None:
    """A time is that of the first record written then or later; without one it is the end.

    It was not long ago: a broker deletes what is older than a week, half a minute after its start.
    """
    city.cluster.create()
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=2)
    at = int(noon.timestamp()) * 1000
    topic = city.app.event.topic
    for hour in range(6):
        stamp = at + hour * 3_600_000
        city.write(topic, [{"key": "k", "value": b"v", "partition": 0, "timestamp": stamp}])
    words = ("topics", "seek", "--group", "serve", "--json", "--to")
    moved = terminal(*words, f"{noon:%Y-%m-%d}T15:00Z").document["partitions"]
    assert {each["partition"]: each["after"] for each in moved} == {0: 3, 1: 0, 2: 0, 3: 0}
    moved = terminal(*words, "latest").document["partitions"]
    assert (moved[0]["before"], moved[0]["after"]) == (3, 6)
    for wrong in ("yesterday", "2026-01-01T15:00"):
        assert terminal(*words, wrong).code == 2


def test_keys_in_wrong_partitions_are_counted(city: City, terminal: Terminal) -> None:
    """Our keys lie right; those of librdkafka's own partitioner do not: the exit code says so."""
    city.cluster.create()
    city.pick_up(trips(50))
    answer = terminal("topics", "check")
    assert answer.code == 0
    producer = ck.Producer({**city.cluster.settings.client(), "partitioner": "consistent_random"})
    for record in city.records(trips(50, first=50)):
        producer.produce(city.app.event.topic, **record)
    producer.flush(30)
    answer = terminal("topics", "check", "--json")
    assert answer.code == 1
    found = {each["topic"]: each for each in answer.document["topics"]}[city.app.event.topic]
    assert found["keyed"] == 100
    assert 20 < found["misplaced"] < 50
    assert found["example"].startswith(city.app.event.topic)
