"""The log played again, as fast as it can be read: it leaves no trace there.

No group is joined, nothing is committed, nothing is written. Partitions are assigned by hand, and
read from their first record up to where they end when the playing begins.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from edml.application import Application
from edml.backtesting.recording import Recording, Tell, narrow_schema
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.schema import avro_schema
from edml.kafka.registry import Registry
from edml.kafka.serdes import FrameDecoder
from edml.kafka.source import decoded
from edml.kafka.spans import Client, span
from edml.kafka.tail import records_between

ROWS: Final = 65_536
"""Records that are given back at once, at least: models answer many at once sooner."""


@dataclass(frozen=True)
class Playback:
    """Plays topics of one log. ``undecodable`` counts, by topic, the records that are left out."""

    client: Client
    registry: Registry
    undecodable: Counter[str] = field(default_factory=Counter)

    def records(self, *topics: str) -> int:
        """How many offsets there are: as many records, and the marks of transactions."""
        return sum(span(self.client, topic).offsets for topic in topics)

    def recording(self, application: Application, tell: Tell) -> Recording:
        """What happened on the topics of an application."""
        event, outcome = application.event, application.outcome
        return Recording(
            predictions=self.play(application.predictions_topic, narrow_schema(application), tell),
            events=self.play(event.topic, avro_schema(event.schema), tell),
            outcomes=self.play(outcome.topic, avro_schema(outcome.schema), tell),
            whole=False,
            undecodable=self.undecodable,
        )

    def play(self, topic: str, schema: RecordSchema, tell: Tell) -> Iterator[pl.DataFrame]:
        """The records as frames with their places; those that cannot be decoded are left out.

        Raises `TopicError` when there is no such topic, and `LogError` when the log does not
        answer.
        """
        decoder = FrameDecoder(self.registry, schema)
        kept: list[pl.DataFrame] = []
        whole = span(self.client, topic)
        for records in records_between(self.client, topic, whole.first, whole.end):
            frame, bad = decoded(decoder, records)
            kept.append(frame)
            self.undecodable[topic] += len(bad)
            tell(len(records))
            if sum(each.height for each in kept) >= ROWS:
                yield pl.concat(kept)
                kept = []
        if kept:
            yield pl.concat(kept)
