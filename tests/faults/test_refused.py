"""What the log, or the client's own queue, does not take: the culprit alone pays for it."""

from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck
import polars as pl
import pytest

from edml.kafka.log import Guarantee
from tests.broker.city import City, eventually, times_each
from tests.faults.hands import configure, failure, with_client
from tests.form import times
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
LEFT_OUT = "left_out"


def bad(number: int, size: int = 20) -> dict[str, Any]:
    """A record that is no event, of so many bytes."""
    return {"key": f"bad-{number}", "value": b"\x07" + b"x" * (size - 1)}


def huge(count: int) -> pl.DataFrame:
    """Good trips whose keys take five thousand bytes."""
    frame = trips(count, first=10_000)
    return frame.with_columns(uuid=pl.format("{}-{}", "uuid", pl.lit("k" * 5_000)))


def letters(city: City) -> dict[str, Mapping[str, str]]:
    """The headers of the city's dead letters by key, and the size of the value; each one once."""
    found: dict[str, Mapping[str, str]] = {}
    for each in city.read(city.cluster.dead_letters):
        told = {name: value.decode() for name, value in each.headers() or []}
        key = (each.key() or b"none").decode()[:36]
        assert key not in found
        found[key] = {**told, "bytes": str(len(each.value() or b""))}
    return found


def mixed(city: City, good: int, others: list[dict[str, Any]]) -> None:
    """Write good pick-ups with others spread among them, all to one partition."""
    records = city.records(trips(good))
    step = max(1, good // max(1, len(others)))
    for place, other in enumerate(others):
        records.insert(place * (step + 1), other)
    city.write(city.app.event.topic, [{**each, "partition": 0} for each in records])


def predicted(city: City, good: int) -> None:
    """Every good pick-up has one prediction."""
    assert times_each(city.predictions().filter(pl.col("uuid").str.len_bytes() == 36), "uuid") == {
        1: good
    }


def test_a_tiny_queue_is_filled_again_and_again(city: City) -> None:
    """A producer that can hold five records writes hundreds: none is left out, none is doubled."""
    city.publish(V1)
    mixed(city, 400, [bad(each) for each in range(40)])
    tiny = with_client(city, queue_buffering_max_messages=5)
    with tiny.cluster, tiny.serving():
        eventually(lambda: city.predictions().height >= 400)
        eventually(lambda: len(letters(city)) >= 40)
    predicted(city, 400)
    assert len(letters(city)) == 40


def test_what_is_larger_than_the_whole_queue(city: City) -> None:
    """Neither its prediction nor its dead letter fits: it is told without its bytes, others go on.

    The bad record of 5,000 bytes goes without them, too; the small one has them.
    """
    city.publish(V1)
    mixed(city, 60, [*city.records(huge(1)), bad(1, 5_000), bad(2)])
    small = with_client(city, queue_buffering_max_kbytes=3)
    with small.cluster, small.serving():
        eventually(lambda: len(letters(city)) >= 3)
        eventually(lambda: city.predictions().height >= 60)
    predicted(city, 60)
    found = letters(city)
    assert found["bad-1"][LEFT_OUT] == "the value of 5000 bytes"
    assert LEFT_OUT not in found["bad-2"]
    assert "larger than the producer's whole queue" in found["none"]["cause"]
    assert found["none"][LEFT_OUT].endswith("bytes, and the key")


def test_several_culprits_in_one_batch(city: City) -> None:
    """Some predictions are too large for their topic: each is found, and only these are buried."""
    culprits = times(2, 5)
    city.publish(V1)
    configure(city, city.app.predictions_topic, max_message_bytes=4_000)
    mixed(city, 200, [*city.records(huge(culprits)), bad(1)])
    with city.serving():
        eventually(lambda: len(letters(city)) >= culprits + 1)
        eventually(lambda: city.predictions().height >= 200)
    predicted(city, 200)
    causes = [each["cause"] for each in letters(city).values() if "refuses" in each["cause"]]
    assert len(causes) == culprits
    assert len(letters(city)) == culprits + 1


def test_a_culprit_whose_dead_letter_is_too_large_as_well(city: City) -> None:
    """Neither topic takes it: it is told without its bytes, however often that has to be tried."""
    city.publish(V1)
    for topic in (city.app.predictions_topic, city.cluster.dead_letters):
        configure(city, topic, max_message_bytes=4_000)
    mixed(city, 60, [*city.records(huge(1)), bad(1)])
    with city.serving():
        eventually(lambda: len(letters(city)) >= 2)
        eventually(lambda: city.predictions().height >= 60)
    predicted(city, 60)
    told = letters(city)["none"]
    assert "refuses" in told["cause"]
    assert told[LEFT_OUT].endswith("bytes, and the key")


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_culprits_among_records_that_are_queued_from_memory(
    city: City, guarantee: Guarantee
) -> None:
    """That a large batch is refused is heard of at its commit; then culprits are looked for.

    Here, a few records in one request are too large already. At least once, neighbours may be on
    the log twice: they were there before it was heard of.
    """
    city.publish(V1)
    configure(city, city.app.predictions_topic, max_message_bytes=560)
    long = trips(2, first=10_000).with_columns(uuid=pl.format("{}-{}", "uuid", pl.lit("k" * 200)))
    mixed(city, 300, city.records(long))
    with city.serving(guarantee=guarantee):
        eventually(lambda: len(letters(city)) >= 2)
        eventually(lambda: city.predictions()["uuid"].n_unique() >= 300)
    assert set(city.predictions()["uuid"]) == set(trips(300)["uuid"])
    if guarantee == "exactly_once":
        predicted(city, 300)
    assert all("refuses" in each["cause"] for each in letters(city).values())


def test_dead_letters_that_are_too_large_for_their_topic(city: City) -> None:
    """They are written without their bytes and say so; their small neighbours are whole."""
    city.publish(V1)
    configure(city, city.cluster.dead_letters, max_message_bytes=3_000)
    mixed(city, 60, [bad(each, 5_000 if each % 3 == 0 else 20) for each in range(12)])
    with city.serving():
        eventually(lambda: len(letters(city)) >= 12)
        eventually(lambda: city.predictions().height >= 60)
    predicted(city, 60)
    for number in range(12):
        letter = letters(city)[f"bad-{number}"]
        assert (LEFT_OUT in letter) == (number % 3 == 0)
        assert letter["bytes"] == ("0" if number % 3 == 0 else "20")
        assert "magic byte" in letter["cause"]


def test_a_record_that_was_small_only_while_compressed(city: City) -> None:
    """12 MB that took 12 kB on the topic are more than a client of ours writes: told, not kept."""
    city.publish(V1)
    city.pick_up(trips(20))
    producer = ck.Producer(
        {
            **city.cluster.settings.client(),
            "compression.type": "gzip",
            "message.max.bytes": 20_000_000,
        }
    )
    producer.produce(city.app.event.topic, key="vast", value=b"\x07" * 12_000_000)
    assert producer.flush(30) == 0
    with city.serving():
        eventually(lambda: len(letters(city)) >= 1)
        eventually(lambda: city.predictions().height >= 20)
    predicted(city, 20)
    assert letters(city)["vast"][LEFT_OUT] == "the value of 12000000 bytes"


@pytest.mark.long
def test_dead_letters_that_nobody_takes(city: City) -> None:
    """When not even a letter without bytes is taken, serving ends and says why; nothing is lost."""
    city.publish(V1)
    configure(city, city.cluster.dead_letters, max_message_bytes=200)
    mixed(city, 60, [bad(1)])
    assert "the log refuses what is to be written" in str(failure(city))
    configure(city, city.cluster.dead_letters, max_message_bytes=1_000_000)
    with city.serving():
        eventually(lambda: len(letters(city)) >= 1)
        eventually(lambda: city.predictions().height >= 60)
    predicted(city, 60)


def test_a_wrong_clock_is_nobodys_fault(city: City, caplog: pytest.LogCaptureFixture) -> None:
    """While the log takes no time of ours, serving waits and says so: no event is buried for it.

    Without transactions, whose markers the topic would not take either.
    """
    city.publish(V1)
    configure(city, city.app.predictions_topic, message_timestamp_before_max_ms=0)
    city.pick_up(trips(100))
    with city.serving(guarantee="at_least_once"):
        eventually(lambda: "clock" in caplog.text)
        configure(city, city.app.predictions_topic, message_timestamp_before_max_ms=2**63 - 1)
        eventually(lambda: city.predictions()["uuid"].n_unique() >= 100)
    assert city.dead_letters() == []
