"""Places on the log that are gone: never a silent start from the beginning, never a silent gap."""

import pytest
from confluent_kafka.admin import NewPartitions

from edml.kafka.group_offsets import places
from edml.kafka.spans import span
from tests.broker.city import City, eventually, times_each
from tests.broker.conftest import terminal
from tests.broker.terminal import Terminal
from tests.faults.hands import admin, cut, failure, forget, group, with_client
from tests.trips import trips

__all__ = ["terminal"]

V1 = "0.1.0-20191128143000-1a2b3c4"
SEEK = ("topics", "seek", "--lost", "--group", "serve", "--to")


def served(city: City, count: int, first: int = 0) -> None:
    """So many pick-ups are written, and predicted."""
    expected = city.predictions().height + count
    city.pick_up(trips(count, first=first))
    with city.serving():
        eventually(lambda: city.predictions().height >= expected)


def keys(city: City, count: int, first: int) -> int:
    """How many of some pick-ups are on the log."""
    there = {each.key() for each in city.read(city.app.event.topic)}
    return sum(name.encode() in there for name in trips(count, first=first)["uuid"])


def test_expired_offsets_are_not_a_first_start(city: City, terminal: Terminal) -> None:
    """Nothing is predicted again: one error says what to do, and that goes on where it is told."""
    city.publish(V1)
    served(city, 100)
    forget(city)
    city.pick_up(trips(50, first=100))
    said = str(failure(city))
    assert f"{group(city)} has no committed offset, but has written to" in said
    assert f"edml topics seek --lost --group {group(city)} --to" in said
    assert city.predictions().height == 100
    assert terminal(*SEEK, "latest").code == 0
    assert "Nothing is lost" in terminal(*SEEK, "earliest").out
    served(city, 30, first=150)
    assert times_each(city.predictions(), "uuid") == {1: 130}


def test_a_partition_without_outputs_is_no_first_start_either(city: City) -> None:
    """All that was read of a partition was bad: its dead letters are not written again."""
    city.publish(V1)
    bad = [{"key": "k", "value": b"\x07", "partition": 1} for _ in range(5)]
    good = [{**each, "partition": 0} for each in city.records(trips(20))]
    city.write(city.app.event.topic, [*bad, *good])
    with city.serving():
        eventually(lambda: city.predictions().height >= 20)
        eventually(lambda: len(city.dead_letters()) >= 5)
    forget(city)
    assert "no committed offset" in str(failure(city))
    assert len(city.dead_letters()) == 5


def test_events_deleted_before_they_were_read(city: City, terminal: Terminal) -> None:
    """The gap is told with its place; what is left, and every other partition, is served once."""
    city.publish(V1)
    served(city, 100)
    city.pick_up(trips(100, first=100))
    topic = city.app.event.topic
    cut(city, topic, {0: span(city.cluster.settings.client(), topic).end[0] - 5})
    left = keys(city, 100, first=100)
    assert left < 100
    said = str(failure(city))
    assert "records were deleted before they were read" in said
    assert f"{topic}[0]" in said
    eventually(lambda: terminal(*SEEK, "earliest").code == 0)
    with city.serving():
        eventually(lambda: city.predictions().height >= 100 + left)
    assert times_each(city.predictions(), "uuid") == {1: 100 + left}


def test_events_deleted_under_the_reader(city: City) -> None:
    """A topic that is cut where serving stands, and behind it, disturbs nobody."""
    city.publish(V1)
    topic, client = city.app.event.topic, city.cluster.settings.client()
    with city.serving():
        for number in range(3):
            city.pick_up(trips(100, first=100 * number))
            eventually(lambda: city.predictions().height >= 100 * (number + 1))  # noqa: B023
            cut(city, topic, dict(span(client, topic).end))
    assert times_each(city.predictions(), "uuid") == {1: 300}


def test_what_scoring_has_to_read_again_is_deleted(city: City, terminal: Terminal) -> None:
    """What still waits is gone from the log: it is told, and scoring can go on without, from there.

    Nothing is scored twice, and what waits in other partitions meets its outcome.
    """
    city.publish(V1)
    served(city, 100)
    topic, client = city.app.predictions_topic, city.cluster.settings.client()
    ends = {each.partition(): each.offset() + 1 for each in city.read(topic)}
    with city.scoring():
        eventually(lambda: _read_so_far(city, topic) == ends)
    waiting = {each.key() for each in city.read(topic) if each.partition() == 0}
    cut(city, topic, {0: ends[0]})
    said = str(failure(city, "score"))
    assert f"what {group(city, 'score')} has to read again is not on the log" in said
    assert f"{topic}[0]" in said
    seek = ("topics", "seek", "--lost", "--group", "score", "--json", "--to", "earliest")
    eventually(lambda: terminal(*seek).code == 0)
    assert _read_so_far(city, topic) == ends
    city.drop_off(trips(100))
    with city.scoring():
        eventually(lambda: len(city.read(city.app.scored_topic)) >= 100 - len(waiting))
    scored = [each.key() for each in city.read(city.app.scored_topic)]
    assert len(scored) == len(set(scored)) == 100 - len(waiting)
    assert waiting
    assert not waiting & set(scored)
    assert span(client, topic).first[0] == ends[0]


def _read_so_far(city: City, topic: str) -> dict[int, int]:
    """The offsets that scoring has committed of a topic."""
    client = city.cluster.settings.client()
    return {
        each.partition: at for each, at in places(client, group(city, "score"), [topic]).items()
    }


def test_predictions_deleted_before_they_were_scored(city: City) -> None:
    """The gap is told with its place; nothing is scored around it in silence."""
    city.publish(V1)
    served(city, 50)
    topic = city.app.predictions_topic
    with city.scoring():
        eventually(lambda: bool(_read_so_far(city, topic)))
    served(city, 50, first=50)
    ends = {each.partition(): each.offset() + 1 for each in city.read(topic)}
    cut(city, topic, {1: ends[1]})
    said = str(failure(city, "score"))
    assert "is not on the log" in said
    assert f"{topic}[1]" in said


@pytest.mark.long
def test_a_topic_that_was_created_anew(city: City) -> None:
    """Its records are other ones: serving does not take them for those that it has read."""
    city.publish(V1)
    served(city, 100)
    topic = city.app.event.topic
    hands = admin(city)
    hands.delete_topics([topic])[topic].result()
    eventually(lambda: topic not in hands.list_topics(timeout=10).topics)
    city.cluster.create()
    city.pick_up(trips(60, first=100))
    assert "no committed offset" in str(failure(city))
    assert city.predictions().height == 100


@pytest.mark.long
def test_partitions_that_are_added(city: City) -> None:
    """Serving ends when it is given a partition that its outputs have not got, and says so.

    Nor does it start again: topics that are joined have as many partitions each.
    """
    city.publish(V1)
    served(city, 20)
    topic = city.app.event.topic
    hasty, hands = with_client(city, topic_metadata_refresh_interval_ms=500), admin(city)

    def add(_: object, __: object) -> None:
        hands.create_partitions([NewPartitions(topic, 5)])

    city.pick_up(trips(20, first=20))
    with hasty.cluster:
        said = str(failure(hasty, watch=add))
    assert f"{city.app.predictions_topic} has 4 partitions, and none of number 4" in said
    assert f"{city.app.outcome.topic} has 4 partitions instead of 5" in str(failure(city))
    assert times_each(city.predictions(), "uuid") == {1: 40}


def test_a_topic_that_is_deleted_under_the_reader(city: City) -> None:
    """Serving ends with one error that names the topic."""
    city.publish(V1)
    served(city, 20)
    topic = city.app.event.topic
    hasty, hands = with_client(city, topic_metadata_refresh_interval_ms=500), admin(city)

    def delete(_: object, __: object) -> None:
        hands.delete_topics([topic])

    city.pick_up(trips(20, first=20))
    with hasty.cluster:
        said = str(failure(hasty, watch=delete))
    assert "the topic does not exist" in said
    assert topic in said
