"""Ten thousand hostile records through the real loop, among good ones."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import psutil
from polars.testing import assert_frame_equal

from edml.apps.taxi import LAST_ZONE
from edml.events import TopicPartition
from edml.kafka.group_offsets import places
from edml.kafka.serdes import FrameDecoder
from edml.kafka.spans import spans
from edml.scoring.records import scored_schema
from edml.wiring import schemas
from tests.broker.city import City, eventually, times_each
from tests.faults.instances import start
from tests.faults.plan import Plan
from tests.hostile import FEATURES, Target, Verdict, mutated, verdict, written
from tests.hostile import KINDS as BY_NAME
from tests.trips import trips

V1 = "0.1.0-20191128143000-1a2b3c4"
HOSTILE = Plan.read().hostile
GOOD = 2_000
GROWTH_BYTES = 400 * 2**20
"""What a batch of 16,384 records may add, some of them of a megabyte."""

PLACE = ("event_partition", "event_offset")
ZONES = ("pickup_zone", "dropoff_zone")
DATUM = {"uuid": "fare-1", "fare": 12.5}
FARES = {
    "type": "record",
    "name": "Fare",
    "fields": [{"name": "uuid", "type": "string"}, {"name": "fare", "type": "double"}],
}
KINDS = {*BY_NAME, "NaN, infinite, tiny", "a megabyte"}
CAUSES = {
    "null": "the value is null",
    "empty": "the value is empty",
    "a part of a header": "its header alone takes 5",
    "another magic byte": "the magic byte 0x00",
    "an unknown schema id": "the registry has no schema of id",
    "another schema's record": "the writer's schema lacks it",
    "JSON": "begins with byte 0x7b",
    "a text that is not UTF-8": "not UTF-8",
    "two records in one": "left over behind the record",
}
"""What is said of some kinds, whatever else is wrong."""


def target(city: City, kind: str) -> Target:
    """One of the application's schemas, and others, as the registry knows them."""
    registry, prefix = city.cluster.registry, city.app.topic_prefix
    known: dict[int, Any] = {}
    for name, schema in {**schemas(city.app), "fare": FARES}.items():
        subject = f"{prefix}hostile-{name}"
        known[registry.register(subject, schema)] = schema
    ours = next(each for each, schema in known.items() if schema == schemas(city.app)[kind])
    fare = next(each for each, schema in known.items() if schema == FARES)
    return Target(known, ours, [written(known, fare, DATUM)])


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as the generator takes them: times are whole numbers."""
    return frame.with_columns(pl.col(pl.Datetime).to_physical()).to_dicts()


def records(mutants: Sequence[tuple[str, bytes | None]]) -> list[dict[str, Any]]:
    """Values as records, each with a key that tells its kind and its number."""
    return [
        {"key": f"{kind}/{number}", "value": value} for number, (kind, value) in enumerate(mutants)
    ]


def read_to_the_end(city: City, group: str, topics: Sequence[str]) -> bool:
    """Whether a group has committed all that is on some topics."""
    client = city.cluster.settings.client()
    at = places(client, f"{city.app.topic_prefix}edml.taxi.{group}", topics)
    ends = spans(client, topics)
    return all(
        at.get(TopicPartition(topic, number), 0) >= end
        for topic, span in ends.items()
        for number, end in span.end.items()
    )


class Watched:
    """A child process, and the most memory that it was seen to hold."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.most = 0

    def look(self) -> int:
        """How much it holds now, in bytes."""
        assert self._process.status() != psutil.STATUS_ZOMBIE, "it has ended"
        now: int = self._process.memory_info().rss
        self.most = max(self.most, now)
        return now

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait, looking again and again."""
        eventually(lambda: self.look() > 0 and holds())


@contextmanager
def child(city: City, command: str, folder: Path) -> Iterator[Watched]:
    """The real command, for as long as the context lasts."""
    instance = start(city, command, folder / f"{command}.log")
    try:
        yield Watched(instance.process.pid)
    finally:
        instance.stop()


def dead(city: City, topic: str) -> dict[tuple[int, int], tuple[str, bytes | None, bytes | None]]:
    """The dead letters of a topic by partition and offset: cause, key and value; each one once."""
    found = {}
    for each in city.read(city.cluster.dead_letters):
        told = {name: value.decode() for name, value in each.headers() or []}
        if told["topic"] == topic:
            place = int(told["partition"]), int(told["offset"])
            assert place not in found
            found[place] = told["cause"], each.key(), each.value()
    return found


def can_be_predicted(told: Verdict) -> bool:
    """Whether the taxis take what was decoded."""
    if told.row is None:
        return False
    zones = told.row["pickup_zone"], told.row["dropoff_zone"]
    latest = datetime.now(UTC) + timedelta(days=7)
    return all(1 <= zone <= LAST_ZONE for zone in zones) and told.row["pickup_at"] <= (
        latest.timestamp() * 1e6
    )


def test_ten_thousand_hostile_events(city: City, tmp_path: Path) -> None:
    """Each is a dead letter with place, cause and bytes, or predicted; its neighbours are as ever.

    The good events are served twice: by themselves, and among the hostile ones.
    """
    city.publish(V1)
    aim, topic = target(city, "event"), city.app.event.topic
    frame = trips(GOOD).drop("dropoff_at")
    good = city.records(frame)
    strangers = rows_of(frame.with_columns(uuid=pl.format("stranger-{}", pl.int_range(GOOD))))
    hostile = records(mutated(aim, strangers, HOSTILE, seed=4))
    with child(city, "serve", tmp_path) as process:
        city.write(topic, good)
        process.until(lambda: read_to_the_end(city, "serve", [topic]))
        before = process.look()
        mixed = [*good, *hostile]
        Random(6).shuffle(mixed)  # noqa: S311  nothing is secret
        city.write(topic, mixed)
        process.until(lambda: read_to_the_end(city, "serve", [topic]))
        assert process.most - before < GROWTH_BYTES
    letters, predictions = dead(city, topic), city.predictions()
    assert times_each(predictions, *PLACE) == {1: predictions.height}
    predicted = {tuple(row[name] for name in PLACE): row for row in predictions.to_dicts()}
    assert not predicted.keys() & letters.keys()
    for each in city.read(topic):
        where, kind = (each.partition(), each.offset()), (each.key() or b"").decode().split("/")[0]
        told = verdict(each.value(), aim.schemas, aim.schema)
        if where in letters:
            cause, key, value = letters[where]
            assert (each.key(), each.value()) == (key, value)
            assert cause
            assert CAUSES.get(kind, "") in cause, (kind, cause)
            assert not (told.plain and can_be_predicted(told)), (kind, cause, told)
        else:
            assert can_be_predicted(told), (kind, told)
            assert told.row is not None
            given = {name: predicted[where][name] for name in ("uuid",)}
            given |= {name: predicted[where]["features"][name] for name in ZONES}
            assert given == {name: told.row[name] for name in ("uuid", *ZONES)}
    of_good = predictions.filter(pl.col("uuid").is_in(frame["uuid"].implode()))
    of_good = of_good.sort("uuid", *PLACE).drop(PLACE)
    assert_frame_equal(of_good.gather_every(2), of_good.gather_every(2, 1))
    assert of_good["uuid"].gather_every(2).to_list() == frame["uuid"].to_list()
    assert len(letters) > HOSTILE / 2


def predictions_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of the topic of predictions, one a trip, that says ten minutes."""
    told = {"prediction": 10.0, "version": V1, "role": "champion", "segment": "Bronx"}
    return [
        {
            **told,
            "uuid": row["uuid"],
            "event_time": row["pickup_at"],
            "event_partition": 0,
            "event_offset": number,
            "features": FEATURES,
        }
        for number, row in enumerate(rows_of(frame))
    ]


def keyed(aim: Target, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Good rows as records."""
    return [{"key": row["uuid"], "value": aim.value(row)} for row in rows]


def test_ten_thousand_hostile_outcomes_and_predictions(city: City) -> None:
    """Both inputs of scoring are full of them: all trips are scored, and each hostile one told.

    What is decoded all the same is of trips of its own. A time that is far ahead would move the
    watermark as far as the application allows: here, not at all.
    """
    app = replace(city.app, ahead=timedelta(0))
    strict = replace(city, cluster=replace(city.cluster, application=app))
    city.cluster.create()
    ago = datetime.now(UTC) - timedelta(minutes=50) - trips(1)["pickup_at"][0]
    frame = trips(GOOD, every=timedelta(seconds=1)).with_columns(
        pl.col("pickup_at", "dropoff_at") + ago
    )
    frame = frame.with_columns(dropoff_at=pl.col("pickup_at") + timedelta(minutes=12))
    strangers = frame.with_columns(uuid=pl.format("stranger-{}", pl.int_range(GOOD)))
    aims = {
        app.predictions_topic: target(city, "prediction"),
        app.outcome.topic: target(city, "outcome"),
    }
    good, others = (
        {
            app.predictions_topic: predictions_of(trips_of),
            app.outcome.topic: rows_of(trips_of.select("uuid", "dropoff_at")),
        }
        for trips_of in (frame, strangers)
    )
    process = Watched(os.getpid())
    before = process.look()
    for topic, aim in aims.items():
        hostile = records(mutated(aim, others[topic], HOSTILE // 2, seed=7))
        city.write(topic, shuffled_between(keyed(aim, good[topic]), hostile))
    with strict.cluster, strict.scoring():
        process.until(lambda: read_to_the_end(city, "score", list(aims)))
    assert process.most - before < GROWTH_BYTES
    for topic, aim in aims.items():
        letters = dead(city, topic)
        for each in city.read(topic):
            where = each.partition(), each.offset()
            kind = (each.key() or b"").decode().split("/")[0]
            told = verdict(each.value(), aim.schemas, aim.schema)
            assert told.row is not None or where in letters, kind
            if where in letters:
                cause, key, value = letters[where]
                assert (each.key(), each.value()) == (key, value)
                assert kind in KINDS
                assert told.row is None or not told.plain or cause_of_time(cause), (kind, cause)
    decoder = FrameDecoder(city.cluster.registry, scored_schema(app))
    scored = decoder.decode([each.value() for each in city.read(app.scored_topic)]).frame
    of_good = scored.filter(pl.col("uuid").is_in(frame["uuid"].implode()))
    assert times_each(of_good, "uuid") == {1: GOOD}
    assert of_good["error"].unique().to_list() == [-2.0]


def cause_of_time(cause: str) -> bool:
    """Whether it is not for its bytes that a record is not scored."""
    return any(words in cause for words in ("too late", "too far ahead", "not a number"))


def shuffled_between(
    good: list[dict[str, Any]], hostile: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Hostile records at random places among good ones, which stay in their order."""
    random = Random(8)  # noqa: S311  nothing is secret
    places = sorted(random.randint(0, len(good)) for _ in hostile)
    mixed, at = [], 0
    for place, each in zip(places, hostile, strict=True):
        mixed += [*good[at:place], each]
        at = place
    return mixed + good[at:]
