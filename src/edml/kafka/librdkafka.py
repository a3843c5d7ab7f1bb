"""librdkafka itself, where confluent-kafka asks too much of Python for each record.

confluent-kafka makes an object of each record that it reads, wants a dictionary for each one that
it writes, and takes the interpreter's lock once more for each one that is delivered. librdkafka's
own functions take and give places in memory, of which NumPy makes columns, thousands at once, and
need no lock. It is the same library, which confluent-kafka has loaded, and the same clients: what
else they do (groups, transactions, callbacks) stays with confluent-kafka.

https://docs.confluent.io/platform/current/clients/librdkafka/html/rdkafka_8h.html
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from confluent_kafka import cimpl

Pointer = ctypes.c_void_p
_Int = ctypes.c_int
_Partition = ctypes.c_int32
_Size = ctypes.c_size_t
_Text = ctypes.c_char_p


class MessageStruct(ctypes.Structure):
    """``rd_kafka_message_t``, a part of librdkafka's stable interface."""

    _fields_ = (
        ("err", _Int),
        ("rkt", Pointer),
        ("partition", _Partition),
        ("payload", Pointer),
        ("len", _Size),
        ("key", Pointer),
        ("key_len", _Size),
        ("offset", ctypes.c_int64),
        ("_private", Pointer),
    )


MESSAGE: Final = np.dtype(MessageStruct)
"""A message as NumPy sees it."""

ANY_PARTITION: Final = -1
"""``RD_KAFKA_PARTITION_UA``: the producer's partitioner chooses."""

PRODUCER: Final = 0
"""``RD_KAFKA_PRODUCER``."""

DELIVERIES: Final = 0x1
"""``RD_KAFKA_EVENT_DR``: deliveries are told by events, many at once."""

ERRORS: Final = 0x8
"""``RD_KAFKA_EVENT_ERROR``: so are errors of the client itself, which are logged else."""

TEXT_BYTES: Final = 512
"""Room for what librdkafka has to say of an error."""

COPY: Final = 0x2
"""``RD_KAFKA_MSG_F_COPY``: the bytes are ours again when the call returns."""

_unlocked: Final = ctypes.CDLL(cimpl.__file__)
"""The interpreter's lock is given away during a call: for what takes long, or waits."""

_locked: Final = ctypes.PyDLL(cimpl.__file__)
"""It is kept: for what takes less time than the lock does."""


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = library[f"rd_kafka_{name}"]
    function.restype, function.argtypes = result, arguments
    return function


topic_new: Final = _function(_unlocked, "topic_new", Pointer, Pointer, _Text, Pointer)
topic_destroy: Final = _function(_unlocked, "topic_destroy", None, Pointer)
topic_name: Final = _function(_locked, "topic_name", _Text, Pointer)
produce_batch: Final = _function(
    _unlocked, "produce_batch", _Int, Pointer, _Partition, _Int, Pointer, _Int
)
queue_new: Final = _function(_unlocked, "queue_new", Pointer, Pointer)
queue_destroy: Final = _function(_unlocked, "queue_destroy", None, Pointer)
queue_get_partition: Final = _function(
    _unlocked, "queue_get_partition", Pointer, Pointer, _Text, _Partition
)
queue_forward: Final = _function(_locked, "queue_forward", None, Pointer, Pointer)
consume_batch_queue: Final = _function(
    _unlocked, "consume_batch_queue", ctypes.c_ssize_t, Pointer, _Int, Pointer, _Size
)
message_destroy: Final = _function(_locked, "message_destroy", None, _Size)
message_timestamp: Final = _function(_locked, "message_timestamp", ctypes.c_int64, _Size, Pointer)
message_errstr: Final = _function(_locked, "message_errstr", _Text, _Size)
message_headers: Final = _function(_locked, "message_headers", _Int, _Size, Pointer)
header_get_all: Final = _function(
    _locked, "header_get_all", _Int, Pointer, _Size, Pointer, Pointer, Pointer
)

conf_new: Final = _function(_locked, "conf_new", Pointer)
conf_set: Final = _function(_locked, "conf_set", _Int, Pointer, _Text, _Text, Pointer, _Size)
conf_set_events: Final = _function(_locked, "conf_set_events", None, Pointer, _Int)
conf_destroy: Final = _function(_locked, "conf_destroy", None, Pointer)
new: Final = _function(_unlocked, "new", Pointer, _Int, Pointer, Pointer, _Size)
destroy: Final = _function(_unlocked, "destroy", None, Pointer)
flush: Final = _function(_unlocked, "flush", _Int, Pointer, _Int)
fatal_error: Final = _function(_locked, "fatal_error", _Int, Pointer, Pointer, _Size)
outq_len: Final = _function(_locked, "outq_len", _Int, Pointer)
queue_get_main: Final = _function(_locked, "queue_get_main", Pointer, Pointer)
queue_poll: Final = _function(_locked, "queue_poll", Pointer, Pointer, _Int)
event_message_next: Final = _function(_locked, "event_message_next", Pointer, Pointer)
event_destroy: Final = _function(_locked, "event_destroy", None, Pointer)


def handle(client: Any) -> int | None:
    """The ``rd_kafka_t *`` of a client: it stands first in its struct, behind Python's own head.

    `Handle` in ``confluent_kafka.h``.
    """
    return Pointer.from_address(id(client) + object.__basicsize__).value
