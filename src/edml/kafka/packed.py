"""Records that are written from where they lie in memory, many at once.

confluent-kafka does not tell who queues records in this way how the delivery of each one ended. In
a transaction, nobody has to be told: it cannot be committed without all of them, and its commit
fails with the error of the record that was refused. Without one, they go through a producer that
tells of what failed (`edml.kafka.bulk_producer`).
"""

import ctypes
from typing import NamedTuple

import confluent_kafka as ck
import numpy as np
from numpy.typing import NDArray

from edml.kafka import librdkafka as lib
from edml.kafka.codec.blocks import Block


class Packed(NamedTuple):
    """Records side by side: row by row, the bytes of their keys and of their values."""

    keys: Block
    values: Block

    def __len__(self) -> int:
        return len(self.values.content)

    def rows(self, places: NDArray[np.intp]) -> "Packed":
        """Only the records at these places."""
        return Packed(self.keys.rows(places), self.values.rows(places))


def produce(client: int | None, topic: str, records: Packed) -> Packed:
    """Queue records; gives back those that find no room in the producer's queue.

    ``client`` is its ``rd_kafka_t *``. Raises `ck.KafkaException` when one can never be queued.
    """
    messages = np.zeros(len(records), lib.MESSAGE)
    messages["key"], messages["key_len"] = records.keys.addresses(), records.keys.sizes
    messages["payload"], messages["len"] = records.values.addresses(), records.values.sizes
    opened = lib.topic_new(client, topic.encode(), None)
    try:
        lib.produce_batch(opened, lib.ANY_PARTITION, lib.COPY, messages.ctypes.data, len(messages))
    finally:
        lib.topic_destroy(opened)
    left = np.flatnonzero(messages["err"])
    for code in np.unique(messages["err"][left]).tolist():
        if code != ck.KafkaError._QUEUE_FULL:
            raise ck.KafkaException(fatal_error(client) or ck.KafkaError(code))
    return records.rows(left)


def fatal_error(client: int | None) -> ck.KafkaError | None:
    """What keeps a client from ever writing again, if anything does."""
    told = ctypes.create_string_buffer(lib.TEXT_BYTES)
    code = lib.fatal_error(client, told, lib.TEXT_BYTES)
    cause = told.value.decode(errors="replace")
    return ck.KafkaError(code, cause, fatal=True) if code else None
