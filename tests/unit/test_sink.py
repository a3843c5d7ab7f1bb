"""At least once, offsets follow outputs that were delivered, and no others: without any broker."""

import ctypes
import time
from collections.abc import Mapping

import confluent_kafka as ck
import polars as pl
import pytest
from confluent_kafka import cimpl

from edml.events import Batch, Outputs, TopicPartition
from edml.kafka.burial import DeadLetters
from edml.kafka.codec.blocks import Block
from edml.kafka.codec.pieces import texts
from edml.kafka.librdkafka import handle
from edml.kafka.packed import Packed
from edml.kafka.serdes import Record
from edml.kafka.sink import Sink
from edml.kafka.source import KafkaReading
from edml.runtime.log import AbortedError, Committed, FencedError

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
MANY = 200
"""More rows than so many lie side by side."""

PLACES = {TopicPartition("events", 0): Committed(500, 500, {})}


class Rows:
    """Encodes a column of strings as keys and as values."""

    def encode(self, frame: pl.DataFrame) -> list[Record]:
        """One by one."""
        return [{"key": each.encode(), "value": each.encode()} for each in frame["row"]]

    def pack(self, frame: pl.DataFrame) -> Packed | list[Record]:
        """Side by side, if they are many."""
        block = texts(frame["row"])
        assert isinstance(block, Block)
        return Packed(block, block) if frame.height > MANY else self.encode(frame)


class World:
    """A sink that writes at least once, and what it tells the group."""

    def __init__(self, **config: object) -> None:
        self.told: list[Mapping[TopicPartition, Committed]] = []
        self.sink = Sink(
            {**NOWHERE, **{name.replace("_", "."): value for name, value in config.items()}},
            {"outputs": Rows()},
            DeadLetters("dead", "test"),
            instance=None,
            commit_offsets=lambda places: self.told.append(dict(places)),
        )

    def commit(self, count: int) -> None:
        """Write so many rows, and wait for them."""
        frame = pl.DataFrame({"row": [f"row {each}" for each in range(count)]})
        self.sink.commit(READING, Outputs({"outputs": frame}), PLACES).wait()


READING = KafkaReading(Batch({}))


@pytest.mark.parametrize("count", [20, 500])
def test_what_was_not_delivered_is_not_committed(count: int) -> None:
    """Nobody answers while a record may wait: few rows or many, no offset is told."""
    world = World(message_timeout_ms=300)
    with pytest.raises(AbortedError, match="timed out"):
        world.commit(count)
    with pytest.raises(AbortedError, match="timed out"):
        world.commit(count)
    world.sink.close()
    assert world.told == []


@pytest.mark.parametrize("count", [20, 500])
def test_a_fatal_error_ends_the_instance(count: int) -> None:
    """What is queued is thrown away by librdkafka, which says no more: it is not delivered."""
    world = World(enable_idempotence=True)
    frame = pl.DataFrame({"row": [f"row {each}" for each in range(count)]})
    commit = world.sink.commit(READING, Outputs({"outputs": frame}), PLACES)
    refused = int(ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    few, many = world.sink._producer, world.sink._bulk  # noqa: SLF001
    assert many is not None
    producer, client = (many, many.client) if count > MANY else (few, handle(few))
    until = time.monotonic() + 10
    while len(producer) < count:
        assert time.monotonic() < until
    raise_it = ctypes.CDLL(cimpl.__file__).rd_kafka_test_fatal_error
    raise_it(ctypes.c_void_p(client), refused, b"for a test")
    with pytest.raises(FencedError, match="for a test"):
        commit.wait()
    assert world.told == []


def test_with_tokens_many_rows_go_one_by_one() -> None:
    """And it is still heard of each."""
    world = World(
        message_timeout_ms=300,
        security_protocol="sasl_plaintext",
        sasl_mechanism="OAUTHBEARER",
    )
    assert world.sink._bulk is None  # noqa: SLF001
    with pytest.raises(AbortedError, match="timed out"):
        world.commit(500)
    assert world.told == []
