"""librdkafka itself, where confluent-kafka asks too much of Python for each record.

`produce_batch` of confluent-kafka wants a dictionary a record, and each record that is delivered
takes the interpreter's lock once more, whether anybody asked to be told or not. librdkafka's own
``rd_kafka_produce_batch`` takes places in memory, of which NumPy fills in thousands at once, and
needs no lock. It is the same library, which confluent-kafka has loaded, and the same producer.

Who queues records in this way is not told how the delivery of each one ended. In a transaction,
nobody has to be: it cannot be committed without all of them, and its commit fails with the error
of the record that was refused.

https://docs.confluent.io/platform/current/clients/librdkafka/html/rdkafka_8h.html
"""

import ctypes
from typing import Final, NamedTuple

import confluent_kafka as ck
import numpy as np
from confluent_kafka import cimpl
from numpy.typing import NDArray

from edml.kafka.codec.blocks import Block

_Pointer = ctypes.c_void_p


class _Message(ctypes.Structure):
    """``rd_kafka_message_t``, a part of librdkafka's stable interface."""

    _fields_ = (
        ("err", ctypes.c_int),
        ("rkt", _Pointer),
        ("partition", ctypes.c_int32),
        ("payload", _Pointer),
        ("len", ctypes.c_size_t),
        ("key", _Pointer),
        ("key_len", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("_private", _Pointer),
    )


_MESSAGE: Final = np.dtype(_Message)
_ANY_PARTITION: Final = -1
"""``RD_KAFKA_PARTITION_UA``: the producer's partitioner chooses."""

_COPY: Final = 0x2
"""``RD_KAFKA_MSG_F_COPY``: the bytes are ours again when the call returns."""

_library: Final = ctypes.CDLL(cimpl.__file__)

_topic_new: Final = _library.rd_kafka_topic_new
_topic_new.argtypes, _topic_new.restype = (_Pointer, ctypes.c_char_p, _Pointer), _Pointer

_topic_destroy: Final = _library.rd_kafka_topic_destroy
_topic_destroy.argtypes, _topic_destroy.restype = (_Pointer,), None

_produce_batch: Final = _library.rd_kafka_produce_batch
_produce_batch.argtypes = (_Pointer, ctypes.c_int32, ctypes.c_int, _Pointer, ctypes.c_int)
_produce_batch.restype = ctypes.c_int


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
    messages = np.zeros(len(records), _MESSAGE)
    messages["key"], messages["key_len"] = records.keys.addresses(), records.keys.sizes
    messages["payload"], messages["len"] = records.values.addresses(), records.values.sizes
    opened = _topic_new(_handle(producer), topic.encode(), None)
    try:
        _produce_batch(opened, _ANY_PARTITION, _COPY, messages.ctypes.data, len(messages))
    finally:
        _topic_destroy(opened)
    left = np.flatnonzero(messages["err"])
    for code in np.unique(messages["err"][left]).tolist():
        if code != ck.KafkaError._QUEUE_FULL:
            raise ck.KafkaException(ck.KafkaError(code))
    return records.rows(left)


def _handle(producer: ck.Producer) -> int | None:
    """The ``rd_kafka_t *`` of a producer: it stands first in its struct, behind Python's own head.

    `Handle` in ``confluent_kafka.h``.
    """
    return _Pointer.from_address(id(producer) + object.__basicsize__).value
