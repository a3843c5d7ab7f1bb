"""Finds the records of one key: its partition is read, and only what has the key is decoded.

Every producer of ours places a key by ``murmur2_random`` (`edml.kafka.partition`). A client that
places it otherwise is not relied on: when the key is not where it belongs, the others are read.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import confluent_kafka as ck
import polars as pl

from edml.events import TopicPartition
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.message import Consumed, Message
from edml.kafka.partition import partitions
from edml.kafka.registry import Registry
from edml.kafka.serdes import FrameDecoder
from edml.kafka.source import decoded
from edml.kafka.spans import Client, Offsets, span
from edml.kafka.tail import between, record_at

NEWEST: Final = 200
"""So many of the last records tell how far a partition is."""


@dataclass(frozen=True)
class Found:
    """The records of a key, in order, with their places; and the newest ones of its partition."""

    frame: pl.DataFrame
    newest: pl.DataFrame


@dataclass(frozen=True)
class Finder:
    """Finds records on one log; nothing is written there. ``tell`` hears of records read."""

    client: Client
    registry: Registry
    tell: Callable[[int], object] = field(default=lambda _: None)

    def of_key(self, topic: str, schema: RecordSchema, key: str) -> Found:
        """The records of a topic that have this key.

        Raises `TopicError` when there is no such topic, and `LogError` when the log does not
        answer.
        """
        whole = span(self.client, topic)
        wanted = key.encode()
        home = int(partitions([wanted], len(whole.end))[0])
        decoder = FrameDecoder(self.registry, schema)
        found, newest = self._scan(topic, [home], whole.first, whole.end, wanted)
        if not found:
            others = [each for each in whole.end if each != home]
            found, _ = self._scan(topic, others, whole.first, whole.end, wanted)
        return Found(_frame(decoder, found), _frame(decoder, newest))

    def at(self, place: TopicPartition, offset: int, schema: RecordSchema) -> pl.DataFrame:
        """The record at one place as a frame, which is empty when it is not on the log."""
        record = record_at(self.client, place, offset)
        return _frame(FrameDecoder(self.registry, schema), [] if record is None else [record])

    def _scan(
        self, topic: str, numbers: Iterable[int], first: Offsets, end: Offsets, key: bytes
    ) -> tuple[list[ck.Message], Sequence[ck.Message]]:
        """The records of some partitions that have the key, and the last ones of all."""
        found: list[ck.Message] = []
        newest: deque[ck.Message] = deque(maxlen=NEWEST)
        ends = {number: end[number] for number in numbers}
        for batch in between(self.client, topic, first, ends):
            found += [each for each in batch if each.key() == key]
            newest.extend(batch[-NEWEST:])
            self.tell(len(batch))
        return found, list(newest)


def _frame(decoder: FrameDecoder, records: Sequence[ck.Message]) -> pl.DataFrame:
    """Records as a frame; what cannot be decoded is left out."""
    return decoded(decoder, Consumed.of(cast("Sequence[Message]", records)))[0]
