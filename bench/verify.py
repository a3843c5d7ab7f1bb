"""Whoever is measured must have done the work: its output is read, and compared by record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import confluent_kafka as ck
import polars as pl

from bench.stage import Stage
from edml.errors import EdmlError
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.message import Message, consume
from edml.kafka.registry import Registry
from edml.kafka.serdes import FrameDecoder

AT_ONCE = 50_000
TOLERANCE = 1e-4


class WrongOutputError(EdmlError):
    """A peer's output is not what it must be: its figures mean nothing."""


@dataclass(frozen=True)
class Verified:
    """How many records were written, and how many of them again."""

    records: int
    repeated: int


@dataclass(frozen=True)
class Answers:
    """What must be found by ``uuid``, and by what schema it is read.

    A ``prediction``, and for scored ones the ``outcome``.
    """

    expected: pl.DataFrame
    registry: Registry
    schema: RecordSchema


def count(stage: Stage, topic: str, since: Mapping[int, int]) -> Verified:
    """Count the committed records of a topic since some offsets, and those with a key again."""
    keys: set[bytes | None] = set()
    records = 0
    for messages in _committed(stage, topic, since):
        records += len(messages)
        keys.update(each.key() for each in messages)
    return Verified(records, records - len(keys))


def predictions(stage: Stage, topic: str, since: Mapping[int, int], answers: Answers) -> Verified:
    """Compare every prediction with the answer to its trip.

    Raises `WrongOutputError` for a wrong prediction, one of an unknown trip, and where a record of
    the input was left out between two that were answered.
    """
    columns = ("uuid", "prediction", "event_partition", "event_offset")
    found = pl.concat(_frames(stage, topic, since, answers, columns))
    both = found.join(answers.expected, on="uuid", how="left", suffix="_expected")
    _compare(topic, both, "prediction")
    distinct = found.unique(["event_partition", "event_offset"])
    _no_gap(topic, distinct)
    return Verified(found.height, found.height - distinct.height)


def versions(stage: Stage, topic: str, since: Mapping[int, int], answers: Answers) -> Sequence[str]:
    """The versions of the champions whose predictions there are, in the order of their names."""
    found = pl.concat(_frames(stage, topic, since, answers, ("version", "role")))
    champions = found.filter(pl.col("role") == "champion")["version"]
    return champions.unique().sort().to_list()


def scored(stage: Stage, topic: str, since: Mapping[int, int], answers: Answers) -> Verified:
    """Compare every scored prediction, its outcome and its error with what is known of its trip.

    Raises `WrongOutputError` for a wrong one.
    """
    columns = ("uuid", "prediction", "outcome", "error")
    found = pl.concat(_frames(stage, topic, since, answers, columns))
    both = found.join(answers.expected, on="uuid", how="left", suffix="_expected").with_columns(
        error_expected=pl.col("prediction_expected") - pl.col("outcome_expected")
    )
    for column in columns[1:]:
        _compare(topic, both, column)
    return Verified(found.height, found.height - found["uuid"].n_unique())


def _frames(
    stage: Stage, topic: str, since: Mapping[int, int], answers: Answers, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    decoder = FrameDecoder(answers.registry, answers.schema)
    for messages in _committed(stage, topic, since):
        decoded = decoder.decode([each.value() for each in messages])
        if decoded.bad:
            raise WrongOutputError(f"{topic} has records that cannot be read: {decoded.bad[0]}")
        yield decoded.frame.select(columns)


def _compare(topic: str, both: pl.DataFrame, column: str) -> None:
    expected = pl.col(f"{column}_expected")
    difference = (pl.col(column) - expected).abs()
    allowed = TOLERANCE * pl.max_horizontal(1.0, expected.abs())
    wrong = both.filter((difference <= allowed).fill_null(value=False).not_())
    if not wrong.is_empty():
        raise WrongOutputError(
            f"{topic}: {wrong.height} times a wrong {column}, such as {wrong.row(0)}"
        )


def _no_gap(topic: str, distinct: pl.DataFrame) -> None:
    spans = distinct.group_by("event_partition").agg(
        rows=pl.len(), first=pl.col("event_offset").min(), last=pl.col("event_offset").max()
    )
    for partition, rows, first, last in spans.iter_rows():
        if rows != last - first + 1:
            raise WrongOutputError(
                f"{topic}: {rows} of the trips {first} to {last} of partition {partition}"
            )


def _committed(stage: Stage, topic: str, since: Mapping[int, int]) -> Iterator[list[Message]]:
    """The committed records of a topic, some at once."""
    consumer = ck.Consumer(
        {
            **stage.client,
            "group.id": "bench.verify",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.message.max.bytes": 10_485_760,
        }
    )
    consumer.assign([ck.TopicPartition(topic, p, offset) for p, offset in since.items()])
    ended = 0
    try:
        while ended < len(since):
            found = consume(consumer, AT_ONCE, 1.0)
            records = [each for each in found if each.error() is None]
            ended += len(found) - len(records)
            if records:
                yield records
    finally:
        consumer.close()
