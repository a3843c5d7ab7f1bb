"""Thousands of dead letters, and a person before them."""

import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import cast

import confluent_kafka as ck

from edml.kafka.burial import DeadLetters
from edml.kafka.dead_letters import Choice, Place, dead_letters, redrive
from edml.kafka.message import Message
from edml.kafka.source import BadRecord
from edml.kafka.spans import span
from tests.broker.city import City, eventually
from tests.broker.conftest import terminal
from tests.broker.terminal import Terminal
from tests.faults.hands import environment
from tests.faults.plan import Plan
from tests.trips import trips

__all__ = ["terminal"]

COUNT = Plan.read().hostile // 5
MANY = 8_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CAUSES = ("schema {}: the registry has no schema of id {}", "uuid: takes {} bytes, and {} are left")


def letters_of(city: City, count: int) -> None:
    """So many dead letters, one a second, of two causes, as serving writes them."""
    city.cluster.create()
    letters = DeadLetters(city.cluster.dead_letters, "serve-0")
    producer = ck.Producer(city.cluster.settings.client())
    for number in range(count):
        message = ck.Message(
            topic=city.app.event.topic,
            partition=number % 4,
            offset=number,
            key=f"bad-{number}".encode(),
            value=b"\x07" * 90,
        )
        cause = CAUSES[number % 2].format(number, number)
        headers = letters.headers(
            BadRecord(cast(Message, message), cause), NOON + timedelta(seconds=number)
        )
        producer.produce(
            letters.topic, key=message.key(), value=message.value(), headers=headers, partition=0
        )
        producer.poll(0)
    assert producer.flush(30) == 0


def copies(city: City) -> Counter[bytes | None]:
    """How often each key stands on the topic of events."""
    return Counter(each.key() for each in city.read(city.app.event.topic))


def test_a_person_finds_their_way(city: City, terminal: Terminal) -> None:
    """The last ones are listed, all are counted by cause, and conditions leave out the rest."""
    letters_of(city, COUNT)
    listed = terminal("dead-letters").out
    assert f"{COUNT:,} dead letters, {COUNT:,} of them not redriven" in listed
    assert "edml dead-letters causes" in listed
    assert f"@{COUNT - 1} " in listed
    assert "[0]@0 " not in listed
    counted = terminal("dead-letters", "causes", "--json").document
    assert {each["cause"]: each["letters"] for each in counted} == {
        each.replace("{}", "#"): COUNT // 2 for each in CAUSES
    }
    assert f"{COUNT // 2:,}" in terminal("dead-letters", "causes").out
    words = ("dead-letters", "list", "--json", "--where", "cause=uuid")
    hour = ("--since", "2026-01-01T12:00:10", "--until", "2026-01-01T13:00:20+01:00")
    found = terminal(*words, *hour).document
    assert [each["offset"] for each in found] == [11, 13, 15, 17, 19]
    assert len(terminal(*words, *hour, "--last", "2").document) == 2
    assert terminal(*words, "--since", "yesterday").code == 2


def test_some_are_redriven_then_the_rest(city: City, terminal: Terminal) -> None:
    """Conditions choose; what was redriven is left out by the next command; none is doubled."""
    letters_of(city, 400)
    words = ("dead-letters", "redrive")
    assert "200 redriven" in terminal(*words, "--where", "cause=schema").out
    assert len(terminal("dead-letters", "list", "--waiting", "--json").document) == 200
    assert "30 redriven" in terminal(*words, "--until", "2026-01-01T12:01:00").out
    assert "170 redriven" in terminal(*words, "--all").out
    assert "nothing to redrive" in terminal(*words, "--all").out
    assert set(copies(city).values()) == {1}
    assert len(copies(city)) == 400


def test_redriving_is_interrupted(city: City) -> None:
    """Ctrl-C in the middle: what is told is done, and the rest comes later."""
    letters_of(city, MANY)
    client, topic = city.cluster.settings.client(), city.cluster.dead_letters
    command = [sys.executable, "-m", "edml", "dead-letters", "redrive", "--all"]
    process = subprocess.Popen(
        command, env=environment(city), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: span(client, city.app.event.topic).offsets > 0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    done = len(copies(city))
    told = sum(each.redriven_at is not None for each in dead_letters(client, topic))
    assert done == told
    assert 0 < done < MANY
    assert process.returncode == 130
    assert "the same command redrives the others" in said
    assert len(redrive(client, topic, Choice())) == MANY - done
    assert copies(city) == Counter({f"bad-{number}".encode(): 1 for number in range(MANY)})


def test_bytes_that_were_left_out_come_from_where_they_were(city: City) -> None:
    """A letter without its bytes is redriven with those of its record, while that is there."""
    city.cluster.create()
    record = city.records(trips(1))[0]
    city.write(city.app.event.topic, [{**record, "partition": 2}])
    for offset in (0, 77):
        told = {"topic": city.app.event.topic, "partition": "2", "offset": str(offset)}
        headers = {**told, "cause": "too large", "left_out": "the value of 90 bytes"}
        city.write(city.cluster.dead_letters, [{"headers": list(headers.items())}])
    client = city.cluster.settings.client()
    done = redrive(client, city.cluster.dead_letters, Choice())
    assert [each.place for each in done] == [Place(0, 0)]
    values = [each.value() for each in city.read(city.app.event.topic)]
    assert values == [record["value"]] * 2
    assert redrive(client, city.cluster.dead_letters, Choice()) == []
