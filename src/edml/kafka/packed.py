"""Records that are written from where they lie in memory, many at once.

Who queues records in this way is not told how the delivery of each one ended. In a transaction,
nobody has to be: it cannot be committed without all of them, and its commit fails with the error
of the record that was refused.
"""

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


def produce(producer: ck.Producer, topic: str, records: Packed) -> Packed:
    """Queue records; gives back those that find no room in the producer's queue.

    Raises `ck.KafkaException` when one can never be queued.
    """
    messages = np.zeros(len(records), lib.MESSAGE)
    messages["key"], messages["key_len"] = records.keys.addresses(), records.keys.sizes
    messages["payload"], messages["len"] = records.values.addresses(), records.values.sizes
    opened = lib.topic_new(lib.handle(producer), topic.encode(), None)
    try:
        lib.produce_batch(opened, lib.ANY_PARTITION, lib.COPY, messages.ctypes.data, len(messages))
    finally:
        lib.topic_destroy(opened)
    left = np.flatnonzero(messages["err"])
    for code in np.unique(messages["err"][left]).tolist():
        if code != ck.KafkaError._QUEUE_FULL:
            raise ck.KafkaException(ck.KafkaError(code))
    return records.rows(left)
