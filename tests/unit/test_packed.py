"""Records side by side: the bytes that are queued, and what the queue has no room for."""

import ctypes

import confluent_kafka as ck
import polars as pl
import pytest

from edml.kafka.codec.blocks import Block
from edml.kafka.codec.encode import Encoder
from edml.kafka.codec.layout import RecordSchema
from edml.kafka.codec.pieces import texts
from edml.kafka.librdkafka import handle
from edml.kafka.packed import Packed, produce

SCHEMA: RecordSchema = {
    "type": "record",
    "name": "Answer",
    "namespace": "test",
    "fields": [{"name": "uuid", "type": "string"}, {"name": "minutes", "type": ["null", "double"]}],
}
COUNT = 300

KEYS = {
    "uuids": pl.format("0b8e9a52-7c1d-4a57-9f6e-{}", pl.col("row").cast(pl.String).str.zfill(12)),
    "short": pl.col("row").cast(pl.String),
    "long": pl.lit("k").repeat_by("row").list.join("").str.slice(0, 250),
    "same": pl.lit("always the same key"),
    "empty": pl.lit(""),
}


def answers(key: pl.Expr) -> pl.DataFrame:
    """Rows with such keys, and a value that some do not have."""
    rows = pl.DataFrame({"row": range(COUNT)})
    minutes = pl.when(pl.col("row") % 3 > 0).then(pl.col("row") / 7)
    return rows.select(uuid=key, minutes=minutes)


def at(block: Block) -> list[bytes]:
    """What lies where the block says."""
    places = block.addresses().tolist()
    sizes = [block.sizes] * len(places) if isinstance(block.sizes, int) else block.sizes.tolist()
    return list(map(ctypes.string_at, places, sizes))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_what_is_queued_are_the_bytes_that_are_encoded(key: pl.Expr) -> None:
    """Keys and values lie where the blocks say, also those of some rows."""
    frame = answers(key)
    encoder = Encoder(SCHEMA, 7)
    values = encoder.write(frame)
    assert isinstance(values, Block)
    assert at(values) == encoder.encode(frame)
    assert at(texts(frame["uuid"])) == [each.encode() for each in frame["uuid"]]
    some = pl.Series([3, 141, 299]).to_numpy()
    assert at(values.rows(some)) == [encoder.encode(frame)[row] for row in some.tolist()]


def test_few_rows_and_long_texts_are_not_laid_out_side_by_side() -> None:
    """They are encoded one by one, and queued as ever."""
    encoder = Encoder(SCHEMA, 7)
    assert isinstance(encoder.write(answers(KEYS["uuids"]).head(3)), list)
    assert isinstance(encoder.write(answers(pl.lit("k" * 10_000))), list)


def test_what_finds_no_room_is_given_back() -> None:
    """A queue for five takes the first five."""
    producer = ck.Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 5})
    frame = answers(KEYS["uuids"])
    values = Encoder(SCHEMA, 7).write(frame)
    assert isinstance(values, Block)
    left = produce(handle(producer), "answers", Packed(texts(frame["uuid"]), values))
    assert at(left.keys) == [each.encode() for each in frame["uuid"][5:]]
    assert at(left.values) == at(values)[5:]
    producer.purge()
    producer.flush(1)


def test_what_can_never_be_queued_is_an_error() -> None:
    """It is told, rather than tried for ever."""
    producer = ck.Producer({"bootstrap.servers": "127.0.0.1:1", "message.max.bytes": 1_000})
    frame = answers(KEYS["uuids"]).with_columns(uuid=pl.lit("k" * 250))
    values = Block(texts(pl.Series(["x" * 250] * COUNT)).content, 250)
    vast = Block(values.content.repeat(8).view("V2000"), 2_000)
    with pytest.raises(ck.KafkaException, match="too large"):
        produce(handle(producer), "answers", Packed(texts(frame["uuid"]), vast))
    producer.purge()
    producer.flush(1)
